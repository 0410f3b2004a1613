"""Change sets that compare a template with the actual state of the resources, and revert their drift.
tests/deployment/test_drift.py reports and reverts the drift of a deployed stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, stack
from tests.local.aws.testing import a_role, error_of, grant

EMPTY = "The submitted information didn't contain changes. Submit different information to create a change set."
CHANGE_SET = "drift-cfn-gitops"


def compared(stack: Operated, **more: Any) -> dict[str, Any]:
    """A change set that reverts drift, of the unchanged template."""
    given = {"UsePreviousTemplate": True, **more}
    stack.client.create_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET, DeploymentMode="REVERT_DRIFT",
                                   Capabilities=["CAPABILITY_NAMED_IAM"], **given)
    found: dict[str, Any] = stack.client.describe_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET,
                                                             IncludePropertyValues=True)
    return found


def changes(change_set: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Action and drift status by logical ID."""
    return {each["ResourceChange"]["LogicalResourceId"]: (
        each["ResourceChange"]["Action"], each["ResourceChange"].get("ResourceDriftStatus", ""))
        for each in change_set["Changes"]}


def targets(change_set: dict[str, Any]) -> list[dict[str, Any]]:
    return [detail["Target"] for each in change_set["Changes"] for detail in each["ResourceChange"]["Details"]]


def executed(stack: Operated) -> str:
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)
    return stack.wait()


def deleted(stack: Operated) -> None:
    stack.client.delete_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)


def a_rule(aws: LocalAws, name: str) -> dict[str, Any]:
    return {"R": {"Type": "AWS::Events::Rule", "Properties": {
        "Name": name, "State": "ENABLED", "EventPattern": {"source": ["a", "b"], "detail": {"n": [1, None]}},
        "Targets": [{"Id": "one", "Arn": f"arn:aws:sns:{aws.region}:{aws.account_id}:one",
                     "InputTransformer": {"InputTemplate": '"text"'}}]}}}


@pytest.fixture
def parameter(aws: LocalAws, stack: Operated) -> dict[str, Any]:
    """A parameter of the stack, with a value by hand."""
    properties = {"Name": stack.name, "Type": "String", "Value": "x"}
    resources = {"R": {"Type": "AWS::SSM::Parameter", "Properties": properties}}
    stack.create({**resources, **parameters("Other")})
    aws.client("ssm").put_parameter(Name=stack.name, Value="by hand", Overwrite=True)
    return resources


def value_of(aws: LocalAws, stack: Operated) -> str:
    return str(aws.client("ssm").get_parameter(Name=stack.name)["Parameter"]["Value"])


@pytest.mark.parametrize(("call", "given", "drifted"), [
    ("disable_rule", {"Name": "{}"}, "State"),
    ("put_rule", {"Name": "{}", "EventPattern": '{"source": ["c"]}'}, "EventPattern"),
    ("put_targets", {"Rule": "{}", "Targets": [{"Id": "two", "Arn": "arn:aws:sns:eu-central-1:123456789012:two"}]},
     "Targets"),
])
def test_drift_of_a_rule_is_reported_and_reverted(aws: LocalAws, stack: Operated, call: str, given: dict[str, Any],
                                                  drifted: str) -> None:
    events = aws.client("events")
    assert stack.create(a_rule(aws, stack.name)) == "CREATE_COMPLETE"

    def state() -> tuple[Any, ...]:
        rule = events.describe_rule(Name=stack.name)
        return rule["State"], json.loads(rule["EventPattern"]), events.list_targets_by_rule(Rule=stack.name)["Targets"]

    before = state()
    found = compared(stack)
    assert (found["Status"], found["StatusReason"], found["Changes"]) == ("FAILED", EMPTY, [])
    assert (found["DeploymentMode"], found["StackDriftStatus"]) == ("REVERT_DRIFT", "IN_SYNC")
    deleted(stack)
    getattr(events, call)(**{key: stack.name if value == "{}" else value for key, value in given.items()})
    assert state() != before
    found = compared(stack)
    assert (changes(found), found["StackDriftStatus"]) == ({"R": ("Modify", "MODIFIED")}, "DRIFTED")
    assert {each["Name"] for each in targets(found)} == {drifted}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert state() == before
    deleted(stack)
    assert compared(stack)["Status"] == "FAILED"


