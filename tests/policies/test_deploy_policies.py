"""Limits of pipelines that have AWS's broad policies in DeployPolicyArns."""

import pytest

from tests.policies import rows_limits, scene
from tests.policies.rows_limits import OF_A_TOKEN, WITH_BOUNDARY
from tests.policies.scene import PIPELINES
from tests.policies.tables import group, regional, role, user
from tests.policies.world import aws_managed
from tests.templates.deployed import Deployed

BROAD = ["PowerUserAccess", "AdministratorAccess"]
DEPLOY = role(PIPELINES, "role-dev-codedeploy-cfn")
FUNCTION = regional("lambda", "function:cfn-gitops-dev")
PASSWORD = regional("secretsmanager", "secret:codecommit-mirror/user-dev-shop-mirror-AbC123")
TOKEN = regional("secretsmanager", "secret:gitlab/mirrors-AbC123")
MIRROR = user(PIPELINES, "user-dev-shop-mirror")

# A hostile template's calls: action, resource, condition keys.
ATTACKS = [
    ("lambda:InvokeFunction", FUNCTION, {}),
    ("lambda:InvokeFunction", f"{FUNCTION}:$LATEST", {}),
    ("lambda:UpdateFunctionCode", FUNCTION, {}),
    ("lambda:CreateFunctionUrlConfig", FUNCTION, {}),
    ("lambda:CreateEventSourceMapping", "*", {"lambda:FunctionArn": FUNCTION}),
    ("secretsmanager:GetSecretValue", PASSWORD, {}),
    ("secretsmanager:TagResource", PASSWORD, {"aws:TagKeys": ["cfn-gitops:gitlab-url"]}),
    ("secretsmanager:GetSecretValue", TOKEN, OF_A_TOKEN),
    ("secretsmanager:TagResource", regional("secretsmanager", "secret:any-AbC123"), {"aws:TagKeys": ["cfn-gitops:gitlab-url"]}),
    ("codepipeline:PutApprovalResult", regional("codepipeline", "codepipeline-dev-cfn-shop/Approval/Approval"), {}),
    ("codepipeline:UpdatePipeline", regional("codepipeline", "codepipeline-prd-cfn-shop"), {}),
    ("codebuild:UpdateProject", regional("codebuild", "project/codebuild-dev-review-shop"), {}),
    ("codebuild:StartBuild", regional("codebuild", "project/codebuild-prd-review-shop"), {}),
    ("cloudformation:UpdateStack", regional("cloudformation", "stack/CDKToolkit/0a1b"), {}),
    ("cloudformation:DeleteChangeSet", regional("cloudformation", "stack/cfnstack-prd-shop/0a1b"), {}),
    ("cloudformation:UpdateStackSet", regional("cloudformation", "stackset/of-an-administrator:0a1b"), {}),
    ("codecommit:DeleteApprovalRuleTemplate", "*", {}),
    ("logs:PutRetentionPolicy", regional("logs", "log-group:/aws/lambda/cfn-gitops-dev"), {}),
    ("sts:AssumeRole", role(PIPELINES, "administrator"), {}),
    ("s3:PutObject", rows_limits.SAM_OBJECT, {}),
    ("s3:CreateAccessPoint", "*", {}),
    ("cloudformation:CreateStack", rows_limits.SAM_STACK, {}),
    ("logs:PutAccountPolicy", "*", {}),
    ("sns:Publish", regional("sns", "sns-dev-notifications"), {}),
    ("events:PutRule", regional("events", "rule/event-rule-dev-nightly"), {"events:source": ["aws.codepipeline"]}),
    ("codestar-notifications:Subscribe", rows_limits.NOTIFICATION_RULE,
     {"codestar-notifications:NotificationsForResource": regional("codepipeline", "codepipeline-dev-cfn-shop")}),
]
ATTACKS_ON_IAM = [
    ("iam:CreateServiceSpecificCredential", MIRROR, {}),
    ("iam:AcceptDelegationRequest", "*", {}),
    ("iam:CreateAccessKey", user(PIPELINES, "administrator"), {}),
    ("iam:CreateUser", user(PIPELINES, "anybody"), WITH_BOUNDARY),
    ("iam:CreateGroup", group("anybody"), {}),
    ("iam:AttachGroupPolicy", group("anybody"), {}),
    ("iam:AddUserToGroup", group("administrators"), {}),
    ("iam:CreatePolicyVersion", f"arn:aws:iam::{PIPELINES}:policy/developers", {}),
    ("iam:DeletePolicy", f"arn:aws:iam::{PIPELINES}:policy/cfn-gitops-dev-eu-central-1-keeps-its-EnvID", {}),
    ("iam:UpdateSAMLProvider", f"arn:aws:iam::{PIPELINES}:saml-provider/company", {}),
    ("iam:UpdateAssumeRolePolicy", role(PIPELINES, "administrator"), {}),
    ("iam:PassRole", role(PIPELINES, "administrator"), {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", role(PIPELINES, "role-dev-review-codebuild-cfn"), {"iam:PassedToService": "codebuild.amazonaws.com"}),
    ("iam:CreateRole", role(PIPELINES, "role-dev-thumbnails"), {}),
    ("iam:PutRolePolicy", role(PIPELINES, "role-dev-thumbnails"), {}),
]


# claim: broad-policy-does-not-lift-a-limit
# claim: rules-for-artifact-keys-are-denied
@pytest.mark.parametrize("policy", BROAD)
@pytest.mark.parametrize(("action", "resource", "keys"), [*ATTACKS, *ATTACKS_ON_IAM])
def test_broad_policy_does_not_lift_a_limit(policy, action, resource, keys):
    assert not scene.world().may(f"{DEPLOY} with {policy}", action, resource, keys)


@pytest.mark.parametrize("row", rows_limits.MAY_NOT, ids=lambda row: f"{row[1].split()[0]}... {row[2]}")
def test_power_user_is_limited_as_an_administrator_is(row):
    caller, actions, resource, keys = row
    limited = caller.replace("everything", "PowerUserAccess")
    assert [action for action in actions.split() if scene.world().may(limited, action, resource, keys)] == []


@pytest.mark.parametrize(("action", "resource", "keys"), [*ATTACKS, *ATTACKS_ON_IAM])
def test_attack_succeeds_without_the_limits(action, resource, keys):
    """Otherwise something else denies the call, and the tests above prove nothing."""
    unlimited = f"{role(PIPELINES, 'role-dev-codepipeline-cfn')} with AdministratorAccess"
    assert scene.world().may(unlimited, action, resource, keys)


@pytest.mark.parametrize("policy", BROAD)
def test_broad_policy_allows_the_rest(policy):
    queue = regional("sqs", "sqs-dev-thumbnails")
    assert not scene.world().may(DEPLOY, "sqs:CreateQueue", queue)
    assert scene.world().may(f"{DEPLOY} with {policy}", "sqs:CreateQueue", queue)


@pytest.mark.parametrize("given", ["", "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A,arn:aws:iam::aws:policy/B"])
def test_deploy_role_has_its_policy_and_those_of_the_parameter(given):
    attached = Deployed(EnvID="dev", DeployPolicyArns=given).properties("CodeDeployCFnRole")["ManagedPolicyArns"]
    assert attached == [f"arn:aws:iam::{PIPELINES}:policy/policy-dev-codedeploy-cfn", *(given.split(",") if given else [])]


def test_documents_are_complete():
    assert {policy: len(aws_managed(policy)["Statement"]) for policy in BROAD} == {"PowerUserAccess": 2, "AdministratorAccess": 1}


# docs/concepts/security.md names these calls: no statement of a role can deny them.
NOT_CONTAINED = [
    ("lambda:UpdateFunctionCode", regional("lambda", "function:of-another-team"), {}),
    ("codebuild:StartBuild", regional("codebuild", "project/of-another-team"), {}),
    ("ssm:SendCommand", f"arn:aws:ec2:eu-central-1:{PIPELINES}:instance/i-0a1b2c3d", {}),
    # A role with the environment's names that an administrator created without the boundary.
    ("iam:PassRole", role(PIPELINES, "role-dev-by-hand"), {"iam:PassedToService": "lambda.amazonaws.com"}),
]


# claim: roles-of-other-resources-are-not-contained
@pytest.mark.parametrize("policy", BROAD)
@pytest.mark.parametrize(("action", "resource", "keys"), NOT_CONTAINED)
def test_roles_of_other_resources_are_not_contained(policy, action, resource, keys):
    assert scene.world().may(f"{DEPLOY} with {policy}", action, resource, keys)
