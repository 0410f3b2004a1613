"""The two emulators of AWS behind one interface, reached over HTTP. Each rule has names of its own, and in
`tests/fake-aws` an account of its own. Of GitLab there is one emulator."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from tests.local.aws import LocalAws
from tests.local.gitlab.emulator import PROGRAM

SERVICES = ("iam", "secretsmanager", "codebuild", "codecommit", "cloudformation")


class Emulator:
    """`tests/local/aws`, or `tests/fake-aws`. `addresses` has one for each service."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.gitlab_url = addresses.get("gitlab", "")
        config = Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False)
        self.clients = {
            service: boto3.client(
                service,
                endpoint_url=addresses[service],
                region_name="eu-central-1",
                aws_access_key_id="123456789012",
                aws_secret_access_key="local",
                config=config,
            )
            for service in SERVICES
        }

    def arrange(self, given: dict[str, Any]) -> str:
        """Creates the `users`, the `repositories` and the `project`. Returns the token of a member of the
        project.
        `gitlab` is a rule's."""
        for user in given["users"]:
            self.clients["iam"].create_user(UserName=user)
        for repository in given["repositories"]:
            self.clients["codecommit"].create_repository(repositoryName=repository)
        return ""


class FakeAws(Emulator):
    """`tests/fake-aws`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        super().__init__({service: f"http://127.0.0.1:{port}" for service, port in self._read().items()})

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def arrange(self, given: dict[str, Any]) -> str:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        return str(self._read()["token"])


@contextmanager
def fake_aws() -> Iterator[FakeAws]:
    assert PROGRAM.exists(), f"{PROGRAM} is missing. Run `cargo test --workspace --test fake_aws --no-run`."
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield FakeAws(process)
        assert process.stdin
        process.stdin.close()


@contextmanager
def local() -> Iterator[Emulator]:
    with LocalAws() as aws:
        yield Emulator(dict.fromkeys(SERVICES, aws.endpoint_url))
