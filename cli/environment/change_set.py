"""The update of a stack by a change set, which is executed only if it changes nothing else."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from cli.environment.stack_failures import StackFailures, has_no_changes
from cli.shell.ending import uninterrupted
from cli.shell.output import Output

_WAITER = {"Delay": 3, "MaxAttempts": 1200}


class NotUpdated(Exception):
    """CloudFormation's reasons."""


class NothingToUpdate(Exception):
    """The template and the parameters are the deployed ones."""


class OtherChanges(Exception):
    """The further changes of the update, each with its reason."""


@dataclass
class ChangeSet:
    """A change set that is not executed yet."""

    # The arguments that name it in a call.
    named: dict[str, str]
    # Those of resources. Empty for the change of something else, such as a hook.
    changes: list[dict[str, Any]]
    parameters: list[dict[str, Any]]


def update(cloudformation: Any, stack: dict[str, Any], name: str, request: contextlib.AbstractContextManager[dict[str, Any]],
           others: Callable[[ChangeSet], list[str]], output: Output) -> None:
    """Updates the stack, unless `others` finds changes that it should not make. `request` is open until CloudFormation has
    read the template. No change set is left, unless the command is killed."""
    failures = StackFailures(cloudformation, stack["StackName"])
    named, is_executed = {"StackName": stack["StackId"], "ChangeSetName": name}, False
    # botocore sends a request again if its response is lost. With a token, CloudFormation does it once.
    token = f"cfn-gitops-{uuid.uuid4()}"
    # That of a killed run.
    cloudformation.delete_change_set(**named)
    try:
        with request as more:
            # From here on by its ID: another run may delete it, and create one of this name.
            named["ChangeSetName"] = cloudformation.create_change_set(**named, **more, ClientToken=token)["Id"]
            cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=_WAITER)
        pages = list(cloudformation.get_paginator("describe_change_set").paginate(**named))
        planned = ChangeSet(named, [each.get("ResourceChange", {}) for page in pages for each in page["Changes"]],
                            pages[0].get("Parameters", []) if pages else [])
        if foreign := others(planned):
            raise OtherChanges(", ".join(foreign))
        output.has_begun = True
        cloudformation.execute_change_set(**named, ClientRequestToken=token)
        is_executed = True
        cloudformation.get_waiter("stack_update_complete").wait(StackName=stack["StackId"], WaiterConfig=_WAITER)
    except WaiterError as error:
        reasons = failures.lines() or [str(error)]
        if has_no_changes(str(error.last_response.get("StatusReason", ""))):
            raise NothingToUpdate("CloudFormation found nothing to change") from error
        raise NotUpdated("; ".join([*reasons, *filter(None, [failures.hint])])) from error
    finally:
        if not is_executed:
            # Without effect after an execution whose response is lost.
            with uninterrupted(), contextlib.suppress(BotoCoreError, ClientError):
                cloudformation.delete_change_set(**named)
