"""Secrets Manager's versions, tokens and staging labels, where MiniStack differs from AWS."""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import secretsmanager as service

from tests.local.aws import tag_rules
from tests.local.aws.json_api import Rejected
from tests.local.aws.secretsmanager import rotation_runs

_Handler = Callable[[dict[str, Any]], tuple]
_ABSENT = "Secrets Manager can't find the specified secret."
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
_MOST_LABELS, _LONGEST_LABEL = 20, 256
# "Staging labels attached across all versions of a secret: 20"
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
_MOST_LABELS_OF_A_SECRET = 20

# Stored with the secret, beside MiniStack's own members.
SINCE, AHEAD = "LocalRotationSince", "LocalSecondsAhead"


def install() -> None:
    # MiniStack looks its handlers up by name at each request.
    service._create_secret = partial(answer, _create_secret)
    service._put_secret_value = partial(answer, _put_secret_value)
    service._update_secret = partial(answer, _update, service._update_secret)
    service._delete_secret = partial(_delete, service._delete_secret)
    service._tag_resource = partial(answer, _tag, service._tag_resource)
    service._get_secret_value = partial(answer, _get_value, service._get_secret_value)
    service._list_secret_version_ids = partial(_list_versions, service._list_secret_version_ids)
    service._update_secret_version_stage = partial(
        answer, _update_stage, service._update_secret_version_stage
    )


def answer(operation: Callable[..., tuple], *arguments: Any) -> tuple:
    try:
        return operation(*arguments)
    except Rejected as rejected:
        return error_response_json(rejected.code, rejected.message, 400)  # type: ignore[no-any-return]


def _check_token(request: dict[str, Any]) -> None:
    token = request.get("ClientRequestToken")
    if token is not None and not 32 <= len(token) <= 64:
        raise Rejected(
            "InvalidParameterException", "Invalid ClientRequestToken. It must be 32 to 64 characters long."
        )


def empty_version() -> dict[str, Any]:
    """A rotation starts with this: an ID with a label, and no value yet."""
    return {"SecretString": None, "SecretBinary": None, "CreatedDate": time.time(), "Stages": []}


def _is_empty(version: dict[str, Any] | None) -> bool:
    return version is not None and version["SecretString"] is None and version["SecretBinary"] is None


_VALUE = ("SecretString", "SecretBinary")


def _value(request: dict[str, Any]) -> tuple[Any, Any]:
    return request.get("SecretString"), request.get("SecretBinary")


