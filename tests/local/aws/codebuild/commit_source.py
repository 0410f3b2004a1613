"""The source type CODECOMMIT: a clone by the real git with the build's role, at the requested version.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectSource.html

The clone is a request to the local CodeCommit that the role's session signs, so IAM decides on
`codecommit:GitPull` as for every other client.
"""

import base64
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.local.aws.codebuild.builds import Failed, client_error
from tests.local.aws.codecommit import git_signatures, repositories
from tests.local.aws.codepipeline.actions import Role
from tests.local.git_backend import GIT_ENVIRONMENT

# "refs/heads/mybranchname^{full-commit-SHA}": a commit of a branch.
_COMMIT_OF = re.compile(r"refs/heads/(?P<branch>[^^]+)\^\{(?P<commit>[0-9a-f]{40})\}")


def checkout(location: str, version: str, role: Role, directory: Path) -> str:
    """Clones the repository into the directory, and returns the commit. Raises `Failed`.

    The texts are Recorded from builds' logs: "authorization failed", "repository not found" and "reference
    not found", each followed by "for primary source and source version ...".
    https://github.com/data-dot-all/dataall/issues/1840
    """
    here = repositories.git_url()
    local = re.fullmatch(rf"{re.escape(here)}(?P<path>/(?P<region>[a-z0-9-]+)/v1/repos/[\w.-]+)", location)
    if local is None:
        raise _failure("repository not found", version)
    login = _login(role, here.split("/")[2], local["path"], local["region"])
    run = _git(["clone", "--quiet", "--no-checkout", location, str(directory)], directory.parent, login)
    if run.returncode:
        reason = (
            "authorization failed"
            if " 403" in run.stderr
            else (
                "repository not found"
                if " 404" in run.stderr or "not found" in run.stderr
                else run.stderr.strip()
            )
        )
        raise _failure(reason, version)
    commit = _resolved(directory, version)
    if not commit:
        raise _failure("reference not found", version)
    _git(["checkout", "--quiet", "--detach", commit], directory).check_returncode()
    return commit


def _failure(reason: str, version: str) -> Failed:
    return client_error(f"{reason} for primary source and source version {version}".rstrip())


def _git(arguments: list[str], directory: Path, login: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_TERMINAL_PROMPT": "0",
        "NO_PROXY": "127.0.0.1",
        **GIT_ENVIRONMENT,
    }
    if login:
        # In the environment: other processes of this machine can read a command's arguments.
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        }
    return subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, text=True, capture_output=True, check=False
    )


def _login(role: Role, host: str, path: str, region: str) -> str:
    """A signed login, as the credential helper of AWS's images creates it: see `git_signatures`."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    signed = git_signatures.signature(role.key["SecretAccessKey"], now, host, path, region)
    name = f"{role.key['AccessKeyId']}%{role.key['SessionToken']}"
    return base64.b64encode(f"{name}:{now}Z{signed}".encode()).decode()


def _resolved(directory: Path, version: str) -> str:
    """The commit of a version, which has to be in the branch's history (not documented (?)). Empty if there
    is none.

    AWS's other forms (a branch, a tag, a commit, and none for the default branch) are not part of this
    CodeBuild.
    """
    found = _COMMIT_OF.fullmatch(version)
    tip = (
        _git(
            ["rev-parse", "--quiet", "--verify", f"refs/remotes/origin/{found['branch']}^{{commit}}"],
            directory,
        ).stdout.strip()
        if found
        else ""
    )
    contains = (
        _git(["merge-base", "--is-ancestor", found["commit"], tip], directory) if found and tip else None
    )
    return found["commit"] if found and contains and not contains.returncode else ""
