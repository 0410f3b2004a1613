"""The permissions boundary of template.yaml for the roles that pipelines create."""

import pytest

from tests.local.policies.evaluation import Caller, decide
from tests.policies import scene
from tests.policies.collected import ADMINISTRATOR
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.scene import PIPELINES, UNNAMED
from tests.policies.tables import regional, role
from tests.policies.world import allows_the_account
from tests.templates.deployed import Deployed


@pytest.mark.parametrize(
    ("account", "keys", "may"),
    [(UNNAMED, {}, True), (PIPELINES, {}, False), (PIPELINES, {"aws:ResourceAccount": None}, False)],
)
def test_role_of_another_account_is_for_its_trust(account, keys, may):
    boundary = scene.stacks()["template"].deployed.properties("DeployedRolesBoundary")["PolicyDocument"]
    deployed = Caller(
        account=PIPELINES, role="role-dev-thumbnails", identity=(ADMINISTRATOR,), boundary=boundary
    )
    trust = allows_the_account(PIPELINES, "sts:AssumeRole")
    assert bool(decide(deployed, "sts:AssumeRole", role(account, "reader"), account, trust, keys)) == may


@pytest.mark.parametrize(
    ("given", "is_made"),
    [
        ({}, False),
        ({"DeployedRoles": "Bounded"}, True),
        ({"DeployedRolesBoundaryArn": f"arn:aws:iam::{PIPELINES}:policy/deployed"}, False),
    ],
)
def test_boundary_is_made_for_roles_without_a_given_one(given, is_made):
    assert Deployed(EnvID="dev", **given).is_made("DeployedRolesBoundary") == is_made


# docs/concepts/security/deployed-template.md names these calls: a boundary that allows everything else cannot
# deny them.
NOT_CONTAINED = [
    ("lambda:UpdateFunctionCode", regional("lambda", "function:of-another-team")),
    ("codebuild:StartBuild", regional("codebuild", "project/of-another-team")),
    ("iam:PassRole", role(PIPELINES, "role-dev-by-hand")),
    ("lambda:UpdateFunctionCode", regional("lambda", "function:lambda-prd-thumbnails")),
]


# claim: code-of-other-principals-is-not-contained
@pytest.mark.parametrize(("action", "resource"), NOT_CONTAINED)
def test_code_of_other_principals_is_not_contained(action, resource):
    assert scene.world().may(DEPLOYED, action, resource)
