"""The five steps of the README, from the release folder alone, with the GitLab project of a new user."""

import hashlib
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.pages import Folder, blocks
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.packages.conftest import dist
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import accepted, eventually

_BRANCH = "main"


class NewProject(Source):
    """A project without commits and without protected branches."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab) -> None:
        self.aws, self.gitlab, self.secret_id = aws, gitlab, "gitlab/infra"
        self.project = gitlab.project("platform/infra", default_branch=_BRANCH)


@pytest.fixture
def gitlab() -> Iterator[LocalGitLab]:
    with local_gitlab.running() as running:
        yield running


def test_readme_steps_deploy_the_example_project(
    aws: LocalAws, gitlab: LocalGitLab, packages: Path, tmp_path: Path
) -> None:
    release = Path(shutil.copytree(packages, tmp_path / "release"))
    folder, source = Folder(aws, release, tmp_path, gitlab.url), NewProject(aws, gitlab)
    project = MirroredProject(aws, "dev", "infra", tmp_path, source, _BRANCH)
    [parameters] = blocks(release / "README.md", "toml")
    complete, store_token, check, deploy = blocks(release / "README.md", heading="## Deploy it")
    [status] = re.findall(r"`(\./cfn-gitops status .*?)`", (release / "README.md").read_text())
    example = {path.name: path.read_text() for path in (release / "examples/project").iterdir()}

    assert folder.run(complete) == ""
    folder.run(store_token, typed=gitlab.token)
    commit = accepted(project.working.push(source.developer(), source.project.url, example)).commit
    folder.write_parameters("dev", parameters, GitLabUrl=gitlab.url)
    assert "FOUND" not in folder.run(check)
    deployed = folder.run(deploy, typed="y\n")
    assert "Successfully created/updated stack - cfn-gitops-dev" in deployed
    zipped = (release / dist.zip_name()).read_bytes()
    function = aws.client("lambda").get_function(FunctionName="cfn-gitops-dev")["Configuration"]
    assert function["CodeSha256"] == b64encode(hashlib.sha256(zipped).digest()).decode()

    project.arrives(f"refs/heads/{_BRANCH}", commit)
    execution = project.execution_of(commit)
    project.waits_for_approval(execution)
    name = "cfn-gitops/dev/infra"
    eventually(
        lambda: source.project.status_states(commit) == {name: "running", f"{name}/approval": "pending"},
        "GitLab shows the approval that waits",
    )
    project.decide(execution)
    assert project.ended(execution) == "Succeeded", project.said()
    assert project.deployed_commit() == commit
    assert "infra" in (shown := folder.run(status)) and commit[:7] in shown
