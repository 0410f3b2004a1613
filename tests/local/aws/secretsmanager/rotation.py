"""Secrets Manager's rotation: enabling and disabling it, due dates, and the response of DescribeSecret.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html and related pages. The
steps are in `rotation_runs`.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ministack import app
from ministack.core.arn import parse_arn
from ministack.core.responses import json_response, new_uuid, request_scope
from ministack.services import lambda_svc
from ministack.services import secretsmanager as service

from tests.local.aws.json_api import Rejected
from tests.local.aws.secretsmanager import rotation_runs
from tests.local.aws.secretsmanager import versions as secret_versions
from tests.local.aws.secretsmanager.rotation_runs import Run
from tests.local.aws.secretsmanager.versions import AHEAD, SINCE, answer, now_of

_DAY = 86400.0
_LAST = "LocalLastRotated"  # stored with the secret, beside MiniStack's own members


def install() -> None:
    # MiniStack looks its handlers up by name at each request, but has none for CancelRotateSecret.
    service._rotate_secret = partial(answer, _rotate)
    ministack_handle = app.SERVICE_HANDLERS["secretsmanager"]

    async def handle(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> tuple:
        if headers.get("x-amz-target", "").endswith(".CancelRotateSecret"):
            return answer(_cancel, json.loads(body or b"{}"))
        answered: tuple = await ministack_handle(method, path, headers, body, query_params)
        return answered

    app.SERVICE_HANDLERS["secretsmanager"] = handle
    service._describe_secret = partial(_describe, service._describe_secret)


def _rotate(request: dict[str, Any]) -> tuple:
    return json_response(rotate_secret(request))  # type: ignore[no-any-return]


def _cancel(request: dict[str, Any]) -> tuple:
    return json_response(cancel_rotate_secret(request))  # type: ignore[no-any-return]


def _held(request: dict[str, Any]) -> dict[str, Any]:
    _, held = service._resolve(request.get("SecretId"))
    if not held:
        raise Rejected("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    return held  # type: ignore[no-any-return]


def rotate_secret(request: dict[str, Any]) -> dict[str, str]:
    """ "If you include the configuration parameters, the operation sets the values for the secret and then
    immediately starts a rotation. If you don't include the configuration parameters, the operation starts a
    rotation with the values already stored in the secret." """
    held = _held(request)
    token = request.get("ClientRequestToken") or new_uuid()
    function = request.get("RotationLambdaARN") or held.get("RotationLambdaARN")
    _check_rotation(held, function)
    held.update(
        RotationEnabled=True,
        RotationLambdaARN=function,
        RotationRules=request.get("RotationRules") or held.get("RotationRules"),
    )
    if request.get("RotationRules"):
        held[SINCE] = now_of(held)
    _start(held, token, "test" if request.get("RotateImmediately") is False else "rotation")
    return {"ARN": held["ARN"], "Name": held["Name"], "VersionId": token}


def _check_rotation(held: dict[str, Any], function: str) -> None:
    # "If the AWSPENDING staging label is present but not attached to the same version as AWSCURRENT, then any
    # later invocation of RotateSecret assumes that a previous rotation request is still in progress and
    # returns an error." The text is that of https://github.com/aws/aws-cdk/issues/28539.
    pending, _ = service._find_stage_version(held, "AWSPENDING")
    if pending and "AWSCURRENT" not in held["Versions"][pending]["Stages"]:
        raise Rejected(
            "InvalidRequestException",
            "A previous rotation isn't complete. That rotation will be reattempted.",
        )
    # "When you add a Lambda rotation function Amazon Resource Name (ARN) to your secret, Secrets Manager
    # checks the permissions of the function."
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_rotation.html
    record, _, _ = lambda_svc._get_func_record_for_ref(function)
    if record is None or not rotation_runs.may_invoke(record, function, held["ARN"]):
        raise Rejected(
            "AccessDeniedException",
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy "
            f"grants access to the principal {rotation_runs.PRINCIPAL}.",
        )


