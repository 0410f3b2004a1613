"""Rows whose reads run at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.config import Config

from cli.environment.account import Environment
from cli.environment.pending import Pending
from cli.shell import machine
from cli.shell.failure import Failure
from cli.shell.findings import Finding, NotChecked

# A check takes seconds, so a service that does not answer is not waited for.
_AT_ONCE, _SECONDS = 16, 60
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=_AT_ONCE,
)


@dataclass
class Row:
    """`read` returns the findings, and raises an error of AWS or of this machine if it cannot."""

    key: str
    subject: str
    read: Callable[[], list[Finding]]


class Once:
    """A value that several rows need, and that is read before them. If it fails, each of them is not
    checked."""

    def __init__(self, read: Callable[[], Any]) -> None:
        # `None` if it failed.
        self.value, self._error = None, None
        try:
            self.value = read()
        except Exception as error:
            self._error = error

    def get(self) -> Any:
        if self._error:
            raise self._error
        return self.value


class Reader:
    """The clients of an environment, one of each service. A session must not create them in threads:
    https://docs.aws.amazon.com/boto3/latest/guide/clients.html"""

    def __init__(self, environment: Environment) -> None:
        self.environment, self.account = environment, environment.account
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Call it before the rows are read."""
        if service not in self._clients:
            self._clients[service] = self.account.client(service, config=_CONFIG)
        return self._clients[service]


def findings(rows: Iterable[Row]) -> list[Finding]:
    """Those of each row, in the rows' order, with its key."""
    limit, found = threading.Semaphore(_AT_ONCE), []
    started = [(row, Pending(lambda row=row: read_row(row), limit)) for row in rows]  # type: ignore[misc]
    for row, pending in started:
        result = pending.result(_SECONDS)
        if result is None:
            result = [
                NotChecked(
                    row.subject, f"no response in {_SECONDS} seconds", "Run this again", is_failure=True
                )
            ]
        for each in result:
            each.key = row.key
        found += result
    return found


def read_row(row: Row) -> list[Finding]:
    """Its findings. A failed read is one."""
    try:
        return row.read()
    except (KeyError, UnicodeDecodeError):
        # A response without the member, or in another encoding, as of the page of a login.
        return [NotChecked.because(row.subject, Failure(*machine.NOT_OF_AWS))]
    except Exception as error:
        return [NotChecked.because(row.subject, error)]
