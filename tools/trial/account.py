"""The AWS account of the user, for `make try`."""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.checks.region import BUILDS, build_quota  # noqa: F401 - BUILDS is for its test
from cli.environment.account import Account
from cli.shell.findings import Found

# Variables that only this script may read. sam and git get everything else.
_OWN_VARIABLES = {"GITLAB_TOKEN", "CONFIRM"}


class RemoteAccount:
    """The account and region that the environment variables select."""

    def __init__(self, account: Account) -> None:
        self.account_id, self.region = account.id, account.region
        self._session: boto3.Session = account.session
        self._clients: dict[str, Any] = {}
        # The calls so far, as IAM names them.
        self.calls: list[str] = []
        self._session.events.register("after-call", self._record)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            # A diagnosis takes up to the function's 15 minutes. `adaptive` slows down when AWS limits the
            # requests.
            self._clients[service] = self._session.client(
                service,
                config=Config(
                    retries={"mode": "adaptive", "total_max_attempts": 10},
                    connect_timeout=60,
                    read_timeout=905 if service == "lambda" else 60,
                    tcp_keepalive=True,
                ),
            )
        return self._clients[service]

    def _record(self, model: Any, **_: Any) -> None:
        self.calls.append(f"{model.service_model.service_name}:{model.name}")

    def problems(self) -> list[str]:
        """Obstacles to the builds of a run. Empty without permission to read the quotas."""
        try:
            quota = build_quota(self.client("service-quotas"))
        except (BotoCoreError, ClientError):
            return []
        return [f"{quota.text}. {quota.remedy}"] if isinstance(quota, Found) else []

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES} | {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
        }
