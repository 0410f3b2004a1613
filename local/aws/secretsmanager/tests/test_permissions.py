"""The condition keys with which IAM evaluates a call of Secrets Manager.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
"""

from __future__ import annotations

from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import a_user_with, allow, error_of

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def secret(secrets: Any, name: str) -> str:
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST, Tags=[{"Key": "env", "Value": "dev"}])
    return name


def who_may(aws: LocalAws, name: str, actions: str | list[str], **conditions: dict[str, Any]) -> Any:
    return aws.client("secretsmanager", a_user_with(aws, name, allow(actions, "*", Condition=conditions)))


def denied(aws: LocalAws, call: Any, **arguments: Any) -> str:
    code, status, message = error_of(call, **arguments)
    assert (code, status) == ("AccessDeniedException", 400)
    return message


@pytest.mark.parametrize("key", ["aws:ResourceTag/env", "secretsmanager:ResourceTag/env"])
def test_a_secret_is_reached_by_its_tag_and_without_it_denied(aws: LocalAws, secrets: Any, secret: str, name: str,
                                                             key: str) -> None:
    secrets.create_secret(Name=f"{name}-other", SecretString="b", Tags=[{"Key": "env", "Value": "prd"}])
    secrets.create_secret(Name=f"{name}-bare", SecretString="c")
    mine = who_may(aws, name, ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                   StringEquals={key: "dev"})
    assert mine.get_secret_value(SecretId=secret)["SecretString"] == "a"
    assert mine.describe_secret(SecretId=secret)["Name"] == secret
    for other in (f"{name}-other", f"{name}-bare"):
        arn = secrets.describe_secret(SecretId=other)["ARN"]
        for call, action in ((mine.get_secret_value, "GetSecretValue"), (mine.describe_secret, "DescribeSecret")):
            assert denied(aws, call, SecretId=other) == (
                f"User: arn:aws:iam::{aws.account_id}:user/{name} is not authorized to perform: "
                f"secretsmanager:{action} on resource: {arn} because no identity-based policy allows the "
                f"secretsmanager:{action} action")


def test_a_tag_that_is_changed_counts_at_once(aws: LocalAws, secrets: Any, secret: str, name: str) -> None:
    mine = who_may(aws, name, "secretsmanager:GetSecretValue", StringEquals={"aws:ResourceTag/env": "dev"})
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": "env", "Value": "prd"}])
    denied(aws, mine.get_secret_value, SecretId=secret)
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": "env", "Value": "dev"}])
    assert mine.get_secret_value(SecretId=secret)["SecretString"] == "a"


def test_a_version_is_read_by_its_label(aws: LocalAws, secrets: Any, secret: str, name: str) -> None:
    secrets.put_secret_value(SecretId=secret, SecretString="b", ClientRequestToken=SECOND)
    mine = who_may(aws, name, "secretsmanager:GetSecretValue",
                   StringEquals={"secretsmanager:VersionStage": "AWSPREVIOUS"})
    assert mine.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")["SecretString"] == "a"
    denied(aws, mine.get_secret_value, SecretId=secret, VersionStage="AWSCURRENT")
    denied(aws, mine.get_secret_value, SecretId=secret)


def test_a_label_is_moved_by_its_name(aws: LocalAws, secrets: Any, secret: str, name: str) -> None:
    secrets.put_secret_value(SecretId=secret, SecretString="b", ClientRequestToken=SECOND, VersionStages=["mine"])
    able = who_may(aws, name, "secretsmanager:UpdateSecretVersionStage",
                   StringEquals={"secretsmanager:VersionStage": "mine"})
    move = {"SecretId": secret, "MoveToVersionId": FIRST, "RemoveFromVersionId": SECOND}
    able.update_secret_version_stage(VersionStage="mine", **move)
    denied(aws, able.update_secret_version_stage, VersionStage="AWSCURRENT", SecretId=secret, MoveToVersionId=SECOND,
           RemoveFromVersionId=FIRST)


def test_create_secret_is_evaluated_by_name_only(aws: LocalAws, name: str) -> None:
    able = who_may(aws, name, "secretsmanager:CreateSecret",
                   StringLike={"secretsmanager:Name": "codecommit-mirror/*"})
    able.create_secret(Name=f"codecommit-mirror/{name}")
    denied(aws, able.create_secret, Name=f"other/{name}")


def test_forced_deletion_can_be_denied(aws: LocalAws, secret: str, name: str) -> None:
    able = who_may(aws, name, "secretsmanager:DeleteSecret",
                   StringNotEquals={"secretsmanager:ForceDeleteWithoutRecovery": "true"})
    denied(aws, able.delete_secret, SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert able.delete_secret(SecretId=secret, RecoveryWindowInDays=7)["Name"] == secret


def test_a_rotation_function_is_named_by_a_condition(aws: LocalAws, secret: str, name: str) -> None:
    mine = f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:{name}"
    able = who_may(aws, name, ["secretsmanager:RotateSecret", "lambda:InvokeFunction"],
                   StringEqualsIfExists={"secretsmanager:RotationLambdaARN": mine})
    assert "AccessDenied" in denied_by_the_function(able, secret, mine)
    denied(aws, able.rotate_secret, SecretId=secret, RotationLambdaARN=f"{mine}-other")


def denied_by_the_function(client: Any, secret: str, function: str) -> str:
    """Allowed by IAM, but the function does not exist."""
    code, _, message = error_of(client.rotate_secret, SecretId=secret, RotationLambdaARN=function)
    assert message.startswith("Secrets Manager cannot invoke the specified Lambda function.")
    return code


def test_value_under_customer_key_needs_decrypt_permission(aws: LocalAws, secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = secrets.create_secret(Name=name, KmsKeyId=key, SecretString="a")["ARN"]
    reading = allow("secretsmanager:GetSecretValue", "*")
    without = aws.client("secretsmanager", a_user_with(aws, name, reading))
    assert "kms:Decrypt" in denied(aws, without.get_secret_value, SecretId=name)
    context = {"StringEquals": {"kms:EncryptionContext:SecretARN": arn}}
    able = aws.client("secretsmanager", a_user_with(
        aws, f"{name}-k", reading, allow("kms:Decrypt", key, Condition=context)))
    assert able.get_secret_value(SecretId=name)["SecretString"] == "a"
