"""The state of a GitLab: users with their tokens, projects with their repositories, remote mirrors."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.local.git_backend import GIT_ENVIRONMENT
from tests.local.gitlab.records import Records, User
from tests.local.gitlab.settings import Settings

# lib/gitlab/git/hook.rb: the prefix of a rejection's text.
PRE_RECEIVE = """#!/bin/sh
[ -z "$GITLAB_REFUSES" ] || { echo "GitLab: $GITLAB_REFUSES" >&2; exit 1; }
# lib/gitlab/checks/branch_check.rb; lib/gitlab/checks/force_push.rb: git decides, and not the sign of the push.
while read -r old new name; do
    case " $GITLAB_PROTECTED " in *" $name "*) ;; *) continue ;; esac
    git merge-base --is-ancestor "$old" "$new" && continue
    echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2
    exit 1
done
"""
# lib/gitlab/access.rb
LEVELS = {"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}


@dataclass
class Token:
    """A personal, project or group access token, with the role of its owner."""

    name: str
    role: str = "maintainer"
    scopes: tuple[str, ...] = ("api",)
    # Full paths of the projects whose member it is. Empty for all projects.
    projects: tuple[str, ...] = ()
    revoked: bool = False
    expired: bool = False
    # None for a token that does not expire (https://docs.gitlab.com/user/profile/personal_access_tokens/).
    expires_at: date | None = None
    value: str = field(default_factory=lambda: f"glpat-{secrets.token_urlsafe(15)}", repr=False)
    # `Instance.add_token` creates a new user if this one has the ID 0.
    user: User = field(default_factory=lambda: User(0, "", ""))

    def level(self, project: Project) -> int:
        """Its user's access level in the project; 0 for none."""
        is_member = not self.projects or project.path in self.projects
        return LEVELS[self.role] if is_member else 0


@dataclass
class Credentials:
    """The URL's login, as it was sent."""

    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass
class Mirror:
    """A row of `remote_mirrors` (app/models/remote_mirror.rb)."""

    id: int
    url: str  # without the login
    credentials: Credentials
    # The setting. `Instance.is_enabled` has the effective value.
    enabled: bool = False
    only_protected_branches: bool = False
    keep_divergent_refs: bool = False
    mirror_branch_regex: str | None = None
    auth_method: str = "password"
    update_status: str = "none"
    last_update_at: float | None = None
    last_update_started_at: float | None = None
    last_successful_update_at: float | None = None
    last_error: str | None = None
    is_deleted: bool = False
    # One run of a mirror at a time (repository_update_remote_mirror_worker.rb, `in_lock`).
    running: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass
