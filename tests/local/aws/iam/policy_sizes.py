"""The limits of policies' lengths, for stacks. MiniStack accepts policies of any length.

"IAM doesn't count white space when calculating the size of a policy against these limits."
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
The messages are those of public reports: github.com/LBHackney-IT/Data-Platform pull request 2116,
github.com/aws/copilot-cli issue 5917.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

_MANAGED, _INLINE, _TRUST = 6_144, 10_240, 2_048


def install() -> None:
    for resource_type in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Role"):
        table = provisioners._RESOURCE_HANDLERS[resource_type]
        table["create"] = _measured(table["create"], 1)
        table["update"] = _measured(table["update"], 2)


def _length(document: Any) -> int:
    document = json.loads(document) if isinstance(document, str) else document
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def _fault(properties: dict[str, Any]) -> str | None:
    if "AssumeRolePolicyDocument" in properties and _length(properties["AssumeRolePolicyDocument"]) > _TRUST:
        return f"Cannot exceed quota for ACLSizePerRole: {_TRUST}"
    if "PolicyDocument" in properties and _length(properties["PolicyDocument"]) > _MANAGED:
        return f"Cannot exceed quota for PolicySize: {_MANAGED}"
    if sum(_length(policy["PolicyDocument"]) for policy in properties.get("Policies") or []) > _INLINE:
        return f"Maximum policy size of {_INLINE} bytes exceeded for role {properties.get('RoleName', '')}"
    return None


def _measured(ministack_step: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
    def step(*args: Any, **kwargs: Any) -> Any:
        if fault := _fault(args[properties_at]):
            raise ValueError(f"{fault} (Service: Iam, Status Code: 409; LimitExceeded)")
        return ministack_step(*args, **kwargs)

    return step
