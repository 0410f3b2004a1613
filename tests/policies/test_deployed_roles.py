"""The permissions boundary of template.yaml for the roles that pipelines create."""

import pytest

from tests.local.policies.evaluation import Caller, decide
from tests.policies import rows_deployed_roles, scene
from tests.policies.collected import ADMINISTRATOR
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.scene import UNNAMED, PIPELINES
from tests.policies.tables import regional, role
from tests.templates.deployed import DEPLOYED_BOUNDARY, Deployed


def test_call_succeeds_under_the_machinerys_boundary():
    """The machinery's boundary allows the machinery's calls, here all of them. The other boundary denies."""
    deployed = Caller(account=PIPELINES, role="role-dev-thumbnails", identity=(ADMINISTRATOR,), boundary=ADMINISTRATOR)
    # A role's trust and a key's policy, which leave the decision to the account.
    account = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": PIPELINES}, "Action": "*"}]}
    denied = [
        (action, resource)
        for _, actions, resource, keys in rows_deployed_roles.MAY_NOT
        for action in actions.split()
        if not decide(deployed, action, resource, PIPELINES, account, keys)
    ]
    assert denied == []


@pytest.mark.parametrize(("account", "keys", "may"), [(UNNAMED, {}, True), (PIPELINES, {}, False), (PIPELINES, {"aws:ResourceAccount": None}, False)])
def test_role_of_another_account_is_for_its_trust(account, keys, may):
    boundary = scene.stacks()["template"].deployed.properties("DeployedRolesBoundary")["PolicyDocument"]
    deployed = Caller(account=PIPELINES, role="role-dev-thumbnails", identity=(ADMINISTRATOR,), boundary=boundary)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": PIPELINES}, "Action": "sts:AssumeRole"}]}
    assert bool(decide(deployed, "sts:AssumeRole", role(account, "reader"), account, trust, keys)) == may


def test_no_principal_of_a_template_has_the_boundary():
    for stack in scene.stacks().values():
        for name in stack.deployed.of_type("AWS::IAM::Role", "AWS::IAM::User"):
            if stack.deployed.is_made(name):
                assert stack.deployed.properties(name).get("PermissionsBoundary") != DEPLOYED_BOUNDARY, name


_ARN = f"arn:aws:iam::{PIPELINES}:policy"


def test_boundary_is_created_only_if_enabled():
    made = [Deployed(EnvID="dev", **given).is_made("DeployedRolesBoundary") for given in (
        {}, {"DeployedRoles": "None"}, {"DeployedRolesBoundaryArn": f"{_ARN}/deployed"}, {"DeployedRoles": "Bounded"})]
    assert made == [False, False, False, True]


@pytest.mark.parametrize(("given", "is_accepted"), [
    ({"PermissionsBoundaryArn": f"{_ARN}/own"}, True),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRoles": "Bounded"}, True),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRolesBoundaryArn": f"{_ARN}/deployed"}, True),
    ({"PermissionsBoundaryArn": f"{_ARN}/own", "DeployedRolesBoundaryArn": f"{_ARN}/own"}, False),
    ({"DeployedRolesBoundaryArn": f"{_ARN}/deployed", "DeployedRoles": "Bounded"}, False),
])
def test_deployed_roles_have_one_boundary_of_their_own(given, is_accepted):
    broken = Deployed(EnvID="dev", **given).broken_rules()
    assert (not broken) == is_accepted, broken


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
