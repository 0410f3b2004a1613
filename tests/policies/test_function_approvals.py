"""The approvals of the function, with each value of the parameter FunctionApprovals."""

import pytest

from tests.policies.tables import FUNCTION_ROLE, PIPELINE, regional
from tests.policies.test_change_sets import world
from tests.policies.test_who import everybody
from tests.templates.deployed import Deployed
from tests.templates.renderings import NAMES, rendering
from tests.templates.test_cross_account_guards import matches, push

APPROVE = "codepipeline:PutApprovalResult"
OWN = f"{PIPELINE}/Deploy/Approval"
OTHERS = [
    regional("codepipeline", other)
    for other in (
        # Without a change set there is nothing to read.
        "codepipeline-dev-cfn-shop/Approval/Approval",
        "codepipeline-dev-cfn-shop/Deploy/Other",
        "codepipeline-dev-cfn-shop",
        "codepipeline-prd-cfn-shop/Deploy/Approval",
        "codepipeline-dev-cfn-shop/Deploy",
    )
]
VALUES = ["Denied", "NoChanges"]


# claim: function-approves-only-what-the-parameter-allows
@pytest.mark.parametrize(
    ("parameters", "approved"),
    [({}, []), *[({"FunctionApprovals": value}, [] if value == "Denied" else [OWN]) for value in VALUES]],
)
def test_function_approves_only_the_change_sets_of_its_environment(parameters, approved):
    evaluated = world(**parameters)
    assert [each for each in (OWN, *OTHERS) if evaluated.may(FUNCTION_ROLE, APPROVE, each, {})] == approved


# claim: function-approves-only-what-the-parameter-allows
@pytest.mark.parametrize("value", VALUES)
def test_parameter_lets_no_other_principal_approve(value):
    evaluated = world(FunctionApprovals=value, DeployedRoles="Bounded")
    able = {
        who.rsplit("/", 1)[-1]
        for who in everybody()
        for each in (OWN, *OTHERS)
        if evaluated.may(who, APPROVE, each, {})
    }
    assert able == {"group-dev-approvers"} | ({"role-dev-cfn-gitops"} if value != "Denied" else set())


def pipeline_patterns(name):
    """The patterns of a pipeline's rules for CodeCommit."""
    stack = Deployed(template=rendering(name), stack_name="gitops-dev-infra", EnvID="dev", ProjectID="infra")
    patterns = [
        stack.properties(each)["EventPattern"]
        for each in stack.of_type("AWS::Events::Rule")
        if stack.is_made(each)
    ]
    return [pattern for pattern in patterns if "aws.codecommit" in pattern["source"]]


@pytest.mark.parametrize("name", NAMES)
def test_tag_starts_no_pipeline_even_with_a_branch_name(name):
    for pattern in pipeline_patterns(name):
        (repository,) = pattern["resources"]
        for branch in pattern["detail"]["referenceName"]:
            # A prefix or a wildcard of review branches.
            branch = branch if isinstance(branch, str) else next(iter(branch.values())).replace("*", "a")
            assert matches(pattern, {**push(repository, branch), "account": repository.split(":")[4]})
            assert not matches(pattern, push(repository, branch, "tag", "referenceCreated")), branch
