"""The policies of repositories.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import ecr, iam

from tests.local.aws.ecr.images import invalid


def policy_of(resource_arn: str) -> tuple[str, str] | None:
    """The repository's policy and its owner, in any account and region. MiniStack searches only the caller's.

    A missing repository of another account allows no caller, like one without a policy: "By default, only the
    AWS account that created the repository has access".
    """
    parts = resource_arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("repository/"):
        return None
    region, owner, name = parts[3], parts[4], parts[5].removeprefix("repository/")
    return ecr._repo_policies.get_scoped(owner, region, name) or "", owner


def check_policy(text: str) -> None:
    """Recorded: a policy with a Resource is invalid (awsdocs/amazon-ecr-user-guide, pull request 20). A missing role
    in a policy is an unknown principal (hashicorp/terraform-provider-aws, issue 39064)."""
    try:
        document = json.loads(text)
        statements = document["Statement"]
        statements = [statements] if isinstance(statements, dict) else statements
        fine = bool(statements) and all(_is_statement(each) for each in statements)
    except (ValueError, KeyError, TypeError, AttributeError):
        fine = False
    if not fine:
        raise invalid("PolicyText", "Invalid repository policy provided")
    for statement in statements:
        for principal in _iam_principals(statement["Principal"]):
            if not _is_there(principal):
                raise invalid("PolicyText", "Principal not found")


def _is_statement(statement: dict[str, Any]) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"}
    return (statement.keys() <= known and statement.get("Effect") in {"Allow", "Deny"}
            and "Principal" in statement and len({"Action", "NotAction"} & statement.keys()) == 1)


def _iam_principals(principal: Any) -> list[str]:
    given = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return [given] if isinstance(given, str) else list(given)


def _is_there(principal: str) -> bool:
    parts = principal.split(":", 5)
    if len(parts) != 6:
        return principal == "*" or (principal.isdecimal() and len(principal) == 12)
    kind, _, name = parts[5].partition("/")
    store = {"role": iam._roles, "user": iam._users}.get(kind)
    if store is None:
        return kind in {"root", "assumed-role"}
    found = store.get_scoped(parts[4], None, name.rsplit("/", 1)[-1])
    return found is not None and found["Arn"] == principal
