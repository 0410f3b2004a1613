"""A function has only its role's permissions, and reaches the local AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code


@pytest.fixture
def role(aws: LocalAws, name: str) -> str:
    arn: str = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    return arn


@pytest.fixture
def resource(aws: LocalAws, name: str, role: str) -> dict[str, Any]:
    arn = aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
        Code={"ZipFile": provider_code()})["FunctionArn"]
    aws.client("iam").create_user(UserName=name)
    return {"Type": "Custom::Obedient", "Properties": {"ServiceToken": arn, "UserName": name,
                                                       "OnCreate": "list credentials"}}


def found(aws: LocalAws) -> str:
    data: dict[str, str] = aws.exchanges("A")[-1]["answer"]["Data"]
    return data["Found"]


def test_a_call_that_the_roles_policy_lacks_is_denied(aws: LocalAws, stack: Stack, name: str,
                                                      resource: dict[str, Any]) -> None:
    stack.create({"A": resource})
    session = f"arn:aws:sts::{aws.account_id}:assumed-role/{name}/{name}"
    user = f"arn:aws:iam::{aws.account_id}:user/{name}"
    assert found(aws) == (f"User: {session} is not authorized to perform: iam:ListServiceSpecificCredentials on "
                          f"resource: {user} because no identity-based policy allows the "
                          "iam:ListServiceSpecificCredentials action")
    assert aws.decisions(session)[0] == {
        "principal": session, "action": "iam:ListServiceSpecificCredentials", "resource": user, "allowed": False}


def test_a_call_that_the_roles_policy_grants_is_allowed(aws: LocalAws, stack: Stack, name: str,
                                                        resource: dict[str, Any]) -> None:
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(
        allow("iam:ListServiceSpecificCredentials", f"arn:aws:iam::{aws.account_id}:user/{name}")))
    stack.create({"A": resource})
    assert found(aws) == "0"
    assert aws.decisions(f"assumed-role/{name}/")[0]["allowed"]


def test_a_permissions_boundary_limits_the_role(aws: LocalAws, stack: Stack, name: str,
                                                resource: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    iam = aws.client("iam")
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow("iam:*", "*")))
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow("s3:*", "*")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    stack.create({"A": resource})
    assert "is not authorized to perform: iam:ListServiceSpecificCredentials" in found(aws)


def test_function_has_local_aws_endpoint_and_no_host_variables(aws: LocalAws, stack: Stack,
                                                               resource: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    resource["Properties"]["OnCreate"] = "show environment"
    stack.create({"A": resource})
    shown = aws.exchanges("A")[-1]["answer"]["Data"]
    assert (shown["Endpoint"], shown["Region"]) == (aws.endpoint_url, aws.region)
    names = set(shown["Names"].split())
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"} <= names
    assert not names & {"HOME", "PYTHONPATH", "AUTH", "GATEWAY_PORT", "MINISTACK_ACCOUNT_ID"}


def test_a_function_has_a_log_only_if_its_role_may_write_one(aws: LocalAws, name: str,
                                                             resource: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html#monitoring-cloudwatchlogs-prereqs
    logs, group = aws.client("logs"), f"/aws/lambda/{name}"
    aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps({}))
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    logs.create_log_group(logGroupName=group)
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="log", PolicyDocument=policy(allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{group}:*")))
    aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps({}))
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert any(event["message"].startswith("START RequestId") for event in events)
    assert {(used["action"], used["allowed"]) for used in aws.decisions(f"assumed-role/{name}/")} == {
        ("logs:CreateLogGroup", False), ("logs:CreateLogStream", True), ("logs:PutLogEvents", True)}
