"""Runs rotations: Secrets Manager calls a secret's rotation function for one step after another.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import lambda_svc
from ministack.services import secretsmanager as service

from tests.local.aws.iam import service_principals

PRINCIPAL = "secretsmanager.amazonaws.com"
# The documentation's table of parameters has create_secret and so on. Its own rotation functions, and the
# events that they receive, have createSecret.
# https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas
_ALL_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
# "If you set RotateImmediately to false, Secrets Manager tests the rotation configuration by running the
# testSecret step of the Lambda rotation function. This test creates an AWSPENDING version of the secret and
# then removes it." https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
STEPS = {"rotation": _ALL_STEPS, "test": ("testSecret",)}

_log = logging.getLogger("rotation")
_lock = threading.Lock()
_runs: list[Run] = []


@dataclass
class Run:
    """One rotation, or one test of a configuration."""

    secret: str  # its ARN
    token: str
    kind: str
    steps: list[dict[str, Any]] = field(default_factory=list)  # Step, and Error if it failed
    # With the names of CloudTrail's events.
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
    events: list[str] = field(default_factory=list)
    reason: str = ""  # why it failed
    under_way: bool = True
    pending_removed: bool = False  # AWSPENDING, by a call of its own

    def shown(self) -> dict[str, Any]:
        return {
            "secret": self.secret,
            "token": self.token,
            "kind": self.kind,
            "steps": [dict(s) for s in self.steps],
            "events": list(self.events),
            "reason": self.reason,
            "under_way": self.under_way,
        }


def recorded() -> list[dict[str, Any]]:
    with _lock:
        return [run.shown() for run in _runs]


def forget() -> None:
    """Keeps running rotations, so that a test can wait for them."""
    with _lock:
        _runs[:] = [run for run in _runs if run.under_way]


def under_way(arn: str) -> Run | None:
    run = of(arn)
    return run if run and run.under_way else None


def of(arn: str) -> Run | None:
    with _lock:
        return next((run for run in reversed(_runs) if run.secret == arn), None)


def begin(arn: str, token: str, kind: str, ended: Callable[[Run], None]) -> Run:
    """Returns at once; "rotation is an asynchronous process"."""
    run = Run(arn, token, kind)
    with _lock:
        _runs.append(run)
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(_work, run, ended), daemon=True, name=f"rotation-{token}"
    ).start()
    return run


def wait(run: Run, seconds: float) -> bool:
    """Whether it ended in time."""
    deadline = time.monotonic() + seconds
    while run.under_way and time.monotonic() < deadline:
        time.sleep(0.02)
    return not run.under_way


def _work(run: Run, ended: Callable[[Run], None]) -> None:
    try:
        # "If any rotation step fails, Secrets Manager retries the entire rotation process multiple times."
        # The number and the intervals are not documented. Here the rotation is retried on the next due date.
        name = "Rotation" if run.kind == "rotation" else "TestRotation"
        run.events.append(f"{name}Started")
        run.reason = _attempt(run)
        run.events.append(f"{name}Failed" if run.reason else f"{name}Succeeded")
        if run.reason:
            _log.warning("%s: %s failed: %s", run.secret, run.kind, run.reason)
    except Exception:
        _log.exception("the rotation of %s could not be run", run.secret)
        run.reason = "this local AWS failed; see its log"
    finally:
        try:
            ended(run)
        finally:
            run.under_way = False


def _attempt(run: Run) -> str:
    """The error, or an empty string."""
    for step in STEPS[run.kind]:
        _, held = service._resolve(run.secret)
        if held is None or held.get("DeletedDate"):
            return "the secret was deleted"
        done: dict[str, Any] = {"Step": step}
        run.steps.append(done)
        error = _call(str(held.get("RotationLambdaARN")), run, step)
        if error:
            done["Error"] = error
            return f"{step}: {error}"
    return _unfinished(run) if run.kind == "rotation" else ""


def _call(function: str, run: Run, step: str) -> str:
    """A synchronous invocation, once. Returns its error, or an empty string.

    https://docs.aws.amazon.com/lambda/latest/dg/with-secrets-manager.html
    """
    record, config, _ = lambda_svc._get_func_record_for_ref(function)
    if record is None or config is None:
        return f"the function {function} does not exist"
    if not may_invoke(record, function, run.secret):
        return f"{PRINCIPAL} may not invoke {function}"
    event = {
        "Step": step,
        "SecretId": run.secret,
        "ClientRequestToken": run.token,
        "RotationToken": new_uuid(),
    }
    answer = lambda_svc._execute_function_with_config_scope(
        lambda_svc._execution_record_for_config(record, config), event
    )
    if not answer.get("error") and not answer.get("throttle"):
        return ""
    body = answer.get("body")
    return str(body.get("errorMessage") or body) if isinstance(body, dict) else str(body or "no answer")


def may_invoke(record: dict[str, Any], function: str, secret: str) -> bool:
    return service_principals.admits(
        record.get("policy"), PRINCIPAL, "lambda:InvokeFunction", function, secret
    )


def _unfinished(run: Run) -> str:
    """The missing results of the function, after four steps without an error.

    "When rotation is successful, the AWSPENDING staging label might be attached to the same version as the
    AWSCURRENT version, or it might not be attached to any version."
    """
    _, held = service._resolve(run.secret)
    current, _ = service._find_stage_version(held, "AWSCURRENT") if held else (None, None)
    if current != run.token:
        return "AWSCURRENT is not on the version of this rotation"
    # "Don't remove AWSPENDING before this point, and don't remove it by using a separate API call, because
    # that can indicate to Secrets Manager that the rotation did not complete successfully."
    if run.pending_removed:
        return "AWSPENDING was removed by a call of its own"
    return ""


def pending_removed(arn: str, version_id: str) -> None:
    run = under_way(arn)
    if run is not None and run.token == version_id:
        run.pending_removed = True
