"""The parameters and the keys with which IAM evaluates a call of Parameter Store that names several parameters.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import kms, ssm

Also = list[tuple[str, str, str, dict[str, Any]]]  # service, action, resource, keys
_DEFAULT_KEY = "alias/aws/ssm"  # every principal of the account may use it through Parameter Store


def needed(action: str, body: dict[str, Any], region: str, account_id: str) -> tuple[str, Also]:
    """The first parameter, and the further permissions."""
    names = body.get("Names")
    if not isinstance(names, list) or not names:
        return "*", []
    arns = [_arn(str(name), region, account_id) for name in names]
    also: Also = [("ssm", f"ssm:{action}", arn, {}) for arn in arns[1:]]
    for name, arn in zip(names, arns, strict=True):
        if body.get("WithDecryption"):
            also += _key_use(str(name), arn, region)
    return arns[0], also


def _arn(name: str, region: str, account_id: str) -> str:
    """A version or label after the name is not part of the resource."""
    if name.startswith("arn:"):
        return ":".join(name.split(":")[:6])
    return f"arn:aws:ssm:{region}:{account_id}:parameter/{name.split(':')[0].lstrip('/')}"


def _key_use(name: str, parameter_arn: str, region: str) -> Also:
    """https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html"""
    stored, _ = ssm._select_parameter(name)
    key = (stored or {}).get("KeyId", "")
    if not key or key == _DEFAULT_KEY or (stored or {}).get("Type") != "SecureString":
        return []
    record = kms._resolve_key(key) or {}
    return [("kms", "kms:Decrypt", str(record.get("Arn", key)), {
        "kms:ViaService": f"ssm.{region}.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": parameter_arn})]
