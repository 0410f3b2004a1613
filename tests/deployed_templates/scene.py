"""A repository of CodeCommit with a branch, and its pushes by the real git."""

from pathlib import Path

from tests.deployed_templates.helpers import a_login, git
from tests.local.aws import LocalAws
from tests.local.aws.testing import allow

BRANCH = "development"


class Scene:
    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        self.aws, self.name, self.directory, self.repository = aws, name, directory, name

    def clone(self) -> None:
        """A working copy, and a login to push it."""
        made = self.aws.client("codecommit").get_repository(repositoryName=self.repository)[
            "repositoryMetadata"
        ]
        login = a_login(
            self.aws, f"git-{self.name}", allow(["codecommit:GitPull", "codecommit:GitPush"], made["Arn"])
        )
        self.git_url = login.git_url(made["cloneUrlHttp"])
        self.work = self.directory / self.name
        self.work.mkdir()
        git(self.work, "init", "--quiet", f"--initial-branch={BRANCH}")

    def push(self, files: dict[str, str] | None = None, message: str = "A change") -> str:
        """Pushes and returns the commit."""
        for name, content in (files or {}).items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", message)
        git(self.work, "push", "--quiet", self.git_url, f"HEAD:refs/heads/{BRANCH}")
        return git(self.work, "rev-parse", "HEAD")
