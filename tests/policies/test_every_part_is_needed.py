"""Every part of a policy is needed by a row of a table.

Each statement, action, resource, principal, condition and value is removed in turn. Then a row of MAY has to
be denied, or a row of MAY_NOT allowed. This also finds a policy that has no rows.
"""

import copy
from functools import cache

import pytest

from tests.local.policies.statements import Request, as_list, concerns
from tests.policies import scene
from tests.policies.collected import statements
from tests.policies.test_tables import TABLES
from tests.templates.named import A_BUILD, FOREIGN_BUCKET

POLICIES = scene.world().policies

_LISTS = ("Action", "NotAction", "Resource", "NotResource")


def smaller_policies(document):
    """The changed part, its statement, the new value (None: removed), and the changed document."""
    statements = as_list(document["Statement"])
    for number, statement in enumerate(statements):
        sid = statement.get("Sid", f"statement {number + 1}")
        for what, changed in _of_statement(statement):
            rest = [
                changed if index == number else other
                for index, other in enumerate(statements)
                if index != number or changed
            ]
            yield f"{sid}: {what}", number, changed, {**document, "Statement": rest}


def _of_statement(statement):
    yield "the whole statement", None
    for key in _LISTS:
        yield from _shorter(statement, (key,))
    if isinstance(statement.get("Principal"), dict):
        for kind in statement["Principal"]:
            yield from _shorter(statement, ("Principal", kind))
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            yield f"{operator} {key}", _with(statement, ("Condition", operator, key), None)
            yield from _shorter(statement, ("Condition", operator, key))


def _shorter(statement, path):
    """Leaves out one of several values. A single value is left out with its statement or condition."""
    values = statement
    for step in path:
        values = values.get(step, [])
    if isinstance(values, list) and len(values) > 1:
        for index, value in enumerate(values):
            yield f"{path[-1]} {value}", _with(statement, path, values[:index] + values[index + 1 :])


def _with(statement, path, values):
    """The statement with other values at a place, or without any."""
    changed = inner = copy.deepcopy(statement)
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = values
    if values is None:
        del inner[path[-1]]
    return changed


@cache
def decisions():
    """Every call of every row, and its decision."""
    calls = [
        (caller, action, resource, keys)
        for table in TABLES.values()
        for caller, actions, resource, keys in [*table.MAY, *table.MAY_NOT]
        for action in actions.split()
    ]
    return [(call, bool(scene.world().may(*call))) for call in calls]


def calls_that_see(policy):
    for call, decision in decisions():
        caller, _, resource, _ = call
        if policy.side == "control":
            is_relevant = " under control" in caller
        elif policy.side == "boundary":
            is_relevant = " under the boundary" in caller
        elif policy.side == "added":
            is_relevant = " with deployed services" in caller
        elif policy.side == "identity":
            is_relevant = any(arn in caller for arn in policy.principals) and "anybody" not in caller
        else:
            is_relevant = resource == policy.resource or resource.startswith(f"{policy.resource}/")
        if is_relevant:
            yield call, decision


def is_concerned(call, statement):
    _, action, resource, _ = call
    # The variables in a resource, and the user and the build of the tables that they stand for.
    return concerns(
        statement, "2012-10-17", Request(action, resource, {"aws:username": "alice", "aws:userid": A_BUILD})
    )


def unnoticed(policy):
    calls = list(calls_that_see(policy))
    concerned = [[is_concerned(call, each) for call, _ in calls] for each in statements(policy)]
    for what, number, after, document in smaller_policies(policy.document):
        before = statements(policy)[number]
        changed = scene.world().with_(policy, document)
        is_about_conditions = after and all(before.get(key) == after.get(key) for key in _LISTS)
        # A smaller statement changes decisions only of calls that it applied to, and a smaller exception also
        # those of others.
        has_exception = not {"NotAction", "NotResource"}.isdisjoint(before)
        for (call, decision), is_near in zip(calls, concerned[number], strict=True):
            if not is_near and not has_exception:
                continue
            # Without one action or resource, it applies to all other calls as before.
            if after and not is_about_conditions and is_concerned(call, after) == is_near:
                continue
            if bool(changed.may(*call)) != decision:
                break
        else:
            yield what


