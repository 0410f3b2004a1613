"""One run of a push mirror with the real git, as Gitaly does it.

https://gitlab.com/gitlab-org/gitaly, internal/gitaly/service/remote/update_remote_mirror.go: it is not `git
push --mirror`. It compares the references and pushes those that differ, ten at a time and the default branch
first. It removes a reference that the project no longer has, if its commits are in the default branch.
"""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.local.git_backend import GIT_ENVIRONMENT
from tests.local.gitlab.repository import Repository

_PUSH_BATCH_SIZE = 10
_GIVE_UP_SECONDS = 120


class CommandError(Exception):
    """lib/gitlab/git/wraps_gitaly_errors.rb: git's error output."""


@dataclass
class Order:
    """The values that app/models/remote_mirror.rb passes to Gitaly (`options_for_update`), as at the run's
    start."""

    mirror: int
    project: int
    path: str
    url: str
    user: str
    password: str
    # Names of branches, or wildcards. Empty if all are mirrored.
    names: list[str]
    keep_divergent_refs: bool
    default_branch: str


def _matcher(branches: list[str]) -> re.Pattern[str]:
    """`newReferenceMatcher`: every tag, and these branches, in which `*` matches any characters. "If no
    branchMatchers are specified, all branches are matched": so all are mirrored if the project itself
    protects none, or if none matches the regular expression
    (https://gitlab.com/gitlab-org/gitlab/-/issues/221215)."""
    patterns = [".*".join(map(re.escape, branch.split("*"))) for branch in branches] or [".+"]
    return re.compile(rf"refs/tags/.+|refs/heads/(?:{'|'.join(patterns)})")


def carry_out(order: Order, project: Repository) -> list[str]:
    """Returns the references that have diverged and were kept."""
    remote = _remote_references(order, project.directory)
    local, matches = project.references("refs/heads/", "refs/tags/"), _matcher(order.names)
    default = f"refs/heads/{order.default_branch}"
    divergent: list[str] = []
    updated = []
    for name, target in local.items():
        there = remote.pop(name, None)
        if there == target:
            continue
        if there and order.keep_divergent_refs and not _is_ancestor(project, there, target):
            divergent += [name] if matches.fullmatch(name) else []
        else:
            updated.append(name)
    removed = (
        []
        if order.keep_divergent_refs or default not in local
        else [name for name, commit in remote.items() if _is_ancestor(project, commit, default)]
    )
    specs = [name for name in updated if matches.fullmatch(name)]
    specs.sort(key=lambda name: name != default)
    specs += [f":{name}" for name in removed if matches.fullmatch(name)]
    for first in range(0, len(specs), _PUSH_BATCH_SIZE):
        force = [] if order.keep_divergent_refs else ["--force"]
        pushed = _git(
            order, project.directory, "push", *force, "mirror", *specs[first : first + _PUSH_BATCH_SIZE]
        )
        if pushed.returncode != 0:
            raise CommandError(
                f"13:push to mirror: git push: exit status {pushed.returncode}, stderr: {_quoted(pushed)}."
            )
    return divergent


def _remote_references(order: Order, directory: Path) -> dict[str, str]:
    listed = _git(order, directory, "ls-remote", "--refs", "mirror", "refs/heads/*", "refs/tags/*")
    if listed.returncode != 0:
        raise CommandError(
            "13:get remote references: create git ls-remote: "
            f"exit status {listed.returncode}, stderr: {_quoted(listed)}."
        )
    pairs = (line.split("\t", 1) for line in listed.stdout.splitlines())
    return {name: commit for commit, name in pairs}


def _is_ancestor(project: Repository, commit: str, of: str) -> bool:
    """A commit that is missing in this repository has no ancestors here."""
    return project.run("merge-base", "--is-ancestor", commit, of).returncode == 0


def _quoted(run: subprocess.CompletedProcess[str]) -> str:
    return '"' + run.stderr.replace('"', '\\"').replace("\n", "\\n") + '"'


def _git(order: Order, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """git with the mirror as the remote `mirror`. git's credential helper reads its login from a pipe. It is
    not in an argument, the environment or a file. git sends it unchanged, which is the same as the encoded
    login in a URL, because git decodes that."""
    settings = {"remote.mirror.url": order.url, "credential.helper": "", "core.askPass": ""}
    read, write = os.pipe()
    try:
        login = "".join(
            f"{name}={value}\n"
            for name, value in (("username", order.user), ("password", order.password))
            if value
        )
        os.write(write, login.encode())
        os.close(write)
        pairs = [*settings.items(), ("credential.helper", f"!cat /dev/fd/{read}; :")]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.gettempdir(),
            **GIT_ENVIRONMENT,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "GIT_CONFIG_COUNT": str(len(pairs)),
        }
        for number, (key, value) in enumerate(pairs):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return subprocess.run(
            ["git", f"--git-dir={directory}", *arguments],
            env=environment,
            pass_fds=(read,),
            text=True,
            capture_output=True,
            check=False,
            timeout=_GIVE_UP_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise CommandError("4:Deadline Exceeded") from late
    finally:
        os.close(read)
