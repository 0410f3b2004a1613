"""A function's environment variables and its log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code


@pytest.fixture
def role(aws: LocalAws, name: str) -> str:
    arn: str = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    return arn


@pytest.fixture
def resource(aws: LocalAws, name: str, role: str) -> dict[str, Any]:
    arn = aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
        Code={"ZipFile": provider_code()})["FunctionArn"]
    return {"Type": "Custom::Obedient", "Properties": {"ServiceToken": arn, "OnCreate": "show environment"}}


def test_function_has_local_aws_endpoint_and_no_host_variables(aws: LocalAws, stack: Stack,
                                                               resource: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
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
