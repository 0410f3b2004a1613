"""The policy language where MiniStack's evaluator differs from AWS's documentation: policy variables, ARNs
that are compared part by part, keys about the principal and the resource's owner, and the principals of a
resource's policy.

`tests.local.policies` has the rules, and evaluates the templates' policies with them as well. tests/policies
compares them with the decisions that AWS documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext, EvalResult, ParsedStatement
from ministack.services import iam

from tests.local.aws.iam import resource_policies
from tests.local.policies import statements
from tests.local.policies.statements import AS_A_ROLE, DIRECTLY

# The version, which a parsed statement lacks. Every policy here has it, and only it has policy variables.
_VERSION = "2012-10-17"


@dataclass(frozen=True)
class _Caller:
    """The form that `statements.named` needs."""

    arn: str
    session_arn: str
    account: str
    service: str = ""
    boundary: bool = False


class _Keys:
    """A request's condition keys, looked up when a statement uses one."""

    def __init__(self, context: EvalContext) -> None:
        self._context = context

    def get(self, key: str, default: Any = None) -> Any:
        found = iam_evaluator._resolve_condition_key(key, self._context)
        return default if found is None else found


def install() -> None:
    iam_evaluator._first_match = _first_match
    iam_evaluator._conditions_met = _conditions_met
    iam_evaluator._principal_matches = _principal_matches
    iam_evaluator.evaluate_resource_policy = _evaluate_resource_policy
    iam_evaluator._resolve_condition_key = partial(
        _resolve_condition_key, iam_evaluator._resolve_condition_key
    )


def _resolve_condition_key(
    ministack_resolve: Callable[[str, EvalContext], Any], key: str, context: EvalContext
) -> Any:
    name, owner = key.lower(), resource_policies.owner(context.resource_arn)
    if name == "aws:principalarn":
        return _principal_arn(context.principal_arn)
    if owner and name in ("aws:resourceaccount", "s3:resourceaccount"):
        return owner
    return ministack_resolve(key, context)


def _principal_arn(caller_arn: str) -> str:
    """ "For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed
    the role."

    Includes its path, which the session's ARN lacks (aws:PrincipalArn on the page above).
    """
    parts = caller_arn.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("assumed-role/"):
        return caller_arn
    name = parts[5].split("/")[1]
    role = iam._roles.get_scoped(parts[4], None, name)
    return str(role["Arn"]) if role else f"arn:{parts[1]}:iam::{parts[4]}:role/{name}"


def _applies(statement: dict[str, Any], context: EvalContext) -> bool:
    request = statements.Request(context.action, context.resource_arn, _Keys(context))  # type: ignore[arg-type]
    try:
        return bool(statements.applies(statement, _VERSION, request))
    except KeyError:
        # An unknown operator: AWS would have rejected the policy.
        return False


def _first_match(context: EvalContext, parsed: list[ParsedStatement], effect: str) -> ParsedStatement | None:
    return next(
        (each for each in parsed if each.effect == effect and _applies(_written(each), context)), None
    )


def _written(parsed: ParsedStatement) -> dict[str, Any]:
    members = {"NotAction": parsed.not_actions, "NotResource": parsed.not_resources}
    made: dict[str, Any] = {key: value for key, value in members.items() if value}
    if not parsed.not_actions:
        made["Action"] = parsed.actions or "*"
    if not parsed.not_resources:
        made["Resource"] = parsed.resources or "*"
    return {**made, "Condition": parsed.conditions or {}}


def _conditions_met(conditions: dict[str, Any], context: EvalContext) -> bool:
    return _applies({"Action": "*", "Condition": conditions or {}}, context)


def _strength(statement: dict[str, Any], caller_arn: str, service: str = "", bounded: bool = False) -> int:
    """How strongly a statement names the caller; see `statements.named`."""
    parts = caller_arn.split(":")
    account = parts[4] if len(parts) > 4 else ""
    session = caller_arn if ":assumed-role/" in caller_arn else ""
    callers = [_Caller(_principal_arn(caller_arn), session, account, boundary=bounded)]
    if service:
        callers.append(_Caller("", "", "", service=service))
    return max(int(statements.named(statement, each)) for each in callers)


def _principal_matches(principal: Any, caller_arn: str) -> bool:
    """The principals of a trust policy. No part of a name can be a wildcard.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if isinstance(principal, str) and principal != "*":
        principal = {"AWS": principal}
    if not principal:
        return False
    return _strength({"Principal": principal}, caller_arn) > 0


def _evaluate_resource_policy(
    document: str | dict | None,
    context: EvalContext,
    service: str | None = None,
    named_only: bool = False,
    direct_only: bool = False,
) -> EvalResult:
    """The statements that name the caller: all, without those that name only the account (`named_only`), or
    those that name exactly the user or session (`direct_only`)."""
    if isinstance(document, str):
        try:
            document = json.loads(document or "{}")
        except ValueError:
            document = {}
    written = (document or {}).get("Statement", [])
    written = [written] if isinstance(written, dict) else written
    least = DIRECTLY if direct_only else AS_A_ROLE if named_only else 1
    applicable = [each for each in written if _strength(each, context.principal_arn, service or "") >= least]
    return iam_evaluator.evaluate(context, [iam_evaluator.parse_policy_document({"Statement": applicable})])
