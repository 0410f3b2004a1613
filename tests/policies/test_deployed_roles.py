"""The permissions boundary of template.yaml for the roles that pipelines create."""

import pytest

from tests.local.policies.evaluation import Caller, decide
from tests.policies import rows_deployed_roles, scene
from tests.policies.collected import ADMINISTRATOR
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.scene import UNNAMED, PIPELINES
from tests.policies.tables import regional, role
from tests.policies.world import allows_the_account
from tests.templates.deployed import Deployed


def test_call_succeeds_under_the_machinerys_boundary():
    """The machinery's boundary allows the machinery's calls, here all of them. The other boundary denies."""
    deployed = Caller(account=PIPELINES, role="role-dev-thumbnails", identity=(ADMINISTRATOR,), boundary=ADMINISTRATOR)
    denied = [
        (action, resource)
        for _, actions, resource, keys in rows_deployed_roles.MAY_NOT
        for action in actions.split()
        if not decide(deployed, action, resource, PIPELINES, allows_the_account(PIPELINES), keys)
    ]
    assert denied == []


@pytest.mark.parametrize(("account", "keys", "may"), [(UNNAMED, {}, True), (PIPELINES, {}, False), (PIPELINES, {"aws:ResourceAccount": None}, False)])
def test_role_of_another_account_is_for_its_trust(account, keys, may):
    boundary = scene.stacks()["template"].deployed.properties("DeployedRolesBoundary")["PolicyDocument"]
    deployed = Caller(account=PIPELINES, role="role-dev-thumbnails", identity=(ADMINISTRATOR,), boundary=boundary)
    trust = allows_the_account(PIPELINES, "sts:AssumeRole")
    assert bool(decide(deployed, "sts:AssumeRole", role(account, "reader"), account, trust, keys)) == may


_ARN = f"arn:aws:iam::{PIPELINES}:policy"


@pytest.mark.parametrize(("given", "is_accepted", "is_made"), [
    ({}, True, False),
    ({"DeployedRoles": "None"}, True, False),
    ({"DeployedRoles": "Bounded"}, True, True),
    ({"DeployedRolesBoundaryArn": f"{_ARN}/deployed"}, True, False),
    ({"DeployedRolesBoundaryArn": f"{_ARN}/deployed", "DeployedRoles": "Bounded"}, False, False),
    ({"PermissionsBoundaryArn": f"{_ARN}/own"}, True, False),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRoles": "Bounded"}, True, True),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRolesBoundaryArn": f"{_ARN}/deployed"}, True, False),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRolesBoundaryArn": f"{_ARN}/own"}, False, False),
])
def test_deployed_roles_have_one_boundary_of_their_own(given, is_accepted, is_made):
    stack = Deployed(EnvID="dev", **given)
    assert (not stack.broken_rules()) == is_accepted
    assert not is_accepted or stack.is_made("DeployedRolesBoundary") == is_made


# docs/concepts/security.md names these calls: a boundary that allows everything else cannot deny them.
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
