"""Keys of other accounts, and key policies that would lock out every administrator.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#prevent-unmanageable-key
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, request_scope
from ministack.services import kms

from tests.local.aws.iam import enforcement

_Handler = Callable[[dict[str, Any]], tuple]
# "Cross-account use: Yes", for which "to perform this operation with a KMS key in a different AWS account, specify the
# key ARN or alias ARN". https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
_ACROSS = {"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
           "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
           "GetKeyRotationStatus", "GetPublicKey", "ListGrants", "ReEncrypt", "RetireGrant", "RevokeGrant", "Sign",
           "Verify", "VerifyMac"}


def install() -> None:
    ministack_handler = app.SERVICE_HANDLERS["kms"]

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        key = str(enforcement._json(body).get("KeyId", "")).split(":")
        operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        # `enforcement` has evaluated the policies of both sides.
        if len(key) == 6 and key[4] != get_account_id() and operation in _ACROSS:
            with request_scope(key[4], key[3]):
                return await ministack_handler(method, path, headers, body, query)
        return await ministack_handler(method, path, headers, body, query)

    app.SERVICE_HANDLERS["kms"] = handle
    kms._create_key = _checked(kms._create_key)
    kms._put_key_policy = _checked(kms._put_key_policy)


def _checked(ministack_handler: _Handler) -> _Handler:
    def handler(request: dict[str, Any]) -> tuple:
        policy = request.get("Policy")
        if policy and not request.get("BypassPolicyLockoutSafetyCheck") and not _leaves_a_way_back(policy):
            error_of: tuple = error_response_json(
                "MalformedPolicyDocumentException",
                "The new key policy will not allow you to update the key policy in the future.", 400)
            return error_of
        return ministack_handler(request)

    return handler


def _leaves_a_way_back(policy: str) -> bool:
    """"The key policy must allow the calling principal to make a subsequent PutKeyPolicy request on the KMS key."

    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """
    caller = enforcement.principal()
    if caller is None:
        return True
    try:
        json.loads(policy)
    except ValueError:
        return True  # rejected for that reason
    context = iam_evaluator.EvalContext(
        principal_arn=caller.arn, principal_type=caller.type, principal_account=caller.account,
        action="kms:PutKeyPolicy", resource_arn=f"arn:aws:kms:{get_region()}:{get_account_id()}:key/this",
        region=get_region(), principal_keys=caller.keys, secure_transport=True)
    return bool(iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")
