"""branch-protection.yaml guards each identity that a statement exempts, and denies each way to invoke the
function, but not to invoke the one that only reads.

An exempt role that another identity can use, or an exempt user with a login of another person, exempts
everybody.
"""

from fnmatch import fnmatchcase

import pytest

from tests.policies import scene
from tests.policies.rows_people import BECOME_A_ROLE, BECOME_A_USER, UNDER_CONTROL
from tests.policies.scene import APPROVER, PIPELINES, deploy
from tests.policies.vocabulary import actions, expanded
from tests.templates.deployed import as_list

# How an identity of each kind becomes usable for another. With a policy of others, a role's service runs what
# they choose.
BECOME = {"role": set(BECOME_A_ROLE.split()), "user": set(BECOME_A_USER.split())}
PARAMETERS = [
    {},
    {"ApproverArns": f"{APPROVER},arn:aws:iam::*:role/approvers-*"},
    {"ExemptPrincipalArns": "arn:aws:iam::*:role/break-glass,arn:aws:iam::111122223333:user/deployment"},
    {
        "MirrorUserNames": "gitlab-*",
        "RepositoryNames": "team-*",
        "ProtectedBranches": "main",
        "MirrorSecretNames": "gitlab/*",
    },
]


def statements(**parameters):
    for policy in deploy("branch-protection", TargetIds=PIPELINES, **parameters).policies():
        yield from policy.document["Statement"]


def exempt(statement):
    return as_list(statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"])


# claim: no-way-around-an-approval
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_each_exempt_identity_is_guarded(parameters):
    made = list(statements(**parameters))
    exempted = {arn for statement in made for arn in exempt(statement)}
    assert len(exempted) >= 7
    for arn in exempted:
        kind = arn.split(":")[5].split("/")[0]
        guarded = {
            action
            for each in made
            if any(fnmatchcase(arn, guarded) for guarded in as_list(each["Resource"]))
            for action in expanded(each["Action"])
        }
        assert BECOME[kind] <= guarded, arn


# claim: no-way-around-an-approval
def test_no_way_to_invoke_the_function_is_left():
    """By a call, by another service or account that a policy of the function admits, or by a rule that
    invokes it."""
    deployed = scene.stacks()["template"].deployed
    ways = {action for action in actions("lambda") if action.startswith("lambda:Invoke")} | {
        "lambda:AddPermission",
        "lambda:PutResourcePolicy",
    }
    permissions = [
        deployed.properties(name)
        for name in deployed.of_type("AWS::Lambda::Permission")
        if deployed.is_made(name)
    ]
    rules = {each["SourceArn"] for each in permissions if each["Principal"] == "events.amazonaws.com"}
    assert len(ways) > 2 and len(rules) > 3
    calls = [
        *((way, deployed.arn("Function")) for way in ways),
        *(
            (way, rule.replace("*", "cfn-shop"))
            for rule in rules
            for way in ("events:PutRule", "events:PutTargets")
        ),
    ]
    assert [call for call in calls if scene.world().may(UNDER_CONTROL, *call)] == []


# claim: no-way-around-an-approval
def test_function_that_only_reads_is_as_guarded_and_may_be_invoked():
    deployed = scene.stacks()["template"].deployed
    of_one, of_the_other = (
        {
            action
            for action in actions("lambda")
            if scene.world().may(UNDER_CONTROL, action, deployed.arn(name))
        }
        for name in ("Function", "ReadFunction")
    )
    assert of_the_other - of_one == {
        action for action in actions("lambda") if action.startswith("lambda:Invoke")
    }
    assert of_one <= of_the_other