def test_values_of_drift_are_those_of_both_states(stack: Operated, parameter: dict[str, Any]) -> None:
    (target,) = targets(compared(stack))
    assert target["Drift"].pop("DriftDetectionTimestamp") is not None
    assert target == {
        "Attribute": "Properties", "Name": "Value", "RequiresRecreation": "Never", "Path": "/Properties/Value",
        "AttributeChangeType": "Modify", "BeforeValue": "by hand", "AfterValue": "x",
        "BeforeValueFrom": "ACTUAL_STATE", "AfterValueFrom": "TEMPLATE",
        "Drift": {"PreviousValue": "x", "ActualValue": "by hand"}}
    described = stack.client.describe_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)
    assert "BeforeValue" not in targets(described)[0]


def test_deleted_resource_is_created_again(aws: LocalAws, stack: Operated, parameter: dict[str, Any]) -> None:
    aws.client("ssm").delete_parameter(Name=stack.name)
    assert changes(compared(stack)) == {"R": ("Add", "DELETED")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert value_of(aws, stack) == "x"


def test_template_with_the_actual_value_changes_nothing(aws: LocalAws, stack: Operated,
                                                        parameter: dict[str, Any]) -> None:
    parameter["R"]["Properties"]["Value"] = "by hand"
    found = compared(stack, UsePreviousTemplate=False, TemplateBody=body({
        **parameter, **parameters("Other", value="y"), **parameters("New")}))
    assert changes(found) == {"R": ("SyncWithActual", "MODIFIED"), "Other": ("Modify", "IN_SYNC"), "New": ("Add", "")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert aws.client("ssm").get_parameter(Name=stack.name)["Parameter"]["Version"] == 2


def test_tag_of_the_stack_is_set_again(aws: LocalAws, stack: Operated) -> None:
    stack.begin({"R": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": stack.name}}},
                Tags=[{"Key": "team", "Value": "a"}])
    stack.wait()
    logs, arn = aws.client("logs"), f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{stack.name}"
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert changes(compared(stack)) == {"R": ("Modify", "MODIFIED")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"]["team"] == "a"


def test_failed_revert_keeps_the_drift(aws: LocalAws, stack: Operated, parameter: dict[str, Any]) -> None:
    aws.set(early_validation=0)
    compared(stack, UsePreviousTemplate=False, TemplateBody=body({**parameter, **parameters("Other"), **broken("Z")}))
    assert executed(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert value_of(aws, stack) == "by hand"
    deleted(stack)
    assert changes(compared(stack)) == {"R": ("Modify", "MODIFIED")}


def test_role_without_read_permission_leaves_drift_unknown(aws: LocalAws, stack: Operated) -> None:
    writes = {"events:PutRule", "events:PutTargets", "events:TagResource", "events:DescribeRule"}
    role = a_role(aws, f"{stack.name}-deploy", writes)
    assert stack.create(a_rule(aws, stack.name), RoleARN=role) == "CREATE_COMPLETE"
    aws.client("events").disable_rule(Name=stack.name)
    found = compared(stack)
    assert (found["Status"], found["StackDriftStatus"]) == ("FAILED", "UNKNOWN")
    deleted(stack)
    grant(aws, f"{stack.name}-deploy", writes | {"events:ListTargetsByRule", "events:ListTagsForResource"})
    assert changes(compared(stack)) == {"R": ("Modify", "MODIFIED")}


def test_build_project_is_not_compared(aws: LocalAws, stack: Operated) -> None:
    codebuild, role = aws.client("codebuild"), a_role(aws, stack.name, service="codebuild.amazonaws.com")
    stack.create({"R": {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": stack.name, "ServiceRole": role, "Artifacts": {"Type": "NO_ARTIFACTS"}, "TimeoutInMinutes": 5,
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"}, "Environment": {
            "Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "aws/codebuild/standard:8.0"}}}})
    codebuild.update_project(name=stack.name, timeoutInMinutes=9)
    found = compared(stack)
    assert (found["Status"], found["StatusReason"], found["Changes"]) == ("FAILED", EMPTY, [])


@pytest.mark.parametrize("more", [{"DeploymentMode": "KEEP_DRIFT"},
                                  {"DeploymentMode": "REVERT_DRIFT", "ChangeSetType": "CREATE"}])
def test_invalid_deployment_mode_is_rejected(stack: Operated, more: dict[str, str]) -> None:
    code, _, message = error_of(stack.client.create_change_set, StackName=stack.name, ChangeSetName=CHANGE_SET,
                                TemplateBody=body(parameters("A")), **more)
    assert code == "ValidationError"
    assert "eploymentMode" in message
