"""SimulatePrincipalPolicy, where MiniStack evaluates the first resource alone, and no boundary.

"Each API in the ActionNames parameter is evaluated for each resource in this list."
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
Missing context values are not reported.
"""

from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}


def install() -> None:
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = _simulate


def _simulate(params: dict) -> tuple:
    source, account_id = iam._p(params, "PolicySourceArn"), get_account_id()
    kind, name = source.split(":")[-1].split("/")[0], source.rsplit("/", 1)[-1]
    store: Any = {"user": iam._users, "role": iam._roles}.get(kind, {})
    if store.get(name, {}).get("Arn") != source:
        return iam._error(404, "NoSuchEntity", f"The user, role or group {source} cannot be found.")
    gather = iam_evaluator._gather_user_policies if kind == "user" else iam_evaluator._gather_role_policies
    policies, limits = gather(name, account_id), iam_evaluator._permissions_boundary(store, name, account_id)
    keys = {iam._p(params, f"{entry}.ContextKeyName").lower(): iam._p(params, f"{entry}.ContextKeyValues.member.1")
            for entry in _numbered(params, "ContextEntries", ".ContextKeyName")}
    members = ""
    for action in (iam._p(params, each) for each in _numbered(params, "ActionNames")):
        for arn in [iam._p(params, each) for each in _numbered(params, "ResourceArns")] or ["*"]:
            context = iam_evaluator.EvalContext(
                principal_arn=source, principal_type=kind.title(), principal_account=account_id, action=action, resource_arn=arn,
                region=get_region(), secure_transport=True, service_context=keys)
            decision = iam_evaluator.evaluate(context, policies, *limits).decision
            boundary = ""
            if limits:
                allowed = decision == "Allow" or iam_evaluator.evaluate(context, policies).decision != "Allow"
                boundary = (f"<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{str(allowed).lower()}"
                            "</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>")
            members += (f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{escape(arn)}</EvalResourceName>"
                        f"<EvalDecision>{_DECISIONS[decision]}</EvalDecision><MatchedStatements/><MissingContextValues/>{boundary}</member>")
    return iam._xml(200, "SimulatePrincipalPolicyResponse",
                    f"<SimulatePrincipalPolicyResult><EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
                    "</SimulatePrincipalPolicyResult>", ns="iam")


def _numbered(params: dict, name: str, last: str = "") -> list[str]:
    """The members of a list, each without its last part."""
    found, number = [], 1
    while iam._p(params, f"{name}.member.{number}{last}"):
        found.append(f"{name}.member.{number}")
        number += 1
    return found
