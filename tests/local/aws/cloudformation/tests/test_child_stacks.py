"""The child stack of templates/pipeline.yaml, created by CloudFormation with a stack role. The deployment tests create,
change and delete it. tests/templates/test_handlers.py has the permissions of each type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, a_role, a_user_with, allow, grant, policy, error_of

TEMPLATE = (Path(__file__).parents[5] / "templates/pipeline.yaml").read_text()
REPOSITORY = {"codecommit:CreateRepository", "codecommit:TagResource", "codecommit:GetRepository",
              "codecommit:DeleteRepository", "codecommit:UntagResource", "codecommit:UpdateRepositoryDescription"}
PROVISIONING = REPOSITORY | {
    "codebuild:CreateProject", "codebuild:UpdateProjectVisibility", "codebuild:DeleteProject",
    "logs:DescribeLogGroups", "logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource",
    "logs:DeleteLogGroup", "events:DescribeRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets",
    "events:ListTargetsByRule", "events:DeleteRule", "events:TagResource", "iam:PassRole",
}


class Child(Stack):
    """A stack of templates/pipeline.yaml. Its project has the test's name."""

    def __init__(self, aws: LocalAws, project: str) -> None:
        super().__init__(aws, f"gitops-dev-{project}")
        self.client, self.project = aws.client("cloudformation"), project

    def parameters(self, branch_exists: str = "false", **more: str) -> list[dict[str, str]]:
        values = {"EnvID": "dev", "ProjectID": self.project, "BranchExists": branch_exists, **more}
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]

    def make(self, role_arn: str, **more: Any) -> str:
        arguments = {"TemplateBody": TEMPLATE, "Parameters": self.parameters(), **more}
        self._id = self.client.create_stack(StackName=self.name, RoleARN=role_arn, **arguments)["StackId"]
        return self.wait(self._id)

    def change(self, **more: Any) -> str:
        self.client.update_stack(StackName=self.name, UsePreviousTemplate=True, **more)
        return self.wait()

    def reason(self) -> str:
        """The reason of the first resource that failed."""
        return next(event["ResourceStatusReason"] for event in self.events()
                    if event["ResourceStatus"].endswith("_FAILED"))


def environment_role(aws: LocalAws, name: str, service: str) -> None:
    """A role that all of an environment's pipelines use by name. Another test may have created it."""
    try:
        a_role(aws, name, service=service)
    except aws.client("iam").exceptions.EntityAlreadyExistsException:
        pass


@pytest.fixture
def child(aws: LocalAws, name: str) -> Child:
    environment_role(aws, "role-dev-codebuild-cfn", "codebuild.amazonaws.com")
    return Child(aws, name)


@pytest.fixture
def role(aws: LocalAws, name: str) -> str:
    return a_role(aws, name, PROVISIONING)


