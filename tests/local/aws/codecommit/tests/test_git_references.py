"""Permissions that depend on the branch, with the real git; and the parser of push commands.

https://docs.aws.amazon.com/codecommit/latest/userguide/customer-managed-policies.html, example 4
"""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from typing import Any

import pytest

from tests.local import push_commands
from tests.local.aws import LocalAws
from tests.local.aws.codecommit.tests.git_client import PULL, PUSH, Login, a_login, git
from tests.local.aws.testing import allow
from tests.local.push_commands import Command, Malformed

PROTECTED = "refs/heads/development"
NONE = "0" * 40


def a_deny(arn: str, null: bool = True) -> dict[str, Any]:
    conditions: dict[str, Any] = {"StringEqualsIfExists": {"codecommit:References": [PROTECTED]}}
    if null:
        conditions["Null"] = {"codecommit:References": "false"}
    return {"Effect": "Deny", "Action": PUSH, "Resource": arn, "Condition": conditions}


def test_push_that_names_a_denied_branch_changes_nothing(aws: LocalAws, name: str, repository: dict[str, str],
                                                         url: str, work: Path) -> None:
    aws.set(credential_accepted_after_seconds=0)
    arn, codecommit = repository["Arn"], aws.client("codecommit")
    free = a_login(aws, f"{name}-free", allow([PULL, PUSH], arn))
    limited = a_login(aws, name, allow([PULL, PUSH], arn), a_deny(arn))

    def push(login: Login, *references: str) -> set[str]:
        """The branches after it, and `403` if it was rejected."""
        pushed = git("push", login.git_url(url), *references, at=work)
        assert pushed.returncode == 0 or "403" in pushed.stderr, pushed.stderr
        branches = codecommit.list_branches(repositoryName=repository["repositoryName"])["branches"]
        return {*branches, *(["403"] if pushed.returncode else [])}

    assert push(limited, "development") == {"403"}
    assert push(limited, "development:feature") == {"feature"}
    assert push(limited, "development:aaa", "development", "development:zzz") == {"403", "feature"}
    assert push(free, "development") == {"development", "feature"}
    assert push(limited, ":development") == {"403", "development", "feature"}
    # Above a megabyte, git first sends only a flush to check its access, and then chunks.
    (work / "large").write_bytes(os.urandom(3_000_000))
    git("add", "large", at=work)
    git("commit", "--quiet", "--message=large", at=work)
    assert push(limited, "development") == {"403", "development", "feature"}
    assert push(limited, "development:large") == {"development", "feature", "large"}


def test_deny_without_null_condition_rejects_every_push(aws: LocalAws, name: str, repository: dict[str, str],
                                                        url: str) -> None:
    """A push's first request names no reference, and `IfExists` treats a missing key as a match."""
    aws.set(credential_accepted_after_seconds=0)
    arn = repository["Arn"]
    assert a_login(aws, name, allow([PULL, PUSH], arn), a_deny(arn, null=False)).status(url) == 403


def line(text: str) -> bytes:
    return f"{len(text.encode()) + 4:04x}{text}".encode()


ONE, TWO = f"{NONE} {'a' * 40} refs/heads/one", f"{'a' * 40} {NONE} refs/tags/zwei-ä"


def read(body: bytes, encoding: str = "") -> list[Command]:
    return push_commands.read(io.BytesIO(body), encoding)


def test_commands_end_at_flush_without_capabilities() -> None:
    body = line(f"shallow {'b' * 40}") + line(f"{ONE}\0 report-status agent=git/2\n") + line(TWO) + b"0000PACK..."
    commands = [Command(NONE, "a" * 40, "refs/heads/one"), Command("a" * 40, NONE, "refs/tags/zwei-ä")]
    assert read(body) == commands
    assert read(gzip.compress(body), "gzip") == commands


def test_flush_alone_makes_no_request() -> None:
    assert read(b"0000") == []


@pytest.mark.parametrize("body", [
    b"", b"00", b"xyz0", line(ONE), line(ONE)[:-3], line("push-cert\0") + b"0000",
    line(f"{NONE} refs/heads/one") + b"0000", line(f"{NONE} {'a' * 40} ") + b"0000", b"00040000", b"00010000",
    line(ONE).replace(b"one", b"o\xffe") + b"0000",
], ids=["nothing", "half a length", "no length", "no flush", "cut off", "signed push", "one id", "no name", "empty line",
        "delimiter", "no utf-8"])
def test_unreadable_request_is_rejected(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)
    with pytest.raises(Malformed):
        read(body, "gzip")
