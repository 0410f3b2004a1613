"""A stack of `templates/gitlab.yaml`, and the developer of its project in GitLab."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.gitlab import LocalGitLab
from tests.deployment import steps
from tests.deployment.conftest import Mirror, Transcript
from tests.deployment.mirroring import Source
from tests.deployment.pipelines import eventually
from tests.deployment.steps import Environment, Login, Working

BRANCH = "refs/heads/development"


class Mirrored(Mirror):
    """A stack of `templates/gitlab.yaml`, and the developer of its project in GitLab."""

    template = "gitlab.yaml"

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, name: str, directory: Path, transcript: Transcript) -> None:
        self.short, self.gitlab = name, gitlab
        self.source = Source(aws, gitlab, f"platform/live/{name}", f"gitlab/{name}", "development")
        self.working = Working(directory / "work")
        super().__init__(aws, name, transcript, **self.source.parameters())

    @property
    def secret(self) -> str:
        return f"codecommit-mirror/user-dev-{self.short}"

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


def wait_for(is_so: Callable[[], bool]) -> None:
    eventually(is_so, "the test's condition")


def by_another_person(mirrored: Mirrored) -> str:
    return mirrored.outputs()["CloneUrl"].replace("://", "://somebody:else@")
