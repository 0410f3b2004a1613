"""CodeCommit's repositories: bare git repositories in a directory, with CodeCommit's metadata."""

import shutil
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from tests.local.git_backend import BareRepository

_repositories = AccountRegionScopedDict()
_home = Path()
_git_url = ""


@dataclass
class Repository(BareRepository):
    name: str
    account: str
    region: str
    description: str | None = None
    kms_key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    repository_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    # None until the first push creates one.
    # https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-create-branch.html
    default_branch: str | None = None
    pushes: threading.Lock = field(default_factory=threading.Lock)

    @property
    def arn(self) -> str:
        return f"arn:aws:codecommit:{self.region}:{self.account}:{self.name}"

    @property
    def directory(self) -> Path:  # type: ignore[override]
        return _home / f"{self.repository_id}.git"

    @property
    def clone_url_http(self) -> str:
        return f"{_git_url}/{self.region}/v1/repos/{self.name}"

    @property
    def clone_url_ssh(self) -> str:
        return f"ssh://git-codecommit.{self.region}.amazonaws.com/v1/repos/{self.name}"

    def point_head_at(self, branch: str) -> None:
        self.default_branch = branch
        self.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")


def keep_in(directory: Path, git_url: str) -> None:
    global _home, _git_url
    directory.mkdir(parents=True, exist_ok=True)
    _home, _git_url = directory, git_url


def git_url() -> str:
    """The address of the git endpoint, without a path."""
    return _git_url


def create(
    name: str,
    description: str | None = None,
    tags: dict[str, str] | None = None,
    kms_key_id: str | None = None,
) -> Repository:
    made = Repository(name, get_account_id(), get_region(), description, kms_key_id, dict(tags or {}))
    made.create()
    _repositories[name] = made
    return made


def find(name: str) -> Repository | None:
    return _repositories.get(name)


def find_by_id(repository_id: str) -> Repository | None:
    return next((held for held in _repositories.values() if held.repository_id == repository_id), None)


def find_in(account: str, region: str, name: str) -> Repository | None:
    return _repositories.get_scoped(account, region, name)


def every() -> list[Repository]:
    return sorted(_repositories.values(), key=lambda held: held.name)


def rename(held: Repository, name: str) -> None:
    """The directory has the repository's ID, so it stays."""
    _repositories.pop(held.name)
    held.name = name
    _repositories[name] = held


def delete(held: Repository) -> None:
    _repositories.pop(held.name, None)
    shutil.rmtree(held.directory, ignore_errors=True)
