"""A role that a pipeline creates with full permissions, and the limits of its boundary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws import LocalAws
from tests.deployment.pipelines import ProjectStack
from tests.deployment.steps import Environment

pytestmark = pytest.mark.usefixtures("environment", "expected_denials")
BOUNDARY = "policy-dev-deployed-roles"


def with_a_role(aws: LocalAws, name: str, boundary: str | None) -> str:
    """A template with a role that may do everything, and that every principal of the account may assume."""
    arn = f"arn:aws:iam::{aws.account_id}"
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    return json.dumps({
        "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": f"role-dev-{name}",
            **({"PermissionsBoundary": f"{arn}:policy/{boundary}"} if boundary else {}),
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"{arn}:root"}, "Action": "sts:AssumeRole"}]},
            "Policies": [{"PolicyName": "everything", "PolicyDocument": everything}]}}}})


def was_denied(call: Callable[..., Any], **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"].startswith("AccessDenied")
    return False


@pytest.fixture
def user_key(aws: LocalAws, name: str) -> Iterator[dict[str, str]]:
    """The access key of a user who may assume roles, because the account's root user may not."""
    iam, user = aws.client("iam"), f"user-of-{name}"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="take", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    yield key
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=user, PolicyName="take")
    iam.delete_user(UserName=user)


# claim: deployed-role-does-not-reach-the-machinery
def test_role_of_a_pipeline_does_not_reach_the_machinery(aws: LocalAws, bounded: Environment, stack: ProjectStack,
                                                         user_key: dict[str, str], name: str) -> None:
    assert stack.make(Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    execution = project.execution_of(project.push(template=with_a_role(aws, name, BOUNDARY)).commit)
    assert project.ended(execution) == "Succeeded", project.deployed.failures()
    # The local CloudFormation evaluates the boundary of AWS::IAM::Role and does not set it.
    aws.client("iam").put_role_permissions_boundary(
        RoleName=f"role-dev-{name}", PermissionsBoundary=f"arn:aws:iam::{aws.account_id}:policy/{BOUNDARY}")
    aws.put_iam_into_effect()
    session = aws.client("sts", user_key).assume_role(RoleArn=f"arn:aws:iam::{aws.account_id}:role/role-dev-{name}",
                                                      RoleSessionName="hostile")["Credentials"]

    def client(service: str) -> Any:
        return aws.client(service, session)

    mirror, outputs = "user-dev-codecommit-mirroring", bounded.outputs()
    hostile = [
        was_denied(client("secretsmanager").get_secret_value, SecretId=f"codecommit-mirror/{mirror}"),
        was_denied(client("iam").create_service_specific_credential, UserName=mirror, ServiceName="codecommit.amazonaws.com"),
        was_denied(client("iam").delete_role_permissions_boundary, RoleName=f"role-dev-{name}"),
        was_denied(client("lambda").invoke, FunctionName=bounded.function_name, Payload=b"{}"),
        was_denied(client("codepipeline").start_pipeline_execution, name=outputs["PipelineName"]),
        was_denied(client("s3").put_object, Bucket=outputs["BucketName"], Key="codepipeline-dev-cfn/BuildArtif/a", Body=b""),
        was_denied(client("cloudformation").update_stack, StackName=project.deployed.name, UsePreviousTemplate=True),
        was_denied(client("cloudformation").update_stack, StackName=bounded.name, UsePreviousTemplate=True),
    ]
    assert hostile == [True] * len(hostile), hostile
    # It can change what does not belong to the machinery.
    secrets = client("secretsmanager")
    secrets.create_secret(Name=f"thumbnails-{name}", SecretString="own")
    assert secrets.get_secret_value(SecretId=f"thumbnails-{name}")["SecretString"] == "own"
    secrets.delete_secret(SecretId=f"thumbnails-{name}", ForceDeleteWithoutRecovery=True)
    # The boundary denies the call: without the boundary it succeeds.
    aws.client("iam").delete_role_permissions_boundary(RoleName=f"role-dev-{name}")
    aws.put_iam_into_effect()
    assert not was_denied(client("secretsmanager").get_secret_value, SecretId=f"codecommit-mirror/{mirror}")
    assert project.deployed.delete() == "DELETE_COMPLETE", project.deployed.failures()


@pytest.mark.parametrize("boundary", [None, "policy-dev-codebuild-cfn"])
def test_role_without_the_boundary_is_not_created(aws: LocalAws, bounded: Environment, stack: ProjectStack, name: str,
                                                  boundary: str | None) -> None:
    assert stack.make(Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    execution = project.execution_of(project.push(template=with_a_role(aws, name, boundary)).commit)
    assert project.ended(execution) == "Failed"
    assert "iam:CreateRole" in project.deployed.failures()[0], project.deployed.failures()
