"""An instance's metadata service, called as a program on the instance calls it.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA

CREDENTIALS = "latest/meta-data/iam/security-credentials/"
SECONDS = "X-aws-ec2-metadata-token-ttl-seconds"
TRUST_EC2 = TRUST_LAMBDA.replace("lambda", "ec2")


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as rejected:
        return rejected.code, ""


def a_profile(aws: LocalAws, name: str, trust: str = TRUST_EC2) -> str:
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    arn = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return str(arn)


@pytest.fixture
def metadata(aws: LocalAws, name: str) -> str:
    return aws.instance_metadata(a_profile(aws, name))


def a_token(metadata: str) -> str:
    status, token = ask(f"{metadata}latest/api/token", "PUT", **{SECONDS: "60"})
    assert status == 200
    return token


def test_credentials_are_a_session_of_the_profile_role(aws: LocalAws, name: str, metadata: str) -> None:
    token = {"X_aws_ec2_metadata_token": a_token(metadata)}
    assert ask(metadata + CREDENTIALS, **token) == (200, name)
    instance_id = ask(f"{metadata}latest/meta-data/instance-id", **token)[1]
    found = json.loads(ask(metadata + CREDENTIALS + name, **token)[1])
    session = {"AccessKeyId": found["AccessKeyId"], "SecretAccessKey": found["SecretAccessKey"],
               "SessionToken": found["Token"]}
    assert aws.client("sts", session).get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{aws.account_id}:assumed-role/{name}/{instance_id}")


def test_missing_or_unknown_token_is_401(metadata: str) -> None:
    assert ask(metadata + CREDENTIALS)[0] == 401
    assert ask(metadata + CREDENTIALS, X_aws_ec2_metadata_token="made-up")[0] == 401


def test_token_lifetime_is_bounded_and_proxies_are_rejected(metadata: str) -> None:
    url = f"{metadata}latest/api/token"
    for seconds, expected in (("0", 400), ("1", 200), ("21600", 200), ("21601", 400), ("-1", 400), ("", 400)):
        assert ask(url, "PUT", **{SECONDS: seconds})[0] == expected
    assert ask(url, "PUT")[0] == 400
    assert ask(url, "PUT", **{SECONDS: "60", "X-Forwarded-For": "10.0.0.1"})[0] == 403
    assert ask(url)[0] == 401


def test_missing_metadata_is_404(metadata: str) -> None:
    token = {"X_aws_ec2_metadata_token": a_token(metadata)}
    assert ask(f"{metadata}{CREDENTIALS}another-role", **token)[0] == 404
    assert ask(f"{metadata}latest/user-data", **token)[0] == 404


def test_a_role_that_does_not_admit_ec2_has_no_credentials(aws: LocalAws, name: str) -> None:
    metadata = aws.instance_metadata(a_profile(aws, name, TRUST_LAMBDA))
    found = json.loads(ask(metadata + CREDENTIALS + name, X_aws_ec2_metadata_token=a_token(metadata))[1])
    assert found["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "AccessKeyId" not in found
