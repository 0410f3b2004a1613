"""The permissions boundary of template.yaml for the roles that pipelines create."""

import json

import pytest

from local.policies.evaluation import Caller, decide
from tests.policies import rows_deployed_roles, scene
from tests.policies.collected import ADMINISTRATOR
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.scene import UNNAMED, PIPELINES
from tests.policies.tables import regional, role
from tests.templates.deployed import DEPLOYED_BOUNDARY, Deployed

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_POLICY = 6_144
# The longest region with CodeCommit, and the longest EnvID.
REGION, ENV_ID = "ap-southeast-2", "a" * 10


def longest(partition="aws", names="", values=3):
    """The document with this many values for each parameter that is a list."""
    stack = Deployed(
        REGION,
        EnvID=ENV_ID,
        DeployedRoles="Bounded",
        ArtifactBucketArns=",".join(f"arn:{partition}:s3:::{'b' * 62}{number}" for number in range(values)),
        ArtifactKeyArns=",".join(f"arn:{partition}:kms:{REGION}:{PIPELINES}:key/mrk-{'a' * 31}{number}" for number in range(values)),
        SourceRoleArns=",".join(f"arn:{partition}:iam::11112222333{number}:role/role-{ENV_ID}-codecommit-source" for number in range(values)),
        DeploymentBucketName="d" * 63,
        MirrorSecretNames=names, RepositoryNames=names, ImageRepositoryNames=names, PipelineRoleNames=names,
    )
    stack.values |= {
        "AWS::Partition": partition,
        "AWS::StackId": f"arn:{partition}:cloudformation:{REGION}:{PIPELINES}:stack/cfn-gitops-{ENV_ID}/{'0' * 36}",
    }
    return stack.properties("DeployedRolesBoundary")["PolicyDocument"]


@pytest.mark.parametrize(("partition", "names", "values"), [
    (partition, names, values) for partition in ("aws", "aws-cn", "aws-us-gov") for names in ("", "n" * 64) for values in (3, 5)
])
def test_boundary_is_shorter_than_a_managed_policy(partition, names, values):
    """IAM does not count white space."""
    document = longest(partition, names, values)
    assert any("s3:Put*" in statement["Action"] and "lambda:*" not in statement["Action"] for statement in document["Statement"] if "Action" in statement)
    assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY


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


def test_boundary_denies_the_same_as_for_the_deploy_role():
    """Each action of MachineryStays except those on roles, for resources of any name."""
    deployed = scene.stacks()["template"].deployed
    (limits,) = deployed.properties("CodeDeployCFnRole")["Policies"]
    boundary = deployed.properties("DeployedRolesBoundary")["PolicyDocument"]

    def machinery(document):
        (found,) = (statement for statement in document["Statement"] if "lambda:*" in statement.get("Action", ()))
        return found

    assert machinery(boundary)["Action"] == [action for action in machinery(limits["PolicyDocument"])["Action"] if action not in ("iam:*", "sts:AssumeRole")]
    services = {arn.split(":")[2] for arn in machinery(limits["PolicyDocument"])["Resource"]} - {"iam"}
    assert {arn.split(":")[2] for arn in machinery(boundary)["Resource"]} == services


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
