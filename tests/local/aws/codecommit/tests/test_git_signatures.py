"""Signed logins at CodeCommit's git endpoint: signer, signature, repository and time. tests/clone has AWS's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.local.aws import LocalAws
from tests.local.aws.codecommit.tests.git_client import PULL, PUSH, status
from tests.local.aws.testing import a_user_with, allow, policy

PULLING, PUSHING = "git-upload-pack", "git-receive-pack"


def signed(key: dict[str, Any], url: str, region: str = "eu-central-1", age: timedelta = timedelta(),
           service: str = "codecommit") -> tuple[str, str]:
    """A user name and password in the form of AWS's programs."""
    parts = urlsplit(url)
    request = AWSRequest(method="GIT", url=url)
    request.context["timestamp"] = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%S")
    signer = SigV4Auth(Credentials(key["AccessKeyId"], key["SecretAccessKey"]), service, region)
    to_sign = signer.string_to_sign(request, f"GIT\n{parts.path}\n\nhost:{parts.hostname}\n\nhost\n")
    token = f"%{key['SessionToken']}" if key.get("SessionToken") else ""
    return key["AccessKeyId"] + token, f"{request.context['timestamp']}Z{signer.signature(to_sign, request)}"


@pytest.fixture
def user(aws: LocalAws, name: str, repository: dict[str, str]) -> dict[str, str]:
    return a_user_with(aws, name, allow(PULL, repository["Arn"]))


def both(url: str, key: dict[str, Any]) -> tuple[int, int]:
    return status(url, PULLING, *signed(key, url)), status(url, PUSHING, *signed(key, url))


def test_login_has_the_rights_of_the_keys_user(aws: LocalAws, user: dict[str, str], name: str,
                                               url: str) -> None:
    assert both(url, user) == (200, 403)
    aws.client("iam").update_access_key(UserName=name, AccessKeyId=user["AccessKeyId"], Status="Inactive")
    assert both(url, user) == (403, 403)


def test_session_has_the_rights_that_its_role_policy_and_boundary_share(aws: LocalAws, name: str,
                                                                        url: str) -> None:
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy({
        "Effect": "Allow", "Principal": {"AWS": aws.account_id}, "Action": "sts:AssumeRole"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow("codecommit:*", "*")))
    sts = aws.client("sts", a_user_with(aws, f"{name}-person", allow("sts:AssumeRole", role)))

    def session(**more: str) -> dict[str, Any]:
        key: dict[str, Any] = sts.assume_role(RoleArn=role, RoleSessionName="git", **more)["Credentials"]
        return key

    whole, narrowed = session(), session(Policy=policy(allow(PULL, "*")))
    assert (both(url, whole), both(url, narrowed)) == ((200, 200), (200, 403))
    user_name, password = signed(whole, url)
    for other in (whole["AccessKeyId"], f"{user_name}x"):
        assert status(url, PULLING, other, password) == 403
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow(PUSH, "*")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    assert both(url, whole) == (403, 200)


def test_account_administrator_reaches_only_own_repository(aws: LocalAws, url: str) -> None:
    for account, expected in ((aws.account_id, 200), ("210987654321", 404)):
        assert status(url, PUSHING, *signed({"AccessKeyId": account, "SecretAccessKey": "local"}, url)) == expected


def test_login_is_valid_only_for_the_signed_request(user: dict[str, str], url: str) -> None:
    unknown, wrong = user | {"AccessKeyId": "AKIA0000000000000000"}, user | {"SecretAccessKey": "x" * 40}
    for rejected in (signed(wrong, url), signed(unknown, url), signed(user, f"{url}-other"),
                     signed(user, url.replace("127.0.0.1", "localhost")), signed(user, url, region="us-east-1"),
                     signed(user, url, service="s3")):
        assert status(url, PULLING, *rejected) == 403
    for minutes, expected in ((14, 200), (16, 403), (-16, 403)):
        assert status(url, PULLING, *signed(user, url, age=timedelta(minutes=minutes))) == expected