# Parts that need other parameters, or that repeat another part.
_BY_A_PARAMETER = "RepositoryNames can be a pattern that the pipelines' own repositories do not match"
_DEPLOYMENT = "aws:PrincipalArn arn:aws:iam::*:role/cfn-gitops-dev-deployment"
_OTHER_EXEMPTION = "a value of the same parameter, which other rows need"
_TWO_FORMS = "the pattern for a missing secret also matches an existing one, because it ends in a star"
_BY_ITS_NAME = "this bucket also has a name that is denied; the second bucket in the parameter does not"
SPARE = {
    "template/FunctionRole/policy-dev-cfn-gitops": {
        "SecretsOfTheMirrors: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-*-??????": (  # noqa: E501
            _TWO_FORMS
        ),
        "MarksOfDeletions: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:cfn-gitops-dev/deletions/*-??????": (  # noqa: E501
            _TWO_FORMS
        ),
        "RepositoriesOfMirrorsAndPipelines: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": (  # noqa: E501
            _BY_A_PARAMETER
        ),
        "SourcesOfOtherAccounts: Resource arn:aws:iam::444455556666:role/role-dev-ecr-source": (
            "one parameter for both kinds of role; "
            "an image's role does not trust the function, which makes no call there"
        ),
    },
    "template/FunctionReadPolicy": {
        "SecretsOfTheMirrorsDescribed: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-*-??????": (  # noqa: E501
            _TWO_FORMS
        ),
        "BranchesOfMirrorsAndPipelines: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": (  # noqa: E501
            _BY_A_PARAMETER
        ),
    },
    "template/ReadFunctionRole/policy-dev-cfn-gitops-read-function": {
        "CommitsOfThePipelines: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": (
            _BY_A_PARAMETER
        ),
    },
    "template/FunctionChangeSetsPolicy": {
        "DeployedStacksStay: the whole statement": "only with an added policy: test_change_sets.py",
    },
    "template/ReviewCodeBuildCFnPolicy": {
        "SourceOfTheBuilds: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": (
            _BY_A_PARAMETER
        ),
    },
    "template/CodeDeployCFnRole/policy-dev-codedeploy-cfn-limits": {
        f"BucketsAndKeysStay: Resource {FOREIGN_BUCKET}*": _BY_ITS_NAME,
        "MachineryStays: Resource arn:aws:iam::123456789012:policy/boundary": (
            "only for a boundary that CloudFormation named after "
            "a pipeline's stack: every other policy stays by NothingElseInIam"
        ),
    },
    "template/DeployedRolesBoundary": {
        # Statements without Sids.
        f"statement 13: Resource {FOREIGN_BUCKET}*": _BY_ITS_NAME,
        "statement 9: Resource arn:*:cloudformation:*:*:stack/cfn-gitops-dev/*": (
            "this stack may have another name"
        ),
        "statement 6: StringEqualsIfExists aws:ResourceAccount": (
            "no role here trusts the whole account: test_deployed_roles.py"
        ),
    },
    "template/CodePipelineCFnPolicy": {
        "Source: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": _BY_A_PARAMETER,
    },
    "template/EnvIDGuard": {
        "NoEffect: the whole statement": "attached to no identity: its name stops changes of EnvID"
    },
    "people/BranchProtectionPolicy": {
        "NobodyReadsItsPassword: Resource arn:aws:secretsmanager:*:123456789012:secret:codecommit-mirror/*-??????": (  # noqa: E501
            _TWO_FORMS
        ),
    },
    "branch-protection/BranchProtection": {
        "NobodyTakesThemAwayOrBecomesTheMirror: Resource arn:aws:secretsmanager:*:*:secret:codecommit-mirror/user-dev-*-??????": (  # noqa: E501
            _TWO_FORMS
        ),
        **dict.fromkeys(
            (
                f"{statement}: {_DEPLOYMENT}"
                for statement in ("OnlyTheMirrorChangesThese", "NobodyTakesThemAwayOrBecomesTheMirror")
            ),
            _OTHER_EXEMPTION,
        ),
    },
    "branch-protection/ApprovalProtection": {f"NobodyGoesAroundThem: {_DEPLOYMENT}": _OTHER_EXEMPTION},
}


# claim: every-part-of-a-policy-is-needed
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_part_of_a_policy_is_needed(policy):
    assert statements(policy)
    assert set(unnoticed(policy)) == set(SPARE.get(policy.place, {}))
