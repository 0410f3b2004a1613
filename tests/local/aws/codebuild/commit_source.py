"""The source type CODECOMMIT: a clone by the real git with the build's role, at the requested version.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectSource.html

The clone is a request to the local CodeCommit that the role's session signs, so IAM decides on `codecommit:GitPull` as
for every other client.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.local.aws.codebuild.builds import Failed, client_error
from tests.local.aws.codecommit import git_signatures, repositories
from tests.local.aws.codepipeline.actions import Role
from tests.local.git_backend import GIT_ENVIRONMENT

# "refs/heads/mybranchname^{full-commit-SHA}": a commit of a branch.
_COMMIT_OF = re.compile(r"refs/heads/(?P<branch>[^^]+)\^\{(?P<commit>[0-9a-f]{40})\}")


@dataclass(frozen=True)
class Repository:
    """The address of a repository at the local CodeCommit."""

    url: str
    path: str
    region: str


def repository(location: str) -> Repository | None:
    """The repository of a source's `location`: its `cloneUrlHttp`. `None` for any other address."""
    here = repositories.git_url()
    path = location.removeprefix(here).rstrip("/").removesuffix(".git")
    local = re.fullmatch(r"/([a-z0-9-]+)/v1/repos/[\w.-]+", path)
    return Repository(f"{here}{path}", path, local[1]) if local and location.startswith(here) else None


def checkout(location: str, version: str, role: Role, directory: Path) -> str:
    """Clones the repository into the directory, and returns the commit. Raises `Failed`.

    The texts are Recorded from builds' logs: "authorization failed", "repository not found" and "reference not found",
    each followed by "for primary source and source version ...".
    https://github.com/data-dot-all/dataall/issues/1840
    """
    held = repository(location)
    if held is None:
        raise _failure("repository not found", version)
    run = _git(["clone", "--quiet", "--no-checkout", held.url, str(directory)], directory.parent, role, held)
    if run.returncode:
        reason = "authorization failed" if " 403" in run.stderr else (
            "repository not found" if " 404" in run.stderr or "not found" in run.stderr else run.stderr.strip())
        raise _failure(reason, version)
    commit = _resolved(directory, version)
    if not commit:
        raise _failure("reference not found", version)
    _git(["checkout", "--quiet", "--detach", commit], directory).check_returncode()
    return commit


def _failure(reason: str, version: str) -> Failed:
    return client_error(f"{reason} for primary source and source version {version}".rstrip())


def _git(arguments: list[str], directory: Path, role: Role | None = None,
         held: Repository | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_TERMINAL_PROMPT": "0",
                   "NO_PROXY": "127.0.0.1", **GIT_ENVIRONMENT}
    if role and held:
        # In the environment: other processes of this machine can read a command's arguments.
        environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader",
                        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {_login(role, held)}"}
    return subprocess.run(["git", *arguments], cwd=directory, env=environment, text=True, capture_output=True,
                          check=False)


def _login(role: Role, held: Repository) -> str:
    """A signed login, as the credential helper of AWS's images creates it: see `git_signatures`."""
    now, host = datetime.now(UTC).strftime("%Y%m%dT%H%M%S"), held.url.split("/")[2]
    signed = git_signatures.signature(role.key["SecretAccessKey"], now, host, held.path, held.region)
    name = f"{role.key['AccessKeyId']}%{role.key['SessionToken']}"
    return base64.b64encode(f"{name}:{now}Z{signed}".encode()).decode()


def _resolved(directory: Path, version: str) -> str:
    """The commit of a version, which has to be in the branch's history (not documented (?)). Empty if there is none.

    AWS's other forms (a branch, a tag, a commit, and none for the default branch) are not part of this CodeBuild.
    """
    found = _COMMIT_OF.fullmatch(version)
    tip = _parsed(directory, f"refs/remotes/origin/{found['branch']}") if found else ""
    contains = _git(["merge-base", "--is-ancestor", found["commit"], tip], directory) if found and tip else None
    return found["commit"] if found and contains and not contains.returncode else ""


def _parsed(directory: Path, revision: str) -> str:
    return _git(["rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"], directory).stdout.strip()
