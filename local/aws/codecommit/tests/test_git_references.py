"""Permissions that depend on the branch, with the real git; and the parser of push commands.

https://docs.aws.amazon.com/codecommit/latest/userguide/customer-managed-policies.html, example 4
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import push_commands
from local.aws import LocalAws
from local.aws.codecommit.tests.git_client import PULL, PUSH, Login, a_login, git
from local.aws.testing import allow
from local.push_commands import Command, Malformed

# The fixtures of the tests of logins are used here, too.
from local.aws.codecommit.tests.git_client import repository, url, work  # noqa: F401

PROTECTED = "refs/heads/development"
NONE = "0" * 40


def a_deny(arn: str, *references: str, null: bool = True) -> dict[str, Any]:
    conditions: dict[str, Any] = {"StringEqualsIfExists": {"codecommit:References": list(references)}}
    if null:
        conditions["Null"] = {"codecommit:References": "false"}
    return {"Effect": "Deny", "Action": PUSH, "Resource": arn, "Condition": conditions}


@pytest.fixture
def login(aws: LocalAws, name: str, repository: dict[str, str]) -> Login:  # noqa: F811
    aws.set(credential_accepted_after_seconds=0)
    return a_login(aws, name, allow([PULL, PUSH], repository["Arn"]), a_deny(repository["Arn"], PROTECTED))


def push(login: Login, url: str, work: Path, *references: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    return git("push", login.git_url(url), *references, at=work)


def branches(aws: LocalAws, repository: dict[str, str]) -> set[str]:  # noqa: F811
    return set(aws.client("codecommit").list_branches(repositoryName=repository["repositoryName"])["branches"])


def test_push_to_denied_branch_is_rejected_and_other_accepted(aws: LocalAws, login: Login, repository: dict[str, str],  # noqa: F811
                                                            url: str, work: Path) -> None:  # noqa: F811
    rejected = push(login, url, work, "development")
    assert rejected.returncode != 0
    assert "403" in rejected.stderr
    assert branches(aws, repository) == set()
    accepted = push(login, url, work, "development:feature")
    assert accepted.returncode == 0, accepted.stderr
    assert branches(aws, repository) == {"feature"}


def test_one_denied_branch_refuses_the_push_of_several(aws: LocalAws, login: Login, repository: dict[str, str],  # noqa: F811
                                                       url: str, work: Path) -> None:  # noqa: F811
    rejected = push(login, url, work, "development:aaa", "development", "development:zzz")
    assert rejected.returncode != 0
    assert branches(aws, repository) == set()


def test_denied_branch_rejects_deletion_and_large_pack(
        aws: LocalAws, name: str, login: Login, repository: dict[str, str], url: str, work: Path) -> None:  # noqa: F811
    free = a_login(aws, f"{name}-free", allow([PULL, PUSH], repository["Arn"]))
    assert push(free, url, work, "development").returncode == 0
    assert push(login, url, work, ":development").returncode != 0
    # Above a megabyte, git first sends only a flush to check its access, and then chunks.
    (work / "large").write_bytes(os.urandom(3_000_000))
    git("add", "large", at=work)
    git("commit", "--quiet", "--message=large", at=work)
    assert push(login, url, work, "development").returncode != 0
    assert branches(aws, repository) == {"development"}
    assert push(login, url, work, "development:large").returncode == 0


def test_deny_without_null_condition_rejects_every_push(aws: LocalAws, name: str, repository: dict[str, str],  # noqa: F811
                                                              url: str, work: Path) -> None:  # noqa: F811
    """A push's first request names no reference, and `IfExists` treats a missing key as a match."""
    aws.set(credential_accepted_after_seconds=0)
    login = a_login(aws, name, allow([PULL, PUSH], repository["Arn"]),
                    a_deny(repository["Arn"], PROTECTED, null=False))
    assert login.status(url) == 403
    assert push(login, url, work, "development:feature").returncode != 0


def test_a_repositorys_tag_can_be_a_condition_of_a_push(aws: LocalAws, name: str, repository: dict[str, str],  # noqa: F811
                                                        url: str) -> None:  # noqa: F811
    aws.set(credential_accepted_after_seconds=0)
    login = a_login(aws, name, allow(PUSH, "*", Condition={"StringEquals": {"aws:ResourceTag/team": "shop"}}))
    assert login.status(url) == 403
    aws.client("codecommit").tag_resource(resourceArn=repository["Arn"], tags={"team": "shop"})
    assert login.status(url) == 200


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
