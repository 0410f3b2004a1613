"""The real git, run by a user with a login for CodeCommit."""

from __future__ import annotations

import base64
import os
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import policy

PULL, PUSH = "codecommit:GitPull", "codecommit:GitPush"


@dataclass
class Login:
    aws: LocalAws
    user: str
    credential_id: str
    name: str
    password: str

    def status(self, url: str, service: str = "git-receive-pack") -> int:
        return status(url, service, self.name, self.password)

    def git_url(self, url: str) -> str:
        scheme, rest = url.split("://")
        return f"{scheme}://{quote(self.name, safe='')}:{quote(self.password, safe='')}@{rest}"


def status(url: str, service: str, name: str = "", password: str = "") -> int:
    """The server's response to the first request of a push or fetch."""
    request = urllib.request.Request(f"{url}/info/refs?service={service}")
    if name:
        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as rejected:
        return rejected.code


@pytest.fixture
def repository(aws: LocalAws, name: str) -> dict[str, str]:
    return aws.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]


@pytest.fixture
def url(repository: dict[str, str]) -> str:
    return repository["cloneUrlHttp"]


def a_login(aws: LocalAws, user: str, *statements: dict) -> Login:
    iam = aws.client("iam")
    iam.create_user(UserName=user)
    if statements:
        iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy(*statements))
    return a_login_of(aws, user)


def a_login_of(aws: LocalAws, user: str) -> Login:
    issued = aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
    return Login(aws, user, issued["ServiceSpecificCredentialId"], issued["ServiceUserName"],
                 issued["ServicePassword"])


def git(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
    return subprocess.run(["git", *arguments], cwd=at, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    git("init", "--quiet", "--initial-branch=development", at=directory)
    (directory / "file").write_text("one\n")
    git("add", "file", at=directory)
    git("commit", "--quiet", "--message=one", at=directory)
    return directory
