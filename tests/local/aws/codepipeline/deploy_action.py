"""Deploy/CloudFormation: a stack or a change set from files of the input artifacts.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-action-reference.html
"""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.local.aws.codepipeline.actions import Action, ActionFailed, was_denied
from tests.local.aws.settings import settings

_POLLS = (0.1, 0.2, 0.4, 0.8)  # seconds between two polls of a stack; the last one repeats
# "in a failed state (reported as ...)" on CloudFormation's page; CodePipeline's leaves out ROLLBACK_COMPLETE.
_FAILED_STATES = {
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
}
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
# CloudFormation's reasons for an empty change set (DescribeChangeSet's StatusReason).
_EMPTY = ("didn't contain changes", "No updates are to be performed")


def run(action: Action) -> None:
    _MODES[action.configuration("ActionMode")](_Deployment(action))


class _Deployment:
    def __init__(self, action: Action) -> None:
        self.action = action
        self.name = action.configuration("StackName")
        self.cloudformation = action.role.client("cloudformation")

    # --- the modes -------------------------------------------------------------------

    def create_update(self) -> None:
        self._make(self._stack())

    def replace_on_failure(self) -> None:
        stack = self._stack()
        if stack and stack["StackStatus"] in _FAILED_STATES:
            self._delete(stack)
            stack = None
        self._make(stack)

    def change_set_replace(self) -> None:
        name = self.action.configuration("ChangeSetName")
        stack = self._stack()
        if stack and self._change_set(name):
            self.cloudformation.delete_change_set(StackName=self.name, ChangeSetName=name)
        new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
        made = self.cloudformation.create_change_set(
            ChangeSetName=name, ChangeSetType="CREATE" if new else "UPDATE", **self._what_to_deploy()
        )
        self._note(made["StackId"])
        found = self._wait_for_change_set(name)
        # An empty one: not documented. CDK Pipelines create and execute a change set of every stack in every
        # execution, changed or not, so both actions continue:
        # https://github.com/aws/aws-cdk/discussions/20258
        if found["Status"] != "CREATE_COMPLETE" and (settings.empty_change_set_fails or not _is_empty(found)):
            raise ActionFailed(
                "JobFailed",
                f"Creating the change set {name} of stack {self.name} failed: "
                f"{found.get('StatusReason', found['Status'])}",
            )
        self.action.run.summary = found.get("StatusReason") or f"Change set {name} was created."

    def change_set_execute(self) -> None:
        name = self.action.configuration("ChangeSetName")
        found = self._change_set(name)
        if found is None:
            # The text: https://github.com/aws/aws-cdk/issues/11995
            raise ActionFailed(
                "JobFailed",
                f"ChangeSet [{name}] does not exist (Service: AmazonCloudFormation; Status Code: "
                "404; Error Code: ChangeSetNotFound; Request ID: …; Proxy: null)",
            )
        self._note(found["StackId"])
        if _is_empty(found):
            self.action.run.summary = f"Change set {name} holds no changes."
        else:
            self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName=name)
            self._wait_for_stack()
        self._finish()

    # --- parts of the modes -----------------------------------------------------------------

    def _make(self, stack: dict[str, Any] | None) -> None:
        wanted = self._what_to_deploy()
        if stack is None:
            self._note(self.cloudformation.create_stack(**wanted)["StackId"])
            self._wait_for_stack()
        else:
            self._note(stack["StackId"])
            try:
                self.cloudformation.update_stack(**wanted)
                self._wait_for_stack()
            except ClientError as rejected:
                # Untyped, so only its text identifies it.
                if "No updates are to be performed" not in rejected.response["Error"].get("Message", ""):
                    raise
                if stack["StackStatus"] not in {*_GOOD, "UPDATE_ROLLBACK_COMPLETE"}:
                    raise
                self.action.run.summary = "No updates are to be performed."
        self._finish()

    def _what_to_deploy(self) -> dict[str, Any]:
        artifact, _, path = self.action.configuration("TemplatePath").partition("::")
        template = self.action.file(artifact, path).decode()
        chosen = self._settings()
        wanted: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": template,
            "RoleARN": self.action.configuration("RoleArn"),
        }
        parameters = {
            **chosen.get("Parameters", {}),
            **json.loads(self.action.configuration("ParameterOverrides", "{}")),
        }
        if parameters:
            wanted["Parameters"] = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ]
        if chosen.get("Tags"):
            wanted["Tags"] = [{"Key": key, "Value": value} for key, value in chosen["Tags"].items()]
        if self.action.configuration("Capabilities"):
            wanted["Capabilities"] = self.action.configuration("Capabilities").split(",")
        return wanted

    def _settings(self) -> dict[str, Any]:
        """The template configuration file.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
        """
        where = self.action.configuration("TemplateConfiguration")
        if not where:
            return {}
        artifact, _, path = where.partition("::")
        chosen: dict[str, Any] = json.loads(self.action.file(artifact, path))
        return chosen

    def _stack(self) -> dict[str, Any] | None:
        found = self._described(self.cloudformation.describe_stacks)
        return found["Stacks"][0] if found else None

    def _change_set(self, name: str) -> dict[str, Any] | None:
        return self._described(self.cloudformation.describe_change_set, ChangeSetName=name)

    def _described(self, describe: Callable[..., dict[str, Any]], **more: str) -> dict[str, Any] | None:
        """`None` if the stack or the change set does not exist."""
        try:
            return describe(StackName=self.name, **more)
        except ClientError as rejected:
            about = rejected.response["Error"]
            if about["Code"].startswith("ChangeSetNotFound") or about.get("Message", "").endswith(
                "does not exist"
            ):
                return None
            raise

    def _delete(self, stack: dict[str, Any]) -> None:
        self._note(stack["StackId"])
        self.cloudformation.delete_stack(StackName=self.name, RoleARN=self.action.configuration("RoleArn"))
        for pause in _pauses():
            self.action.wait(pause)
            # A deleted stack can still be described by its ID, but a policy for a name's stacks covers only
            # its name.
            now = self._stack()
            if now is None or now["StackId"] != stack["StackId"]:
                return

    def _wait_for_stack(self) -> None:
        for pause in _pauses():
            self.action.wait(pause)
            stack = self._stack()
            if stack is None:
                raise ActionFailed("JobFailed", f"Stack {self.name} is gone")
            if stack["StackStatus"] in _GOOD:
                return
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                raise self._stack_failed(stack)

    def _wait_for_change_set(self, name: str) -> dict[str, Any]:
        for pause in _pauses():
            found = self._change_set(name)
            if found is None:
                raise ActionFailed("JobFailed", f"ChangeSet [{name}] does not exist")
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                return found
            self.action.wait(pause)
        raise AssertionError("the last interval repeats")

    def _stack_failed(self, stack: dict[str, Any]) -> ActionFailed:
        """With "the details about the first failed resource" only if the role may read them."""
        message = f"Stack {self.name} is in the state {stack['StackStatus']}"
        if stack.get("StackStatusReason"):
            message += f": {stack['StackStatusReason']}"
        try:
            events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        except ClientError as rejected:
            if not was_denied(rejected):
                raise
            return ActionFailed("JobFailed", message)
        begun = next(
            (
                index
                for index, event in enumerate(events)
                if event["PhysicalResourceId"] == stack["StackId"]
                and event["ResourceStatus"]
                in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}
            ),
            len(events),
        )
        first = next(
            (event for event in reversed(events[:begun]) if event["ResourceStatus"].endswith("_FAILED")), None
        )
        if first:
            message += (
                f". {first['LogicalResourceId']} ({first['ResourceType']}) {first['ResourceStatus']}: "
                f"{first.get('ResourceStatusReason', '')}"
            )
        return ActionFailed("JobFailed", message[:5000])

    def _note(self, stack_id: str) -> None:
        self.action.run.external_id = stack_id
        self.action.run.external_url = (
            f"https://console.aws.amazon.com/cloudformation/home?region="
            f"{self.action.held.region}#/stacks/{stack_id}"
        )

    def _finish(self) -> None:
        """Stores the outputs as variables."""
        stack = self._stack() or {}
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        self.action.run.variables = outputs
        self.action.run.summary = (
            self.action.run.summary or f"Deployment Succeeded. {stack.get('StackStatus', '')}"
        )


_MODES = {
    "CREATE_UPDATE": _Deployment.create_update,
    "REPLACE_ON_FAILURE": _Deployment.replace_on_failure,
    "CHANGE_SET_REPLACE": _Deployment.change_set_replace,
    "CHANGE_SET_EXECUTE": _Deployment.change_set_execute,
}


def _pauses() -> Iterator[float]:
    return itertools.chain(_POLLS, itertools.repeat(_POLLS[-1]))


def _is_empty(change_set: dict[str, Any]) -> bool:
    return change_set["Status"] == "FAILED" and any(
        text in change_set.get("StatusReason", "") for text in _EMPTY
    )
