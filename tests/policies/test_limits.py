"""The deploy role and the roles that pipelines create have the same limits: limits.py is the one table."""

import fnmatch

import pytest

from tests.policies import scene
from tests.policies.limits import (
    EQUAL,
    ON_ANYTHING,
    ON_ROLES,
    ON_STACKS,
    ON_THE_MACHINERY,
    ONLY_UNDER_THE_BOUNDARY,
    OTHERWISE,
)
from tests.policies.vocabulary import actions
from tests.templates.deployed import as_list

STACK = scene.stacks()["template"].deployed
(LIMITS,) = [policy["PolicyDocument"] for policy in STACK.properties("CodeDeployCFnRole")["Policies"]]
BOUNDARY = STACK.properties("DeployedRolesBoundary")["PolicyDocument"]["Statement"]
DEPLOY_ROLE = {statement["Sid"]: statement for statement in LIMITS["Statement"]}
TABLE = ON_ANYTHING | ON_STACKS


def expanded(patterns):
    """All actions that the patterns match."""
    return {
        action
        for pattern in as_list(patterns)
        for action in actions(pattern.split(":")[0])
        if fnmatch.fnmatchcase(action.lower(), pattern.lower())
    }


def denied_on_anything():
    (statement,) = (each for each in BOUNDARY if "chatbot:*" in as_list(each.get("Action", [])))
    assert (statement["Effect"], statement["Resource"]) == ("Deny", "*")
    return statement["Action"]


def the_machinery():
    (statement,) = (each for each in BOUNDARY if "lambda:*" in as_list(each.get("Action", [])))
    return statement


def test_every_statement_of_the_deploy_role_is_in_the_table():
    assert set(DEPLOY_ROLE) == {"CallsWithoutNamesStay", "OtherStacksStay", "MachineryStays", *EQUAL, *OTHERWISE}


def test_deploy_role_denies_the_table():
    assert DEPLOY_ROLE["CallsWithoutNamesStay"]["Action"] == list(ON_ANYTHING)
    assert DEPLOY_ROLE["CallsWithoutNamesStay"]["Resource"] == "*"
    assert DEPLOY_ROLE["OtherStacksStay"]["Action"] == list(ON_STACKS)


# claim: deployed-role-does-not-reach-the-machinery
def test_boundary_denies_the_table():
    assert set(denied_on_anything()) == {*TABLE.values(), *ONLY_UNDER_THE_BOUNDARY}


@pytest.mark.parametrize(("deploy", "boundary"), TABLE.items())
def test_boundary_denies_at_least_the_same_actions(deploy, boundary):
    assert expanded(deploy)
    assert expanded(deploy) <= expanded(boundary)


def test_shorter_patterns_deny_no_other_action():
    """So neither list has a limit that the other one lacks."""
    assert expanded(list(TABLE.values())) == expanded(list(TABLE))


def test_machinery_is_the_same():
    """Its resources too: for each of the deploy role's, the boundary has a pattern that matches it in every environment."""
    assert DEPLOY_ROLE["MachineryStays"]["Action"] == [ON_ROLES[0], *ON_THE_MACHINERY, ON_ROLES[1]]
    assert the_machinery()["Action"] == ON_THE_MACHINERY
    ours = [arn for arn in DEPLOY_ROLE["MachineryStays"]["Resource"] if arn.split(":")[2] != "iam"]
    assert len(ours) > 30
    covered = {arn for arn in ours for pattern in the_machinery()["Resource"] if fnmatch.fnmatchcase(arn, pattern)}
    assert covered == set(ours)


@pytest.mark.parametrize("sid", EQUAL)
def test_statement_has_its_equal_in_the_boundary(sid):
    ours = DEPLOY_ROLE[sid]
    equal = [
        each
        for each in BOUNDARY
        if each["Effect"] == "Deny"
        and "Action" in each
        and expanded(ours["Action"]) <= expanded(each["Action"])
        and as_list(each["Resource"]) == as_list(ours["Resource"])
        and each.get("Condition", {}).keys() == ours.get("Condition", {}).keys()
    ]
    assert len(equal) == 1
    for operator, keys in ours.get("Condition", {}).items():
        for key, values in keys.items():
            theirs = as_list(equal[0]["Condition"][operator][key])
            assert all(any(fnmatch.fnmatchcase(value, pattern) for pattern in theirs) for value in as_list(values)), key
