"""sts:AssumeRole, within an account and across: the caller's own policies and the role's trust policy.

"To assume a role from a different account, your AWS account must be trusted by the role", and "a user who wants to
access a role in a different account must also have permissions that are delegated from the account administrator."
Within one account, the caller's policy is enough if the trust policy names the account. The trust policy alone is
enough if it names the caller: "When a resource-based policy grants access to a principal in the same account, no
additional identity-based policy is required." https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

The trust policy is the role's resource-based policy (`resource_policies`), so both are evaluated with every request.
STS's own handler evaluates the trust policy again.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

from tests.local.aws.iam import resource_policies

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-sts
_KEYS = {"ExternalId": "sts:ExternalId", "RoleSessionName": "sts:RoleSessionName",
         "SourceIdentity": "sts:SourceIdentity"}


def keys(query: dict) -> dict[str, Any]:
    found = {key: iam_actions._query_param(query, parameter) for parameter, key in _KEYS.items()}
    return {key: value for key, value in found.items() if value}


def exists(role_arn: str) -> bool:
    return resource_policies.of("sts", role_arn) not in (None, ("", resource_policies.owner(role_arn)))


def error_of(caller_arn: str, role_arn: str) -> str:
    """The same message for a missing role, so that a caller cannot find out whether a role exists."""
    if caller_arn.endswith(":root"):
        return "Roles may not be assumed by root accounts."
    return f"User: {caller_arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
