"""`AWS::SecretsManager::RotationSchedule` for MiniStack's CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
`resource_schemas` checks the names of the properties.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import secretsmanager as service
from ministack.services.cloudformation import provisioners, stacks

from tests.local.aws.secretsmanager import rotation, rotation_runs

TYPE = "AWS::SecretsManager::RotationSchedule"
# Lambda's longest timeout is 900 s, and a test is one invocation.
_TEST_SECONDS = 900
# Properties that need features which this local AWS lacks.
_ELSEWHERE = ("HostedRotationLambda", "ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn")


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "update": _update, "delete": _delete}
    # The function calls this AWS while the resource waits for it.
    ministack_rule = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda resource_type: resource_type == TYPE or ministack_rule(resource_type)


def _failed(message: str, code: str) -> ValueError:
    return ValueError(f'Resource handler returned message: "{message}" (RequestToken: {new_uuid()}, '
                      f"HandlerErrorCode: {code})")


def _checked(answer: tuple) -> dict[str, Any]:
    status, _, body = answer
    response: dict[str, Any] = json.loads(body)
    if status != 200:
        code = {"ResourceNotFoundException": "NotFound", "AccessDeniedException": "AccessDenied"}.get(
            response["__type"], "InvalidRequest")
        raise _failed(f"{response['message']} (Service: SecretsManager, Status Code: {status}, Request ID: {new_uuid()})",
                      code)
    return response


def _rules(props: dict[str, Any]) -> dict[str, Any] | None:
    rules = dict(props.get("RotationRules") or {})
    if str(rules.get("AutomaticallyAfterDays", "")).isdigit():  # templates write numbers as strings, too
        rules["AutomaticallyAfterDays"] = int(rules["AutomaticallyAfterDays"])
    return rules or None


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    _, held = service._resolve(props["SecretId"])
    # "You can define only one rotation schedule per secret."
    if held is not None and held.get("RotationEnabled"):
        raise _failed(f"A rotation schedule of the secret {held['Name']} already exists.", "AlreadyExists")
    return _put(props)


def _put(props: dict[str, Any]) -> tuple[str, dict[str, str]]:
    for name in _ELSEWHERE:
        if name in props:
            raise ValueError(f"{TYPE}: {name} is not part of this local Secrets Manager")
    # "Specifies whether to rotate the secret immediately or wait until the next scheduled rotation window". Without it,
    # RotateSecret's own default applies, which is to rotate.
    at_once = str(props.get("RotateImmediatelyOnUpdate", True)).lower() != "false"
    request = {"SecretId": props["SecretId"], "RotationLambdaARN": props.get("RotationLambdaARN"),
               "RotationRules": _rules(props), "RotateImmediately": at_once, "ClientRequestToken": new_uuid()}
    response = _checked(rotation.rotate_secret({name: value for name, value in request.items() if value is not None}))
    if not at_once:
        _await_test(response["ARN"])
    return response["ARN"], {"Id": response["ARN"]}  # "Id: The ARN of the secret."


def _await_test(arn: str) -> None:
    """A configuration whose test fails is invalid. CloudFormation's reaction is not documented. A failure is the one
    that a test cannot miss."""
    run = rotation_runs.of(arn)
    if run is None or not rotation_runs.wait(run, _TEST_SECONDS):
        raise _failed("The test of the rotation function did not end.", "NotStabilized")
    if run.reason:
        _checked(rotation.cancel_rotate_secret({"SecretId": arn}))
        raise _failed(f"The rotation function failed its test: {run.reason}", "GeneralServiceException")


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any],
            stack_name: str) -> tuple[str, dict[str, str]]:
    if old.get("SecretId") != new.get("SecretId"):  # "Update requires: Replacement"
        return _create(physical_id, new, stack_name)
    return _put(new)


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    """A missing secret, or one that is being deleted, has no schedule."""
    _, held = service._resolve(physical_id)
    if held is not None and not held.get("DeletedDate") and held.get("RotationLambdaARN"):
        _checked(rotation.cancel_rotate_secret({"SecretId": physical_id}))
