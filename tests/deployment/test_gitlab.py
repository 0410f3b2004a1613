"""GitLab end to end, beside the stories: pushes during rotations, the mirror of the environment, and a private CA."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.deployment import steps
from tests.deployment.conftest import Transcript
from tests.deployment.mirroring import Source, refusals
from tests.deployment.pipelines import eventually
from tests.deployment.steps import TEMPLATES, Environment, Login, Stack, Working

BRANCH = "refs/heads/development"


class Mirrored(Stack):
    """A stack of `templates/gitlab.yaml`, and the developer of its project in GitLab."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, name: str, directory: Path, transcript: Transcript) -> None:
        super().__init__(aws, f"mirror-{name}")
        self.gitlab, self.secret = gitlab, f"codecommit-mirror/user-dev-{name}"
        self.source = Source(aws, gitlab, f"platform/live/{name}", f"gitlab/{name}", "development")
        self.working = Working(directory / "work")
        self._transcript, self._parameters = transcript, {"Name": name, **self.source.parameters()}

    def make(self, **parameters: str) -> str:
        self._parameters |= parameters
        status = self.create(TEMPLATES / "gitlab.yaml", **self._parameters)
        self._transcript.collect_passwords(self.aws)
        return status

    def made(self, **parameters: str) -> None:
        assert self.make(**parameters) == "CREATE_COMPLETE", self.failures()

    def login(self) -> Login:
        return steps.login(self.aws, self.secret)

    def push(self, to: str = BRANCH) -> str:
        """Pushes to GitLab and returns the commit."""
        pushed = self.working.push(self.source.developer(), self.source.project.url, to=to)
        assert pushed.accepted, pushed.output
        return pushed.commit

    def mirrored(self) -> dict[str, str]:
        return self.working.references(self.login(), self.outputs()["CloneUrl"])

    def push_arrives(self) -> None:
        commit = self.push()
        self.gitlab.wait_until_quiet()
        assert self.mirrored()[BRANCH] == commit, self.source.project.mirrors()

    def ids(self) -> list[int]:
        """The IDs of GitLab's mirrors, which are also those that the secret names."""
        there = [mirror.id for mirror in self.source.mirrors_to(self.outputs()["CloneUrl"])]
        assert there == self.source.recorded(self.secret)
        return there


@pytest.fixture
def mirrored(aws: LocalAws, environment: Environment, gitlab: LocalGitLab, name: str, tmp_path: Path,
             transcript: Transcript) -> Iterator[Mirrored]:
    stack = Mirrored(aws, gitlab, name, tmp_path, transcript)
    stack.source.store_token()
    yield stack
    if stack.exists():
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    stack.source.forget_token()
    assert stack.source.project.mirrors() == []
    gitlab.wait_until_quiet()


class Pushing:
    """A developer who pushes continuously within the block."""

    def __init__(self, push: Callable[[], str]) -> None:
        self.commits: list[str] = []
        self._push, self._ends = push, threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Pushing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ends.is_set():
            self.commits.append(self._push())


# claim: rotation-moves-the-mirror-and-no-push-meanwhile-is-lost
def test_rotation_moves_the_mirror_and_no_push_meanwhile_is_lost(aws: LocalAws, mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    secrets = aws.client("secretsmanager")
    function = aws.client("cloudformation").describe_stacks(StackName="cfn-gitops-dev")["Stacks"][0]["Outputs"]
    token = next(output["OutputValue"] for output in function if output["OutputKey"] == "ServiceToken")
    # Attaching a schedule tests the function and issues nothing.
    before, old = mirrored.ids(), mirrored.login()
    secrets.rotate_secret(SecretId=mirrored.secret, RotationLambdaARN=token, RotateImmediately=False,
                          RotationRules={"AutomaticallyAfterDays": 30})
    assert aws.rotated(mirrored.secret)["events"][-1] == "TestRotationSucceeded"
    assert (mirrored.ids(), mirrored.login()) == (before, old)

    for _ in range(3):
        before, old = mirrored.ids(), mirrored.login()
        with Pushing(mirrored.push) as pushing:
            secrets.rotate_secret(SecretId=mirrored.secret)
            run = aws.rotated(mirrored.secret)
        assert run["events"][-1] == "RotationSucceeded", run
        assert not set(mirrored.ids()) & set(before)
        assert mirrored.login().credential_id != old.credential_id
        assert old.status(mirrored.outputs()["CloneUrl"]) == 401
        mirrored.gitlab.wait_until_quiet()
        assert mirrored.mirrored()[BRANCH] == pushing.commits[-1] and len(pushing.commits) > 1
        stages = secrets.describe_secret(SecretId=mirrored.secret)["VersionIdsToStages"].values()
        assert not any("AWSPENDING" in stage for stage in stages)
    assert refusals(mirrored.gitlab, mirrored.source.project.path) == []
    mirrored.push_arrives()


def test_environment_mirrors_a_gitlab_project_and_releases_it(aws: LocalAws, environment: Environment,
                                                              gitlab: LocalGitLab, name: str, tmp_path: Path) -> None:
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    working = Working(tmp_path / "work")
    assert environment.change(**source.parameters()) == "UPDATE_COMPLETE", environment.failures()
    outputs = environment.outputs()
    secret, url = outputs["SecretName"], outputs["RepositoryCloneUrl"]
    assert aws.client("secretsmanager").describe_secret(SecretId=secret)["RotationEnabled"] is True
    pushed = working.push(source.developer(), source.project.url, to="+refs/heads/development")
    assert pushed.accepted, pushed.output
    eventually(lambda: working.references(steps.login(aws, secret), url).get(BRANCH) == pushed.commit, "the push arrives")
    # Without the project, GitLab would not get the new password, so there is no rotation either.
    assert environment.change(GitLabProject="", GitLabTokenSecretId="") == "UPDATE_COMPLETE", environment.failures()
    assert source.project.mirrors() == []
    assert not aws.client("secretsmanager").describe_secret(SecretId=secret).get("RotationEnabled")
    assert steps.login(aws, secret).status(url) == 200
    source.forget_token()


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
