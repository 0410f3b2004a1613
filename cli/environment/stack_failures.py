"""The failed resources of the latest operation on a stack, with CloudFormation's reasons, the first cause
first.

`sam deploy` shows a failed validation without the resource: "To troubleshoot Early Validation errors, use the
DescribeEvents API" (https://github.com/aws/aws-sam-cli/issues/9154). Of a hook that failed it shows only the
name (https://github.com/aws/aws-cdk/issues/21674). Of a nested stack, its parent has only a summary. So this
reads all three. The function reads by the same rules: tests/fixtures/stack_failures.json has the cases of
both. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment.stack_statuses import (
    BEGINS,
    COMPLETE,
    DELETE_COMPLETE,
    DELETE_IN_PROGRESS,
    ROLLBACK_IN_PROGRESS,
    has_failed,
)
from cli.shell.terminal import visible

_STACK = "AWS::CloudFormation::Stack"
# The most levels of nested stacks that are read.
_MAX_LEVELS = 3
# Resources that CloudFormation stopped because another one failed.
_CANCELLED = re.compile("Resource .* cancelled")
# Of a change set that is FAILED, because the template and the parameters are the deployed ones. Untyped, so
# only the text identifies it.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# Of an endpoint without this operation.
_UNKNOWN = ("InvalidAction", "UnknownOperationException")


@dataclass
class _Failed:
    """A failed resource, or the stack itself."""

    path: str
    kind: str
    reasons: list[str]
    # Empty if a hook rejected the resource before.
    status: str = ""
    physical_id: str = ""
    is_in_rollback: bool = False

    def __str__(self) -> str:
        reason = " - ".join(filter(None, self.reasons)) or "no reason"
        return visible(f"{self.path} ({self.kind}): {'In the rollback: ' * self.is_in_rollback}{reason}")


@dataclass
class _Operation:
    """Events of a stack, added from the latest one to the first one of its newest operation."""

    # The first event. `None` if it was not read.
    begin: dict[str, Any] | None = None
    # That of the stack in its latest event.
    status: str = ""
    # The last failure first.
    failures: list[_Failed] = field(default_factory=list)
    # Why the stack itself failed or rolled back, the latest reason first.
    reasons: list[str] = field(default_factory=list)
    _hooks: list[_Failed] = field(default_factory=list)

    def add(self, event: dict[str, Any], begins: Sequence[str]) -> bool:
        """Returns whether the event was the first one."""
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        failed = _Failed(
            event["LogicalResourceId"],
            event.get("ResourceType", "?"),
            [reason],
            status,
            event.get("PhysicalResourceId", ""),
        )
        if event.get("HookStatus"):
            if event["HookStatus"].endswith("_FAILED") and event.get("HookFailureMode") != "WARN":
                self._hooks.append(_Failed(failed.path, failed.kind, [event.get("HookStatusReason", "")]))
        elif failed.physical_id != event["StackId"]:
            if status.endswith("_FAILED") and not _CANCELLED.fullmatch(reason):
                self.failures.append(failed)
        else:
            self.status = self.status or status
            if status in begins:
                self.begin = event
                self._attach_hooks()
                return True
            if status.endswith(ROLLBACK_IN_PROGRESS) or status == DELETE_IN_PROGRESS:
                for each in self.failures:
                    each.is_in_rollback = True
            self.reasons += [reason] if reason.strip() else []
        return False

    def _attach_hooks(self) -> None:
        """Adds the hooks' messages to the resources that they rejected: the reason of these has only the
        hooks' names. Without such a resource, a hook rejected the whole stack."""
        for hook in reversed(self._hooks):
            rejected = next((each for each in reversed(self.failures) if each.path == hook.path), None)
            if rejected is None:
                self.failures.append(hook)
            elif hook.reasons[0] not in rejected.reasons:
                rejected.reasons += hook.reasons

    def has_failed(self) -> bool:
        """A stack that cannot be deleted has its former status afterwards, if another stack imports its
        export: https://github.com/boto/botocore/issues/2590."""
        is_kept = (
            self.begin is not None
            and self.begin["ResourceStatus"] == DELETE_IN_PROGRESS
            and self.status in COMPLETE
        )
        return has_failed(self.status) or is_kept

    def is_listed_in(self, reason: str) -> bool:
        """Whether `reason` lists its failures: "failed to create: [Queue, Topic]". Those of its rollback came
        later."""
        listed = re.findall(r"\w+", reason.partition("[")[2])
        before = [each for each in self.failures if each.status and not each.is_in_rollback]
        return bool(before) and all(each.path in listed for each in before)


