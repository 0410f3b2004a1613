"""Rules of CloudFormation's stacks that do not concern custom resources."""

from __future__ import annotations

import json

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, error_of


def test_bucket_with_object_or_old_version_is_not_deleted(aws: LocalAws, stack: Stack, name: str) -> None:
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


def test_a_retained_bucket_outlives_its_stack(aws: LocalAws, stack: Stack, name: str) -> None:
    stack.create({"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain",
                             "Properties": {"BucketName": name}}})
    assert stack.delete() == "DELETE_COMPLETE"
    aws.client("s3").head_bucket(Bucket=name)


@pytest.mark.parametrize("kind", ["User", "Role"])
def test_foreign_policy_blocks_resource_deletion(aws: LocalAws, stack: Stack, name: str, kind: str) -> None:
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
    resources = {letter: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
                 for letter in "ABCDEF"}
    resources["A"]["DependsOn"] = "F"
    orders = []
    for seed in (0, 1, 2):
        aws.set(order_seed=seed)
        stack = Stack(aws, f"{name}-{seed}")
        assert stack.create(resources) == "CREATE_COMPLETE"
        made = [event["LogicalResourceId"] for event in stack.events() if event["ResourceStatus"] == "CREATE_COMPLETE"]
        assert made.index("F") < made.index("A")
        orders.append(made[:-1])
    assert orders[0] == ["B", "C", "D", "E", "F", "A"]
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize(("members", "expected"), [("", "none"), ("a,b", "a,b")])
def test_a_condition_can_ask_whether_a_list_has_members(aws: LocalAws, name: str, members: str, expected: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
    cloudformation, stack = aws.client("cloudformation"), Stack(aws, name)
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({
        "Parameters": {"Members": {"Type": "CommaDelimitedList", "Default": ""}},
        "Conditions": {"Some": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Members"}]}, ""]}]}},
        "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {"Said": {"Value": {"Fn::If": ["Some", {"Fn::Join": [",", {"Ref": "Members"}]}, "none"]}}},
    }), Parameters=[{"ParameterKey": "Members", "ParameterValue": members}])
    assert stack.wait() == "CREATE_COMPLETE"
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    assert [output["OutputValue"] for output in outputs] == [expected]
