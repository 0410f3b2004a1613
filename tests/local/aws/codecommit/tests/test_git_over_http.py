"""CodeCommit's git endpoint: logins by password, the permissions of git's commands, and the events of pushes.

Which permission a git command needs:
https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codecommit.tests.git_client import PULL, PUSH, Login, a_login, a_login_of, git, status
from tests.local.aws.testing import allow, policy


@pytest.fixture
def login(aws: LocalAws, name: str, repository: dict[str, str]) -> Login:
    aws.set(credential_accepted_after_seconds=0)
    return a_login(aws, name, allow([PULL, PUSH], repository["Arn"]))


def test_only_an_active_credential_with_its_password_is_accepted(aws: LocalAws, login: Login,
                                                                 url: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateServiceSpecificCredential.html and related pages
    iam = aws.client("iam")
    its = {"UserName": login.user, "ServiceSpecificCredentialId": login.credential_id}
    second = a_login_of(aws, login.user)
    assert (login.status(url), second.status(url)) == (200, 200)
    assert status(url, "git-receive-pack", login.name, login.password + "x") == 401
    assert status(url, "git-upload-pack") == 401
    assert status(url, "git-upload-pack", f"nobody-at-{aws.account_id}", "x") == 401
    for state, expected in (("Inactive", 401), ("Active", 200)):
        iam.update_service_specific_credential(**its, Status=state)
        assert login.status(url) == expected
    after = iam.reset_service_specific_credential(**its)["ServiceSpecificCredential"]
    assert login.status(url) == 401
    assert status(url, "git-receive-pack", login.name, after["ServicePassword"]) == 200
    iam.delete_service_specific_credential(**its)
    assert status(url, "git-receive-pack", login.name, after["ServicePassword"]) == 401


def test_new_credential_is_rejected_for_a_moment(aws: LocalAws, name: str, repository: dict[str, str],
                                                 url: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    aws.set(credential_accepted_after_seconds=0.5)
    login = a_login(aws, name, allow(PUSH, repository["Arn"]))
    assert login.status(url) == 401
    time.sleep(0.6)
    assert login.status(url) == 200


@pytest.mark.parametrize(("statements", "pull", "push"), [
    ([], 403, 403), ([allow(PULL, "*")], 200, 403), ([allow(PUSH, "*")], 403, 200),
    ([allow([PULL, PUSH], "arn:aws:codecommit:*:*:other")], 403, 403),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    ([allow([PULL, PUSH], "*"), {"Effect": "Deny", "Action": PUSH, "Resource": "*"}], 200, 403),
    ([allow([PULL, PUSH], "*", Condition={"StringEquals": {"aws:ResourceTag/team": "shop"}})], 200, 200),
    ([allow([PULL, PUSH], "*", Condition={"StringEquals": {"aws:ResourceTag/team": "web"}})], 403, 403),
])
def test_git_command_needs_its_permission(aws: LocalAws, name: str, repository: dict[str, str],
                                          statements: list[dict[str, Any]], pull: int, push: int) -> None:
    aws.set(credential_accepted_after_seconds=0)
    aws.client("codecommit").tag_resource(resourceArn=repository["Arn"], tags={"team": "shop"})
    login, url = a_login(aws, name, *statements), repository["cloneUrlHttp"]
    assert (login.status(url, "git-upload-pack"), login.status(url, "git-receive-pack")) == (pull, push)
    assert aws.decisions(name)[-1] == {"principal": f"arn:aws:iam::{aws.account_id}:user/{name}", "action": PUSH,
                                       "resource": repository["Arn"], "allowed": push == 200}


def test_groups_policy_counts_and_a_boundary_limits_it(aws: LocalAws, name: str, url: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    aws.set(credential_accepted_after_seconds=0)
    iam, login = aws.client("iam"), a_login(aws, name)
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="push", PolicyDocument=policy(allow(PUSH, "*")))
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert (login.status(url), login.status(f"{url}-absent")) == (200, 404)
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow(PULL, "*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
    assert login.status(url) == 403


def test_each_changed_reference_of_a_push_is_an_event(aws: LocalAws, login: Login, name: str,
                                                      repository: dict[str, str], work: Path) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
    sqs, events = aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({
        "source": ["aws.codecommit"], "detail-type": ["CodeCommit Repository State Change"],
        "resources": [repository["Arn"]]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def push(reference: str) -> dict[str, str]:
        """Returns the event's detail."""
        pushed = git("push", login.git_url(repository["cloneUrlHttp"]), reference, at=work)
        assert pushed.returncode == 0, pushed.stderr
        [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        event = json.loads(message["Body"])
        assert (event["region"], event["account"]) == (aws.region, aws.account_id)
        detail: dict[str, str] = event["detail"]
        return detail

    first = git("rev-parse", "HEAD", at=work).stdout.strip()
    assert push("development") == {
        "event": "referenceCreated", "repositoryName": repository["repositoryName"],
        "repositoryId": repository["repositoryId"], "referenceType": "branch", "referenceName": "development",
        "referenceFullName": "refs/heads/development", "commitId": first,
        "callerUserArn": f"arn:aws:iam::{aws.account_id}:user/{login.user}"}
    git("commit", "--quiet", "--allow-empty", "--message=two", at=work)
    updated = push("development")
    assert (updated["event"], updated["oldCommitId"]) == ("referenceUpdated", first)
    tagged = push("HEAD:refs/tags/v1")
    assert (tagged["event"], tagged["referenceType"], tagged["referenceName"]) == ("referenceCreated", "tag", "v1")
    assert push(":refs/tags/v1")["event"] == "referenceDeleted"