class StackFailures:
    """Create it before the operation and read it afterwards: it leaves out an earlier operation. Or create it
    with
    `of_latest`, for the latest operation. That of a deleted stack is the one before its deletion."""

    def __init__(
        self, cloudformation: Any, stack_name: str, of_latest: bool = False, is_deleted: bool = False
    ) -> None:
        self._cloudformation, self._stack_name, self._is_deleted = cloudformation, stack_name, is_deleted
        # The hint if CloudFormation's validation cannot be read. Empty otherwise.
        self.hint = ""
        # The first one, of a list that is not read. Without it, a list without failures proves nothing.
        self.error: ClientError | BotoCoreError | None = None
        self._former = None if of_latest else self._newest()[0]

    def lines(self) -> list[str]:
        """One line for each resource that failed, the first failure first. Empty if CloudFormation reports
        none."""
        newest, operation, change_set = self._newest()
        if newest == self._former:
            return []
        return list(
            dict.fromkeys(
                map(str, self._of_change_set(change_set) if change_set else self._of_operation(operation))
            )
        )

    def _newest(self) -> tuple[str, _Operation, dict[str, Any] | None]:
        """The ID of the newest operation, the operation, and the change set that failed after it, which is an
        operation, too."""
        operation = self._operation(self._stack_name, BEGINS)
        begin = operation.begin or {"EventId": "", "Timestamp": None}
        later = [
            each
            for each in self._each("list_change_sets", "Summaries", StackName=self._stack_name)
            if each["Status"] == "FAILED"
            and not has_no_changes(each.get("StatusReason", ""))
            and (begin["Timestamp"] is None or each["CreationTime"] >= begin["Timestamp"])
        ]
        if not later:
            return begin["EventId"], operation, None
        change_set = max(later, key=lambda each: each["CreationTime"])
        return change_set["ChangeSetId"], operation, change_set

    def _operation(self, stack: str, begins: Sequence[str]) -> _Operation:
        events = self._each("describe_stack_events", "StackEvents", StackName=stack)
        while True:
            operation = _Operation()
            begin = next((event for event in events if operation.add(event, begins)), None)
            first = begin["ResourceStatus"] if begin else ""
            if not self._is_deleted or (first, operation.status) != (DELETE_IN_PROGRESS, DELETE_COMPLETE):
                return operation

    def _of_change_set(self, change_set: dict[str, Any]) -> list[_Failed]:
        named = {"StackName": change_set["StackName"], "ChangeSetName": change_set["ChangeSetId"]}
        return self._findings(named) or [
            _Failed(change_set["StackName"], _STACK, [change_set.get("StatusReason", "")])
        ]

    def _of_operation(self, operation: _Operation) -> list[_Failed]:
        begin = operation.begin or {}
        if operation.failures or not operation.has_failed():
            return [
                found
                for each in reversed(operation.failures)
                for found in self._with_nested(each, begin, _MAX_LEVELS)
            ]
        # CloudFormation rejected it before it began with a resource, or the stack has a reason of its own:
        # for example, another stack imports an export that it would delete.
        id_ = begin.get("OperationId")
        return (id_ and self._findings({"StackName": begin["StackId"]}, id_)) or [
            _Failed(begin.get("LogicalResourceId", self._stack_name), _STACK, [reason])
            for reason in operation.reasons[-1:]
        ]

    def _with_nested(self, failed: _Failed, begin: dict[str, Any], levels: int) -> list[_Failed]:
        """The failures of the nested stack instead of the resource, if it is one and its newest operation is
        proved to be that of its parent. The rollback may have deleted the nested stack. In a rollback, it may
        fail once more: its resources are listed already."""
        is_nested = failed.kind == _STACK and failed.physical_id.startswith("arn:")
        if not is_nested or failed.is_in_rollback or not levels or not begin:
            return [failed]
        begins = (DELETE_IN_PROGRESS,) if begin["ResourceStatus"] == DELETE_IN_PROGRESS else BEGINS[:2]
        is_child = any(
            stack.get("ParentId") == begin["StackId"]
            for stack in self._each("describe_stacks", "Stacks", StackName=failed.physical_id)
        )
        nested = self._operation(failed.physical_id, begins) if is_child else _Operation()
        if not nested.is_listed_in(failed.reasons[0]):
            return [failed]
        found = [
            each
            for child in reversed(nested.failures)
            for each in self._with_nested(child, nested.begin or {}, levels - 1)
        ]
        for each in found:
            each.path = f"{failed.path}/{each.path}"
        return found

    def _findings(self, named: dict[str, str], operation: str = "") -> list[_Failed]:
        """Those of CloudFormation's validation and of hooks, about a change set or an operation."""
        return [
            _finding(event)
            for event in self._each(
                "describe_events", "OperationEvents", Filters={"FailedEvents": True}, **named
            )
            if event.get("EventType") in ("VALIDATION_ERROR", "HOOK_INVOCATION_ERROR")
            and "WARN" not in (event.get("ValidationFailureMode"), event.get("HookFailureMode"))
            and operation in ("", event.get("OperationId"))
        ]

    def _each(self, operation: str, key: str, **named: Any) -> Iterator[dict[str, Any]]:
        """Of every page. Empty if the stack does not exist, and after any other `error`: this must not hide
        the operation's own error."""
        try:
            for page in self._cloudformation.get_paginator(operation).paginate(**named):
                yield from page[key]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if operation == "describe_events" and code in ("AccessDenied", "AccessDeniedException"):
                self.hint = (
                    "Allow cloudformation:DescribeEvents to see which resources did not pass CloudFormation's"
                    " validation."
                )
            elif operation == "describe_events" and code in _UNKNOWN:
                self.hint = (
                    "This endpoint has no DescribeEvents, which shows the resources that did not pass"
                    " CloudFormation's validation."
                )
            elif code != "ValidationError":
                self.error = self.error or error
        except BotoCoreError as error:
            self.error = self.error or error


def has_no_changes(reason: str) -> bool:
    """Whether a change set has this reason because it would change nothing."""
    return any(text in reason for text in _NO_CHANGES)


def _finding(event: dict[str, Any]) -> _Failed:
    reason = (
        event.get("ValidationStatusReason")
        or event.get("HookStatusReason")
        or event.get("ResourceStatusReason", "")
    )
    return _Failed(event.get("LogicalResourceId", "?"), event.get("ResourceType", "?"), [reason])


def heading(stack_name: str, is_deployed: bool) -> str:
    """`is_deployed` if a pipeline deploys the stack."""
    page = "README.md, When an execution fails" if is_deployed else "failed-stack.md"
    return f"Stack {stack_name}: what failed (docs/runbook/{page}):"
