"""The two emulators behind one interface: an account and a GitLab project for each rule, reached over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.local.gitlab.settings import Settings
from tests.local.gitlab.state import LEVELS

ROOT = Path(__file__).parents[2]
ROLES = {level: role for role, level in LEVELS.items()}


class Emulator(ABC):
    """`addresses` has one for each service."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.gitlab_url = addresses["gitlab"]
        self._clients = {service: boto3.client(
            service, endpoint_url=addresses[service], region_name="eu-central-1", aws_access_key_id="123456789012",
            aws_secret_access_key="local", config=Config(retries={"total_max_attempts": 1}, proxies={},
                                                         parameter_validation=False))
            for service in ("iam", "secretsmanager")}

    def client(self, service: str) -> Any:
        return self._clients[service]

    @abstractmethod
    def arrange(self, users: list[str], project: str, gitlab: dict[str, Any]) -> str:
        """Creates the users and the project. Returns the token of a member of the project. `gitlab` is a rule's."""


class FakeAws(Emulator):
    """`tests/fake-aws`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        super().__init__({service: f"http://127.0.0.1:{port}" for service, port in self._read().items()})

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def arrange(self, users: list[str], project: str, gitlab: dict[str, Any]) -> str:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"users": users, "project": project, "gitlab": gitlab}) + "\n")
        self._process.stdin.flush()
        return str(self._read()["token"])


class Local(Emulator):
    """`tests/local/aws` and `tests/local/gitlab`."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab) -> None:
        super().__init__(dict.fromkeys(("iam", "secretsmanager"), aws.endpoint_url) | {"gitlab": gitlab.url})
        self._gitlab = gitlab

    def arrange(self, users: list[str], project: str, gitlab: dict[str, Any]) -> str:
        for user in users:
            self.client("iam").create_user(UserName=user)
        held = self._gitlab.project(project)
        branches = gitlab.get("branches", [])
        if branches:
            commits = "".join(f"commit refs/heads/{branch}\ncommitter a <a@example.com> 0 +0000\n"
                              f"data {len(branch)}\n{branch}\n" for branch in branches)
            made = self._gitlab.instance.find_project(project)
            assert made
            subprocess.run(["git", "fast-import", "--quiet"], cwd=made.directory, input=commits, text=True, check=True)
        held.protect(*gitlab.get("protected", branches[:1]))
        held.protect_by_group(*gitlab.get("protected_by_group", []))
        if source := gitlab.get("merge_request"):
            held.merge_request(source)
        held.store_lfs_objects(gitlab.get("lfs_objects_size", 0))
        settings = self._gitlab.settings
        settings.urls_are_unique = not gitlab.get("older_than_19_2")
        settings.max_enabled_mirrors = None if gitlab.get("older_than_18_9") else Settings.max_enabled_mirrors
        settings.premium = not gitlab.get("free")
        settings.proxy_drops_paging_headers = False
        settings.silent_mode = bool(gitlab.get("silent"))
        settings.mirror_available = not gitlab.get("mirroring_disabled")
        level = gitlab.get("level", LEVELS["maintainer"])
        return self._gitlab.add_token(
            "t", role=ROLES[level or LEVELS["guest"]], projects=(project if level else "another/project",),
            scopes=(gitlab.get("scope", "api"),), expired=bool(gitlab.get("expired"))).value


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug/fake-aws")
    assert program.exists(), f"{program} is missing. Run `cargo test -p fake-aws --no-run`."
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield FakeAws(process)
        assert process.stdin
        process.stdin.close()


@contextmanager
def local() -> Iterator[Local]:
    with LocalAws() as aws, local_gitlab.running() as gitlab:
        yield Local(aws, gitlab)
