"""AWS's broad policies in DeployPolicyArns. rows_limits.py has the limits that hold with them."""

import pytest

from tests.policies import scene
from tests.policies.scene import PIPELINES
from tests.policies.tables import DEPLOY_ROLE, regional, role
from tests.templates.deployed import Deployed

BROAD = ["PowerUserAccess", "AdministratorAccess"]


@pytest.mark.parametrize(
    "given", ["", "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B"]
)
def test_deploy_role_has_its_policy_and_those_of_the_parameter(given):
    attached = Deployed(EnvID="dev", DeployPolicyArns=given).properties("CodeDeployCFnRole")[
        "ManagedPolicyArns"
    ]
    assert attached == [
        f"arn:aws:iam::{PIPELINES}:policy/policy-dev-codedeploy-cfn",
        *(given.split(",") if given else []),
    ]


# docs/concepts/security/deployed-template.md names these calls: no statement of a role can deny them.
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
