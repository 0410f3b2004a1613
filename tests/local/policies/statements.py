"""Evaluates whether one statement of a policy applies to one request.

Wildcards and comparisons of condition operators are MiniStack's, which others use and maintain. This module
adds rules that AWS documents and MiniStack lacks: policy variables, ARNs that are compared part by part, keys
whose values MiniStack invents, and the principals of a resource's policy.
"""

import re
from dataclasses import dataclass
from functools import cache

from ministack.core.iam_evaluator import _CONDITION_OPS, _NEGATED_OPS, fnmatch_iam, fnmatch_iam_cs

# How a resource's policy names a caller, the strongest first. It matters within one account: a boundary does
# not limit permissions for a user's or session's ARN, but does limit those for a role's ARN. Permissions for
# the account are effective through the account's own policies.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
DIRECTLY, AS_A_ROLE, BY_ACCOUNT = 3, 2, 1

_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# Replacements for a star and a question mark that are not wildcards.
_LITERAL = str.maketrans({"*": "\ue000", "?": "\ue001"})


class NoValue(Exception):
    """A policy variable whose key is not in the request."""


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    keys: dict  # condition keys in lower case, a list if AWS has several values


def as_list(value):
    return value if isinstance(value, list) else [value]


def applies(statement, version, request):
    """Whether action, resource and conditions of a statement match, without the principal."""
    return concerns(statement, version, request) and _conditions(statement, version, request)


def concerns(statement, version, request):
    """Whether action and resource match."""
    return _action(statement, request) and _resource(statement, version, request)


def _action(statement, request):
    # Not case-sensitive.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    if "NotAction" in statement:
        return not any(_is_action(request.action, pattern) for pattern in as_list(statement["NotAction"]))
    return any(_is_action(request.action, pattern) for pattern in as_list(statement["Action"]))


# MiniStack keeps only so many compiled patterns. The tests compare the same few actions with the same
# patterns.
_is_action = cache(fnmatch_iam)


def _resource(statement, version, request):
    if "NotResource" in statement:
        # A pattern with a variable without a value matches no resource, so it excepts none.
        return not any(
            _is_resource(pattern, version, request) for pattern in as_list(statement["NotResource"])
        )
    # A trust policy has no resource: the resource is its role.
    return any(_is_resource(pattern, version, request) for pattern in as_list(statement.get("Resource", "*")))


def _is_resource(pattern, version, request):
    try:
        pattern = _with_values(pattern, version, request.keys)
    except NoValue:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
        return False
    return _matches(pattern, request.resource)


@cache
def _matches(pattern, resource):
    actual = resource.translate(_LITERAL)
    if pattern == "*" or not pattern.startswith("arn:"):
        return fnmatch_iam_cs(actual, pattern)
    # A star matches across parts of the ARN only if it is the last character of its part.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    wanted, had = pattern.split(":", 5), actual.split(":", 5)
    for number, part in enumerate(wanted):
        if part.endswith("*"):
            rest, remaining = ":".join(wanted[number:]), ":".join(had[number:])
            return fnmatch_iam_cs(remaining, rest)
        if number >= len(had) or not fnmatch_iam_cs(had[number], part):
            return False
    return len(wanted) == len(had)


def _conditions(statement, version, request):
    """All keys of all operators have to match. Of several values of one key, one has to match.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
    """
    return all(
        _condition(operator, request.keys.get(key.lower()), as_list(values), version, request.keys)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _condition(operator, actual, values, version, keys):
    name = operator.lower()
    if name == "null":
        # Supports no variables. An empty set is not a value.
        return (actual in (None, [])) == (str(values[0]).lower() == "true")
    if_exists, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    quantifier, _, name = name.rpartition(":")
    compare, negated = _COMPARISONS[name], name in _NEGATED_OPS
    if actual is None:
        return if_exists or quantifier == "forallvalues" or (not quantifier and negated)

    expected = []
    for value in values:
        try:
            expected.append(_with_values(str(value), version, keys, name not in _WITH_WILDCARDS))
        except NoValue:
            # Like a missing key: equal to nothing.
            continue

    def matches(one):
        return (all if negated else any)(compare(str(one), value) for value in expected)

    if quantifier:
        # "Null data sets, such as an empty string" count as missing.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
        members = [member for member in as_list(actual) if member != ""]
        return (all if quantifier == "forallvalues" else any)(matches(member) for member in members)
    return matches(actual)


def _is_arn(actual, pattern):
    """Compares each of the six parts: a star does not match a colon.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    had, wanted = actual.translate(_LITERAL).split(":", 5), pattern.split(":", 5)
    return len(had) == len(wanted) and all(map(fnmatch_iam_cs, had, wanted))


def _is_like(actual, pattern):
    return fnmatch_iam_cs(actual.translate(_LITERAL), pattern)


_COMPARISONS = {
    **_CONDITION_OPS,
    "stringlike": _is_like,
    "stringnotlike": lambda actual, pattern: not _is_like(actual, pattern),
    "arnequals": _is_arn,
    "arnlike": _is_arn,
    "arnnotequals": lambda actual, pattern: not _is_arn(actual, pattern),
    "arnnotlike": lambda actual, pattern: not _is_arn(actual, pattern),
}
_WITH_WILDCARDS = {name for name in _COMPARISONS if name.startswith("arn") or name.endswith("like")}


def _with_values(text, version, keys, plain=False):
    """Replaces policy variables. A star in a value is not a wildcard.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    if version != "2012-10-17" or "${" not in text:
        return text

    def value(match):
        name, _, default = match.group(1).partition(", ")
        is_escape = name in ("*", "?", "$")
        found = name if is_escape else keys.get(name.lower(), default.strip("'") or None)
        if found is None or isinstance(found, list):
            raise NoValue(name)
        return found if plain else found.translate(_LITERAL)

    return _VARIABLE.sub(value, text)


def named(statement, caller):
    """How strongly the statement names the caller, 0 for not at all.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if "NotPrincipal" in statement:
        return AS_A_ROLE if _is_not_excepted(statement["NotPrincipal"], caller) else 0
    principal = statement.get("Principal", {})
    if principal == "*":
        return AS_A_ROLE
    if caller.service:
        return DIRECTLY if caller.service in as_list(principal.get("Service", [])) else 0
    return max((_strength(name, caller) for name in as_list(principal.get("AWS", []))), default=0)


def _strength(name, caller):
    # A star cannot be a part of a name, so names are compared whole.
    if name == "*":
        return AS_A_ROLE
    if name == caller.session_arn:
        return DIRECTLY
    if name == caller.arn:
        return AS_A_ROLE if caller.session_arn else DIRECTLY
    account = _ACCOUNT.fullmatch(name)
    return BY_ACCOUNT if account and account.group(1) == caller.account else 0


def _is_not_excepted(principal, caller):
    """Compares the account, then the user or role, then the session: all of them have to be excepted.

    A caller with a boundary is never excepted.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    """
    excepted = set(as_list(principal.get("AWS", []))) | set(as_list(principal.get("Service", [])))
    if caller.service:
        return caller.service not in excepted
    needed = {f"arn:aws:iam::{caller.account}:root", caller.arn, caller.session_arn} - {""}
    return bool(caller.boundary) or not needed <= excepted
