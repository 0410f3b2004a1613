"""CloudFormation's pre-deployment validation of taken names. tests/deployment/test_deploy_failures.py has its message
in a deployment.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA, Stack, error_of

REASON = ("The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early "
          "Validation errors, use the DescribeEvents API for detailed failure information.")
HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}


def group(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


@pytest.fixture
def taken(aws: LocalAws, name: str) -> str:
    aws.client("logs").create_log_group(logGroupName=f"taken-{name}")
    return f"taken-{name}"


def validation_errors(aws: LocalAws, **where: Any) -> list[tuple[str, str, str, str]]:
    found = aws.client("cloudformation").describe_events(Filters={"FailedEvents": True}, **where)["OperationEvents"]
    return [(event["OperationType"], event["LogicalResourceId"], event["ValidationName"],
             event["ValidationStatusReason"]) for event in found if event["EventType"] == "VALIDATION_ERROR"]


def reason(taken: str) -> str:
    return f"Resource of type 'AWS::Logs::LogGroup' with identifier '{taken}' already exists."


def change_set(aws: LocalAws, stack: str, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    cloudformation = aws.client("cloudformation")
    made = cloudformation.create_change_set(StackName=stack, ChangeSetName="it", Capabilities=["CAPABILITY_NAMED_IAM"],
                                            TemplateBody=json.dumps({"Resources": resources}), **more)
    found: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    return found


def test_update_over_a_taken_name_keeps_the_stack_as_it_was(aws: LocalAws, stack: Stack, taken: str) -> None:
    own = {"Own": group(f"own-{taken}")}
    assert stack.create(own) == "CREATE_COMPLETE"
    assert stack.update(own | {"Group": group(taken)}) == "UPDATE_ROLLBACK_COMPLETE"
    [failed] = [event for event in stack.events() if event["ResourceStatus"].endswith("_FAILED")]
    assert failed["DetailedStatus"] == "VALIDATION_FAILED" and failed["LogicalResourceId"] == stack.name
    assert failed["ResourceStatusReason"].startswith("Validation failed with 1 error(s). Call DescribeEvents")
    assert validation_errors(aws, StackName=stack.name) == [
        ("UPDATE_STACK", "Group", "NAME_CONFLICT_VALIDATION", reason(taken))]
    assert stack.update(own | {"First": HANDLE}) == "UPDATE_COMPLETE"


def test_change_set_over_used_name_fails_with_aws_text(aws: LocalAws, stack: Stack, taken: str) -> None:
    failed = change_set(aws, stack.name, {"First": HANDLE, "Group": group(taken)}, ChangeSetType="CREATE")
    assert (failed["Status"], failed["ExecutionStatus"], failed["StatusReason"]) == ("FAILED", "UNAVAILABLE", REASON)
    assert stack._describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert validation_errors(aws, ChangeSetName=failed["ChangeSetId"]) == [
        ("CREATE_CHANGESET", "Group", "NAME_CONFLICT_VALIDATION", reason(taken))]
    assert error_of(aws.client("cloudformation").describe_events, ChangeSetName="it") == (
        "ValidationError", 400, "One of ChangeSetName, OperationId or StackName must be specified")


def test_disabled_validation_fails_the_resource_instead(aws: LocalAws, stack: Stack, taken: str) -> None:
    resources = {"First": HANDLE, "Group": group(taken)}
    assert change_set(aws, stack.name, resources, ChangeSetType="CREATE", DisableValidation=True)["Status"] == (
        "CREATE_COMPLETE")
    aws.client("cloudformation").delete_stack(StackName=stack.name)
    assert stack.create(resources, DisableValidation=True) == "ROLLBACK_COMPLETE"
    [failed] = [event for event in stack.events() if event["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["LogicalResourceId"] == "Group" and "AlreadyExists" in failed["ResourceStatusReason"]


def test_name_that_depends_on_a_new_resource_is_not_validated(aws: LocalAws, stack: Stack, taken: str) -> None:
    dependent = {"Fn::Join": ["", [taken, {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "First"}]}]}]]}
    resources = {"First": HANDLE, "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": dependent}}}
    assert change_set(aws, stack.name, resources, ChangeSetType="CREATE")["Status"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::IAM::User", "AWS::S3::Bucket", "AWS::CloudWatch::Alarm"])
def test_taken_name_of_each_kind_fails_the_change_set(aws: LocalAws, stack: Stack, name: str, kind: str) -> None:
    alarm = {"AlarmName": name, "Namespace": "A", "MetricName": "B", "Statistic": "Sum", "Period": 60, "Threshold": 1,
             "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}
    properties: dict[str, dict[str, Any]] = {
        "AWS::IAM::Role": {"RoleName": name, "AssumeRolePolicyDocument": json.loads(TRUST_LAMBDA)},
        "AWS::IAM::User": {"UserName": name}, "AWS::S3::Bucket": {"BucketName": name}, "AWS::CloudWatch::Alarm": alarm}
    resources = {"It": {"Type": kind, "Properties": properties[kind]}}
    assert stack.create(resources) == "CREATE_COMPLETE"
    assert change_set(aws, f"{name}-2", resources, ChangeSetType="CREATE")["StatusReason"] == REASON
    # A stack's own names are not in use.
    assert change_set(aws, name, resources | {"First": HANDLE})["Status"] == "CREATE_COMPLETE"
