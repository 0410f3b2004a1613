"""A rotation function and its permissions, for tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA, allow, policy, provider_code

_RIGHTS = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
           "secretsmanager:UpdateSecretVersionStage"]


FIRST = "1" * 32


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def secret(secrets: Any, name: str) -> str:
    secrets.create_secret(Name=name, SecretString="old", ClientRequestToken=FIRST)
    return name


def a_function(aws: LocalAws, name: str) -> str:
    """The scripted rotation function. Its role has the permissions that AWS documents for such a function."""
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(
        allow(_RIGHTS, "*"), allow("logs:*", "*")))
    arn: str = aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
        Code={"ZipFile": provider_code("scripted_rotation")})["FunctionArn"]
    return arn


def permit(aws: LocalAws, function: str, **more: Any) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function, StatementId="rotation", Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com", **more)


def labels(aws: LocalAws, secret: str) -> dict[str, list[str]]:
    described = aws.client("secretsmanager").describe_secret(SecretId=secret)
    return {version: sorted(held) for version, held in described.get("VersionIdsToStages", {}).items()}
