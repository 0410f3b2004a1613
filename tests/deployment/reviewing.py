"""Review branches in a deployment: a project whose GitLab protects `review/*`, its builds and its change
sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.project import MergeRequest
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import eventually
from tests.play.steps import ROOT, Account, Environment, Login, Pushed, Stack

BRANCHES = "review/*"
TEMPLATE = ROOT / "templates/project.yaml"


class ReviewedProject(MirroredProject):
    """A project with review branches, and a developer who pushes to GitLab."""

    def __init__(self, aws: Account, project_id: str, directory: Path, source: Source) -> None:
        super().__init__(aws, "dev", project_id, directory, source)

    def mirror_login(self) -> Login:
        return steps.login(self.aws, f"codecommit-mirror/user-dev-{self.project_id}-mirror")

    def push_for_review(self, branch: str, **changed: Any) -> Pushed:
        """Pushes to GitLab, and returns without waiting for the mirror."""
        return self.push_only(to=f"refs/heads/{branch}", **changed)

    def review(self, commit: str) -> dict[str, Any]:
        """Waits until the build of this commit has ended, and returns it."""
        builds = self.aws.client("codebuild")

        def look() -> dict[str, Any] | None:
            ids = builds.list_builds_for_project(projectName=self.review_project)["ids"]
            listed = builds.batch_get_builds(ids=ids)["builds"] if ids else []
            return next(
                (
                    each
                    for each in listed
                    if commit in each.get("sourceVersion", "") and each["buildStatus"] != "IN_PROGRESS"
                ),
                None,
            )

        return dict(eventually(look, f"the build of {commit} for its review ends"))

    def review_log(self) -> str:
        return self.build_log(self.review_project)


class ReviewedStack(Stack):
    """A stack of templates/project.yaml with review branches."""

    def __init__(self, aws: Account, gitlab: LocalGitLab, project_id: str, directory: Path) -> None:
        super().__init__(aws, f"project-dev-{project_id}")
        self.source = Source(
            aws, gitlab, f"platform/{project_id}", f"gitlab/{project_id}", "development", BRANCHES
        )
        self.project = ReviewedProject(aws, project_id, directory, self.source)

    @property
    def gitlab(self) -> HeldProject:
        return self.source.project

    def make(self, **parameters: str) -> str:
        given = {
            "EnvID": "dev",
            "ProjectID": self.project.project_id,
            "ReviewBranches": BRANCHES,
            **parameters,
        }
        return self.create(TEMPLATE, **self.source.parameters(**given))


def notes(merge_request: MergeRequest) -> list[str]:
    return [note.body for note in merge_request.notes]


def note_about(merge_request: MergeRequest, commit: str) -> str:
    """Waits until the only note is about this commit, and returns it."""

    def look() -> str:
        found = notes(merge_request)
        return found[0] if len(found) == 1 and f"Commit `{commit[:8]}`" in found[0] else ""

    return str(eventually(look, f"the note about {commit[:8]}"))


@pytest.fixture
def reviewed(
    aws: LocalAws,
    environment: Environment,
    gitlab: LocalGitLab,
    name: str,
    transcript: Transcript,
    tmp_path: Path,
) -> Iterator[ReviewedStack]:
    """A project with review branches, whose first commit is deployed."""
    stack = ReviewedStack(aws, gitlab, name, tmp_path)
    stack.source.store_token()
    assert stack.make(Drift="Report") == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    assert stack.project.deploy(stack.project.push().commit) == "Succeeded", stack.project.said()
    yield stack
    aws.reset()
    transcript.add_pipeline(stack.project)
    # Not every test pushes a review branch.
    if log := stack.project.review_log():
        transcript.add(f"the log of {stack.project.review_project}", log)
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert stack.project.deployed.delete() == "DELETE_COMPLETE", stack.project.deployed.failures()
    stack.source.forget_token()
