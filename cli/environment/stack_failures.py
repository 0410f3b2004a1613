"""The failed resources of an operation on a stack, with CloudFormation's reasons.

`sam deploy` shows a failed validation without the resource: "To troubleshoot Early Validation errors, use the
DescribeEvents API" (https://github.com/aws/aws-sam-cli/issues/9154). Of a hook that failed it shows only the name
(https://github.com/aws/aws-cdk/issues/21674). So this calls DescribeEvents, and reads the hooks' messages.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cli.environment import stack_statuses
from cli.shell.terminal import visible

# Resources that CloudFormation stopped because another one failed.
_CANCELLED = ("Resource creation cancelled", "Resource update cancelled")
# Of a change set that is FAILED, because the template and the parameters are the deployed ones. Untyped, so only the
# text identifies it.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class StackFailures:
    """Create it before the operation and read it afterwards: it leaves out earlier failures. Or create it with `of_latest`,
    for those of the latest operation."""

    def __init__(self, cloudformation: Any, stack_name: str, of_latest: bool = False) -> None:
        self._cloudformation, self._stack_name = cloudformation, stack_name
        # The hint if CloudFormation's validation cannot be read. Empty otherwise.
        self.hint = ""
        # The first one, of a list that is not read. Without it, a list without failures proves nothing.
        self.error: ClientError | BotoCoreError | None = None
        events, change_sets = self._stack_events(), self._change_sets()
        former = [*events, *self._errors()]
        if of_latest:
            # A change set that failed is an operation, too.
            begins = [event["Timestamp"] for event in events if _is_begin(event)]
            begins += [change_set["CreationTime"] for change_set in change_sets]
            latest = max(begins, default=datetime.min.replace(tzinfo=timezone.utc))
            former = [event for event in former if event["Timestamp"] < latest]
            change_sets = [change_set for change_set in change_sets if change_set["CreationTime"] < latest]
        self._old = {event["EventId"] for event in former} | {change_set["ChangeSetId"] for change_set in change_sets}

    def lines(self) -> list[str]:
        """One line for each resource that failed, the first failure first. Empty if CloudFormation reports none."""
        lines = []
        for change_set in self._change_sets():
            if change_set["ChangeSetId"] not in self._old:
                errors = self._errors(ChangeSetName=change_set["ChangeSetId"])
                lines += [_line(error) for error in errors] or [visible(change_set.get("StatusReason", ""))]
        failed = [*self._errors(), *filter(_is_failure, reversed(self._stack_events()))]
        lines += [_line(event) for event in failed if event["EventId"] not in self._old]
        return list(dict.fromkeys(lines))

    def _stack_events(self) -> list[dict[str, Any]]:
        """The events, newest first."""
        return self._all("describe_stack_events", "StackEvents")

    def _change_sets(self) -> list[dict[str, Any]]:
        """Those that failed."""
        return [each for each in self._all("list_change_sets", "Summaries")
                if each["Status"] == "FAILED" and not has_no_changes(each.get("StatusReason", ""))]

    def _errors(self, **more: str) -> list[dict[str, Any]]:
        events = self._all("describe_events", "OperationEvents", Filters={"FailedEvents": True}, **more)
        return [event for event in events if event.get("EventType") in ("VALIDATION_ERROR", "HOOK_INVOCATION_ERROR")
                and "WARN" not in (event.get("ValidationFailureMode"), event.get("HookFailureMode"))]

    def _all(self, operation: str, key: str, **more: Any) -> list[dict[str, Any]]:
        """Every page. Empty if the stack does not exist, and after any other `error`: this must not hide the operation's
        own error."""
        try:
            pages = self._cloudformation.get_paginator(operation).paginate(StackName=self._stack_name, **more)
            return [found for page in pages for found in page[key]]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if operation == "describe_events" and code in ("AccessDenied", "AccessDeniedException"):
                self.hint = "Allow cloudformation:DescribeEvents to see which resources did not pass CloudFormation's validation."
            elif code != "ValidationError":
                self.error = self.error or error
        except BotoCoreError as error:
            self.error = self.error or error
        return []


def has_no_changes(reason: str) -> bool:
    """Whether a change set has this reason because it would change nothing."""
    return any(text in reason for text in _NO_CHANGES)


def _is_begin(event: dict[str, Any]) -> bool:
    status = event["ResourceStatus"]
    return event.get("PhysicalResourceId") == event["StackId"] and (status in stack_statuses.BEGINS or (
        status in stack_statuses.BEGINS_BY_USER and event.get("ResourceStatusReason") == "User Initiated"))


def _is_failure(event: dict[str, Any]) -> bool:
    """Of a resource, or of a hook: its event has the status of the resource before, and the message."""
    if event.get("HookStatus"):
        return event["HookStatus"].endswith("_FAILED") and event.get("HookFailureMode") != "WARN"
    return (event["ResourceStatus"].endswith("_FAILED") and event.get("PhysicalResourceId") != event["StackId"]
            and event.get("ResourceStatusReason") not in _CANCELLED)


def _line(event: dict[str, Any]) -> str:
    reason = (event.get("ValidationStatusReason") or event.get("HookStatusReason") or event.get("ResourceStatusReason")
              or "no reason")
    return visible(f"{event.get('LogicalResourceId', 'stack')} ({event.get('ResourceType', 'AWS::CloudFormation::Stack')}): {reason}")


def heading(stack_name: str) -> str:
    return f"Stack {stack_name}: what failed (docs/runbook/a-failed-deploy.md):"
