"""An instance's metadata service rejects what EC2's rejects. tests/clone uses its credentials.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA

CREDENTIALS = "latest/meta-data/iam/security-credentials/"
SECONDS = "X-aws-ec2-metadata-token-ttl-seconds"


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as rejected:
        return rejected.code, ""


def a_profile(aws: LocalAws, name: str, trust: str) -> str:
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    arn = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return str(arn)


@pytest.fixture
def metadata(aws: LocalAws, name: str) -> str:
    """Of an instance whose role does not trust EC2."""
    return aws.instance_metadata(a_profile(aws, name, TRUST_LAMBDA))


def a_token(metadata: str) -> str:
    status, token = ask(f"{metadata}latest/api/token", "PUT", **{SECONDS: "60"})
    assert status == 200
    return token


def test_token_lifetime_is_bounded_and_proxies_are_rejected(metadata: str) -> None:
    url = f"{metadata}latest/api/token"
    for seconds, expected in (("0", 400), ("1", 200), ("21600", 200), ("21601", 400), ("-1", 400), ("", 400)):
        assert ask(url, "PUT", **{SECONDS: seconds})[0] == expected
    assert ask(url, "PUT")[0] == 400
    assert ask(url, "PUT", **{SECONDS: "60", "X-Forwarded-For": "10.0.0.1"})[0] == 403


def test_only_known_tokens_read_what_exists(metadata: str, name: str) -> None:
    assert ask(metadata + CREDENTIALS)[0] == ask(metadata + CREDENTIALS, X_aws_ec2_metadata_token="made-up")[0] == 401
    token = {"X_aws_ec2_metadata_token": a_token(metadata)}
    for missing in (f"{CREDENTIALS}another-role", "latest/user-data"):
        assert ask(metadata + missing, **token)[0] == 404
    assert json.loads(ask(metadata + CREDENTIALS + name, **token)[1])["Code"] == "AssumeRoleUnauthorizedAccess"
