"""A resource's policy and account, for callers of any account. MiniStack looks only in the caller's account.

"If the principal that makes the request is in account A and the resource in account B, the request is allowed
if both the identity-based policy and the resource-based policy allow it."
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html

`iam_evaluator.combine_resource_policy` has that rule. It only needs the policy and its owner.
"""

import re
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, iam, kms, s3

from tests.local.aws.iam import propagation as iam_propagation

_ACCOUNT = re.compile(r"\d{12}")
_Found = tuple[Any, str]

_ministack_lookup = iam_evaluator._resource_policy


def install() -> None:
    iam_evaluator._resource_policy = of


def owner(arn: str) -> str | None:
    """The account of a resource. A bucket's ARN contains none: its account is the one that created it."""
    parts = arn.split(":", 5)
    if len(parts) == 6 and parts[2] == "s3" and not parts[4]:
        made: str | None = s3._bucket_owner_account(parts[5].split("/", 1)[0])
        return made
    return parts[4] if len(parts) == 6 and _ACCOUNT.fullmatch(parts[4]) else None


def of(service: str, arn: str) -> _Found | None:
    """The policy (empty without one) and the owner. None for a resource without policies, or a missing
    one."""
    account, asking = owner(arn), get_account_id()
    if account is None:
        found: _Found | None = _ministack_lookup(service, arn)
        return found
    with request_scope(account, arn.split(":", 5)[3] or get_region()):
        own = _OWN.get(service)
        found = own(arn, account) if own else _ministack_lookup(service, arn)
    # A missing resource of another account denies like an existing one, so that its existence stays hidden.
    return found or (("", account) if own and account != asking else None)


# "The bucket owner's root user can always" change a policy that denies it everything.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
_ALWAYS = {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}


def denies_root(service: str, arn: str, context: iam_evaluator.EvalContext) -> str:
    """How the resource's policy denies an account's root user, whose own policies never limit it: Deny,
    ImplicitDeny, or not at all (empty).

    In its own account, the root user only must not be denied. In another one, the resource's policy has to
    allow it. A key's policy always has to allow it: "Unless the key policy explicitly allows it, you cannot
    use IAM policies to allow access to a KMS key", and the root user has no other permission for a key.
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
    """
    found = of(service, arn)
    if found is None or (found[1] == context.principal_account and context.action in _ALWAYS):
        return ""
    decision = str(iam_evaluator.evaluate_resource_policy(found[0], context).decision)
    needs_none = found[1] == context.principal_account and service != "kms"
    return "" if decision == "Allow" or (needs_none and decision != "Deny") else decision


def _trust_policy(arn: str, account: str) -> _Found | None:
    """A role's trust policy is its resource-based policy, so it is evaluated with every request, as the
    caller's own policies are. STS's own handler evaluates the trust policy again.

    "a user who wants to access a role in a different account must also have permissions that are delegated
    from the account administrator." Within one account, the trust policy alone is enough if it names the
    caller. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if not arn.startswith(f"arn:aws:iam::{account}:role/"):
        return None
    role = iam._roles.get_scoped(account, None, arn.rsplit("/", 1)[-1])
    return (iam_propagation.trust_of(role) or "", account) if role and role["Arn"] == arn else None


def _bus_policy(arn: str, account: str) -> _Found | None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html"""
    kind, _, name = arn.split(":", 5)[5].partition("/")
    return (eventbridge._event_bus_policies.get(name) or "", account) if kind == "event-bus" else None


def _key_policy(arn: str, account: str) -> _Found | None:
    """An alias in a request refers to its key, whose policy is evaluated."""
    record = kms._resolve_key(arn)
    return (record.get("Policy") or "", account) if record else None


_OWN = {"sts": _trust_policy, "events": _bus_policy, "kms": _key_policy}
