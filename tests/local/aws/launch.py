"""Starts and stops the local AWS, and gives tests clients, settings and records."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from tests.local.aws.cloudwatch import embedded_metrics
from tests.local.aws.cloudwatch.embedded_metrics import Metric
from tests.local.aws.partition import partition_of
from tests.local.aws.settings import Settings

_START_SECONDS = 60
_STOP_SECONDS = 10


class LocalAws:
    """A local AWS within the `with` block.

    `log` is a file that keeps the services' log. Without it, the log is deleted at the end. `settings` are
    the initial values of `settings.Settings`, which `reset` restores.
    """

    # Whether the block ends with an error if a request or an answer differs from botocore's models. In a
    # shell for users, their own requests may.
    raises_complaints = False

    def __init__(
        self,
        account_id: str = "123456789012",
        region: str = "eu-central-1",
        log: Path | None = None,
        settings: dict[str, float | str] | None = None,
    ) -> None:
        self.account_id = account_id
        self.region, self.partition = region, partition_of(region)
        self.endpoint_url = ""
        self.git_url = ""
        # A CA file in PEM, for clients that use `git_url` as the proxy to CodeCommit's address on AWS.
        self.authority = Path()
        self._log_path = log
        self._settings = settings or {}
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, ...], Any] = {}

    def __enter__(self) -> LocalAws:
        self._directory = Path(tempfile.mkdtemp(prefix="local-aws-"))
        try:
            self._start(self._directory)
            self.reset()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.raises_complaints and error is None:
                self._raise_complaints()
        finally:
            self.stop()

    def _start(self, directory: Path) -> None:
        temporary = directory / "tmp"
        temporary.mkdir()
        environment = _without_aws(os.environ)
        environment.update(
            {"PYTHONPATH": str(Path(__file__).parents[3]), "TMPDIR": str(temporary), "HOME": str(directory)}
        )
        log = self._log_path or directory / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.local.aws.serve", str(directory), self.account_id, self.region],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=directory,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready(directory):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the local AWS did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _is_ready(self, directory: Path) -> bool:
        ready = directory / "ready.json"
        if not ready.exists():
            return False
        where = json.loads(ready.read_text())
        self.endpoint_url, self.git_url = where["endpoint_url"], where["git_url"]
        self.authority = Path(where["authority"])
        try:
            self._ask("GET", "settings", timeout=1)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._clients.clear()
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            with suppress(ProcessLookupError):
                # Functions that still run are in its session.
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def environment(self) -> dict[str, str]:
        """The environment for a program (aws, sam) that acts as this account's administrator."""
        return _without_aws(os.environ) | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.account_id,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def client(self, service: str, access_key: dict[str, str] | None = None) -> Any:
        """A boto3 client, as the administrator or with an access key in the form of CreateAccessKey's
        response."""
        if access_key:
            return self._new_client(service, access_key)
        # Creating a client takes longer than most calls, so keep the administrator's clients.
        which = (service, self.account_id, self.region)
        if which not in self._clients:
            self._clients[which] = self._new_client(
                service, {"AccessKeyId": self.account_id, "SecretAccessKey": "local"}
            )
        return self._clients[which]

    def _new_client(self, service: str, key: dict[str, str]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
        )

    def in_account(self, account_id: str) -> LocalAws:
        """The same AWS for the administrator of another account: `client()`, `environment()` and the rest. It
        ends with this one."""
        other = copy.copy(self)
        other.account_id, other._process, other._directory = account_id, None, None
        return other

    def decisions(self, principal: str = "") -> list[dict[str, Any]]:
        """IAM's decisions since the start or `forget`, each with principal, action, resource and allowed;
        only those of principals whose ARN contains `principal`."""
        return [decision for decision in self._ask("GET", "decisions") if principal in decision["principal"]]

    def exchanges(self, logical_id: str = "") -> list[dict[str, Any]]:
        """The custom-resource requests sent since the start or `forget`, each with its response or failure,
        and without its ResponseURL."""
        found = self._ask("GET", "exchanges")
        return [
            exchange for exchange in found if not logical_id or exchange["LogicalResourceId"] == logical_id
        ]

    def _raise_complaints(self) -> None:
        complaints = self._ask("GET", "complaints")
        assert not complaints, "\n".join(complaints)

    def rotations(self, secret: str = "") -> list[dict[str, Any]]:
        """The rotations, and tests of a rotation's configuration, since the start or `forget`: each with
        secret (its ARN), token, kind, steps, events (RotationSucceeded, RotationFailed, ...), reason and
        under_way; only those of the secret of this name or ARN."""
        return [
            run
            for run in self._ask("GET", "rotations")
            if not secret or secret in (run["secret"], run["secret"].split(":", 6)[6].rsplit("-", 1)[0])
        ]

    def rotated(self, secret: str, seconds: float = 60) -> dict[str, Any]:
        """Waits for the end of the secret's latest rotation or test, and returns it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            runs = self.rotations(secret)
            if runs and not runs[-1]["under_way"]:
                return runs[-1]
            time.sleep(0.02)
        raise AssertionError(f"no rotation of {secret} has ended: {runs}")

    def days_later(self, secret: str, days: float) -> dict[str, Any] | None:
        """Advances one secret's schedule (name or ARN) by days. Returns the rotation that this starts, `None`
        if none is due."""
        return self._ask("POST", "days-later", {"secret_id": secret, "days": days})  # type: ignore[no-any-return]

    def fire(self, rule: str) -> bool:
        """Triggers a scheduled rule. `True` if the rule is enabled and has a target."""
        return self._ask("POST", "fire", {"rule": rule})  # type: ignore[no-any-return]

    def put_iam_into_effect(self) -> None:
        """Puts IAM's changes so far into effect at once (`iam_policies_take_seconds`)."""
        self._ask("POST", "put-iam-into-effect", {})

    def wait_for_events(self) -> None:
        """Waits until the events of all completed pushes have been sent."""
        self._wait_for_end_of("pending-events")

    def wait_for_functions(self) -> None:
        self._wait_for_end_of("running-functions")

    def _wait_for_end_of(self, what: str) -> None:
        # A health check looks a second time after a minute.
        deadline = time.monotonic() + 180
        while number := self._ask("GET", what):
            assert time.monotonic() < deadline, f"{what}: {number}"
            time.sleep(0.05)

    def instance_metadata(self, profile_arn: str) -> str:
        """The metadata service of an instance with this profile, for `AWS_EC2_METADATA_SERVICE_ENDPOINT`."""
        return str(self._ask("POST", "instance-metadata", {"profile_arn": profile_arn}))

    def metrics(self, log_group: str) -> list[Metric]:
        """The metrics in the lines of a log group, in CloudWatch's embedded metric format. Raises
        `embedded_metrics.Invalid` if CloudWatch would drop one of them."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=log_group)
        return [
            metric
            for page in pages
            for event in page["events"]
            for metric in embedded_metrics.read(event["message"], event["timestamp"])
        ]

    def forget(self) -> None:
        for record in ("decisions", "exchanges", "rotations"):
            self._ask("DELETE", record)

    def set(self, **settings: float | str) -> None:
        """Changes settings, see `settings.Settings`."""
        self._ask("PUT", "settings", settings)

    def reset(self) -> None:
        self.set(**(Settings().as_dict() | self._settings))

    def _ask(self, method: str, what: str, body: object = None, timeout: float = 10) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint_url}/_local/{what}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        # Ignore the machine's proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as answer:
            return json.loads(answer.read())


def _without_aws(environment: Any) -> dict[str, str]:
    """Removes AWS variables, so that no program here can reach a real account."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}
