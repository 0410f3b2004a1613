"""Resources that a person changed by hand: what the health check reports, and what it repairs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from tests.deployment.reviewing import ReviewedStack, reviewed
from tests.deployment.steps import Environment, function_log
from tests.deployment.watching import changes_since

COMMAND = "This command creates a change set that reverts the drift: "


def checked(aws: LocalAws, **more: Any) -> dict[tuple[str, str], float]:
    """Requests a health check of everything, as docs/concepts/reviews.md says. Returns its metrics."""
    with changes_since(aws) as values:
        answer = aws.client("lambda").invoke(FunctionName="cfn-gitops-dev", Payload=json.dumps(
            {"HealthCheck": {"EnvID": "dev", **more}}).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
    assert values["HealthCheckFailed", ""] == 0
    return values
