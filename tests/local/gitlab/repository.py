"""The bare repository of a project."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local.git_backend import BareRepository

# lib/gitlab/git/hook.rb: the prefix of a rejection's text.
_PRE_RECEIVE = """#!/bin/sh
# lib/gitlab/checks/branch_check.rb; lib/gitlab/checks/force_push.rb: git decides, and not the sign of the push.
while read -r old new name; do
    case " $GITLAB_PROTECTED " in *" $name "*) ;; *) continue ;; esac
    git merge-base --is-ancestor "$old" "$new" && continue
    echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2
    exit 1
done
"""  # noqa: E501


@dataclass
class Repository(BareRepository):
    project: int
    directory: Path
    default_branch: str
    # One push to it at a time.
    pushes: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.create(self.default_branch)
        hook = self.directory / "hooks/pre-receive"
        hook.parent.mkdir()
        hook.write_text(_PRE_RECEIVE)
        hook.chmod(0o755)

    def content(self) -> dict[str, Any]:
        """Branches, tags with their objects, and all commits with their parents and times."""
        listed = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/tags/")
        tags = dict(map(str.split, listed.splitlines()))
        logged = self.git("log", "--all", "--format=%H %ct %P").splitlines()
        commits = [[sha, parents, int(committed)] for sha, committed, *parents in map(str.split, logged)]
        return {"branches": self.branches(), "tags": tags, "commits": commits}

    def set_default_branch(self, name: str) -> None:
        if name != self.default_branch:
            self.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
            self.default_branch = name
