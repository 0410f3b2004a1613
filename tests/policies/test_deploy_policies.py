"""Limits of pipelines that have AWS's broad policies in DeployPolicyArns."""

import pytest

from tests.policies import rows_limits, scene
from tests.policies.scene import PIPELINES
from tests.policies.tables import DEPLOY_ROLE, PIPELINE_ROLE, regional, role
from tests.templates.deployed import Deployed

BROAD = ["PowerUserAccess", "AdministratorAccess"]
# S3 and a role's trust policy deny these calls to administrators as well.
DENIED_ANYWAY = {"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "sts:AssumeRole"}


# claim: broad-policy-does-not-lift-a-limit
# claim: rules-for-artifact-keys-are-denied
@pytest.mark.parametrize("row", rows_limits.MAY_NOT, ids=lambda row: f"{row[1].split()[0]}... {row[2]}")
def test_broad_policy_does_not_lift_a_limit(row):
    """test_tables.py has the same with the permissions of AdministratorAccess."""
    caller, actions, resource, keys = row
    limited = caller.replace("everything", "PowerUserAccess")
    assert [action for action in actions.split() if scene.world().may(limited, action, resource, keys)] == []


@pytest.mark.parametrize("row", rows_limits.MAY_NOT, ids=lambda row: f"{row[1].split()[0]}... {row[2]}")
def test_call_succeeds_without_the_limits(row):
    """Otherwise something else denies the call, and the tests above prove nothing."""
    _, actions, resource, keys = row
    unlimited = f"{PIPELINE_ROLE} with AdministratorAccess"
    assert {action for action in actions.split() if not scene.world().may(unlimited, action, resource, keys)} <= DENIED_ANYWAY


@pytest.mark.parametrize("given", ["", "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B"])
def test_deploy_role_has_its_policy_and_those_of_the_parameter(given):
    attached = Deployed(EnvID="dev", DeployPolicyArns=given).properties("CodeDeployCFnRole")["ManagedPolicyArns"]
    assert attached == [f"arn:aws:iam::{PIPELINES}:policy/policy-dev-codedeploy-cfn", *(given.split(",") if given else [])]


# docs/concepts/security.md names these calls: no statement of a role can deny them.
NOT_CONTAINED = [
    ("lambda:UpdateFunctionCode", regional("lambda", "function:of-another-team"), {}),
    ("codebuild:StartBuild", regional("codebuild", "project/of-another-team"), {}),
    ("ssm:SendCommand", f"arn:aws:ec2:eu-central-1:{PIPELINES}:instance/i-0a1b2c3d", {}),
    # A role with the environment's names that an administrator created without the boundary.
    ("iam:PassRole", role(PIPELINES, "role-dev-by-hand"), {"iam:PassedToService": "lambda.amazonaws.com"}),
    # A trail with the data events of S3 shows the keys of artifacts. Metrics and subscriptions have no names.
    ("cloudtrail:PutEventSelectors", regional("cloudtrail", "trail/any"), {}),
    ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "CfnGitOps"}),
    ("sns:Unsubscribe", "*", {}),
]


# claim: roles-of-other-resources-are-not-contained
@pytest.mark.parametrize("policy", BROAD)
@pytest.mark.parametrize(("action", "resource", "keys"), NOT_CONTAINED)
def test_roles_of_other_resources_are_not_contained(policy, action, resource, keys):
    assert scene.world().may(f"{DEPLOY_ROLE} with {policy}", action, resource, keys)
