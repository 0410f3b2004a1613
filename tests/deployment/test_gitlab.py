"""Pushes to GitLab during rotations, beside the stories."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import Source, refusals
from tests.play.pipelines import accepted
from tests.play.steps import ROOT, Environment, Stack, Working

# Without a pipeline.
BRANCH = "refs/heads/elsewhere"


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
def test_rotation_moves_the_mirror_and_no_push_meanwhile_is_lost(
    aws: LocalAws,
    environment: Environment,
    name: str,
    gitlab: LocalGitLab,
    source: Source,
    transcript: Transcript,
    tmp_path: Path,
) -> None:
    source.project.protect("elsewhere")
    stack, working = Stack(aws, f"project-dev-{name}"), Working(tmp_path / "work")
    given = source.parameters(EnvID="dev", ProjectID=name, RotationDays="7")
    assert stack.create(ROOT / "templates/project.yaml", **given) == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    outputs, secrets = stack.outputs(), aws.client("secretsmanager")
    secret, url = outputs["SecretName"], outputs["RepositoryCloneUrl"]
    # Attaching the schedule tests the function and changes nothing.
    assert [step["Step"] for step in aws.rotated(secret)["steps"]] == ["testSecret"]
    assert secrets.describe_secret(SecretId=secret)["RotationRules"]["AutomaticallyAfterDays"] == 7

    def push() -> str:
        return accepted(working.push(source.developer(), source.project.url, to=BRANCH)).commit

    def mirrors() -> list[int]:
        """GitLab's mirrors, which are also those that the secret names."""
        there = [mirror.id for mirror in source.mirrors_to(url)]
        assert there == source.recorded(secret) and len(there) == 1
        return there

    for rotate in (lambda: aws.days_later(secret, 8), *[lambda: secrets.rotate_secret(SecretId=secret)] * 2):
        before, old = mirrors(), steps.login(aws, secret)
        with Pushing(push) as pushing:
            assert rotate()
            run = aws.rotated(secret)
        assert run["events"][-1] == "RotationSucceeded", run
        transcript.collect_passwords(aws)
        assert mirrors() != before
        assert steps.login(aws, secret).credential_id != old.credential_id
        assert old.status(url) == 401
        gitlab.wait_until_quiet()
        there = working.references(steps.login(aws, secret), url)
        assert there[BRANCH] == pushing.commits[-1] and len(pushing.commits) > 1
        stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].values()
        assert not any("AWSPENDING" in stage for stage in stages)
    assert refusals(gitlab, source.project.path) == []

    # Deletion order: rotation, mirror, login, repository.
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert source.project.mirrors() == []
    assert not steps.user_exists(aws, f"user-dev-{name}-mirror")
    assert not steps.secret_exists(aws, secret)