class Project:
    id: int
    path: str
    directory: Path
    default_branch: str
    # Names, or wildcards, that the project itself protects.
    protected_branches: list[str] = field(default_factory=list)
    # Those of them with "Allowed to force push".
    force_pushed_branches: set[str] = field(default_factory=set)
    # Names, or wildcards, that its groups protect (https://docs.gitlab.com/api/group_protected_branches/).
    inherited_protected_branches: list[str] = field(default_factory=list)
    # The least access levels that may create the tags of each name or wildcard: one that admits a user is enough. 0 is
    # "No one".
    protected_tags: dict[str, list[int]] = field(default_factory=dict)
    # The tags that belong to a release.
    released: set[str] = field(default_factory=set)
    # `statistics.lfs_objects_size`, in bytes.
    lfs_objects_size: int = 0
    mirrors: list[Mirror] = field(default_factory=list)
    records: Records = field(default_factory=Records)
    # One push to it at a time.
    pushes: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def git(self, *arguments: str) -> str:
        run = subprocess.run(["git", f"--git-dir={self.directory}", *arguments], check=True, text=True,
                             capture_output=True, env={"PATH": os.environ["PATH"], **GIT_ENVIRONMENT})
        return run.stdout

    def references(self) -> dict[str, str]:
        """Branches and tags, by their full names."""
        listed = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/", "refs/tags/")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def branches(self) -> dict[str, str]:
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): commit for name, commit in self.references().items()
                if name.startswith(prefix)}

    def commit(self, name: str) -> str | None:
        """The SHA of a commit, by its SHA, a short SHA, a branch or a tag. None if it does not exist
        (app/models/project.rb, `commit`). It also finds a commit that no branch contains any more."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
        except subprocess.CalledProcessError:
            return None

    @property
    def is_empty(self) -> bool:
        """It has no branch (app/models/repository.rb, `empty?`). Called often, so it starts no process."""
        heads, packed = self.directory / "refs/heads", self.directory / "packed-refs"
        return not any(heads.rglob("*")) and not (packed.exists() and "refs/heads/" in packed.read_text())

    def is_protected(self, branch: str) -> bool:
        """app/models/concerns/protected_ref.rb: a name, or a wildcard with `*` for any characters."""
        return any(_matches(name, branch) for name in self.protected_branches)

    def rejects_force_push(self, branch: str) -> bool:
        """One rule that allows it is enough (app/models/protected_branch.rb, `allow_force_push?`)."""
        return self.is_protected(branch) and not any(_matches(name, branch) for name in self.force_pushed_branches)

    def tag_rules(self, tag: str) -> list[int]:
        """The access levels of all rules that match the tag: one that admits a user is enough
        (app/models/concerns/protected_ref.rb). `*` matches slashes, too (app/models/ref_matcher.rb)."""
        return [level for name, levels in self.protected_tags.items() if _matches(name, tag) for level in levels]

    def may_update(self, level: int, branch: str) -> bool:
        """lib/gitlab/user_access.rb, `can_update_branch?`: whether a user with this access level may push or merge to
        the branch. Maintainers may push to protected branches."""
        return level >= LEVELS["maintainer" if self.is_protected(branch) else "developer"]


def _matches(name: str, branch: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, name.split("*"))), branch) is not None


class Instance:
    """The whole state, behind one lock. Hold `changes` to change a mirror."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.changes = threading.RLock()
        self.tokens: list[Token] = []
        self.users: list[User] = []
        self.projects: list[Project] = []
        self.started = time.time()
        self._directory = directory
        self._next_mirror_id = 101
        self._next_id = 1000

    def make_project(self, path: str, default_branch: str = "main") -> Project:
        with self.changes:
            number = 40 + len(self.projects) + 1
            made = Project(number, path, self._directory / f"{number}.git", default_branch)
            subprocess.run(["git", "init", "--quiet", "--bare", f"--initial-branch={default_branch}",
                            str(made.directory)], check=True, capture_output=True,
                           env={"PATH": os.environ["PATH"], **GIT_ENVIRONMENT})
            hook = made.directory / "hooks/pre-receive"
            hook.write_text(PRE_RECEIVE)
            hook.chmod(0o755)
            self.projects.append(made)
            return made

    def find_project(self, id_or_path: str) -> Project | None:
        """lib/api/helpers.rb, `find_project`: digits are an id; a path's case does not matter."""
        if re.fullmatch(r"\d+", id_or_path):
            return next((held for held in self.projects if held.id == int(id_or_path)), None)
        return next((held for held in self.projects if held.path.lower() == id_or_path.lower()), None)

    def find_token(self, value: str) -> Token | None:
        return next((held for held in self.tokens if secrets.compare_digest(held.value.encode(), value.encode())), None)

    def find_mirror(self, project: Project, mirror_id: int) -> Mirror | None:
        return next((held for held in project.mirrors if held.id == mirror_id), None)

    def add_token(self, token: Token) -> None:
        """Creates a new user for a token without one."""
        with self.changes:
            if not token.user.id:
                token.user = self.add_user(token.name)
            self.tokens.append(token)

    def add_user(self, name: str, username: str = "") -> User:
        with self.changes:
            number = self.next_id()
            made = User(number, username or f"user{number}", name)
            self.users.append(made)
            return made

    def next_id(self) -> int:
        """An ID that is unique across all kinds of records: a test that mixes up two kinds fails."""
        with self.changes:
            self._next_id += 1
            return self._next_id

    def next_mirror_id(self) -> int:
        with self.changes:
            self._next_mirror_id += 1
            return self._next_mirror_id

    def is_enabled(self, mirror: Mirror) -> bool:
        """app/models/remote_mirror.rb, `enabled`: also in the API."""
        return (mirror.enabled and not mirror.is_deleted and self.settings.mirror_available
                and not self.settings.silent_mode)

    def backoff_delay(self, mirror: Mirror) -> float:
        """app/models/remote_mirror.rb, `backoff_delay`."""
        return self.settings.protected_delay if mirror.only_protected_branches else self.settings.unprotected_delay
