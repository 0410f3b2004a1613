"""Condition keys about the principal and the owner of the resource, where MiniStack differs from AWS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from tests.local.aws.iam import resource_policies


def install() -> None:
    ministack_resolve = iam_evaluator._resolve_condition_key

    def resolve(key: str, context: iam_evaluator.EvalContext) -> Any:
        name = key.lower()
        if name == "aws:principalarn":
            return principal_arn(context.principal_arn)
        if name in ("aws:resourceaccount", "s3:resourceaccount"):
            return resource_policies.owner(context.resource_arn) or ministack_resolve(key, context)
        return ministack_resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve


def principal_arn(caller_arn: str) -> str:
    """"For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed the role."

    Includes its path, which the session's ARN lacks (aws:PrincipalArn on the page above).
    """
    parts = caller_arn.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("assumed-role/"):
        return caller_arn
    name = parts[5].split("/")[1]
    role = iam._roles.get_scoped(parts[4], None, name)
    return str(role["Arn"]) if role else f"arn:{parts[1]}:iam::{parts[4]}:role/{name}"
