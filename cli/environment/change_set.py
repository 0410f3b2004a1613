"""The update of a stack by a change set, which is executed only if it changes nothing else."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import stack_statuses, waiting
from cli.environment.stack_failures import StackFailures, has_no_changes
from cli.shell.ending import uninterrupted
from cli.shell.machine import has_done_nothing
from cli.shell.output import Output


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


def update(
    cloudformation: Any,
    stack: dict[str, Any],
    name: str,
    request: contextlib.AbstractContextManager[dict[str, Any]],
    others: Callable[[ChangeSet], list[str]],
    output: Output,
) -> None:
    """Updates the stack, unless `others` finds changes that it should not make. `request` is open until
    CloudFormation has read the template. No change set is left, unless the command is killed. Raises
    `GivenUp` if the update goes on."""
    failures, what = (
        StackFailures(cloudformation, stack["StackName"]),
        f"the update of stack {stack['StackName']}",
    )
    named, is_executed = {"StackName": stack["StackId"], "ChangeSetName": name}, False
    # botocore sends a request again if its response is lost. With a token, CloudFormation does it once.
    token = f"cfn-gitops-{uuid.uuid4()}"

    def shown() -> list[dict[str, Any]]:
        """The pages of the change set. Empty while CloudFormation creates it."""
        pages = list(cloudformation.get_paginator("describe_change_set").paginate(**named))
        status = pages[0].get("Status", "")
        return [] if status == "CREATE_PENDING" or stack_statuses.is_in_progress(status) else pages

    def execute() -> None:
        nonlocal is_executed
        try:
            cloudformation.execute_change_set(**named, ClientRequestToken=token)
        except (BotoCoreError, ClientError) as error:
            # Its response may be lost.
            if has_done_nothing(error) or not waiting.ended(shown, what, output.write_progress)[0].get(
                "ExecutionStatus", ""
            ).startswith("EXECUTE_"):
                raise
        is_executed = True

    def not_updated(problem: str) -> NotUpdated:
        return NotUpdated("; ".join([*(failures.lines() or [problem]), *filter(None, [failures.hint])]))

    # That of a killed run.
    cloudformation.delete_change_set(**named)
    try:
        with request as more:
            # CloudFormation uses the stack's role even if the call names none, but then IAM sees no
            # cloudformation:RoleArn.
            role = {"RoleARN": stack["RoleARN"]} if stack.get("RoleARN") else {}
            # From here on by its ID: another run may delete it, and create one of this name.
            named["ChangeSetName"] = cloudformation.create_change_set(
                **named, **more, **role, ClientToken=token
            )["Id"]
            pages = waiting.ended(
                shown, f"the change set of stack {stack['StackName']}", output.write_progress
            )
        if pages[0].get("ExecutionStatus") != "AVAILABLE":
            reason = pages[0].get("StatusReason", "")
            if has_no_changes(reason):
                raise NothingToUpdate("CloudFormation found nothing to change")
            raise not_updated(reason or f"its change set is {pages[0].get('Status')}")
        planned = ChangeSet(
            named,
            [each.get("ResourceChange", {}) for page in pages for each in page.get("Changes", [])],
            pages[0].get("Parameters", []),
        )
        if foreign := others(planned):
            raise OtherChanges(", ".join(foreign))
        status = waiting.operated(execute, cloudformation, stack["StackId"], token, what, output)
        if status != stack_statuses.UPDATE_COMPLETE:
            raise not_updated(f"its status is {status}")
    finally:
        if not is_executed:
            # Without effect after an execution that is not known.
            with uninterrupted():
                try:
                    cloudformation.delete_change_set(**named)
                except (BotoCoreError, ClientError) as error:
                    output.write_progress(
                        f"Change set {named['ChangeSetName']} of stack {stack['StackName']} may be left:"
                        f" {error}"
                    )
