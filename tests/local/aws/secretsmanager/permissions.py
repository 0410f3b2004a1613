"""The resource, the condition keys and the further permissions with which IAM evaluates a call of Secrets
Manager.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
"""

import secrets
import string
from typing import Any

from ministack.services import kms
from ministack.services import secretsmanager as service

from tests.local.aws.iam.json_requests import Also, Needed

# "Required permissions" of each operation, if the secret has a customer managed key.
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html
_KEY_ACTIONS = {
    "CreateSecret": ("kms:GenerateDataKey", "kms:Decrypt"),
    "PutSecretValue": ("kms:GenerateDataKey",),
    "UpdateSecret": ("kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"),
    "GetSecretValue": ("kms:Decrypt",),
}
# "If you change the KMS key and you don't have kms:Encrypt permission to the new key, Secrets Manager does
# not re-encrypt existing secret versions with the new key": evaluated, but not required.
OPTIONAL = {"kms:Encrypt"}

# The members of a request that are condition keys, for the operations that the reference lists them with.
_FROM_THE_REQUEST: dict[str, tuple[str, ...]] = {
    "CreateSecret": ("Name", "Description", "KmsKeyId"),
    "DeleteSecret": ("RecoveryWindowInDays", "ForceDeleteWithoutRecovery"),
    "GetSecretValue": ("VersionId", "VersionStage"),
    "PutResourcePolicy": ("BlockPublicPolicy",),
    "RotateSecret": ("RotationLambdaARN", "RotateImmediately"),
    "UpdateSecret": ("Description", "KmsKeyId"),
    "UpdateSecretVersionStage": ("VersionStage",),
}
# These actions have no secret: "you must specify all resources ("*")".
_ABOUT_NONE = {"BatchGetSecretValue", "GetRandomPassword", "ListSecrets"}


def needed(action: str, arn: str, body: dict[str, Any], region: str, _account: str) -> Needed:
    """The resource, the condition keys of the request, and the further permissions, each with service,
    action, resource and keys. `enforcement` adds the secret's tags.

    The ARN has its six random characters, even if the secret does not exist (yet). AWS seems to generate them
    then: a caller with `name-??????` gets ResourceNotFoundException, one without gets AccessDeniedException
    for such a generated ARN (jenkinsci/aws-secrets-manager-credentials-provider-plugin, issue 74, shows one).
    Others report the bare name. (?)
    """
    if action in _ABOUT_NONE:
        return "*", {}, []
    _, stored = service._resolve(body.get("SecretId") or body.get("Name"))
    if stored:
        arn = stored["ARN"]
    elif arn != "*" and not str(body.get("SecretId", "")).startswith("arn:"):
        alphabet = string.ascii_letters + string.digits
        arn = f"{arn}-{''.join(secrets.choice(alphabet) for _ in range(6))}"
    also: Also = []
    if action == "CreateSecret" and body.get("Tags"):
        # "If you include tags in the secret, you also need secretsmanager:TagResource."
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
        also.append(("secretsmanager", "secretsmanager:TagResource", arn, {}))
    function = body.get("RotationLambdaARN") or (stored or {}).get("RotationLambdaARN")
    if action == "RotateSecret" and function:
        # "You also need lambda:InvokeFunction permissions on the rotation function."
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
        also.append(("lambda", "lambda:InvokeFunction", str(function), {}))
    return arn, _keys(action, body, stored), also + _key_use(action, arn, body, stored, region)


def _keys(action: str, body: dict[str, Any], stored: dict[str, Any] | None) -> dict[str, Any]:
    keys: dict[str, Any] = {
        f"secretsmanager:{name}": _text(body[name])
        for name in _FROM_THE_REQUEST.get(action, ())
        if name in body
    }
    if action in ("CreateSecret", "TagResource"):
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in body.get("Tags") or []}
        keys |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        keys |= {"aws:TagKeys": sorted(tags)} if tags else {}
    if action != "CreateSecret":
        keys["secretsmanager:SecretId"] = str(body.get("SecretId", ""))
    if action == "RotateSecret":
        keys["secretsmanager:ModifyRotationRules"] = _text("RotationRules" in body)
    if stored and stored.get("RotationLambdaARN"):
        keys["secretsmanager:resource/AllowRotationLambdaArn"] = stored["RotationLambdaARN"]
    return keys


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key_use(
    action: str, secret_arn: str, body: dict[str, Any], stored: dict[str, Any] | None, region: str
) -> Also:
    key = body.get("KmsKeyId") or (stored or {}).get("KmsKeyId")
    writes_a_value = "SecretString" in body or "SecretBinary" in body
    re_encrypts = action == "UpdateSecret" and "KmsKeyId" in body
    if not key or key.endswith("alias/aws/secretsmanager"):
        return []
    if action != "GetSecretValue" and not writes_a_value and not re_encrypts:
        return []
    record = kms._resolve_key(key) or {}
    return [
        (
            "kms",
            kms_action,
            str(record.get("Arn", key)),
            {
                "kms:ViaService": f"secretsmanager.{region}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": secret_arn,
            },
        )
        for kms_action in _KEY_ACTIONS.get(action, ())
    ]