def test_pass_role_to_service_needs_policy_naming_the_role(aws: LocalAws, child: Child, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    role = a_role(aws, name, PROVISIONING - {"iam:PassRole"})
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="pass", PolicyDocument=policy(allow(
        "iam:PassRole", "*", Condition={"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}})))
    assert child.make(role) == "ROLLBACK_COMPLETE"
    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/role-dev-codebuild-cfn" in child.reason()


@pytest.mark.parametrize(("service", "conditions"), [
    ("lambda.amazonaws.com", {}),
    # AWS documents neither key for stacks, so a trust policy that requires one is rejected.
    ("cloudformation.amazonaws.com", {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}),
    ("cloudformation.amazonaws.com", {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudformation:*:*:stack/*"}}})])
def test_role_that_does_not_trust_cloudformation_is_rejected(aws: LocalAws, child: Child, name: str, service: str,
                                                              conditions: dict[str, Any]) -> None:
    role = a_role(aws, name, PROVISIONING, service, **conditions)
    assert error_of(child.make, role_arn=role) == (
        "ValidationError", 400, f"Role {role} is invalid or cannot be assumed")
    assert error_of(child.make, role_arn=f"{role}-absent")[2].endswith("-absent is invalid or cannot be assumed")


def test_role_trusting_cloudformation_for_such_stacks_is_assumed(aws: LocalAws, child: Child, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    condition = {"StringEqualsIfExists": {"aws:SourceAccount": aws.account_id},
                 "ArnLikeIfExists": {"aws:SourceArn": f"arn:aws:cloudformation:{aws.region}:*:stack/gitops-dev-*/*"}}
    assert child.make(a_role(aws, name, PROVISIONING, Condition=condition)) == "CREATE_COMPLETE"


def test_stack_role_needs_pass_role_to_cloudformation(aws: LocalAws, child: Child, name: str, role: str) -> None:
    stacks = f"arn:aws:cloudformation:{aws.region}:{aws.account_id}:stack/{child.name}/*"
    key = a_user_with(aws, name, allow(["cloudformation:*"], stacks))
    child.client = aws.client("cloudformation", key)
    code, status, message = error_of(child.make, role_arn=role)
    assert (code, status) == ("AccessDenied", 403)
    assert f"not authorized to perform: iam:PassRole on resource: {role}" in message
    condition = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    aws.client("iam").put_user_policy(UserName=name, PolicyName="pass", PolicyDocument=policy(
        allow("iam:PassRole", role, Condition=condition)))
    assert child.make(role) == "CREATE_COMPLETE"
    aws.client("iam").delete_user_policy(UserName=name, PolicyName="pass")
    # The role belongs to the stack from then on, and need not be passed again.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html (RoleARN)
    child.client.delete_stack(StackName=child.name)
    assert child.wait(child._id) == "DELETE_COMPLETE"


def test_who_gives_a_stack_tags_must_be_allowed_to_tag_it(aws: LocalAws, child: Child, name: str, role: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    actions = ["cloudformation:CreateStack", "cloudformation:UpdateStack", "iam:PassRole"]
    stack = child.client
    child.client = aws.client("cloudformation", a_user_with(aws, name, allow(actions, "*")))
    tags = [{"Key": "team", "Value": "a"}]
    assert "cloudformation:TagResource on resource: " in error_of(child.make, role_arn=role, Tags=tags)[2]
    aws.client("iam").put_user_policy(UserName=name, PolicyName="tag", PolicyDocument=policy(
        allow("cloudformation:TagResource", "*")))
    child.client.create_stack(StackName=child.name, TemplateBody=TEMPLATE, RoleARN=role, Tags=tags,
                              Parameters=child.parameters())
    assert child.wait() == "CREATE_COMPLETE"
    changed = {"StackName": child.name, "UsePreviousTemplate": True, "Parameters": child.parameters()}
    assert f"cloudformation:UntagResource on resource: {child._describe()['StackId']}" in error_of(
        child.client.update_stack, **changed, Tags=[{"Key": "cost", "Value": "b"}])[2]
    stack.delete_stack(StackName=child.name)


def test_without_a_role_the_callers_own_rights_count(aws: LocalAws, child: Child, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
    key = a_user_with(aws, name, allow("cloudformation:*", "*"))
    mine = aws.client("cloudformation", key)
    mine.create_stack(StackName=child.name, TemplateBody=TEMPLATE, Parameters=child.parameters())
    assert child.wait() == "ROLLBACK_COMPLETE"
    assert f"User: arn:aws:iam::{aws.account_id}:user/{name} is not authorized to perform: " in child.reason()


def test_type_without_listed_permissions_fails(aws: LocalAws, child: Child, name: str) -> None:
    role = a_role(aws, name, {"*"})
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    child.client.create_stack(StackName=child.name, TemplateBody=template, RoleARN=role)
    assert child.wait() == "ROLLBACK_COMPLETE"
    assert "AWS::SQS::Queue: stack_permissions does not list" in child.reason()


def test_the_last_operations_role_is_used_when_none_is_named(aws: LocalAws, child: Child, name: str,
                                                             role: str) -> None:
    child.make(role)
    grant(aws, name, PROVISIONING - {"codebuild:DeleteProject"})
    assert child.delete() == "DELETE_FAILED"
    assert "codebuild:DeleteProject" in child.reason()
    left = child.client.describe_stack_resources(StackName=child.name)["StackResources"]
    # The failed resource's dependencies remain with it.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html
    assert {resource["LogicalResourceId"]: resource["ResourceStatus"] for resource in left} == {
        "BuildProject": "DELETE_FAILED", "BuildLogGroup": "CREATE_COMPLETE"}
    grant(aws, name, PROVISIONING)
    assert child.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(("line", "extra", "expected"), [
    ("Visibility: PRIVATE", "Colour: red", "Encountered unsupported property Colour"),
    ("RetentionInDays: 90", "Retention: 1", "#: extraneous key [Retention] is not permitted"),
    ("State: ENABLED", "Enabled: true", "#: extraneous key [Enabled] is not permitted")])
def test_unknown_property_fails_the_resource(child: Child, role: str, line: str, extra: str, expected: str) -> None:
    # https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    assert child.make(role, TemplateBody=TEMPLATE.replace(line, f"{line}\n      {extra}")) == "ROLLBACK_COMPLETE"
    assert expected in child.reason()


