"""The update of a stack by a change set, which is executed only if it changes nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from cli.ending import uninterrupted
from cli.output import Output
from cli.stack_failures import StackFailures, has_no_changes

_WAITER = {"Delay": 3, "MaxAttempts": 1200}


class NotUpdated(Exception):
    """CloudFormation's reasons."""


class NothingToUpdate(Exception):
    """The template and the parameters are the deployed ones."""


class OtherChanges(Exception):
    """The names of the resources that the update would also change."""


def update(cloudformation: Any, stack: str, change_set_name: str, request: contextlib.AbstractContextManager[dict[str, Any]],
           others: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], output: Output) -> None:
    """Updates the stack, unless `others` finds changes among the planned ones. `request` is open until CloudFormation has
    read the template. No change set is left, unless the command is killed."""
    failures = StackFailures(cloudformation, stack)
    change_set = {"StackName": stack, "ChangeSetName": change_set_name}
    # That of a killed run.
    cloudformation.delete_change_set(**change_set)
    try:
        with request as more:
            cloudformation.create_change_set(**change_set, **more)
            cloudformation.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig=_WAITER)
        pages = cloudformation.get_paginator("describe_change_set").paginate(**change_set)
        changes = [each.get("ResourceChange", {}) for page in pages for each in page["Changes"]]
        if foreign := others(changes):
            cloudformation.delete_change_set(**change_set)
            raise OtherChanges(", ".join(each.get("LogicalResourceId", "a hook") for each in foreign))
        output.has_begun = True
        cloudformation.execute_change_set(**change_set)
        cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=_WAITER)
    except WaiterError as error:
        reasons = failures.lines() or [str(error)]
        cloudformation.delete_change_set(**change_set)
        if has_no_changes(str(error.last_response.get("StatusReason", ""))):
            raise NothingToUpdate("CloudFormation found nothing to change") from error
        raise NotUpdated("; ".join([*reasons, *filter(None, [failures.hint])])) from error
    except KeyboardInterrupt:
        # Without effect after its execution has begun.
        with uninterrupted(), contextlib.suppress(BotoCoreError, ClientError):
            cloudformation.delete_change_set(**change_set)
        raise
