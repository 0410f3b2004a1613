"""The function's change sets with every setting of the parameters that limit them, and with SelfRepair."""

import pytest

from tests.policies import scene
from tests.policies.collected import Stack, statements
from tests.policies.scene import PIPELINES
from tests.policies.tables import regional, role
from tests.templates.deployed import Deployed, as_list, translated
from tests.templates.named import DRIFT, PLAN, WITH_DEPLOY, WITH_PROVISIONING, change_set

FUNCTION = role(PIPELINES, "role-dev-cfn-gitops")
EXECUTE, CREATE = "cloudformation:ExecuteChangeSet", "cloudformation:CreateChangeSet"
WAITING = "changeset-dev-shop"
REPAIR = ("Disabled", "Report", "Repair")
KEYS = [change_set(name, keys) for name in (PLAN, DRIFT, WAITING, "anything") for keys in ({}, WITH_DEPLOY, WITH_PROVISIONING)]


def stack(name):
    return regional("cloudformation", f"stack/{name}/0a1b")


DEPLOYED_STACKS = [stack(name) for name in ("cfnstack-dev-shop", "cfnstack-dev-infra", "cfnstack-dev-shop-Network-1A2B3C")]


def world(**parameters):
    return scene.world_with(Stack("template", Deployed(template=translated(), EnvID="dev", **parameters)))


def may(evaluated, action, resource, *requests):
    return [keys for keys in requests if evaluated.may(FUNCTION, action, resource, keys)]


# claim: function-executes-no-change-set-of-a-deployed-stack
@pytest.mark.parametrize("repair", REPAIR)
def test_no_change_set_of_a_deployed_stack_is_executed(repair):
    evaluated = world(SelfRepair=repair)
    assert [each for each in DEPLOYED_STACKS if may(evaluated, EXECUTE, each, {}, *KEYS)] == []


# claim: function-executes-no-change-set-of-a-deployed-stack
def test_added_policy_does_not_let_the_function_execute_one():
    evaluated = world(SelfRepair="Repair")
    keys = change_set(DRIFT)
    assert not evaluated.may(f"{FUNCTION} with everything", EXECUTE, DEPLOYED_STACKS[0], keys)
    assert evaluated.may(f"{FUNCTION} with everything", CREATE, DEPLOYED_STACKS[0], keys)


# claim: change-sets-are-executed-only-with-self-repair
@pytest.mark.parametrize("repair", ["Disabled", "Report"])
def test_without_repair_no_change_set_is_executed(repair):
    evaluated = world(SelfRepair=repair)
    assert may(evaluated, EXECUTE, stack("gitops-dev-shop"), {}, *KEYS) == []


def test_self_repair_is_off_by_default():
    assert may(world(), EXECUTE, stack("gitops-dev-shop"), {}, *KEYS) == []


# claim: change-sets-are-executed-only-with-self-repair
def test_self_repair_executes_drift_of_pipelines_only():
    evaluated = world(SelfRepair="Repair")
    executed = may(evaluated, EXECUTE, stack("gitops-dev-shop"), {}, *KEYS)
    assert {keys["cloudformation:ChangeSetName"] for keys in executed} == {DRIFT}
    for other in ("gitops-prd-shop", "gitops-dev2-shop", "cfn-gitops-dev", "anything"):
        assert may(evaluated, EXECUTE, stack(other), {}, *KEYS) == [], other


@pytest.mark.parametrize("repair", REPAIR)
def test_change_set_needs_its_name_and_its_role(repair):
    evaluated = world(SelfRepair=repair)
    created = may(evaluated, CREATE, DEPLOYED_STACKS[0], {}, *KEYS)
    assert created == [change_set(PLAN, WITH_DEPLOY), change_set(DRIFT, WITH_DEPLOY)]
    assert may(evaluated, CREATE, stack("gitops-dev-shop"), {}, *KEYS) == [change_set(DRIFT, WITH_PROVISIONING)]


def test_pipelines_stacks_are_those_of_the_environment():
    evaluated = world(SelfRepair="Repair")
    ours, other = stack("gitops-dev-shop"), stack("gitops-prd-shop")
    for action, keys in ((CREATE, change_set(DRIFT, WITH_PROVISIONING)), (EXECUTE, change_set(DRIFT)),
                         ("cloudformation:DescribeChangeSet", change_set(DRIFT)), ("cloudformation:DeleteChangeSet", change_set(DRIFT))):
        assert evaluated.may(FUNCTION, action, ours, keys), action
        assert not evaluated.may(FUNCTION, action, other, keys), action


def test_two_policies_allow_to_execute_change_sets():
    """The function's, with SelfRepair, and CodePipeline's."""
    allowed = {
        policy.place
        for policy in scene.world().policies
        for statement in statements(policy)
        if policy.side == "identity" and statement["Effect"] == "Allow" and EXECUTE in as_list(statement.get("Action", []))
    }
    assert allowed == {"template/FunctionChangeSetsPolicy", "template/CodePipelineCFnPolicy"}


# --- Reviews with other parameters -----------------------------------------------------------

REVIEW_ROLE = role(PIPELINES, "role-dev-review-codebuild-cfn")


def repository(name):
    return regional("codecommit", name)


def test_review_clones_the_repositories_of_the_parameter():
    evaluated = world(RepositoryNames="team-*")
    cloned = [name for name in ("team-a", "codecommit-dev-cfn-shop", "codecommit-dev-website", "codecommit-prd-cfn-shop", "other")
              if evaluated.may(REVIEW_ROLE, "codecommit:GitPull", repository(name), {})]
    assert cloned == ["team-a", "codecommit-dev-cfn-shop"]


# claim: review-build-reaches-only-its-own-output
@pytest.mark.parametrize("parameters", [
    {"BuildParameterNames": "/*", "BuildSecretNames": "b*"},
    {"MirrorSecretNames": "gitlab", "BuildSecretNames": "g*"},
    {"PipelineRoleNames": "role-dev-*", "RepositoryNames": "team-*", "BuildImageNames": "*"},
])
def test_no_parameter_adds_a_secret_to_reviews(parameters):
    evaluated = world(**parameters)
    for name in ("build/dev/registry-AbC123", "gitlab-AbC123", "codecommit-mirror/user-dev-shop-mirror-AbC123"):
        assert not evaluated.may(REVIEW_ROLE, "secretsmanager:GetSecretValue", regional("secretsmanager", f"secret:{name}"), {}), name
    assert not evaluated.may(REVIEW_ROLE, "ssm:GetParameters", regional("ssm", "parameter/build/dev/licence"), {})
    assert not evaluated.may(REVIEW_ROLE, "ecr:PutImage ecr:InitiateLayerUpload", regional("ecr", "repository/ecr-dev-shop"), {})
