"""CodeCommit's git endpoint with the real git.

Which permission a git command needs:
https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.codecommit.tests.git_client import (
    PULL,
    PUSH,
    Login,
    a_login,
    a_login_of,
    git,
    repository,
    status,
    url,
    work,
)
from local.aws.testing import allow, policy


@pytest.fixture
def login(aws: LocalAws, name: str, repository: dict[str, str]) -> Login:
    aws.set(credential_accepted_after_seconds=0)
    return a_login(aws, name, allow([PULL, PUSH], repository["Arn"]))


def test_a_push_is_accepted_and_a_clone_gives_it_back(aws: LocalAws, login: Login, repository: dict[str, str],
                                                      work: Path, tmp_path: Path) -> None:
    url = repository["cloneUrlHttp"]
    pushed = git("push", login.git_url(url), "development", at=work)
    assert pushed.returncode == 0, pushed.stderr
    commit = git("rev-parse", "HEAD", at=work).stdout.strip()
    codecommit = aws.client("codecommit")
    assert codecommit.get_branch(repositoryName=repository["repositoryName"],
                                 branchName="development")["branch"]["commitId"] == commit
    # The first pushed branch becomes the default.
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-change-branch.html
    assert codecommit.get_repository(
        repositoryName=repository["repositoryName"])["repositoryMetadata"]["defaultBranch"] == "development"
    assert git("clone", "--quiet", login.git_url(url), "copy", at=tmp_path).returncode == 0
    assert git("rev-parse", "HEAD", at=tmp_path / "copy").stdout.strip() == commit


def test_a_push_is_in_the_event_history_with_its_references(aws: LocalAws, login: Login, url: str, work: Path) -> None:
    assert status(url, "git-receive-pack", login.name, login.password + "x") == 401
    assert git("push", login.git_url(url), "development", at=work).returncode == 0
    events = aws.client("cloudtrail").lookup_events(LookupAttributes=[
        {"AttributeKey": "Username", "AttributeValue": login.user}])["Events"]
    assert {event["EventName"] for event in events} == {"GitPush"}
    with_references, first = (json.loads(event["CloudTrailEvent"]) for event in events)
    commit = git("rev-parse", "HEAD", at=work).stdout.strip()
    assert with_references["requestParameters"] == {"references": [{"commit": commit, "ref": "refs/heads/development"}]}
    assert (first["requestParameters"], first["sourceIPAddress"]) == (None, "127.0.0.1")


def test_a_pack_that_git_sends_in_chunks_is_accepted(login: Login, url: str, work: Path) -> None:
    (work / "large").write_bytes(os.urandom(3_000_000))
    git("add", "large", at=work)
    git("commit", "--quiet", "--message=large", at=work)
    pushed = git("push", login.git_url(url), "development", at=work)
    assert pushed.returncode == 0, pushed.stderr


def test_a_wrong_password_is_401(login: Login, url: str) -> None:
    assert login.status(url) == 200
    assert status(url, "git-receive-pack", login.name, login.password + "x") == 401


def test_missing_or_unknown_login_is_401(aws: LocalAws, url: str) -> None:
    assert status(url, "git-upload-pack") == 401
    assert status(url, "git-upload-pack", f"nobody-at-{aws.account_id}", "x") == 401


def test_a_deleted_credential_is_401(login: Login, url: str) -> None:
    login.aws.client("iam").delete_service_specific_credential(
        UserName=login.user, ServiceSpecificCredentialId=login.credential_id)
    assert login.status(url) == 401


def test_an_inactive_credential_is_401_until_it_is_active_again(login: Login, url: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateServiceSpecificCredential.html
    for state, expected in (("Inactive", 401), ("Active", 200)):
        login.aws.client("iam").update_service_specific_credential(
            UserName=login.user, ServiceSpecificCredentialId=login.credential_id, Status=state)
        assert login.status(url) == expected


def test_a_reset_ends_the_old_password_at_once(login: Login, url: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResetServiceSpecificCredential.html
    after = login.aws.client("iam").reset_service_specific_credential(
        UserName=login.user, ServiceSpecificCredentialId=login.credential_id)["ServiceSpecificCredential"]
    assert login.status(url) == 401
    assert status(url, "git-receive-pack", login.name, after["ServicePassword"]) == 200


def test_both_credentials_of_a_user_work_side_by_side(login: Login, url: str) -> None:
    second = a_login_of(login.aws, login.user)
    assert (login.status(url), second.status(url)) == (200, 200)


def test_a_new_credential_is_refused_for_a_moment(aws: LocalAws, name: str, repository: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    aws.set(credential_accepted_after_seconds=0.5)
    login = a_login(aws, name, allow(PUSH, repository["Arn"]))
    assert login.status(repository["cloneUrlHttp"]) == 401
    time.sleep(0.6)
    assert login.status(repository["cloneUrlHttp"]) == 200


def test_login_without_git_push_pulls_and_push_returns_403(aws: LocalAws, name: str, repository: dict[str, str],
                                                           work: Path) -> None:
    aws.set(credential_accepted_after_seconds=0)
    login, url = a_login(aws, name, allow(PULL, repository["Arn"])), repository["cloneUrlHttp"]
    assert login.status(url, "git-upload-pack") == 200
    assert login.status(url, "git-receive-pack") == 403
    pushed = git("push", login.git_url(url), "development", at=work)
    assert pushed.returncode != 0
    assert "403" in pushed.stderr
    assert aws.decisions(name)[-1] == {"principal": f"arn:aws:iam::{aws.account_id}:user/{name}", "action": PUSH,
                                       "resource": repository["Arn"], "allowed": False}


def test_a_login_whose_policy_lacks_GitPull_is_403_for_a_fetch(aws: LocalAws, name: str,
                                                               repository: dict[str, str]) -> None:
    aws.set(credential_accepted_after_seconds=0)
    login = a_login(aws, name, allow(PUSH, repository["Arn"]))
    assert login.status(repository["cloneUrlHttp"], "git-upload-pack") == 403


def test_another_repository_is_403_and_an_absent_one_404(aws: LocalAws, name: str, login: Login, url: str) -> None:
    other = aws.client("codecommit").create_repository(repositoryName=f"{name}-other")["repositoryMetadata"]
    assert login.status(other["cloneUrlHttp"]) == 403
    aws.client("iam").put_user_policy(UserName=login.user, PolicyName="more", PolicyDocument=policy(
        allow(PUSH, "*")))
    assert login.status(f"{url}-absent") == 404


def test_a_groups_policy_counts_and_a_boundary_limits_it(aws: LocalAws, name: str, repository: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    aws.set(credential_accepted_after_seconds=0)
    iam, url = aws.client("iam"), repository["cloneUrlHttp"]
    login = a_login(aws, name)
    assert login.status(url) == 403
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="push", PolicyDocument=policy(allow(PUSH, repository["Arn"])))
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert login.status(url) == 200
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=policy(allow(PULL, "*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
    assert login.status(url) == 403


def test_an_explicit_deny_wins(aws: LocalAws, login: Login, url: str, repository: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    aws.client("iam").put_user_policy(UserName=login.user, PolicyName="no", PolicyDocument=policy(
        {"Effect": "Deny", "Action": PUSH, "Resource": repository["Arn"]}))
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

    def next_detail() -> dict[str, str]:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                assert (event["region"], event["account"]) == (aws.region, aws.account_id)
                return event["detail"]
            time.sleep(0.05)
        raise AssertionError("no event")

    target = login.git_url(repository["cloneUrlHttp"])
    git("push", target, "development", at=work)
    first = git("rev-parse", "HEAD", at=work).stdout.strip()
    assert next_detail() == {
        "event": "referenceCreated", "repositoryName": repository["repositoryName"],
        "repositoryId": repository["repositoryId"], "referenceType": "branch", "referenceName": "development",
        "referenceFullName": "refs/heads/development", "commitId": first,
        "callerUserArn": f"arn:aws:iam::{aws.account_id}:user/{login.user}"}
    git("commit", "--quiet", "--allow-empty", "--message=two", at=work)
    git("push", target, "development", at=work)
    updated = next_detail()
    assert (updated["event"], updated["oldCommitId"]) == ("referenceUpdated", first)
    git("push", target, "HEAD:refs/tags/v1", at=work)
    tagged = next_detail()
    assert (tagged["event"], tagged["referenceType"], tagged["referenceName"]) == ("referenceCreated", "tag", "v1")
    git("push", target, ":refs/tags/v1", at=work)
    assert next_detail()["event"] == "referenceDeleted"
