"""`AWS::SecretsManager::Secret`. MiniStack's adopts an existing secret, creates a value if none is given, and uses the
name as the physical ID instead of the ARN.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import secretsmanager as service
from ministack.services.cloudformation import provisioners

TYPE = "AWS::SecretsManager::Secret"
_VALUES = ("SecretString", "GenerateSecretString")


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _create, "update": _update, "update_with_logical_id": True, "delete": _delete}


def _checked(answer: tuple) -> dict[str, Any]:
    status, _, body = answer
    response: dict[str, Any] = json.loads(body)
    if status != 200:
        code = "AlreadyExists" if response["__type"] == "ResourceExistsException" else "InvalidRequest"
        raise ValueError(f'Resource handler returned message: "{response["message"]} (Service: SecretsManager, Status Code: '
                         f'{status}, Request ID: {new_uuid()})" (RequestToken: {new_uuid()}, HandlerErrorCode: {code})')
    return response


def _value(props: dict[str, Any]) -> dict[str, str]:
    """"If you omit both GenerateSecretString and SecretString, you create an empty secret." """
    return {"SecretString": provisioners._sm_secret_string(props)} if any(key in props for key in _VALUES) else {}


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    request = {"Name": props.get("Name") or provisioners._physical_name(stack_name, logical_id), **_value(props),
               **{key: props[key] for key in ("Description", "KmsKeyId", "Tags") if key in props}}
    arn = _checked(service._create_secret(request))["ARN"]
    if props.get("ReplicaRegions"):
        provisioners._sm_secret_replicate(arn, props["ReplicaRegions"])
    return arn, {"Id": arn}


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str,
            logical_id: str | None = None) -> tuple[str, dict[str, str]]:
    if old.get("Name") != new.get("Name"):  # "Update requires: Replacement"
        return _create(logical_id or physical_id, new, stack_name)
    changes = {key: new.get(key) for key in ("Description", "KmsKeyId") if old.get(key) != new.get(key)}
    value = _value(new) if any(old.get(key) != new.get(key) for key in _VALUES) else {}
    if changes or value:
        _checked(service._update_secret({"SecretId": physical_id, **changes, **value}))
    before, after = ({tag["Key"]: tag["Value"] for tag in props.get("Tags") or []} for props in (old, new))
    if removed := sorted(before.keys() - after.keys()):
        _checked(service._untag_resource({"SecretId": physical_id, "TagKeys": removed}))
    if set_ := [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]:
        _checked(service._tag_resource({"SecretId": physical_id, "Tags": set_}))
    return physical_id, {"Id": physical_id}


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    key, held = service._resolve(physical_id)
    if held is not None:
        service._purge_secret(key, held)
