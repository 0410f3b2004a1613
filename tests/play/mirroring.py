"""GitLab in a deployment: the secret with its token, the project, and a developer who pushes.

Like `steps` and `pipelines`, nothing here asserts."""

import json
import time
from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.project import Mirror
from tests.play import steps
from tests.play.pipelines import Project, accepted, example_files
from tests.play.steps import Account, Login, Pushed, Stack
from tests.play.waiting import NotInTime, eventually

URL_TAG = "cfn-gitops:gitlab-url"


def refusals(gitlab: LocalGitLab, project: str = "") -> list[str]:
    """Why the mirrors' runs failed, except for runs that lost to another mirror: both push the same commits,
    git lets only one of two concurrent pushes change a branch, and GitLab retries the other."""
    return [
        run.error
        for run in gitlab.recorded_runs
        if run.error and "cannot lock ref" not in run.error and project in (run.project, "")
    ]


class Source:
    """A project in GitLab, and the secret that holds a token for it."""

    def __init__(self, aws: Account, gitlab: LocalGitLab, path: str, secret_id: str, *branches: str) -> None:
        self.aws, self.gitlab, self.secret_id = aws, gitlab, secret_id
        self.project: HeldProject = gitlab.project(path, default_branch=branches[0])
        self.project.protect(*branches)

    def store_token(self, url: str = "", **more: Any) -> None:
        """Stores the token as its owner does, with the tag that names its GitLab."""
        self.aws.client("secretsmanager").create_secret(
            Name=self.secret_id,
            SecretString=self.gitlab.token,
            Tags=[{"Key": URL_TAG, "Value": url or self.gitlab.url}],
            **more,
        )

    def forget_token(self) -> None:
        # A health check that began before the mirror was deleted may still read it. An account has no such
        # call.
        if isinstance(self.aws, LocalAws):
            self.aws.wait_for_functions()
        self.aws.client("secretsmanager").delete_secret(
            SecretId=self.secret_id, ForceDeleteWithoutRecovery=True
        )

    def parameters(self, **more: str) -> dict[str, str]:
        """The parameters for `template.yaml` and `templates/project.yaml`."""
        return {
            "GitLabProject": self.project.path,
            "GitLabTokenSecretId": self.secret_id,
            "GitLabUrl": self.gitlab.url,
            "DeployTemplatePath": "template.yaml",
            **more,
        }

    def developer(self) -> Login:
        """A developer of GitLab's repository, without access to CodeCommit."""
        return Login("developer", self.gitlab.token, "")

    def mirrors_to(self, clone_url: str) -> list[Mirror]:
        """The mirrors to this repository, oldest first."""
        return [mirror for mirror in self.project.mirrors() if mirror.url.rstrip("/") == clone_url]

    def recorded(self, secret_id: str) -> list[int]:
        """The IDs of this project's mirrors that the mirror's secret names."""
        value = json.loads(
            self.aws.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
        )
        return [
            mirror["mirrorId"]
            for mirror in value.get("mirrors", [])
            if mirror["gitLabProject"] == self.project.path
        ]


class MirroredProject(Project):
    """A pipeline whose developer pushes to GitLab: the example as it is, so its stack needs
    `DeployTemplatePath`."""

    def __init__(
        self,
        aws: Account,
        env_id: str,
        project_id: str,
        directory: Path,
        source: Source,
        branch: str = "development",
    ) -> None:
        super().__init__(aws, env_id, project_id, directory, source.developer, branch)
        self.source, self.buildspec = source, example_files()["buildspec.yml"]
        if source.gitlab.ca_certificate:
            self.working.trust(source.gitlab.url, source.gitlab.ca_certificate)

    @property
    def clone_url(self) -> str:
        """The repository in GitLab that the developer pushes to."""
        return self.source.project.url

    @property
    def mirrored_url(self) -> str:
        """The repository in CodeCommit that GitLab mirrors to."""
        return super().clone_url

    def push(self, to: str = "", **changed: str) -> Pushed:
        """Pushes to GitLab and waits until the mirror has pushed it to CodeCommit."""
        pushed = self.push_only(to, **changed)
        self.arrives(to or f"refs/heads/{self.branch}", pushed.commit)
        return pushed

    def push_only(self, to: str = "", further: dict[str, str] | None = None, **changed: str) -> Pushed:
        return super().push(to, further, **changed)

    def delete_reference(self, reference: str) -> Pushed:
        return accepted(self.working.delete(self.source.developer(), self.clone_url, reference))

    def arrives(self, reference: str, commit: str) -> float:
        """Waits until CodeCommit has it, and returns the time that this took."""
        began = time.monotonic()
        try:
            eventually(
                lambda: self.mirrored().get(reference) == commit,
                f"CodeCommit has {commit[:12]} at {reference}",
            )
        except NotInTime as late:
            states = [
                (mirror.id, mirror.enabled, mirror.update_status, mirror.last_error)
                for mirror in self.source.project.mirrors()
            ]
            raise NotInTime(f"{late}; GitLab's mirrors: {states}") from late
        return time.monotonic() - began

    def mirrored(self) -> dict[str, str]:
        """The references that CodeCommit has."""
        return self.working.references(self.mirror_login(), self.mirrored_url)

    @property
    def secret(self) -> str:
        """The secret with the login that GitLab pushes with."""
        return f"codecommit-mirror/user-{self.env_id}-codecommit-mirroring"

    def mirror_login(self) -> Login:
        return steps.login(self.aws, self.secret)


class FurtherProject(MirroredProject):
    """A project of templates/project.yaml, with its own mirror."""

    def __init__(
        self,
        aws: Account,
        env_id: str,
        project_id: str,
        directory: Path,
        source: Source,
        branch: str = "development",
    ) -> None:
        super().__init__(aws, env_id, project_id, directory, source, branch)
        self.stack = Stack(aws, f"project-{env_id}-{project_id}")

    @property
    def secret(self) -> str:
        return self.stack.outputs()["SecretName"]

    def create(self, **parameters: str) -> str:
        """Creates the stack, and returns its status."""
        named = {"EnvID": self.env_id, "ProjectID": self.project_id, "BranchName": self.branch}
        return self.stack.create(
            steps.ROOT / "templates/project.yaml", **self.source.parameters(**named, **parameters)
        )
