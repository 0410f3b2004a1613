"""Permissions of Secrets Manager's calls, and late deletions. `tests/rules` has versions, tokens and labels."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import a_user_with, allow, error_of


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


def test_secret_is_judged_by_full_arn_before_it_exists(aws: LocalAws, secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html; that AWS invents
    # the characters for an absent one: jenkinsci/aws-secrets-manager-credentials-provider-plugin, issue 74.
    prefix = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:"
    actions = ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret"]
    mine = aws.client("secretsmanager", a_user_with(aws, name, allow(actions, f"{prefix}{name}-??????")))
    assert error_of(mine.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    made = mine.create_secret(Name=name)
    assert mine.describe_secret(SecretId=name)["ARN"] == mine.describe_secret(SecretId=made["ARN"])["ARN"]
    code, status, message = error_of(mine.describe_secret, SecretId=f"{name}-x")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"not authorized to perform: secretsmanager:DescribeSecret on resource: {prefix}{name}-x-" in message
    bare = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", allow(actions, f"{prefix}{name}")))
    assert error_of(bare.describe_secret, SecretId=name)[0] == "AccessDeniedException"


def test_an_absent_secret_can_be_judged_by_its_bare_name(aws: LocalAws, name: str) -> None:
    # AWS's behaviour is not documented, so a policy should cover both.
    aws.set(absent_secrets_have_a_suffix=0)
    prefix = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:"
    mine = aws.client("secretsmanager", a_user_with(
        aws, name, allow("secretsmanager:DescribeSecret", f"{prefix}{name}-??????")))
    assert error_of(mine.describe_secret, SecretId=name)[0] == "AccessDeniedException"


def test_a_forced_delete_can_take_a_moment(aws: LocalAws, secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    aws.set(forced_delete_takes_seconds=0.3)
    secrets.create_secret(Name=name)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert error_of(secrets.create_secret, Name=name)[0] == "InvalidRequestException"
    time.sleep(0.4)
    secrets.create_secret(Name=name)


@pytest.mark.parametrize("key", ["aws:ResourceTag/owner", "secretsmanager:ResourceTag/owner"])
def test_a_condition_on_a_secrets_tags_is_judged(aws: LocalAws, secrets: Any, name: str, key: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
    for owner in ("me", "you"):
        secrets.create_secret(Name=f"{name}-{owner}", Tags=[{"Key": "owner", "Value": owner}])
    mine = aws.client("secretsmanager", a_user_with(
        aws, name, allow("secretsmanager:DescribeSecret", "*", Condition={"StringEquals": {key: "me"}})))
    mine.describe_secret(SecretId=f"{name}-me")
    assert error_of(mine.describe_secret, SecretId=f"{name}-you")[0] == "AccessDeniedException"


def test_a_create_with_tags_needs_TagResource_too(aws: LocalAws, name: str) -> None:
    # "If you include tags in the secret, you also need secretsmanager:TagResource."
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
    mine = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:CreateSecret", "*")))
    tags = [{"Key": "k", "Value": "v"}]
    assert "perform: secretsmanager:TagResource" in error_of(mine.create_secret, Name=name, Tags=tags)[2]
    mine.create_secret(Name=name)


def test_a_customer_managed_key_needs_its_own_permissions(aws: LocalAws, secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html#security-encryption-authz
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    secrets.create_secret(Name=name, KmsKeyId=key, SecretString="a")
    without = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:*", "*")))
    for call, arguments in ((without.get_secret_value, {}), (without.put_secret_value, {"SecretString": "b"})):
        assert error_of(call, SecretId=name, **arguments)[0] == "AccessDeniedException"
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{aws.region}.amazonaws.com"}}
    with_key = aws.client("secretsmanager", a_user_with(
        aws, f"{name}-k", allow("secretsmanager:*", "*"),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], key, Condition=through)))
    with_key.put_secret_value(SecretId=name, SecretString="b")
    assert with_key.get_secret_value(SecretId=name)["SecretString"] == "b"
