"""Evaluates whether AWS allows a request, by every policy of the caller and of the resource.

The evaluator uses MiniStack's comparisons (see statements.py). Of other evaluators, PMapper and iam-simulate
have the AGPL, moto evaluates only some conditions and resource policies, and iam-ape, iamx and policyuniverse
decide nothing. iam-simulate was used as a second opinion on documented_decisions.yaml.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from dataclasses import dataclass, field

from tests.local.policies.statements import AS_A_ROLE, BY_ACCOUNT, DIRECTLY, Request, applies, as_list, named

REGION = "eu-central-1"


@dataclass(frozen=True)
class Caller:
    """The principal: a user, a session of a role, an account's root user, or a service.

    `identity` contains the documents of the user's or role's own policies, including attached ones and those
    of groups. None for the root user, who needs none.
    """

    account: str = ""
    user: str = ""
    role: str = ""
    service: str = ""
    session: str = "session"
    identity: tuple | None = ()
    boundary: dict | None = None
    session_policies: tuple = ()
    # From the organisation's root down to the account. At least one policy of each level has to allow.
    control_policies: tuple = ()
    tags: dict = field(default_factory=dict)

    @property
    def arn(self):
        """aws:PrincipalArn's value: for a session, its role."""
        if self.service:
            return ""
        rest = f"user/{self.user}" if self.user else f"role/{self.role}" if self.role else "root"
        return f"arn:aws:iam::{self.account}:{rest}"

    @property
    def session_arn(self):
        if not self.role:
            return ""
        name = self.role.rsplit("/", 1)[-1]
        return f"arn:aws:sts::{self.account}:assumed-role/{name}/{self.session}"

    @property
    def is_root(self):
        return self.identity is None

    def keys(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable"""
        if self.service:
            return {"aws:principalisawsservice": "true", "aws:principalservicename": self.service}
        kind = "User" if self.user else "AssumedRole" if self.role else "Account"
        found = {
            "aws:principalarn": self.arn,
            "aws:principalaccount": self.account,
            "aws:principaltype": kind,
            "aws:principalisawsservice": "false",
        }
        if self.user:
            found["aws:username"] = self.user
        for key, value in self.tags.items():
            found[f"aws:principaltag/{key}".lower()] = value
        return found


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reason: str

    def __bool__(self):
        return self.allowed


def decide(caller, action, resource, owner, policy=None, keys=None):
    """`owner` is the resource's account, `policy` the resource's own policy (for a role, its trust policy).

    A key with the value None is not in the request, even if it usually is.
    """
    usual = {
        "aws:securetransport": "true",
        "aws:requestedregion": REGION,
        "aws:resourceaccount": owner,
        **caller.keys(),
    }
    given = {key.lower(): value for key, value in (keys or {}).items()}
    request = Request(
        action, resource, {key: value for key, value in {**usual, **given}.items() if value is not None}
    )

    denied = _denied_by(caller, policy, request)
    if denied:
        return Decision(False, f"explicitly denied by {denied}")
    if caller.is_root and action.startswith("sts:AssumeRole"):
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
        return Decision(False, "the root user assumes no role")
    for level in caller.control_policies:
        if not _allow(level, request):
            return Decision(False, "no service control policy allows it")

    # A service that acts for itself has no policies of its own and no account.
    if caller.service:
        return Decision(
            bool(_granted(policy, caller, request)), "the resource's policy alone decides about a service"
        )
    if caller.account != owner:
        return _across_accounts(caller, policy, request)
    return _within_one_account(caller, policy, request)


def _across_accounts(caller, policy, request):
    if not _own_policies_allow(caller, request):
        return Decision(False, "the caller's own policies do not allow it")
    if not _granted(policy, caller, request):
        return Decision(False, "the resource's policy does not allow it")
    return Decision(True, "allowed on both sides")


def _within_one_account(caller, policy, request):
    granted = _granted(policy, caller, request)
    if granted == DIRECTLY:
        return Decision(True, "the resource's policy names the caller")
    if granted == AS_A_ROLE and _limits_allow(caller, request):
        return Decision(True, "the resource's policy names the caller's role or everybody")
    # A role's trust and a key's policy have to allow. Other resource policies need not.
    if request.action.startswith(("sts:AssumeRole", "kms:")) and granted < BY_ACCOUNT:
        return Decision(False, "the role's trust or the key's policy does not allow it")
    if _own_policies_allow(caller, request):
        return Decision(True, "the caller's own policies allow it")
    return Decision(False, "nothing allows it")


def _denied_by(caller, policy, request):
    sides = [
        ("an identity policy", caller.identity or ()),
        ("the permissions boundary", (caller.boundary,) if caller.boundary else ()),
        ("a session policy", caller.session_policies),
        ("a service control policy", [document for level in caller.control_policies for document in level]),
    ]
    for name, documents in sides:
        if any(statement["Effect"] == "Deny" for statement in _matching(documents, request)):
            return name
    statements = _matching([policy] if policy else [], request)
    if any(statement["Effect"] == "Deny" and named(statement, caller) for statement in statements):
        return "the resource's policy"
    return ""


def _own_policies_allow(caller, request):
    return caller.is_root or (_allow(caller.identity, request) and _limits_allow(caller, request))


def _limits_allow(caller, request):
    limits = [(caller.boundary,)] if caller.boundary else []
    # Several session policies act as one: the union of their permissions.
    limits += [caller.session_policies] if caller.session_policies else []
    return all(_allow(limit, request) for limit in limits)


def _allow(documents, request):
    return any(statement["Effect"] == "Allow" for statement in _matching(documents, request))


def _granted(policy, caller, request):
    """How strongly the resource's policy names the caller in a statement that allows this request."""
    statements = _matching([policy] if policy else [], request)
    return max(
        (named(statement, caller) for statement in statements if statement["Effect"] == "Allow"), default=0
    )


def _matching(documents, request):
    for document in documents:
        version = str(document.get("Version", "2008-10-17"))
        yield from (s for s in as_list(document["Statement"]) if applies(s, version, request))
