"""What the function may approve, with each value of the parameter FunctionApprovals."""

import pytest

from tests.policies.scene import PIPELINES
from tests.policies.tables import regional, role
from tests.policies.test_change_sets import world

FUNCTION = role(PIPELINES, "role-dev-cfn-gitops")
APPROVE = "codepipeline:PutApprovalResult"
OWN = regional("codepipeline", "codepipeline-dev-cfn-shop/Deploy/Approval")
OTHERS = [regional("codepipeline", other) for other in (
    # Without a change set there is nothing to read.
    "codepipeline-dev-cfn-shop/Approval/Approval", "codepipeline-dev-cfn-shop/Deploy/Other", "codepipeline-dev-cfn-shop",
    "codepipeline-prd-cfn-shop/Deploy/Approval", "codepipeline-dev-cfn-shop/Deploy")]


@pytest.mark.parametrize("parameters", [{}, {"FunctionApprovals": "Denied"}])
def test_function_approves_nothing_by_default(parameters):
    evaluated = world(**parameters)
    assert [each for each in (OWN, *OTHERS) if evaluated.may(FUNCTION, APPROVE, each, {})] == []


def test_function_approves_only_the_change_sets_of_its_environment():
    evaluated = world(FunctionApprovals="NoChanges")
    assert [each for each in (OWN, *OTHERS) if evaluated.may(FUNCTION, APPROVE, each, {})] == [OWN]
