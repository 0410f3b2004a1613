"""The five steps of the README, from the release folder alone, with the GitLab project of a new user."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import gitlab as local_gitlab
from local.aws import LocalAws
from local.gitlab import LocalGitLab
from tests.deployment.mirroring import MirroredProject, Source
from tests.deployment.pipelines import accepted, eventually
from tests.deployment.steps import sam_settings

_COMMANDS = re.compile(r"^   ```sh\n(.*?)^   ```", re.DOTALL | re.MULTILINE)
_BRANCH = "main"


class NewProject(Source):
    """A project without commits and without protected branches."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab) -> None:
        self.aws, self.gitlab, self.secret_id = aws, gitlab, "gitlab/infra"
        self.project = gitlab.project("platform/infra", default_branch=_BRANCH)


class ReleaseFolder:
    """A shell in the release folder. It runs the README's commands with the local GitLab instead of gitlab.com."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path, home: Path) -> None:
        self.directory, self._gitlab = directory, gitlab
        self._environment = {**aws.environment(), **sam_settings(home), "HOME": str(home),
                             "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}

    def commands(self) -> list[str]:
        section = (self.directory / "README.md").read_text().split("\n## Deploy it\n")[1].split("\n## ")[0]
        return _COMMANDS.findall(section)

    def run(self, command: str, typed: str = "") -> str:
        adapted = command.replace("https://gitlab.com", self._gitlab.url).replace(
            " GitLabProject=", f" GitLabUrl={self._gitlab.url} GitLabProject=")
        ran = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", adapted], cwd=self.directory, input=typed, text=True,
                             env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert ran.returncode == 0, f"{adapted}\n{ran.stdout}"
        return ran.stdout

    def example(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.directory / "examples/project").iterdir()}


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


@pytest.fixture
def gitlab() -> Iterator[LocalGitLab]:
    with local_gitlab.running() as running:
        yield running


def test_readme_steps_deploy_the_example_project(aws: LocalAws, gitlab: LocalGitLab, packages: Path, tmp_path: Path) -> None:
    folder, source = ReleaseFolder(aws, gitlab, packages, tmp_path), NewProject(aws, gitlab)
    project = MirroredProject(aws, "dev", "infra", tmp_path, source, _BRANCH)
    check, store_token, deploy, console = folder.commands()

    assert folder.run(check) == ""
    folder.run(store_token, typed=gitlab.token)
    commit = accepted(project.working.push(source.developer(), source.project.url, folder.example())).commit
    deployed = folder.run(deploy, typed="y\n")
    assert "Successfully created/updated stack - cfn-gitops-dev" in deployed

    project.arrives(f"refs/heads/{_BRANCH}", commit)
    execution = project.execution_of(commit)
    project.waits_for_approval(execution)
    name = "cfn-gitops/dev/infra"
    eventually(lambda: source.project.status_states(commit) == {name: "running", f"{name}/approval": "pending"},
               "GitLab shows the approval that waits")
    assert f"/pipelines/{project.name}/" in folder.run(console)
    project.decide(execution)
    assert project.ended(execution) == "Succeeded", project.said()
    assert project.deployed_commit() == commit
