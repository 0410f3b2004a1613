"""Change sets that compare a template with the actual state of the resources, and revert their drift.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, stack
from local.aws.testing import TRUST_LAMBDA, a_role, error_of, grant, provider_code

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
        each["ResourceChange"]["Action"], each["ResourceChange"]["ResourceDriftStatus"])
        for each in change_set["Changes"]}


def targets(change_set: dict[str, Any], logical_id: str) -> list[dict[str, Any]]:
    return [detail["Target"] for each in change_set["Changes"] for detail in each["ResourceChange"]["Details"]
            if each["ResourceChange"]["LogicalResourceId"] == logical_id]


def executed(stack: Operated) -> str:
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)
    return stack.wait()


def deleted(stack: Operated) -> None:
    stack.client.delete_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)


class Drifting:
    """A resource, a change by hand, and the value that the change has an effect on."""

    def __init__(self, resource: dict[str, Any], change: Callable[[], Any], value: Callable[[], Any],
                 drifted: set[str]) -> None:
        self.resource, self.change, self.value, self.drifted = resource, change, value, drifted


def _rule(aws: LocalAws, name: str) -> dict[str, Any]:
    return {"Type": "AWS::Events::Rule", "Properties": {
        "Name": name, "State": "ENABLED", "EventPattern": {"source": ["a", "b"], "detail": {"n": [1, None]}},
        "Targets": [{"Id": "one", "Arn": f"arn:aws:sns:{aws.region}:{aws.account_id}:one",
                     "InputTransformer": {"InputTemplate": '"text"'}}]}}


def _disabled_rule(aws: LocalAws, name: str) -> Drifting:
    events = aws.client("events")
    return Drifting(_rule(aws, name), lambda: events.disable_rule(Name=name),
                    lambda: events.describe_rule(Name=name)["State"], {"State"})


def _rule_with_another_pattern(aws: LocalAws, name: str) -> Drifting:
    events = aws.client("events")
    return Drifting(_rule(aws, name), lambda: events.put_rule(Name=name, EventPattern='{"source": ["c"]}'),
                    lambda: json.loads(events.describe_rule(Name=name)["EventPattern"]), {"EventPattern"})


def _rule_with_another_target(aws: LocalAws, name: str) -> Drifting:
    events, target = aws.client("events"), f"arn:aws:sns:{aws.region}:{aws.account_id}:two"
    return Drifting(_rule(aws, name), lambda: events.put_targets(Rule=name, Targets=[{"Id": "two", "Arn": target}]),
                    lambda: events.list_targets_by_rule(Rule=name)["Targets"], {"Targets"})


def _project(aws: LocalAws, name: str) -> Drifting:
    codebuild, role = aws.client("codebuild"), a_role(aws, name, service="codebuild.amazonaws.com")
    resource = {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": name, "ServiceRole": role, "TimeoutInMinutes": 10, "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2\nphases: {}\n"},
        "Environment": {"Type": "LINUX_CONTAINER", "Image": "image", "ComputeType": "BUILD_GENERAL1_SMALL",
                        "EnvironmentVariables": [{"Name": "A", "Value": "a", "Type": "PLAINTEXT"}]}}}
    changed = {"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL",
               "environmentVariables": [{"name": "A", "value": "by hand", "type": "PLAINTEXT"}]}

    def value() -> Any:
        project = codebuild.batch_get_projects(names=[name])["projects"][0]
        return project["environment"], project["timeoutInMinutes"], project["source"]

    return Drifting(resource, lambda: codebuild.update_project(name=name, environment=changed, timeoutInMinutes=20,
                                                               source={"type": "NO_SOURCE", "buildspec": "other"}),
                    value, {"Environment", "TimeoutInMinutes", "Source"})


def _log_group(aws: LocalAws, name: str) -> Drifting:
    logs = aws.client("logs")
    return Drifting({"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, "RetentionInDays": 30}},
                    lambda: logs.delete_retention_policy(logGroupName=name),
                    lambda: logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0].get("retentionInDays"),
                    {"RetentionInDays"})


def _queue(aws: LocalAws, name: str) -> Drifting:
    sqs = aws.client("sqs")

    def attributes() -> dict[str, str]:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found: dict[str, str] = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        return found

    def change() -> None:
        sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"],
                                 Attributes={"VisibilityTimeout": "7"})

    return Drifting({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, "VisibilityTimeout": 60}}, change,
                    attributes, {"VisibilityTimeout"})


def _parameter(aws: LocalAws, name: str) -> Drifting:
    ssm = aws.client("ssm")
    return Drifting({"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": "x"}},
                    lambda: ssm.put_parameter(Name=name, Value="by hand", Overwrite=True),
                    lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"], {"Value"})


def _topic(aws: LocalAws, name: str) -> Drifting:
    sns, arn = aws.client("sns"), f"arn:aws:sns:{aws.region}:{aws.account_id}:{name}"
    return Drifting({"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, "DisplayName": "one"}},
                    lambda: sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="two"),
                    lambda: sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"], {"DisplayName"})


def _function(aws: LocalAws, name: str) -> Drifting:
    function = aws.client("lambda")
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=name, Key="code", Body=provider_code())
    resource = {"Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": name, "Role": role, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 3,
        "Code": {"S3Bucket": name, "S3Key": "code"}, "Environment": {"Variables": {"A": "a"}}}}

    def value() -> Any:
        found = function.get_function_configuration(FunctionName=name)
        return found["Timeout"], found["Environment"]["Variables"]

    return Drifting(resource, lambda: function.update_function_configuration(
        FunctionName=name, Timeout=9, Environment={"Variables": {"A": "a", "B": "b"}}), value,
        {"Timeout", "Environment"})


@pytest.mark.parametrize("drifting", [_disabled_rule, _rule_with_another_pattern, _rule_with_another_target,
                                      _log_group, _queue, _parameter, _topic, _function])
def test_drift_is_reported_and_reverted(aws: LocalAws, stack: Operated, drifting: Any) -> None:
    case: Drifting = drifting(aws, stack.name)
    assert stack.create({"R": case.resource}) == "CREATE_COMPLETE"
    before = case.value()
    found = compared(stack)
    assert (found["Status"], found["StatusReason"], found["Changes"]) == ("FAILED", EMPTY, [])
    assert (found["DeploymentMode"], found["StackDriftStatus"]) == ("REVERT_DRIFT", "IN_SYNC")
    deleted(stack)
    case.change()
    assert case.value() != before
    found = compared(stack)
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(found) == {"R": ("Modify", "MODIFIED")}
    assert found["StackDriftStatus"] == "DRIFTED"
    assert {each["Name"] for each in targets(found, "R")} == case.drifted
    assert executed(stack) == "UPDATE_COMPLETE"
    assert case.value() == before
    deleted(stack)
    assert compared(stack)["Status"] == "FAILED"


def test_values_of_drift_are_those_of_both_states(aws: LocalAws, stack: Operated) -> None:
    case = _parameter(aws, stack.name)
    stack.create({"R": case.resource})
    case.change()
    (target,) = targets(compared(stack), "R")
    when = target["Drift"].pop("DriftDetectionTimestamp")
    assert when is not None
    assert target == {
        "Attribute": "Properties", "Name": "Value", "RequiresRecreation": "Never", "Path": "/Properties/Value",
        "AttributeChangeType": "Modify", "BeforeValue": "by hand", "AfterValue": "x",
        "BeforeValueFrom": "ACTUAL_STATE", "AfterValueFrom": "TEMPLATE",
        "Drift": {"PreviousValue": "x", "ActualValue": "by hand"}}
    described = stack.client.describe_change_set(StackName=stack.name, ChangeSetName=CHANGE_SET)
    assert "BeforeValue" not in targets(described, "R")[0]


def test_deleted_resource_is_created_again(aws: LocalAws, stack: Operated) -> None:
    stack.create({"R": _parameter(aws, stack.name).resource, **parameters("Other")})
    aws.client("ssm").delete_parameter(Name=stack.name)
    found = compared(stack)
    assert changes(found) == {"R": ("Add", "DELETED")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert aws.client("ssm").get_parameter(Name=stack.name)["Parameter"]["Value"] == "x"


def test_template_with_the_actual_value_changes_nothing(aws: LocalAws, stack: Operated) -> None:
    case = _parameter(aws, stack.name)
    stack.create({"R": case.resource})
    case.change()
    case.resource["Properties"]["Value"] = "by hand"
    found = compared(stack, UsePreviousTemplate=False, TemplateBody=body({"R": case.resource}))
    assert changes(found) == {"R": ("SyncWithActual", "MODIFIED")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert aws.client("ssm").get_parameter(Name=stack.name)["Parameter"]["Version"] == 2
    deleted(stack)
    assert compared(stack)["Status"] == "FAILED"


def test_change_without_drift_is_in_sync(aws: LocalAws, stack: Operated) -> None:
    stack.create(parameters("A", "B"))
    found = compared(stack, UsePreviousTemplate=False, TemplateBody=body({
        **parameters("A", value="y"), **parameters("B", "C")}))
    listed = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in found["Changes"]}
    assert listed.keys() == {"A", "C"}
    assert listed["A"]["ResourceDriftStatus"] == "IN_SYNC"
    assert "ResourceDriftStatus" not in listed["C"]


def test_tag_of_the_stack_is_set_again(aws: LocalAws, stack: Operated) -> None:
    stack.begin({"R": _log_group(aws, stack.name).resource}, Tags=[{"Key": "team", "Value": "a"}])
    stack.wait()
    logs, arn = aws.client("logs"), f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{stack.name}"
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    found = compared(stack)
    assert changes(found) == {"R": ("Modify", "MODIFIED")}
    assert executed(stack) == "UPDATE_COMPLETE"
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"]["team"] == "a"


def test_failed_revert_keeps_the_drift(aws: LocalAws, stack: Operated) -> None:
    case = _parameter(aws, stack.name)
    stack.create({"A": case.resource})
    case.change()
    aws.set(early_validation=0)
    compared(stack, UsePreviousTemplate=False, TemplateBody=body({"A": case.resource, **broken("Z")}))
    assert executed(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert case.value() == "by hand"
    deleted(stack)
    assert changes(compared(stack)) == {"A": ("Modify", "MODIFIED")}


def test_role_without_read_permission_leaves_drift_unknown(aws: LocalAws, stack: Operated) -> None:
    case = _disabled_rule(aws, stack.name)
    writes = {"events:PutRule", "events:PutTargets", "events:TagResource", "events:DescribeRule"}
    role = a_role(aws, f"{stack.name}-deploy", writes)
    assert stack.create({"R": case.resource, **parameters()}, RoleARN=role) == "CREATE_COMPLETE"
    case.change()
    found = compared(stack)
    assert (found["Status"], found["StackDriftStatus"]) == ("FAILED", "UNKNOWN")
    deleted(stack)
    grant(aws, f"{stack.name}-deploy", writes | {"events:ListTargetsByRule", "events:ListTagsForResource"})
    assert changes(compared(stack)) == {"R": ("Modify", "MODIFIED")}
    assert executed(stack) == "UPDATE_COMPLETE"


@pytest.mark.parametrize(("listed", "ids"), [(0, {"A"}), (1, {"A", "Handle"})])
def test_unsupported_type_is_listed_as_set(aws: LocalAws, stack: Operated, listed: int,
                                           ids: set[str]) -> None:
    aws.set(change_sets_list_unread_resources=listed)
    stack.create({"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
                  "A": _parameter(aws, stack.name).resource})
    aws.client("ssm").put_parameter(Name=stack.name, Value="by hand", Overwrite=True)
    found = changes(compared(stack))
    assert found.keys() == ids
    assert not listed or found["Handle"] == ("SyncWithActual", "UNSUPPORTED")


def test_build_project_is_not_compared(aws: LocalAws, stack: Operated) -> None:
    case = _project(aws, stack.name)
    stack.create({"R": case.resource})
    case.change()
    found = compared(stack)
    assert (found["Status"], found["StatusReason"], found["Changes"]) == ("FAILED", EMPTY, [])


@pytest.mark.parametrize("more", [{"DeploymentMode": "KEEP_DRIFT"},
                                  {"DeploymentMode": "REVERT_DRIFT", "ChangeSetType": "CREATE"}])
def test_invalid_deployment_mode_is_rejected(stack: Operated, more: dict[str, str]) -> None:
    code, _, message = error_of(stack.client.create_change_set, StackName=stack.name, ChangeSetName=CHANGE_SET,
                                TemplateBody=body(parameters("A")), **more)
    assert code == "ValidationError"
    assert "eploymentMode" in message
