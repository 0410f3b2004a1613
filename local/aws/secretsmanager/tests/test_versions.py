"""Secrets Manager's versions, tokens and labels.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html and its neighbours.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws import LocalAws
from local.aws.testing import a_user_with, allow, error_of

FIRST, SECOND, THIRD = ("1" * 32, "2" * 32, "3" * 64)
CLAIM = "cfn-gitops:claim"


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


def labels(secrets: Any, name: str) -> dict[str, list[str]]:
    return {version: sorted(held) for version, held in
            secrets.describe_secret(SecretId=name).get("VersionIdsToStages", {}).items()}


def test_secret_can_be_created_without_a_value(secrets: Any, name: str) -> None:
    made = secrets.create_secret(Name=name, Tags=[{"Key": "k", "Value": "v"}])
    assert "VersionId" not in made
    described = secrets.describe_secret(SecretId=name)
    assert (described["ARN"], described["Name"], described["Tags"]) == (
        made["ARN"], name, [{"Key": "k", "Value": "v"}])
    assert described.get("VersionIdsToStages", {}) == {}
    # boto/boto3 issue 2794: "ResourceNotFoundException when the secret exists but is empty"
    assert error_of(secrets.get_secret_value, SecretId=name) == (
        "ResourceNotFoundException", 400,
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT.")


def test_the_first_version_is_current_whatever_its_labels(secrets: Any, name: str) -> None:
    # "If this operation creates the first version for the secret, then Secrets Manager automatically attaches the
    # staging label AWSCURRENT to it."
    secrets.create_secret(Name=name)
    secrets.put_secret_value(SecretId=name, SecretString="a", ClientRequestToken=FIRST, VersionStages=[CLAIM])
    assert labels(secrets, name) == {FIRST: ["AWSCURRENT", CLAIM]}


def test_a_label_of_ones_own_moves_and_AWSCURRENT_stays(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=SECOND, VersionStages=[CLAIM])
    assert labels(secrets, name) == {FIRST: ["AWSCURRENT"], SECOND: [CLAIM]}
    secrets.put_secret_value(SecretId=name, SecretString="c", ClientRequestToken=THIRD, VersionStages=[CLAIM])
    assert labels(secrets, name) == {FIRST: ["AWSCURRENT"], THIRD: [CLAIM]}
    assert secrets.get_secret_value(SecretId=name, VersionStage=CLAIM)["SecretString"] == "c"


def test_moving_awscurrent_labels_the_old_version_previous(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=SECOND)
    assert labels(secrets, name) == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT"]}
    secrets.put_secret_value(SecretId=name, SecretString="c", ClientRequestToken=THIRD,
                             VersionStages=["AWSCURRENT", CLAIM])
    assert labels(secrets, name) == {SECOND: ["AWSPREVIOUS"], THIRD: ["AWSCURRENT", CLAIM]}


def test_a_label_is_moved_by_UpdateSecretVersionStage(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=SECOND, VersionStages=[CLAIM])
    move = {"SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": SECOND}
    assert error_of(secrets.update_secret_version_stage, **move)[0] == "InvalidParameterException"
    secrets.update_secret_version_stage(**move, RemoveFromVersionId=FIRST)
    assert labels(secrets, name) == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT", CLAIM]}
    secrets.update_secret_version_stage(SecretId=name, VersionStage=CLAIM, RemoveFromVersionId=SECOND)
    assert labels(secrets, name) == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT"]}


def test_label_moves_only_from_the_named_version(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
    for token in (FIRST, SECOND, THIRD):
        secrets.create_secret(Name=name, SecretString=token, ClientRequestToken=token) if token == FIRST else (
            secrets.put_secret_value(SecretId=name, SecretString=token, ClientRequestToken=token))
    before = labels(secrets, name)
    assert before == {SECOND: ["AWSPREVIOUS"], THIRD: ["AWSCURRENT"]}
    for wrong in ({"MoveToVersionId": FIRST, "RemoveFromVersionId": SECOND}, {"RemoveFromVersionId": SECOND},
                  {"MoveToVersionId": THIRD, "RemoveFromVersionId": SECOND}, {"RemoveFromVersionId": THIRD}):
        assert error_of(secrets.update_secret_version_stage, SecretId=name, VersionStage="AWSCURRENT",
                       **wrong)[:2] == ("InvalidParameterException", 400)
    assert labels(secrets, name) == before
    secrets.update_secret_version_stage(SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=FIRST,
                                        RemoveFromVersionId=THIRD)
    assert labels(secrets, name) == {FIRST: ["AWSCURRENT"], THIRD: ["AWSPREVIOUS"]}


def test_a_secret_has_twenty_labels_on_all_of_its_versions(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
    secrets.create_secret(Name=name, SecretString="a")

    def put(number: int, **more: Any) -> dict[str, Any]:
        return {"SecretId": name, "SecretString": str(number), "ClientRequestToken": f"{number:032}", **more}

    for number in range(19):
        secrets.put_secret_value(**put(number, VersionStages=[f"label-{number}"]))
    limit = ("LimitExceededException", 400)
    assert error_of(secrets.put_secret_value, **put(20, VersionStages=["one more"]))[:2] == limit
    assert error_of(secrets.put_secret_value, **put(21))[:2] == limit  # AWSPREVIOUS would be one more
    assert error_of(secrets.update_secret_version_stage, SecretId=name, VersionStage="one more",
                   MoveToVersionId=f"{1:032}")[:2] == limit
    secrets.put_secret_value(**put(22, VersionStages=["label-1"]))
    secrets.update_secret_version_stage(SecretId=name, VersionStage="label-1", RemoveFromVersionId=f"{22:032}")
    secrets.put_secret_value(**put(23))
    assert labels(secrets, name)[f"{23:032}"] == ["AWSCURRENT"]


def test_same_token_repeats_same_value_and_rejects_another(secrets: Any, name: str) -> None:
    made = secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    assert secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)["ARN"] == made["ARN"]
    again = {"SecretId": name, "ClientRequestToken": SECOND}
    for _ in range(2):
        assert secrets.put_secret_value(**again, SecretString="b")["VersionId"] == SECOND
    assert error_of(secrets.create_secret, Name=name, SecretString="x", ClientRequestToken=FIRST)[:2] == (
        "ResourceExistsException", 400)
    assert error_of(secrets.put_secret_value, **again, SecretString="x")[:2] == ("ResourceExistsException", 400)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "b"


def test_taken_name_rejects_create_without_value(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, ClientRequestToken=FIRST)
    for token in (FIRST, SECOND):
        assert error_of(secrets.create_secret, Name=name, ClientRequestToken=token)[0] == "ResourceExistsException"


@pytest.mark.parametrize("length", [1, 31, 65])
def test_a_token_has_32_to_64_characters(aws: LocalAws, name: str, length: int) -> None:
    # botocore checks it as well, so send it without botocore's check.
    request = AWSRequest("POST", aws.endpoint_url + "/", headers={
        "X-Amz-Target": "secretsmanager.CreateSecret", "Content-Type": "application/x-amz-json-1.1"},
        data=json.dumps({"Name": name, "SecretString": "a", "ClientRequestToken": "x" * length}))
    SigV4Auth(Credentials(aws.account_id, "local"), "secretsmanager", aws.region).add_auth(request)
    plain = urllib.request.Request(request.url, data=request.data.encode(), headers=dict(request.headers))
    with pytest.raises(urllib.error.HTTPError) as rejected:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(plain)
    assert json.load(rejected.value)["__type"] == "InvalidParameterException"


def test_label_not_on_the_named_version_is_rejected(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    assert error_of(secrets.get_secret_value, SecretId=name, VersionId=FIRST,
                   VersionStage="AWSPREVIOUS")[0] == "InvalidRequestException"


def test_forced_delete_frees_name_and_accepts_missing_secret(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    secrets.create_secret(Name=name, SecretString="a")
    for _ in range(2):
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert error_of(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    assert error_of(secrets.delete_secret, SecretId=name)[0] == "ResourceNotFoundException"
    secrets.create_secret(Name=name, SecretString="b")


def test_secret_scheduled_for_deletion_allows_only_describe(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="a")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    assert "DeletedDate" in secrets.describe_secret(SecretId=name)
    assert error_of(secrets.create_secret, Name=name, SecretString="b")[0] == "InvalidRequestException"
    assert error_of(secrets.put_secret_value, SecretId=name, SecretString="b")[0] == "InvalidRequestException"
    assert error_of(secrets.get_secret_value, SecretId=name)[0] == "InvalidRequestException"


def test_scheduled_secret_without_value_is_restored_with_tags(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html (DeletedDate),
    # API_RestoreSecret.html
    tags = [{"Key": "k", "Value": "v"}]
    secrets.create_secret(Name=name, Tags=tags)
    due = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)["DeletionDate"]
    shown = secrets.describe_secret(SecretId=name)
    assert (shown["Tags"], shown["DeletedDate"]) == (tags, due)
    for call, arguments in ((secrets.tag_resource, {"Tags": tags}), (secrets.untag_resource, {"TagKeys": ["k"]}),
                            (secrets.delete_secret, {"RecoveryWindowInDays": 7})):
        assert error_of(call, SecretId=name, **arguments)[:2] == ("InvalidRequestException", 400)
    secrets.restore_secret(SecretId=name)
    shown = secrets.describe_secret(SecretId=name)
    assert (shown["Tags"], "DeletedDate" in shown) == (tags, False)
    secrets.tag_resource(SecretId=name, Tags=tags)


def test_tags_are_added_changed_and_removed(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, Tags=[{"Key": "a", "Value": ""}])
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    secrets.untag_resource(SecretId=name, TagKeys=["b"])
    assert secrets.describe_secret(SecretId=name)["Tags"] == [{"Key": "a", "Value": "1"}]


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


def test_UpdateSecret_stores_a_value_under_its_token(secrets: Any, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html
    secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=FIRST)
    for _ in range(2):
        secrets.update_secret(SecretId=name, SecretString="b", ClientRequestToken=SECOND, Description="d")
    assert labels(secrets, name) == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT"]}
    assert secrets.describe_secret(SecretId=name)["Description"] == "d"
    assert error_of(secrets.update_secret, SecretId=name, SecretString="c",
                   ClientRequestToken=SECOND)[0] == "ResourceExistsException"


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
