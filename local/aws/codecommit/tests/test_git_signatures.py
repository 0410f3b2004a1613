"""Signed logins at CodeCommit's git endpoint: signer, signature, repository and time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws import LocalAws
from local.aws.codecommit.tests.git_client import PULL, PUSH, git, status
from local.aws.testing import a_user_with, allow, policy

# The fixtures of the tests of logins are used here, too.
from local.aws.codecommit.tests.git_client import repository, url, work  # noqa: F401

PULLING, PUSHING = "git-upload-pack", "git-receive-pack"


def signed(key: dict[str, Any], url: str, region: str = "eu-central-1", age: timedelta = timedelta(),  # noqa: F811
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
def user(aws: LocalAws, name: str, repository: dict[str, str]) -> dict[str, str]:  # noqa: F811
    return a_user_with(aws, name, allow(PULL, repository["Arn"]))


def assumed(aws: LocalAws, name: str, *statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy({
        "Effect": "Allow", "Principal": {"AWS": aws.account_id}, "Action": "sts:AssumeRole"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    a_user_with(aws, f"{name}-person", allow("sts:AssumeRole", role))
    return session_of(aws, name, **more)


def session_of(aws: LocalAws, name: str, **more: Any) -> dict[str, Any]:
    """As a user: the administrator, here an account's root user, cannot assume a role."""
    key = aws.client("iam").create_access_key(UserName=f"{name}-person")["AccessKey"]
    return aws.client("sts", key).assume_role(
        RoleArn=f"arn:aws:iam::{aws.account_id}:role/{name}", RoleSessionName="git", **more)["Credentials"]


def test_a_users_key_has_the_users_rights(user: dict[str, str], url: str) -> None:  # noqa: F811
    assert status(url, PULLING, *signed(user, url)) == 200
    assert status(url, PUSHING, *signed(user, url)) == 403


def test_a_roles_session_has_the_roles_rights(aws: LocalAws, name: str, repository: dict[str, str],  # noqa: F811
                                              url: str) -> None:  # noqa: F811
    session = assumed(aws, name, allow(PUSH, repository["Arn"]))
    assert status(url, PUSHING, *signed(session, url)) == 200
    assert status(url, PULLING, *signed(session, url)) == 403
    decided = aws.decisions(f"assumed-role/{name}/git")
    assert [(each["action"], each["allowed"]) for each in decided] == [(PUSH, True), (PULL, False)]


def test_a_sessions_policy_and_the_roles_boundary_limit_it(aws: LocalAws, name: str, url: str) -> None:  # noqa: F811
    session = assumed(aws, name, allow("codecommit:*", "*"), Policy=policy(allow([PULL, PUSH], "*")))
    assert [status(url, what, *signed(session, url)) for what in (PULLING, PUSHING)] == [200, 200]
    narrowed = session_of(aws, name, Policy=policy(allow(PULL, "*")))
    assert [status(url, what, *signed(narrowed, url)) for what in (PULLING, PUSHING)] == [200, 403]
    iam = aws.client("iam")
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow(PUSH, "*")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    assert [status(url, what, *signed(session, url)) for what in (PULLING, PUSHING)] == [403, 200]


def test_a_session_without_its_token_or_with_anothers_is_403(aws: LocalAws, name: str, url: str) -> None:  # noqa: F811
    session = assumed(aws, name, allow(PULL, "*"))
    user_name, password = signed(session, url)
    assert status(url, PULLING, user_name, password) == 200
    assert status(url, PULLING, session["AccessKeyId"], password) == 403
    assert status(url, PULLING, f"{user_name}x", password) == 403


def test_account_administrator_reaches_only_own_repository(aws: LocalAws, url: str) -> None:  # noqa: F811
    def root_of(account: str) -> dict[str, str]:
        return {"AccessKeyId": account, "SecretAccessKey": "local"}

    assert status(url, PUSHING, *signed(root_of(aws.account_id), url)) == 200
    assert status(url, PUSHING, *signed(root_of("210987654321"), url)) == 404


def test_login_is_valid_only_for_the_signed_request(user: dict[str, str], url: str) -> None:  # noqa: F811
    wrong = user | {"SecretAccessKey": "x" * 40}
    others = url.replace("127.0.0.1", "localhost")
    for rejected in (signed(wrong, url), signed(user, f"{url}-other"), signed(user, others),
                    signed(user, url, region="us-east-1"), signed(user, url, service="s3")):
        assert status(url, PULLING, *rejected) == 403
    unknown = user | {"AccessKeyId": "AKIA0000000000000000"}
    assert status(url, PULLING, *signed(unknown, url)) == 403


def test_login_is_valid_for_fifteen_minutes(user: dict[str, str], url: str) -> None:  # noqa: F811
    for minutes, expected in ((14, 200), (16, 403), (-16, 403)):
        assert status(url, PULLING, *signed(user, url, age=timedelta(minutes=minutes))) == expected


def test_a_key_that_is_switched_off_is_403(aws: LocalAws, name: str, user: dict[str, str], url: str) -> None:  # noqa: F811
    login = signed(user, url)
    aws.client("iam").update_access_key(UserName=name, AccessKeyId=user["AccessKeyId"], Status="Inactive")
    assert status(url, PULLING, *login) == 403


def test_an_event_of_a_roles_push_names_its_session(aws: LocalAws, name: str, repository: dict[str, str],  # noqa: F811
                                                    url: str, work: Path) -> None:  # noqa: F811
    sqs, events = aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"resources": [repository["Arn"]]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    user_name, password = signed(assumed(aws, name, allow([PULL, PUSH], repository["Arn"])), url)
    scheme, rest = url.split("://")
    pushed = git("push", f"{scheme}://{quote(user_name, safe='')}:{password}@{rest}", "development", at=work)
    assert pushed.returncode == 0, pushed.stderr
    message = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]
    detail = json.loads(message["Body"])["detail"]
    assert detail["callerUserArn"] == f"arn:aws:sts::{aws.account_id}:assumed-role/{name}/git"
