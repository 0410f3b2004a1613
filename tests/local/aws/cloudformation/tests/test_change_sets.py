"""Change sets: several of a stack, their names in policies, and templates in S3. tests/deployment/test_reviews.py
creates them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.cloudformation.tests.operated_stack import Operated, body, parameters, stack
from tests.local.aws.testing import a_role, a_user_with, allow, error_of

STACK = "arn:aws:cloudformation:*:*:stack/*"


def planned(stack: Operated, name: str, value: str = "y", **more: Any) -> str:
    """The ARN of a change set that changes the stack's parameter."""
    arn: str = stack.client.create_change_set(
        StackName=stack.name, ChangeSetName=name, TemplateBody=body(parameters("A", value=value)), **more)["Id"]
    return arn


def listed(stack: Operated, stack_name: str = "") -> set[str]:
    summaries = stack.client.list_change_sets(StackName=stack_name or stack.name)["Summaries"]
    return {each["ChangeSetName"] for each in summaries}


def test_execution_deletes_the_other_change_sets(stack: Operated) -> None:
    # "CloudFormation deletes all change sets that are associated with the stack"
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-execute.html
    stack.create(parameters("A"))
    planned(stack, "pipeline")
    for name in ("plan-1", "plan-2"):
        planned(stack, name, value=name)
    stack.client.delete_change_set(StackName=stack.name, ChangeSetName="plan-2")
    assert listed(stack) == {"pipeline", "plan-1"}
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName="pipeline")
    assert stack.wait() == "UPDATE_COMPLETE"
    assert "plan-1" not in listed(stack)
    assert error_of(stack.client.describe_change_set, StackName=stack.name, ChangeSetName="plan-1")[0] == (
        "ChangeSetNotFound")


@pytest.mark.parametrize(("changed", "replacement"), [("Description", "False"), ("Name", "True")])
def test_replacement_follows_the_types_schema(stack: Operated, changed: str, replacement: str) -> None:
    # MiniStack has no list of the properties of AWS::Events::Rule that replace it.
    given = {"State": "DISABLED", "EventPattern": {"source": ["example.unused"]}, "Name": stack.name, "Description": "before"}
    stack.create({"Rule": {"Type": "AWS::Events::Rule", "Properties": given}})
    changed_rule = {"Rule": {"Type": "AWS::Events::Rule", "Properties": {**given, changed: f"{stack.name}-after"}}}
    stack.client.create_change_set(StackName=stack.name, ChangeSetName="plan", TemplateBody=body(changed_rule))
    [change] = stack.client.describe_change_set(StackName=stack.name, ChangeSetName="plan")["Changes"]
    assert change["ResourceChange"]["Replacement"] == replacement


def test_change_set_is_found_by_the_stacks_id(stack: Operated) -> None:
    stack_id = stack.begin(parameters("A"))
    stack.wait()
    calls, given = stack.client, {"StackName": stack_id, "ChangeSetName": "plan"}
    calls.create_change_set(**given, TemplateBody=body(parameters("A", value="y")))
    assert listed(stack, stack_id) == {"plan"}
    assert error_of(calls.create_change_set, **given, TemplateBody=body(parameters("A", value="y")))[0] == (
        "AlreadyExistsException")
    assert calls.describe_change_set(**given)["Status"] == "CREATE_COMPLETE"
    calls.delete_change_set(**given)
    assert listed(stack) == set()


