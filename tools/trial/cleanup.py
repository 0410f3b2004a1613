"""Deletes everything that `make try` has created, even after a failure, and reports the remaining
resources."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.play import playing, steps
from tests.play.local import Mirror
from tests.play.mirroring import Source
from tests.play.pipelines import Pipeline
from tests.play.steps import Stack
from tests.play.waiting import NotInTime, eventually
from tools.run.console import note, reason
from tools.run.story import Names, undeploy
from tools.trial.account import RemoteAccount
from tools.trial.gitlab import RemoteProject
from tools.trial.observers import sources
from tools.trial.ownership import PROJECT_ID, is_branch, is_mirror, own, stories

_SAM_STACK = "aws-sam-cli-managed-default"
# undeploy itself waits for an hour for the stack.
_UNDEPLOY_SECONDS = 7200


class Cleanup:
    """Deletes step by step. Each step is idempotent, and a failed one does not stop the others."""

    def __init__(self, aws: RemoteAccount, source: Source, names: Names, directory: Path) -> None:
        self.aws, self.source, self.names, self.directory = aws, source, names, directory
        self.project: RemoteProject = source.project  # type: ignore[assignment]
        self.faults: list[str] = []

    def run(self) -> list[str]:
        """Returns the resources that remain or could not be deleted. AWS comes first: its resources cost
        money and have permissions, and a GitLab that does not respond delays each step."""
        self._step("stories", self._delete_stories)
        self._step("probes of observers", lambda: sources.delete_probes(self.aws, self.names, self._step))
        self._step("the developer of stories", lambda: sources.delete_user(self.aws, developer(self.names)))
        # The stacks' deletion needs the token, and GitLab's branches are protected while a mirror pushes
        # them.
        for env_id in self.environments():
            self._step(f"executions of {env_id}", Pipeline(self.aws, env_id, PROJECT_ID).stop)
            deployed = f"cfnstack-{env_id}-{PROJECT_ID}"
            self._step(f"stack {deployed}", partial(self._delete_stack, deployed))
            self._step(f"environment {env_id}", lambda env_id=env_id: self._undeploy(env_id))
        # A forced deletion also succeeds if the secret does not exist.
        self._step(f"secret {self.source.secret_id}", self.source.forget_token)
        self._step("uploaded packages", self._delete_uploads)
        self._step(
            "access tokens of observers",
            lambda: self.project.revoke_access_tokens(f"{self.names.first}-probe"),
        )
        self._step("GitLab's mirrors", self._delete_mirrors)
        self._step("protections of branches", self.unprotect)
        self._step(
            "GitLab's branches",
            lambda: delete_references(
                self.source, lambda reference: reference in self._references(), self.directory / "cleanup"
            ),
        )
        self._step(
            "GitLab's branches of stories",
            lambda: delete_branches(self.source, self.project, self._is_branch, self.directory / "stories"),
        )
        for env_id in self.environments():
            self._step(
                f"GitLab's environment {env_id}",
                lambda env_id=env_id: self.project.delete_environment(env_id),
            )
        self._step("the list of what is left", self._report_what_is_left)
        return self.faults

    def _delete_stories(self) -> None:
        for story_id in stories(steps.what_is_there(self.aws), self.names):
            self._step(
                f"story {story_id}", partial(playing.delete_story, self.aws, self.names.first, story_id)
            )

    def environments(self) -> tuple[str, str, str]:
        return self.names.first, self.names.second, self.names.failing

    def _step(self, what: str, delete: Callable[[], Any]) -> None:
        try:
            delete()
        except Exception as error:  # every other step has to run
            self.faults.append(f"{what}: {type(error).__name__}: {error}")
            reason(f"    {what}: not deleted: ", str(error))

    def _delete_stack(self, name: str) -> None:
        stack = Stack(self.aws, name)
        if stack.exists():
            stack.wait()
            note(f"stack {stack.name}: {stack.delete()}")

    def _undeploy(self, env_id: str) -> None:
        stack = Stack(self.aws, f"cfn-gitops-{env_id}")
        if stack.exists():
            stack.wait()
        ran = undeploy(self.aws.environment(), env_id, "--delete-bucket", timeout=_UNDEPLOY_SECONDS)
        # The trial may have ended before it created the environment.
        if ran.returncode != 0 and f"stack {stack.name} does not exist in " not in ran.stdout:
            raise OSError(ran.stdout)
        note(ran.stdout.strip().splitlines()[-1].removeprefix("- "))

    def _delete_mirrors(self) -> None:
        """Those that a deletion of the stack could not delete."""
        for mirror in self._mirrors():
            self.project.delete_mirror(mirror.id)
            note(f"mirror {mirror.id} of GitLab is deleted")

    def _mirrors(self) -> list[Mirror]:
        return [each for each in self.project.mirrors() if is_mirror(each.url, self.names, self.aws.region)]

    def _unprotect(self, branch: str) -> None:
        if branch in self.project.protected():
            self.project.unprotect(branch)

    def in_gitlab(self) -> list[str]:
        """The resources that `run` deletes in the project, as far as they exist. A run has random names, but
        `make try CLEAN=…` takes any."""
        of_stories = filter(self._is_branch, self.project.branches_matching(f"^{self.names.first}-s"))
        return [
            f"branches and tags: {', '.join(self._references())}",
            f"branch protections: {', '.join(self._protected())}",
            f"environments: {', '.join(self.environments())}",
            f"branches of stories: {', '.join(of_stories)}",
            f"mirrors: {', '.join(mirror.url for mirror in self._mirrors())}",
            f"project access tokens {self.names.first}-probe",
        ]

    def _is_branch(self, name: str) -> bool:
        return is_branch(name, self.names)

    def _protected(self) -> list[str]:
        """The branches of the run, and those that a story has protected."""
        own = [
            self.names.branch,
            self.names.second_branch,
            self.names.other_branch,
            self.names.review_branches,
        ]
        return own + list(filter(self._is_branch, self.project.protected()))

    def unprotect(self) -> None:
        for branch in self._protected():
            self._step(f"protection of branch {branch}", lambda branch=branch: self._unprotect(branch))

    def _references(self) -> list[str]:
        """The branches, and the tag of an act."""
        names = self.names
        branches = (
            names.branch,
            names.second_branch,
            names.other_branch,
            names.unprotected_branch,
            names.review_branch,
        )
        return sorted(
            {
                *(f"refs/heads/{branch}" for branch in branches),
                f"refs/tags/{names.branch}",
            }
        )

    def _delete_uploads(self) -> None:
        """Deletes `sam deploy`'s uploads from its own bucket, which is shared and stays."""
        stack = Stack(self.aws, _SAM_STACK)
        bucket = stack.outputs().get("SourceBucket") if stack.exists() else None
        for env_id in self.environments() if bucket else ():
            steps.empty_bucket(self.aws, bucket, f"cfn-gitops-{env_id}/")

    def _report_what_is_left(self) -> None:
        left: list[str] = []

        def is_gone() -> bool:
            found = own(steps.what_is_there(self.aws), self.names)
            left[:] = [f"{kind}: {name} is left" for kind, names in found.items() for name in names]
            return not left

        # Lists show deleted resources for minutes.
        try:
            eventually(is_gone, "nothing is left", seconds=600)
        except NotInTime:
            self.faults += left


def developer(names: Names) -> str:
    """The IAM user that pushes to the repositories of pipelines."""
    return f"user-{names.first}-developer"


def branches(names: Names, story_id: str) -> str:
    """The beginning of a story's branches."""
    return f"{names.first}-{story_id}"


def delete_branches(
    source: Source, project: RemoteProject, is_own: Callable[[str], bool], directory: Path
) -> None:
    """Deletes these branches of GitLab, and their protection."""
    for name in filter(is_own, project.protected()):
        project.unprotect(name)
    delete_references(
        source,
        lambda reference: (
            reference.startswith("refs/heads/") and is_own(reference.removeprefix("refs/heads/"))
        ),
        directory,
    )


def delete_references(source: Source, is_own: Callable[[str], bool], directory: Path) -> None:
    working, developer = steps.Working(directory), source.developer()
    for reference in filter(is_own, working.references(developer, source.project.url, must_succeed=True)):
        deleted = working.delete(developer, source.project.url, reference)
        if not deleted.accepted:
            raise OSError(deleted.output)
        note(f"{reference} in GitLab is deleted")
