"""branch-protection.yaml guards each identity that a statement exempts, and denies each way to invoke the function.

An exempt role that another identity can use, or an exempt user with a login of another person, exempts everybody.
"""

import pytest

from tests.policies import scene
from tests.policies.scene import APPROVER, PIPELINES, deploy
from tests.policies.tables import role
from tests.policies.vocabulary import actions
from tests.templates.deployed import as_list

ADMINISTRATOR = f"anybody {role(PIPELINES, 'administrator')} under control"
# How an identity of each kind becomes usable for another.
BECOME = {
    "role": {
        "iam:CreateRole",
        "iam:PassRole",
        "iam:UpdateAssumeRolePolicy",
        # Its service runs what others choose, for example a build with another buildspec.
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
    },
    "user": {
        "iam:CreateUser",
        "iam:UpdateUser",
        "iam:CreateAccessKey",
        "iam:UpdateAccessKey",
        "iam:CreateLoginProfile",
        "iam:UpdateLoginProfile",
    },
}
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
        guarded = {action for each in made if arn in as_list(each["Resource"]) for action in as_list(each["Action"])}
        assert BECOME[kind] <= guarded, arn


# claim: no-way-around-an-approval
def test_no_way_to_invoke_the_function_is_left():
    function = scene.stacks()["template"].deployed.arn("Function")
    # AddPermission admits other services, such as SNS, and other accounts.
    ways = {action for action in actions("lambda") if action.startswith("lambda:Invoke")} | {"lambda:AddPermission"}
    assert len(ways) > 2
    assert {action for action in ways if scene.world().may(ADMINISTRATOR, action, function)} == set()


# claim: no-way-around-an-approval
def test_rules_that_invoke_the_function_are_guarded():
    deployed = scene.stacks()["template"].deployed
    sources = {
        permission["SourceArn"]
        for name in deployed.of_type("AWS::Lambda::Permission")
        if deployed.is_made(name)
        for permission in [deployed.properties(name)]
        if permission["Principal"] == "events.amazonaws.com"
    }
    assert len(sources) > 3
    assert {
        source
        for source in sources
        if scene.world().may(ADMINISTRATOR, "events:PutTargets", source.replace("*", "cfn-shop"))
    } == set()
