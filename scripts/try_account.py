"""The AWS account of the user, for `make try`."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

import sam_settings

# What only this script may read. sam and git get everything else.
_OWN_VARIABLES = {"GITLAB_TOKEN", "CONFIRM"}


class RemoteAccount:
    """The account and region that the environment variables select."""

    def __init__(self, account: sam_settings.Account) -> None:
        self.account_id, self.region = account.id, account.region
        self._session: boto3.Session = account.session
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            # A diagnosis takes up to the function's 15 minutes. `adaptive` slows down when AWS limits the requests.
            self._clients[service] = self._session.client(service, config=Config(
                retries={"mode": "adaptive", "total_max_attempts": 10}, read_timeout=905))
        return self._clients[service]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES} | {
            "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, "AWS_PAGER": "", "SAM_CLI_TELEMETRY": "0"}
