"""Nothing stands in a policy that no row of a table needs.

Each statement, action, resource, principal, condition and value is taken away in turn: then something
has to be refused that may be done, or allowed that may not. So a policy that nobody has written rows
for is noticed as well.
"""

from functools import cache

import pytest

from . import scene
from .collected import statements
from .mutants import mutants
from .statements import Request, concerns
from .test_tables import TABLES

POLICIES = scene.world().policies


@cache
def decisions():
    """Every call of every row, and what is decided of it."""
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
            has_a_say = " under control" in caller
        elif policy.side == "identity":
            has_a_say = any(arn in caller for arn in policy.principals) and "anybody" not in caller
        else:
            has_a_say = resource == policy.resource or resource.startswith(f"{policy.resource}/")
        if has_a_say:
            yield call, decision


def unnoticed(policy):
    calls = list(calls_that_see(policy))
    variables = {"aws:username": "alice"}
    for what, statement, document in mutants(policy.document):
        changed = scene.world().with_(policy, document)
        # Nothing else can make a difference: what is left out leaves the statement smaller.
        near = [each for each in calls if concerns(statement, "2012-10-17", Request(each[0][1], each[0][2], variables))]
        if not any(bool(changed.may(*call)) != decision for call, decision in near):
            yield what


# What only matters with other parameters, or says what another part says too.
_BY_A_PARAMETER = "RepositoryNames can be a pattern that the pipelines' own repositories do not have"
_TWO_FORMS = "a secret that is there is also matched by the pattern for one that is not, while that ends in a star"
SPARE = {
    "template/FunctionRole/policy-dev-cfn-gitops": {
        "SecretsOfTheMirrors: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/*-??????": _TWO_FORMS,
        "MarksOfDeletions: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:cfn-gitops-dev/deletions/*-??????": _TWO_FORMS,
        "RepositoriesOfMirrorsAndPipelines: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": _BY_A_PARAMETER,
        "SourcesOfOtherAccounts: Resource arn:aws:iam::444455556666:role/role-dev-ecr-source": "one parameter for both kinds of role; "
        "an image's role does not admit the function, which has nothing to look for there",
    },
    "template/CodePipelineCFnPolicy": {
        "Source: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": _BY_A_PARAMETER,
    },
    "template/MirrorUserPolicy": {
        "MirroredRepositories: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-infra": _BY_A_PARAMETER,
    },
}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_part_of_a_policy_is_needed(policy):
    assert set(unnoticed(policy)) == set(SPARE.get(policy.place, {}))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_no_policy_is_empty(policy):
    assert statements(policy)
