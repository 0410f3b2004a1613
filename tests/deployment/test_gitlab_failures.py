"""GitLab end to end: rejected settings, tokens that are not sent, and a GitLab that fails or cannot be reached."""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path

import pytest

from local import gitlab as local_gitlab
from local.aws import LocalAws
from local.gitlab import LocalGitLab
from local.gitlab.settings import Settings
from tests.deployment import steps
from tests.deployment.conftest import Transcript
from tests.deployment.mirrored_stack import Mirrored, mirrored
from tests.deployment.steps import Environment


def test_failed_change_leaves_the_mirror_pushing(aws: LocalAws, mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    before, held = mirrored.ids(), mirrored.login()
    # The new mirrors would need a branch that does not exist.
    assert mirrored.change(RotationSerial="1", RequiredBranch="unprotected") == "UPDATE_ROLLBACK_COMPLETE"
    assert any("unprotected" in reason for reason in mirrored.failures())
    assert mirrored.login() == held
    assert mirrored.ids() == before
    mirrored.push_arrives()


def test_project_that_only_a_group_protects_is_rejected(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    project = mirrored.source.project
    project.unprotect("development")
    project.protect_by_group("development")
    gitlab.settings.protects_the_default_branch = False
    try:
        mirrored.push()
    finally:
        gitlab.settings.protects_the_default_branch = Settings().protects_the_default_branch
    assert mirrored.make() == "ROLLBACK_COMPLETE"
    assert "would push every branch" in mirrored.failures()[0]
    assert [run for run in gitlab.recorded_runs if run.project == project.path] == []


def test_a_token_is_not_sent_where_its_owner_has_not_allowed_it(aws: LocalAws, mirrored: Mirrored,
                                                                gitlab: LocalGitLab) -> None:
    requests_before = len(gitlab.requests)
    tags = aws.client("secretsmanager")
    tags.tag_resource(SecretId=mirrored.source.secret_id,
                      Tags=[{"Key": "cfn-gitops:gitlab-url", "Value": "https://gitlab.example.com"}])
    assert mirrored.make() == "ROLLBACK_COMPLETE"
    assert "https://gitlab.example.com" in mirrored.failures()[0]
    assert len(gitlab.requests) == requests_before


@pytest.mark.usefixtures("expected_denials", "queued_requests")
def test_a_secret_without_the_tag_is_not_even_read(aws: LocalAws, mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    requests_before = len(gitlab.requests)
    aws.client("secretsmanager").untag_resource(SecretId=mirrored.source.secret_id, TagKeys=["cfn-gitops:gitlab-url"])
    assert mirrored.make() == "ROLLBACK_COMPLETE"
    assert "cfn-gitops:gitlab-url" in mirrored.failures()[0]
    assert len(gitlab.requests) == requests_before


def test_a_login_that_gitlab_cannot_push_with_is_not_a_success(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    """GitLab's own message is in the reason."""
    mirrored.push()
    gitlab.settings.silent_mode = True
    try:
        assert mirrored.make() == "ROLLBACK_COMPLETE"
    finally:
        gitlab.settings.silent_mode = False
    assert "silent mode" in mirrored.failures()[0]


def test_unreachable_gitlab_does_not_block_deletion(aws: LocalAws, mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    mirrored.push()
    mirrored.made()
    held, url = mirrored.login(), mirrored.outputs()["CloneUrl"]
    gitlab.answers_instead(503, times=1000, body="down")
    try:
        assert mirrored.delete() == "DELETE_COMPLETE", mirrored.failures()
    finally:
        gitlab.answers_instead(503, times=0)
    assert held.status(url) == 401
    [left] = mirrored.source.project.mirrors()
    assert str(left.id) in steps.function_log(aws, "cfn-gitops-dev")
    mirrored.source.project.delete_mirror(left.id)


def test_a_rate_that_is_exceeded_is_waited_for(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    mirrored.push()
    gitlab.limits_the_rate(times=2, retry_after=1)
    mirrored.made()
    mirrored.push_arrives()


def test_gitlab_with_private_ca_is_trusted_if_ca_is_given(aws: LocalAws, environment: Environment, name: str,
                                                          tmp_path: Path, transcript: Transcript) -> None:
    with local_gitlab.running(tls=True, protected_delay=0.5) as gitlab:
        transcript.tokens.add(gitlab.token)
        stack = Mirrored(aws, gitlab, name, tmp_path, transcript)
        aws.client("secretsmanager").create_secret(
            Name=stack.source.secret_id, SecretString=json.dumps({"api": gitlab.token}),
            Tags=[{"Key": "cfn-gitops:gitlab-url", "Value": gitlab.url}])
        assert stack.make(GitLabTokenSecretKey="api") == "ROLLBACK_COMPLETE"
        assert "CaCertificate" in stack.failures()[0]
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
        stack.id = ""
        authority = str(gitlab.ca_certificate)
        # The template trusts it, and the token's owner has not allowed it yet.
        assert stack.make(GitLabCaCertificate=authority) == "ROLLBACK_COMPLETE"
        assert "cfn-gitops:gitlab-ca-sha256" in stack.failures()[0]
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
        stack.id = ""
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).hexdigest()
        aws.client("secretsmanager").tag_resource(
            SecretId=stack.source.secret_id, Tags=[{"Key": "cfn-gitops:gitlab-ca-sha256", "Value": fingerprint}])
        stack.made(GitLabCaCertificate=authority)
        assert [mirror.enabled for mirror in stack.source.project.mirrors()] == [True]
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
        assert stack.source.project.mirrors() == []
        stack.source.forget_token()
        assert gitlab.complaints == []