def _start(held: dict[str, Any], token: str, kind: str) -> Run:
    """ "During rotation, Secrets Manager creates an AWSPENDING version ID before creating the new secret
    version."

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    (VersionIdsToStages)
    """
    if token not in held["Versions"]:
        held["Versions"][token] = secret_versions.empty_version()
    service._remove_stage_everywhere(held, "AWSPENDING", except_version_id=token)
    service._add_stage(held, token, "AWSPENDING")
    return rotation_runs.begin(held["ARN"], token, kind, _ended)


def _ended(run: Run) -> None:
    _, held = service._resolve(run.secret)
    if held is None:
        return
    if run.kind == "test":
        held["Versions"].pop(run.token, None)
    elif not run.reason:
        held[_LAST] = held[SINCE] = now_of(held)


def cancel_rotate_secret(request: dict[str, Any]) -> dict[str, str]:
    """ "Turns off automatic rotation, and if a rotation is currently in progress, cancels the rotation. If
    you cancel a rotation in progress, it can leave the VersionStage labels in an unexpected state."

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html
    """
    held = _held(request)
    held["RotationEnabled"] = False
    run = rotation_runs.under_way(held["ARN"])
    return {"ARN": held["ARN"], "Name": held["Name"], **({"VersionId": run.token} if run else {})}


def _describe(ministack_describe: Any, request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html"""
    status, headers, body = ministack_describe(request)
    _, held = service._resolve(request.get("SecretId"))
    if status != 200 or held is None:
        return status, headers, body
    shown = json.loads(body)
    if not held.get("RotationLambdaARN"):
        # "If the secret has never been configured for rotation, Secrets Manager returns null."
        shown.pop("RotationEnabled", None)
    # "If the secret isn't configured for rotation or rotation has been disabled, Secrets Manager returns
    # null."
    if held.get("RotationEnabled"):
        if held.get(_LAST):
            shown["LastRotatedDate"] = held[_LAST]
        if due := _due(held):
            shown["NextRotationDate"] = due[1]
    return json_response(shown)


def _due(held: dict[str, Any]) -> tuple[float, float] | None:
    """The time from which the next rotation may start, and the time by which it has to start."""
    rules = held.get("RotationRules")
    if not rules or not held.get("RotationEnabled"):
        return None
    # "By default, the rotation window closes ... at the end of the day for a rotation schedule in days." The
    # dates in AWS's examples end with a day's last second. Schedule expressions and durations are not
    # implemented. https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
    since = datetime.fromtimestamp(held.get(SINCE) or held["CreatedDate"], UTC)
    opens = since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
        days=rules["AutomaticallyAfterDays"]
    )
    return opens.timestamp(), (opens + timedelta(days=1, seconds=-1)).timestamp()


def days_later(secret_id: str, days: float) -> dict[str, Any] | None:
    """Advances one secret by days, and starts the rotation that is due then. None if none is due.

    A failed rotation whose AWSPENDING still exists is attempted again: "That rotation will be
    reattempted."
    """
    _, held = service._resolve(secret_id)
    if held is None:
        raise ValueError(f"no such secret: {secret_id}")
    spec = parse_arn(held["ARN"])
    with request_scope(spec.account_id, spec.region):
        held[AHEAD] = float(held.get(AHEAD, 0.0)) + days * _DAY
        if rotation_runs.under_way(held["ARN"]) or not held.get("RotationEnabled"):
            return None
        pending, _ = service._find_stage_version(held, "AWSPENDING")
        if pending and "AWSCURRENT" not in held["Versions"][pending]["Stages"]:
            return _start(held, pending, "rotation").shown()
        due = _due(held)
        if due is None or due[0] > now_of(held):
            return None
        # Not documented: whether a retry whose function removed AWSPENDING keeps its token. (?)
        return _start(held, new_uuid(), "rotation").shown()