def _create_secret(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    name, value = request.get("Name"), _value(request)
    if not name:
        raise Rejected("InvalidParameterException", "You must provide a value for the Name parameter.")
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@!-]{1,512}", name):
        raise Rejected(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, "
            "or any of the following: -/_+=.@!",
        )
    _check_tags(request)
    _check_token(request)
    token = request.get("ClientRequestToken") or new_uuid()
    held = service._secrets.get(name)
    if held and held.get("DeletedDate"):
        raise Rejected(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    if held:
        # "If a version with this value already exists and the version SecretString and SecretBinary values
        # are the same as those in the request, then the request is ignored."
        version = held["Versions"].get(token)
        if version and (version["SecretString"], version["SecretBinary"]) == value:
            return json_response({"ARN": held["ARN"], "Name": name, "VersionId": token})
        raise Rejected(
            "ResourceExistsException", f"The operation failed because the secret {name} already exists."
        )
    arn, _ = service._store_new_secret(
        name,
        description=request.get("Description", ""),
        tags=request.get("Tags"),
        kms_key_id=request.get("KmsKeyId"),
    )
    held = service._secrets[name]
    held["Versions"] = {}  # MiniStack creates one without a value
    held["CreatedDate"] = time.time()  # MiniStack rounds it to seconds
    if value != (None, None):
        _store(held, token, value, ["AWSCURRENT"])
    return json_response({"ARN": arn, "Name": name, **({"VersionId": token} if held["Versions"] else {})})


def _put_secret_value(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html"""
    _, held = service._resolve(request.get("SecretId"))
    if not held:
        raise Rejected("ResourceNotFoundException", _ABSENT)
    if held.get("DeletedDate"):
        raise Rejected(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        )
    _check_token(request)
    value, labels = _value(request), request.get("VersionStages")
    if (value[0] is None) == (value[1] is None):
        raise Rejected("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    if labels is not None and not 1 <= len(labels) <= _MOST_LABELS:
        raise Rejected("InvalidParameterException", f"VersionStages must have 1 to {_MOST_LABELS} labels.")
    if not all(1 <= len(label) <= _LONGEST_LABEL for label in labels or []):
        raise Rejected("InvalidParameterException", f"A staging label has 1 to {_LONGEST_LABEL} characters.")
    token = request.get("ClientRequestToken") or new_uuid()
    version = held["Versions"].get(token)
    if version and not _is_empty(version):
        # "If you call this operation with a ClientRequestToken that matches an existing version's VersionId,
        # and you specify the same secret data, the operation succeeds but does nothing. However, if the
        # secret data is different, then the operation fails because you can't modify an existing version."
        if (version["SecretString"], version["SecretBinary"]) != value:
            raise Rejected(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {token} because that value is "
                f"already in use for a version of secret {held['ARN']}.",
            )
    else:
        _check_labels(held, token, labels or ["AWSCURRENT"])
        _store(held, token, value, labels or ["AWSCURRENT"])
    return json_response(
        {
            "ARN": held["ARN"],
            "Name": held["Name"],
            "VersionId": token,
            "VersionStages": list(held["Versions"][token]["Stages"]),
        }
    )


def _check_labels(held: dict[str, Any], token: str, labels: list[str]) -> None:
    """A moved label does not count. AWSCURRENT, when it moves, needs AWSPREVIOUS."""
    attached = {label for version in held["Versions"].values() for label in version["Stages"]} | set(labels)
    current, _ = service._find_stage_version(held, "AWSCURRENT")
    if "AWSCURRENT" in labels and current not in (None, token):
        attached.add("AWSPREVIOUS")
    if len(attached) > _MOST_LABELS_OF_A_SECRET:
        raise Rejected(
            "LimitExceededException",
            f"A secret has at most {_MOST_LABELS_OF_A_SECRET} staging labels on all of its versions.",
        )


def _store(held: dict[str, Any], token: str, value: tuple[Any, Any], labels: list[str]) -> None:
    """A new version with its labels, each moved from its former version, or the value of an empty version."""
    first = not any(not _is_empty(version) for version in held["Versions"].values())
    now = time.time()
    stages = (held["Versions"].get(token) or {}).get("Stages") or []
    held["Versions"][token] = {
        "SecretString": value[0],
        "SecretBinary": value[1],
        "CreatedDate": now,
        "Stages": stages,
    }
    for label in labels:
        if label == "AWSCURRENT":
            continue
        service._remove_stage_everywhere(held, label, except_version_id=token)
        service._add_stage(held, token, label)
    # "If this operation creates the first version for the secret, then Secrets Manager automatically attaches
    # the staging label AWSCURRENT to it."
    if first or "AWSCURRENT" in labels:
        _make_current(held, token)
        # "Manually updating the secret value by calling PutSecretValue or UpdateSecret is considered a valid
        # rotation", when the next date is calculated.
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
        held[SINCE] = now_of(held)
        _abandon_rotation(held, token)
    held["LastChangedDate"] = now
    service._sync_replicas(held)


def now_of(held: dict[str, Any]) -> float:
    return time.time() + float(held.get(AHEAD, 0.0))


def _make_current(held: dict[str, Any], token: str) -> None:
    """The former AWSCURRENT version gets AWSPREVIOUS. MiniStack's own also deletes versions without labels at
    once, which AWS does not."""
    old, _ = service._find_stage_version(held, "AWSCURRENT")
    if old and old != token:
        service._remove_stage(held, old, "AWSCURRENT")
        service._remove_stage_everywhere(held, "AWSPREVIOUS")
        service._add_stage(held, old, "AWSPREVIOUS")
    service._add_stage(held, token, "AWSCURRENT")
    _take_pending_away(held, token)
    service._emit_secret_label_updated(held, "AWSCURRENT", token)


def _take_pending_away(held: dict[str, Any], token: str) -> None:
    """Moving AWSCURRENT "also removes the AWSPENDING label in the same API call". Another page states that
    both "might be attached to the same version". (?)

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    """
    service._remove_stage(held, token, "AWSPENDING")


def _abandon_rotation(held: dict[str, Any], token: str) -> None:
    """ "When you manually create a new version of a secret, you send a message signalling the abandonment of
    the current ongoing rotation in favor of the new secret version. As a result, Secrets Manager removes the
    AWSPENDING label." Here, only a version that becomes AWSCURRENT does this. (?)

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
    (RotationAbandoned)
    """
    pending, _ = service._find_stage_version(held, "AWSPENDING")
    if pending and pending != token and "AWSCURRENT" not in held["Versions"][pending]["Stages"]:
        service._remove_stage(held, pending, "AWSPENDING")


def _update_stage(ministack_update: _Handler, request: dict[str, Any]) -> tuple:
    """The effect of UpdateSecretVersionStage on a rotation, and a label that cannot be removed.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
    """
    label, taken_from, moved_to = (
        request.get(key) for key in ("VersionStage", "RemoveFromVersionId", "MoveToVersionId")
    )
    _, held = service._resolve(request.get("SecretId"))
    if held and label == "AWSCURRENT" and not moved_to and taken_from:
        # "A secret always has a version labeled AWSCURRENT."
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
        raise Rejected(
            "InvalidParameterException",
            "You can only move staging label AWSCURRENT to a different "
            "secret version. It can't be completely removed.",
        )
    if held and not held.get("DeletedDate"):
        _check_move(held, str(label), moved_to, taken_from)
        if moved_to:
            _check_labels(held, moved_to, [str(label)])
    answered = ministack_update(request)
    if answered[0] == 200 and held:
        if label == "AWSCURRENT":
            _take_pending_away(held, str(moved_to))
        if label == "AWSPENDING" and not moved_to:
            rotation_runs.pending_removed(held["ARN"], str(taken_from))
    return answered


def _check_move(held: dict[str, Any], label: str, moved_to: str | None, taken_from: str | None) -> None:
    for version in filter(None, (moved_to, taken_from)):
        if version not in held["Versions"]:
            raise _no_value(f"VersionId: {version}")
    holder, _ = service._find_stage_version(held, label)
    if holder and not taken_from and moved_to != holder:
        raise Rejected(
            "InvalidParameterException",
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached "
            f"to version {holder}, so you must explicitly reference that version in RemoveFromVersionId.",
        )
    if taken_from and taken_from != holder:
        raise Rejected(
            "InvalidParameterException", f"The staging label {label} is not attached to version {taken_from}."
        )


def _tag(ministack_tag: _Handler, request: dict[str, Any]) -> tuple:
    _check_tags(request)
    return ministack_tag(request)


def _check_tags(request: dict[str, Any]) -> None:
    tags = request.get("Tags") or []
    _, held = service._resolve(request.get("SecretId"))
    keys = {tag["Key"] for tag in [*tags, *(held or {}).get("Tags", [])] if not tag["Key"].startswith("aws:")}
    fault = tag_rules.fault(tags)
    if tag_rules.is_reserved(tags):
        fault = "Tag keys can't begin with aws:."
    if len(keys) > tag_rules.LIMIT:
        fault = f"A secret can have at most {tag_rules.LIMIT} tags."
    if fault:
        raise Rejected("InvalidParameterException", fault)


def _no_value(named: str) -> Rejected:
    return Rejected(
        "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {named}"
    )


def _update(ministack_update: _Handler, request: dict[str, Any]) -> tuple:
    """MiniStack's UpdateSecret ignores tokens. A value with a token is stored as by PutSecretValue."""
    has_value = _value(request) != (None, None)
    answered = ministack_update({key: value for key, value in request.items() if key not in _VALUE})
    if not has_value or answered[0] != 200:
        return answered
    put = json.loads(
        _put_secret_value(
            {key: request[key] for key in ("SecretId", "ClientRequestToken", *_VALUE) if key in request}
        )[2]
    )
    return json_response({name: put[name] for name in ("ARN", "Name", "VersionId")})  # type: ignore[no-any-return]


def _delete(ministack_delete: _Handler, request: dict[str, Any]) -> tuple:
    """ "If you forcibly delete an already deleted or nonexistent secret, the operation does not return
    ResourceNotFoundException."
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""
    secret_id, forced = request.get("SecretId", ""), request.get("ForceDeleteWithoutRecovery")
    _, held = service._resolve(secret_id)
    if forced and held is None:
        arn = (
            secret_id
            if secret_id.startswith("arn:")
            else (
                f"arn:aws:secretsmanager:{get_region()}:{get_account_id()}:secret:{secret_id}-{new_uuid()[:6]}"
            )
        )
        return json_response({"ARN": arn, "Name": secret_id, "DeletionDate": time.time()})
    return ministack_delete(request)


def _get_value(ministack_get: _Handler, request: dict[str, Any]) -> tuple:
    """MiniStack checks only the version of a version and a label, and not whether the version has a value.

    "If you include both VersionId and VersionStage, they must both refer to the same secret version."
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html "During rotation,
    Secrets Manager creates an AWSPENDING version ID before creating the new secret version. To check if a
    secret version exists, call GetSecretValue."
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    (VersionIdsToStages)
    """
    _, held = service._resolve(request.get("SecretId"))
    if held and not held.get("DeletedDate"):
        version_id, label = request.get("VersionId"), request.get("VersionStage")
        version = held["Versions"].get(
            version_id or service._find_stage_version(held, label or "AWSCURRENT")[0]
        )
        if version is None or _is_empty(version):
            raise _no_value(
                f"VersionId: {version_id}" if version_id else f"staging label: {label or 'AWSCURRENT'}"
            )
        if version_id and label and label not in version["Stages"]:
            raise Rejected(
                "InvalidRequestException",
                "You provided a VersionStage that is not associated to the provided VersionId.",
            )
    return ministack_get(request)


def _list_versions(ministack_list: _Handler, request: dict[str, Any]) -> tuple:
    """ "By default, versions without staging labels aren't included."
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html"""
    status, headers, body = ministack_list(request)
    if status != 200 or request.get("IncludeDeprecated"):
        return status, headers, body
    listed = json.loads(body)
    listed["Versions"] = [version for version in listed["Versions"] if version["VersionStages"]]
    return json_response(listed)  # type: ignore[no-any-return]
