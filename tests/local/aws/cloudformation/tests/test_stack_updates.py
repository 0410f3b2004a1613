"""Updates of stacks, the events of their resources, and rules of some types."""

from __future__ import annotations

import json

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, stack
from tests.local.aws.testing import TRUST_LAMBDA, Stack, allow, error_of, policy


def test_update_without_changes_is_rejected(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    stack.begin(parameters("A"))
    stack.wait()
    kept = parameters("A")
    kept["A"]["DeletionPolicy"] = "Retain"
    for same in (parameters("A"), kept):
        assert error_of(stack.client.update_stack, StackName=stack.name, TemplateBody=body(same)) == (
            "ValidationError", 400, "No updates are to be performed.")
    kept["A"]["Metadata"] = {"Policy": "Retain"}
    assert stack.update(kept) == "UPDATE_COMPLETE"


def test_tags_change_only_if_given(aws: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html (Tags)
    log_group = {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {
        "LogGroupName": stack.name, "RetentionInDays": 1, "Tags": [{"Key": "own", "Value": "o"}]}}}
    rule = {"Rule": {"Type": "AWS::Events::Rule", "Properties": {
        "Name": stack.name, "State": "ENABLED", "EventPattern": {"source": ["a"]}}}}
    prefix = f"{aws.region}:{aws.account_id}"

    def tags() -> tuple[dict[str, str], dict[str, str]]:
        group = aws.client("logs").list_tags_for_resource(
            resourceArn=f"arn:aws:logs:{prefix}:log-group:{stack.name}")["tags"]
        listed = aws.client("events").list_tags_for_resource(
            ResourceARN=f"arn:aws:events:{prefix}:rule/{stack.name}")["Tags"]
        of_rule = {tag["Key"]: tag["Value"] for tag in listed}
        group, of_rule = ({key: value for key, value in found.items() if not key.startswith("aws:")}
                          for found in (group, of_rule))
        return group, of_rule

    stack.begin({**log_group, **rule}, Tags=[{"Key": "team", "Value": "a"}])
    stack.wait()
    assert tags() == ({"own": "o", "team": "a"}, {"team": "a"})
    log_group["Group"]["Properties"]["RetentionInDays"] = 3
    assert stack.update({**log_group, **rule}) == "UPDATE_COMPLETE"
    assert [(tag["Key"], tag["Value"]) for tag in stack._describe()["Tags"]] == [("team", "a")]
    stack.client.update_stack(StackName=stack.name, UsePreviousTemplate=True, Tags=[{"Key": "cost", "Value": "1"}])
    assert stack.wait() == "UPDATE_COMPLETE"
    assert tags() == ({"own": "o", "cost": "1"}, {"cost": "1"})


def test_update_reports_changed_added_and_removed_resources(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    stack.begin(parameters("A", "B", "D"))
    stack.wait()
    before = len(stack.events())
    assert stack.update({**parameters("A"), **parameters("B", value="y"), **parameters("C")}) == "UPDATE_COMPLETE"
    assert [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]] == [
        (stack.name, "UPDATE_IN_PROGRESS"), ("B", "UPDATE_IN_PROGRESS"), ("B", "UPDATE_COMPLETE"),
        ("C", "CREATE_IN_PROGRESS"), ("C", "CREATE_COMPLETE"),
        (stack.name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), ("D", "DELETE_IN_PROGRESS"), ("D", "DELETE_COMPLETE"),
        (stack.name, "UPDATE_COMPLETE")]
    before = len(stack.events())
    stack.update({**parameters("A", "B", "C"), **broken()})
    assert [event["ResourceStatus"] for event in stack.events()[before:] if event["LogicalResourceId"] == "Z"] == [
        "CREATE_IN_PROGRESS", "CREATE_FAILED"]


def test_unknown_or_missing_parameter_is_rejected_by_name(stack: Operated) -> None:
    template = body(parameters("A"), Parameters={"P": {"Type": "String"}})
    given = [{"ParameterKey": "Q", "ParameterValue": "1"}]
    assert error_of(stack.client.create_stack, StackName=stack.name, TemplateBody=template) == (
        "ValidationError", 400, "Parameters: [P] must have values")
    assert error_of(stack.client.create_stack, StackName=stack.name, TemplateBody=body(parameters("A")),
                   Parameters=given) == ("ValidationError", 400, "Parameters: [Q] do not exist in the template")


def test_bucket_with_object_or_old_version_is_not_deleted(aws: LocalAws, stack: Operated, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html, "Delete stack fails"
    stack.create({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {
        "BucketName": name, "VersioningConfiguration": {"Status": "Enabled"}}}})
    s3 = aws.client("s3")
    version = s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    assert stack.delete() == "DELETE_FAILED"
    assert "BucketNotEmpty" in str(stack.events())
    for held in (version, marker):
        s3.delete_object(Bucket=name, Key="k", VersionId=held)
    assert stack.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize("kind", ["User", "Role"])
def test_foreign_policy_blocks_resource_deletion(aws: LocalAws, stack: Operated, name: str, kind: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html, API_DeleteRole.html
    own = {"PolicyName": "own", "PolicyDocument": json.loads(policy(allow("s3:*", "*")))}
    properties = {f"{kind}Name": name, "Policies": [own]}
    if kind == "Role":
        properties["AssumeRolePolicyDocument"] = json.loads(TRUST_LAMBDA)
    stack.create({"Entity": {"Type": f"AWS::IAM::{kind}", "Properties": properties}})
    iam, entity = aws.client("iam"), {f"{kind}Name": name}
    getattr(iam, f"put_{kind.lower()}_policy")(**entity, PolicyName="more", PolicyDocument=policy(allow("s3:*", "*")))
    assert error_of(getattr(iam, f"delete_{kind.lower()}"), **entity)[:2] == ("DeleteConflict", 409)
    assert stack.delete() == "DELETE_FAILED"
    getattr(iam, f"delete_{kind.lower()}_policy")(**entity, PolicyName="more")
    assert stack.delete() == "DELETE_COMPLETE"


def test_order_seed_changes_the_order_of_independent_resources(aws: LocalAws, name: str) -> None:
    resources = parameters(*"ABCDEF")
    resources["A"]["DependsOn"] = "F"
    orders = []
    for seed in (0, 1, 2):
        aws.set(order_seed=seed)
        ordered = Stack(aws, f"{name}-{seed}")
        assert ordered.create(resources) == "CREATE_COMPLETE"
        made = [event["LogicalResourceId"] for event in ordered.events()
                if event["ResourceStatus"] == "CREATE_COMPLETE"]
        assert made.index("F") < made.index("A")
        orders.append(made[:-1])
    assert orders[0] == ["B", "C", "D", "E", "F", "A"]
    assert orders[0] != orders[1] != orders[2]


def test_read_calls_return_question_marks_and_execution_does_not(aws: LocalAws, stack: Operated) -> None:
    # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814
    template = {"Parameters": {"Text": {"Type": "String"}}, "Outputs": {"Text": {"Value": {"Ref": "Text"}}},
                "Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": {
                    "Name": stack.name, "Type": "String", "Value": {"Fn::Sub": "請/${Text}"}}}}}
    stack.client.create_stack(StackName=stack.name, TemplateBody=json.dumps(template, ensure_ascii=False),
                              Parameters=[{"ParameterKey": "Text", "ParameterValue": "交月報"}],
                              Tags=[{"Key": "部", "Value": "é"}])
    assert stack.wait() == "CREATE_COMPLETE"
    described = stack._describe()
    assert (described["Outputs"][0]["OutputValue"], described["Parameters"][0]["ParameterValue"],
            described["Tags"]) == ("???", "???", [{"Key": "?", "Value": "?"}])
    read = stack.client.get_template(StackName=stack.name)["TemplateBody"]
    assert "?/${Text}" in json.dumps(read)
    assert aws.client("ssm").get_parameter(Name=stack.name)["Parameter"]["Value"] == "請/交月報"
