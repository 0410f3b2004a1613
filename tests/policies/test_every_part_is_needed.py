"""Every part of a policy is needed by a row of a table.

Each statement, action, resource, principal, condition and value is taken away in turn: then something
has to be refused that may be done, or allowed that may not. So a policy that nobody has written rows
for is noticed as well.
"""

from functools import cache

import pytest

from local.policies.statements import Request, concerns
from tests.policies import scene
from tests.policies.collected import statements
from tests.policies.mutants import mutants
from tests.policies.test_tables import TABLES
from tests.templates.named import A_BUILD

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
        elif policy.side == "boundary":
            has_a_say = " under the boundary" in caller
        elif policy.side == "identity":
            has_a_say = any(arn in caller for arn in policy.principals) and "anybody" not in caller
        else:
            has_a_say = resource == policy.resource or resource.startswith(f"{policy.resource}/")
        if has_a_say:
            yield call, decision


def is_concerned(call, statement):
    _, action, resource, _ = call
    # The variables that stand in a resource, and the user and the build of the tables that they are about.
    return concerns(statement, "2012-10-17", Request(action, resource, {"aws:username": "alice", "aws:userid": A_BUILD}))


def unnoticed(policy):
    calls = list(calls_that_see(policy))
    # A statement that is made smaller makes a difference only where it said something,
    near = {number: [each for each in calls if is_concerned(each[0], s)] for number, s in enumerate(statements(policy))}
    for what, number, after, document in mutants(policy.document):
        before = statements(policy)[number]
        changed = scene.world().with_(policy, document)
        is_about_conditions = after and all(before.get(key) == after.get(key) for key in ("Action", "Resource"))
        # and one with an exception less also where it said nothing.
        excepted = calls if "NotResource" in before else ()
        for call, decision in [*near[number], *(each for each in excepted if not is_concerned(each[0], before))]:
            # Without some action or resource, it says the same of all others.
            if after and not is_about_conditions and is_concerned(call, after) == is_concerned(call, before):
                continue
            if bool(changed.may(*call)) != decision:
                break
        else:
            yield what


# What only matters with other parameters, or says what another part says too.
_BY_A_PARAMETER = "RepositoryNames can be a pattern that the pipelines' own repositories do not have"
_TWO_FORMS = "a secret that is there is also matched by the pattern for one that is not, while that ends in a star"
_OTHER_BUCKET = "the bucket here has the name of every other one; with another: test_other_parameters.py"
SPARE = {
    "template/FunctionRole/policy-dev-cfn-gitops": {
        "SecretsOfTheMirrors: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-*-??????": _TWO_FORMS,
        "MarksOfDeletions: Resource arn:aws:secretsmanager:eu-central-1:123456789012:secret:cfn-gitops-dev/deletions/*-??????": _TWO_FORMS,
        "RepositoriesOfMirrorsAndPipelines: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": _BY_A_PARAMETER,
        "SourcesOfOtherAccounts: Resource arn:aws:iam::444455556666:role/role-dev-ecr-source": "one parameter for both kinds of role; "
        "an image's role does not admit the function, which has nothing to look for there",
    },
    "template/CodeDeployCFnRole/policy-dev-codedeploy-cfn-limits": {
        f"BucketsOfArtifactsStay: {part}": _OTHER_BUCKET
        for part in ("the whole statement", "Action s3:Delete*", "Action s3:List*", "Action s3:Put*", "Action s3:Replicate*")
    } | {
        "MachineryStays: Resource arn:aws:iam::123456789012:policy/boundary": "only of a boundary that CloudFormation named after "
        "a pipeline's stack: every other policy stays by NothingElseInIam",
    },
    "template/DeployedRolesBoundary": {
        # Its statements have no Sids.
        f"statement 11: {part}": _OTHER_BUCKET
        for part in ("the whole statement", "Action s3:Delete*", "Action s3:List*", "Action s3:Put*", "Action s3:Replicate*")
    } | {
        "statement 7: Resource arn:aws:cloudformation:eu-central-1:123456789012:stack/cfn-gitops-dev/5f1d2c90": "this stack may have another name",
        "statement 5: StringEqualsIfExists aws:ResourceAccount": "no role here trusts the whole account: test_deployed_roles.py",
    },
    "template/CodePipelineCFnPolicy": {
        "Source: Resource arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-*": _BY_A_PARAMETER,
    },
    "people/BranchProtectionPolicy": {
        "NobodyReadsItsPassword: Resource arn:aws:secretsmanager:*:123456789012:secret:codecommit-mirror/*-??????": _TWO_FORMS,
    },
    "branch-protection/BranchProtection": {
        "NobodyBecomesTheMirror: Resource arn:aws:secretsmanager:*:*:secret:codecommit-mirror/*-??????": _TWO_FORMS,
    },
}


# claim: every-part-of-a-policy-is-needed
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_every_part_of_a_policy_is_needed(policy):
    assert set(unnoticed(policy)) == set(SPARE.get(policy.place, {}))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.place)
def test_no_policy_is_empty(policy):
    assert statements(policy)
