"""The resource, the condition keys and the further permissions with which IAM evaluates a call of Secrets Manager.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow, error_of

FIRST, SECOND = "1" * 32, "2" * 32
VERSIONS = {"MoveToVersionId": FIRST, "RemoveFromVersionId": SECOND}


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def secret(secrets: Any, name: str) -> str:
    """Two versions, of which the second has AWSCURRENT and `mine`."""
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST, Tags=[{"Key": "env", "Value": "dev"}])
    secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=SECOND,
                             VersionStages=["AWSCURRENT", "mine"])
    secrets.create_secret(Name=f"{name}-prd", SecretString="c", Tags=[{"Key": "env", "Value": "prd"}])
    return name


def denied(call: Any, **arguments: Any) -> str:
    code, status, message = error_of(call, **arguments)
    assert (code, status) == ("AccessDeniedException", 400)
    return message


@pytest.mark.parametrize(("call", "condition", "allowed", "rejected"), [
    *(("get_secret_value", {"StringEquals": {f"{key}:ResourceTag/env": "dev"}}, {}, {"SecretId": "{}-prd"})
      for key in ("aws", "secretsmanager")),
    ("get_secret_value", {"StringEquals": {"secretsmanager:VersionStage": "AWSPREVIOUS"}},
     {"VersionStage": "AWSPREVIOUS"}, {}),
    ("update_secret_version_stage", {"StringEquals": {"secretsmanager:VersionStage": "mine"}},
     {"VersionStage": "mine", **VERSIONS}, {"VersionStage": "AWSCURRENT", **VERSIONS}),
    ("create_secret", {"StringLike": {"secretsmanager:Name": "mirror/*"}}, {"Name": "mirror/{}"}, {"Name": "other/{}"}),
    ("delete_secret", {"StringNotEquals": {"secretsmanager:ForceDeleteWithoutRecovery": "true"}}, {},
     {"ForceDeleteWithoutRecovery": True}),
    # "If you include tags in the secret, you also need secretsmanager:TagResource."
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
    ("create_secret", {}, {"Name": "{}-a"}, {"Name": "{}-b", "Tags": [{"Key": "k", "Value": "v"}]}),
])
def test_call_is_evaluated_with_its_condition_keys(aws: LocalAws, secret: str, name: str, call: str,
                                                   condition: dict[str, Any], allowed: dict[str, Any],
                                                   rejected: dict[str, Any]) -> None:
    action = f"secretsmanager:{call.title().replace('_', '')}"
    mine = getattr(aws.client("secretsmanager", a_user_with(
        aws, name, allow(action, "*", Condition=condition))), call)
    default = {} if call == "create_secret" else {"SecretId": secret}

    def filled(arguments: dict[str, Any]) -> dict[str, Any]:
        return {key: value.format(name) if isinstance(value, str) else value
                for key, value in {**default, **arguments}.items()}

    denied(mine, **filled(rejected))
    mine(**filled(allowed))


def test_secret_is_judged_by_full_arn_before_it_exists(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html; that AWS invents
    # the characters for an absent one: jenkinsci/aws-secrets-manager-credentials-provider-plugin, issue 74.
    prefix = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:"
    actions = ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret"]
    mine = aws.client("secretsmanager", a_user_with(aws, name, allow(actions, f"{prefix}{name}-??????")))
    assert error_of(mine.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    made = mine.create_secret(Name=name)
    assert mine.describe_secret(SecretId=name)["ARN"] == mine.describe_secret(SecretId=made["ARN"])["ARN"]
    assert f"not authorized to perform: secretsmanager:DescribeSecret on resource: {prefix}{name}-x-" in denied(
        mine.describe_secret, SecretId=f"{name}-x")
    bare = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", allow(actions, f"{prefix}{name}")))
    denied(bare.describe_secret, SecretId=name)


def test_listing_is_granted_on_all_resources_or_not_at_all(aws: LocalAws, name: str) -> None:
    one = f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:*"
    without = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:ListSecrets", one)))
    denied(without.list_secrets)
    aws.client("secretsmanager", a_user_with(aws, f"{name}-b", allow("secretsmanager:ListSecrets", "*"))).list_secrets()


def test_customer_managed_key_needs_its_own_permissions(aws: LocalAws, secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html#security-encryption-authz
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = secrets.create_secret(Name=name, KmsKeyId=key, SecretString="a")["ARN"]
    without = aws.client("secretsmanager", a_user_with(aws, name, allow("secretsmanager:*", "*")))
    assert "kms:Decrypt" in denied(without.get_secret_value, SecretId=name)
    assert "kms:GenerateDataKey" in denied(without.put_secret_value, SecretId=name, SecretString="b")
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{aws.region}.amazonaws.com",
                                "kms:EncryptionContext:SecretARN": arn}}
    with_key = aws.client("secretsmanager", a_user_with(
        aws, f"{name}-k", allow("secretsmanager:*", "*"),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], key, Condition=through)))
    with_key.put_secret_value(SecretId=name, SecretString="b")
    assert with_key.get_secret_value(SecretId=name)["SecretString"] == "b"
