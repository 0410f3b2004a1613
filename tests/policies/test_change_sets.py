"""The function's change sets with every setting of the parameters that limit them."""

import pytest

from tests.policies import scene
from tests.policies.collected import Stack
from tests.policies.tables import FUNCTION_ROLE, REVIEW_ROLE, WAITING, regional
from tests.templates.deployed import Deployed, translated
from tests.templates.named import DRIFT, PLAN, WITH_DEPLOY, WITH_PROVISIONING, change_set

EXECUTE, CREATE = "cloudformation:ExecuteChangeSet", "cloudformation:CreateChangeSet"
KEYS = [
    change_set(name, keys)
    for name in (PLAN, DRIFT, WAITING, "anything")
    for keys in ({}, WITH_DEPLOY, WITH_PROVISIONING)
]


def stack(name):
    return regional("cloudformation", f"stack/{name}/0a1b")


DEPLOYED_STACKS = [
    stack(name) for name in ("cfnstack-dev-shop", "cfnstack-dev-infra", "cfnstack-dev-shop-Network-1A2B3C")
]


def world(**parameters):
    return scene.world_with(Stack("template", Deployed(template=translated(), EnvID="dev", **parameters)))


def may(evaluated, action, resource, *requests):
    return [keys for keys in requests if evaluated.may(FUNCTION_ROLE, action, resource, keys)]


# claim: function-executes-no-change-set
def test_added_policy_does_not_let_the_function_execute_one():
    """rows_change_sets.py has the same without the policy, and for the pipelines' stacks."""
    evaluated = world()
    keys = change_set(DRIFT)
    assert [each for each in DEPLOYED_STACKS if may(evaluated, EXECUTE, each, {}, *KEYS)] == []
    assert not evaluated.may(f"{FUNCTION_ROLE} with everything", EXECUTE, DEPLOYED_STACKS[0], keys)
    assert evaluated.may(f"{FUNCTION_ROLE} with everything", CREATE, DEPLOYED_STACKS[0], keys)


# claim: review-build-reaches-only-its-own-output
@pytest.mark.parametrize(
    "parameters",
    [
        {"BuildParameterNames": "/*", "BuildSecretNames": "b*"},
        {"MirrorSecretNames": "gitlab", "BuildSecretNames": "g*"},
        {"PipelineRoleNames": "role-dev-*", "RepositoryNames": "team-*", "BuildImageNames": "*"},
    ],
)
def test_no_parameter_adds_a_secret_to_reviews(parameters):
    evaluated = world(**parameters)
    for name in (
        "build/dev/registry-AbC123",
        "gitlab-AbC123",
        "codecommit-mirror/user-dev-shop-mirror-AbC123",
    ):
        assert not evaluated.may(
            REVIEW_ROLE, "secretsmanager:GetSecretValue", regional("secretsmanager", f"secret:{name}"), {}
        ), name
    assert not evaluated.may(
        REVIEW_ROLE, "ssm:GetParameters", regional("ssm", "parameter/build/dev/licence"), {}
    )
    assert not evaluated.may(
        REVIEW_ROLE, "ecr:PutImage ecr:InitiateLayerUpload", regional("ecr", "repository/ecr-dev-shop"), {}
    )
