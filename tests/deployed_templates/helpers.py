"""The real git, run by a user with a login for CodeCommit, and the end of a stack's operation."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.local.aws import LocalAws
from tests.local.aws.testing import eventually, policy


@dataclass
class Login:
    user: str
    name: str
    password: str

    def git_url(self, url: str) -> str:
        scheme, rest = url.split("://")
        return f"{scheme}://{quote(self.name, safe='')}:{quote(self.password, safe='')}@{rest}"


def a_login(aws: LocalAws, user: str, *statements: dict) -> Login:
    iam = aws.client("iam")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy(*statements))
    return a_login_of(aws, user)


def a_login_of(aws: LocalAws, user: str) -> Login:
    issued = aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
    return Login(user, issued["ServiceUserName"], issued["ServicePassword"])


def git_at(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
    return subprocess.run(["git", *arguments], cwd=at, env=environment, text=True, capture_output=True, check=False)


def git(at: Path, *arguments: str) -> str:
    done = git_at(*arguments, at=at)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ended(aws: LocalAws, stack: str) -> str:
    describe = aws.client("cloudformation").describe_stacks
    return str(eventually(lambda: describe(StackName=stack)["Stacks"][0]["StackStatus"],
                          lambda status: not status.endswith("IN_PROGRESS")))