def test_permission_depends_on_the_change_sets_name(aws: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    stack.create(parameters("A"))
    arns = {name: planned(stack, name) for name in ("plan-1", "other")}
    calls = {"DescribeChangeSet": "describe_change_set", "DeleteChangeSet": "delete_change_set",
             "ExecuteChangeSet": "execute_change_set"}
    limited = aws.client("cloudformation", a_user_with(
        aws, stack.name, allow("cloudformation:ListChangeSets", STACK),
        allow([f"cloudformation:{call}" for call in calls], STACK, Condition={
            "StringLike": {"cloudformation:ChangeSetName": "plan-*"}})))
    for call in calls.values():
        assert error_of(getattr(limited, call), StackName=stack.name, ChangeSetName="other")[0] == "AccessDenied"
    assert error_of(limited.describe_change_set, ChangeSetName=arns["other"])[0] == "AccessDenied"
    limited.describe_change_set(ChangeSetName=arns["plan-1"])
    limited.delete_change_set(StackName=stack.name, ChangeSetName="plan-1")
    # Listing has no key for names.
    assert len(limited.list_change_sets(StackName=stack.name)["Summaries"]) == 1


def test_creation_depends_on_name_role_and_template(aws: LocalAws, stack: Operated) -> None:
    stack.create(parameters("A"))
    role = a_role(aws, f"{stack.name}-deploy", {"ssm:*"})
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=stack.name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=stack.name, Key="review/template", Body=body(parameters("A", value="y")))
    prefix = f"{aws.endpoint_url}/{stack.name}/review/"
    key = a_user_with(
        aws, f"{stack.name}-user", allow("iam:PassRole", "*"), allow("s3:GetObject", f"arn:aws:s3:::{stack.name}/*"),
        allow("cloudformation:CreateChangeSet", STACK, Condition={
            "StringLike": {"cloudformation:ChangeSetName": "plan-*", "cloudformation:TemplateUrl": f"{prefix}*"},
            "StringEquals": {"cloudformation:RoleArn": role}}))
    create = aws.client("cloudformation", key).create_change_set
    right = {"ChangeSetName": "plan-1", "RoleARN": role, "TemplateURL": f"{prefix}template", "StackName": stack.name}
    for wrong in ({"ChangeSetName": "other"}, {"RoleARN": a_role(aws, f"{stack.name}-other", {"ssm:*"})},
                  {"TemplateURL": f"{aws.endpoint_url}/{stack.name}/template"}):
        assert error_of(create, **{**right, **wrong})[0] == "AccessDenied"
    create(**right)
    assert listed(stack) == {"plan-1"}


class Versions:
    """A template with two versions in a bucket."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        s3, self.name, self.region = aws.client("s3"), name, aws.region
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        self.first, self.second = (
            str(s3.put_object(Bucket=name, Key="review/a b.json",
                              Body=body(parameters("A", value=value)))["VersionId"]) for value in ("y", "z"))

    def url(self, version: str = "") -> str:
        query = f"?versionId={version}" if version else ""
        return f"https://{self.name}.s3.{self.region}.amazonaws.com/review/a%20b.json{query}"


def proposed(aws: LocalAws, stack: Operated, url: str, key: dict[str, str] | None = None) -> str:
    """The value in the template that a change set has read."""
    calls = aws.client("cloudformation", key)
    calls.create_change_set(StackName=stack.name, ChangeSetName="plan", TemplateURL=url)
    text = stack.client.get_template(StackName=stack.name, ChangeSetName="plan")["TemplateBody"]
    stack.client.delete_change_set(StackName=stack.name, ChangeSetName="plan")
    template = text if isinstance(text, dict) else json.loads(text)
    return str(template["Resources"]["A"]["Properties"]["Value"])


@pytest.mark.parametrize(("action", "versioned"), [("s3:GetObject", False), ("s3:GetObjectVersion", True)])
def test_template_is_read_by_version_with_the_callers_permission(aws: LocalAws, stack: Operated, action: str,
                                                                 versioned: bool) -> None:
    stack.create(parameters("A"))
    held = Versions(aws, stack.name)
    key = a_user_with(aws, f"{stack.name}-user", allow("cloudformation:CreateChangeSet", "*"),
                      allow(action, f"arn:aws:s3:::{stack.name}/review/*"))
    allowed, denied = held.url(held.first if versioned else ""), held.url("" if versioned else held.first)
    assert proposed(aws, stack, allowed, key) == ("y" if versioned else "z")
    for caller, url, words in ((aws.client("cloudformation", key), denied, "S3 error: Access Denied"),
                               (stack.client, held.url("absent"), "not found at")):
        code, _, message = error_of(caller.create_change_set, StackName=stack.name, ChangeSetName="plan",
                                    TemplateURL=url)
        assert code == "ValidationError" and words in message
