"""The deploy role and the roles that pipelines create have the same limits: template.yaml has each list twice.

test_every_part_is_needed.py requires a row for each part of both lists, and rows_deployed_roles.py has the rows of the
deploy role. These tests evaluate each other action that a pattern matches, and each other resource.
"""

import fnmatch

import pytest

from tests.policies import scene
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.tables import regional
from tests.policies.vocabulary import actions
from tests.templates.deployed import as_list

STACK = scene.stacks()["template"].deployed
(LIMITS,) = [policy["PolicyDocument"]["Statement"] for policy in STACK.properties("CodeDeployCFnRole")["Policies"]]
# Limits that the boundary has in another form, and why.
OTHERWISE = {
    "NoRoleWithoutTheBoundary": "the boundary allows no change to IAM",
    "BoundariesStay": "the boundary allows no change to IAM",
    "NothingElseInIam": "the boundary allows no change to IAM, and limits PassRole and AssumeRole by the same names",
    "NoNotificationsWithKeys": "the boundary denies notifications of any resource",
    "NothingFromReviews": "it is about what a merged template deploys; such a role may read reviews",
}


# The services whose actions a limit denies by NotAction.
SERVICES = ("cloudformation", "cloudwatch", "codebuild", "codecommit", "codepipeline", "ecr", "events", "kms", "lambda", "logs", "s3",
            "secretsmanager", "sns", "sqs", "sts")


def expanded(patterns):
    """All actions that the patterns match."""
    return {action for pattern in as_list(patterns) for action in actions(pattern.split(":")[0])
            if fnmatch.fnmatchcase(action.lower(), pattern.lower())}


def denied(statement):
    """All actions that a statement denies."""
    if "NotAction" in statement:
        return set().union(*map(actions, SERVICES)) - expanded(statement["NotAction"])
    return expanded(statement["Action"])


def calls(statement):
    """A call of each action on a resource of each pattern, with keys that fulfil the conditions. The boundary limits
    calls to IAM by what it allows."""
    keys = {key: as_list(values)[0].replace("*", "x") for conditions in statement.get("Condition", {}).values()
            for key, values in conditions.items()}
    for pattern in as_list(statement.get("Resource", regional("cloudformation", "stack/of-others/0a1b"))):
        resource = pattern if pattern == "*" else pattern.replace("arn:*", "arn:aws").replace("*", "x")
        for action in denied(statement):
            if action.split(":")[0] != "iam" and pattern.split(":")[2:3] in ([], [action.split(":")[0]]):
                yield action, resource, keys


# claim: deployed-role-does-not-reach-the-machinery
@pytest.mark.parametrize("statement", [each for each in LIMITS if each["Sid"] not in OTHERWISE], ids=lambda each: each["Sid"])
def test_limit_of_the_deploy_role_is_one_of_the_boundary(statement):
    made = list(calls(statement))
    assert made
    assert [call for call in made if scene.world().may(DEPLOYED, *call)] == []


