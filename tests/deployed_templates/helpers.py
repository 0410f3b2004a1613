"""Runs git and waits for stacks."""

from __future__ import annotations

import time
from pathlib import Path

from tests.local.aws import LocalAws
from tests.deployed_templates.git_client import git as git_at


def git(at: Path, *arguments: str) -> str:
    done = git_at(*arguments, at=at)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ended(aws: LocalAws, stack: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status: str = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if not status.endswith("IN_PROGRESS"):
            return status
        time.sleep(0.05)
    raise AssertionError(f"{stack} is still {status}")
