"""Secrets Manager's versions, tokens and staging labels, where MiniStack differs from AWS."""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
)
from ministack.services import secretsmanager as service

from .settings import settings

_ABSENT = "Secrets Manager can't find the specified secret."
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
_MOST_LABELS = 20

_going = AccountRegionScopedDict()  # names of secrets that are being deleted by force, and until when


def install() -> None:
    # MiniStack looks its handlers up by name at each request.
    service._create_secret = _create_secret
    service._put_secret_value = _put_secret_value
    service._update_secret = _value_as_put(service._update_secret)
    service._delete_secret = _absent_may_be_forced(service._delete_secret)
    service._get_secret_value = _version_and_label_together(service._get_secret_value)


def _refused(code: str, message: str) -> tuple:
    return error_response_json(code, message, 400)


def _token_fault(request: dict[str, Any]) -> tuple | None:
    token = request.get("ClientRequestToken")
    if token is not None and not 32 <= len(token) <= 64:
        return _refused("InvalidParameterException",
                        "Invalid ClientRequestToken. It must be 32 to 64 characters long.")
    return None


_VALUE = ("SecretString", "SecretBinary")


def _value(request: dict[str, Any]) -> tuple[Any, Any]:
    return request.get("SecretString"), request.get("SecretBinary")


def _create_secret(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    name, value = request.get("Name"), _value(request)
    if not name:
        return _refused("InvalidParameterException", "You must provide a value for the Name parameter.")
    if fault := _token_fault(request):
        return fault
    token = request.get("ClientRequestToken") or new_uuid()
    held = service._secrets.get(name)
    if (held and held.get("DeletedDate")) or _going.get(name, 0) > time.monotonic():
        return _refused("InvalidRequestException", "You can't create this secret because a secret with this name is "
                                                   "already scheduled for deletion.")
    if held:
        # "If a version with this value already exists and the version SecretString and SecretBinary values are the same
        # as those in the request, then the request is ignored."
        version = held["Versions"].get(token)
        if version and (version["SecretString"], version["SecretBinary"]) == value:
            return json_response({"ARN": held["ARN"], "Name": name, "VersionId": token})
        return _refused("ResourceExistsException",
                        f"The operation failed because the secret {name} already exists.")
    arn, _ = service._store_new_secret(
        name, description=request.get("Description", ""), tags=request.get("Tags"), kms_key_id=request.get("KmsKeyId"))
    held = service._secrets[name]
    held["Versions"] = {}  # MiniStack makes one without a value
    answer = {"ARN": arn, "Name": name}
    if value != (None, None):
        _store(held, token, value, ["AWSCURRENT"])
        answer["VersionId"] = token
    return json_response(answer)


def _put_secret_value(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html"""
    _, held = service._resolve(request.get("SecretId"))
    if not held:
        return _refused("ResourceNotFoundException", _ABSENT)
    if held.get("DeletedDate"):
        return _refused("InvalidRequestException", "You can't perform this operation on the secret because it was "
                                                   "marked for deletion.")
    if fault := _token_fault(request):
        return fault
    value, labels = _value(request), request.get("VersionStages")
    if (value[0] is None) == (value[1] is None):
        return _refused("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    if labels is not None and not 1 <= len(labels) <= _MOST_LABELS:
        return _refused("InvalidParameterException", f"VersionStages must have 1 to {_MOST_LABELS} labels.")
    token = request.get("ClientRequestToken") or new_uuid()
    version = held["Versions"].get(token)
    if version:
        # "If you call this operation with a ClientRequestToken that matches an existing version's VersionId, and you
        # specify the same secret data, the operation succeeds but does nothing. However, if the secret data is
        # different, then the operation fails because you can't modify an existing version."
        if (version["SecretString"], version["SecretBinary"]) != value:
            return _refused("ResourceExistsException", "A resource with the ID you requested already exists.")
    else:
        _store(held, token, value, labels or ["AWSCURRENT"])
    return json_response({"ARN": held["ARN"], "Name": held["Name"], "VersionId": token,
                          "VersionStages": list(held["Versions"][token]["Stages"])})


def _store(held: dict[str, Any], token: str, value: tuple[Any, Any], labels: list[str]) -> None:
    """A new version with its labels, each taken from the version that had it."""
    first = not held["Versions"]
    now = time.time()
    held["Versions"][token] = {"SecretString": value[0], "SecretBinary": value[1], "CreatedDate": now, "Stages": []}
    for label in labels:
        if label == "AWSCURRENT":
            continue
        service._remove_stage_everywhere(held, label, except_version_id=token)
        service._add_stage(held, token, label)
    # "If this operation creates the first version for the secret, then Secrets Manager automatically attaches the
    # staging label AWSCURRENT to it."
    if first or "AWSCURRENT" in labels:
        _make_current(held, token)
    held["LastChangedDate"] = now
    service._sync_replicas(held)


def _make_current(held: dict[str, Any], token: str) -> None:
    """The version that had AWSCURRENT gets AWSPREVIOUS. MiniStack's own also forgets versions without labels at once,
    and takes AWSPENDING away; AWS does neither."""
    old, _ = service._find_stage_version(held, "AWSCURRENT")
    if old and old != token:
        service._remove_stage(held, old, "AWSCURRENT")
        service._remove_stage_everywhere(held, "AWSPREVIOUS")
        service._add_stage(held, old, "AWSPREVIOUS")
    service._add_stage(held, token, "AWSCURRENT")
    service._emit_secret_label_updated(held, "AWSCURRENT", token)


def _value_as_put(ministack_update: Any) -> Any:
    """MiniStack's UpdateSecret does not know tokens; a value that comes with one is stored as PutSecretValue does."""

    def update(request: dict[str, Any]) -> tuple:
        has_value = _value(request) != (None, None)
        answer = ministack_update({key: value for key, value in request.items() if key not in _VALUE})
        if not has_value or answer[0] != 200:
            return answer
        return _put_secret_value({key: request[key] for key in ("SecretId", "ClientRequestToken", *_VALUE)
                                  if key in request})

    return update


def _absent_may_be_forced(ministack_delete: Any) -> Any:
    """"If you forcibly delete an already deleted or nonexistent secret, the operation does not return
    ResourceNotFoundException." https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""

    def delete(request: dict[str, Any]) -> tuple:
        secret_id, forced = request.get("SecretId", ""), request.get("ForceDeleteWithoutRecovery")
        _, held = service._resolve(secret_id)
        if forced and held is None:
            arn = secret_id if secret_id.startswith("arn:") else (
                f"arn:aws:secretsmanager:{get_region()}:{get_account_id()}:secret:{secret_id}-{new_uuid()[:6]}")
            return json_response({"ARN": arn, "Name": secret_id, "DeletionDate": time.time()})
        if forced:
            _going[held["Name"]] = time.monotonic() + settings.forced_delete_takes_seconds
        return ministack_delete(request)

    return delete


def _version_and_label_together(ministack_get: Any) -> Any:
    """A version and a label that do not belong together are refused; MiniStack looks at the version alone.

    "If you include both VersionId and VersionStage, they must both refer to the same secret version."
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """

    def get(request: dict[str, Any]) -> tuple:
        version_id, label = request.get("VersionId"), request.get("VersionStage")
        if version_id and label:
            _, held = service._resolve(request.get("SecretId"))
            version = held and held["Versions"].get(version_id)
            if version and label not in version["Stages"]:
                return _refused("InvalidRequestException",
                                "You provided a VersionStage that is not associated to the provided VersionId.")
        return ministack_get(request)

    return get
