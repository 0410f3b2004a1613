"""templates/deployment.yaml: the people who deploy an environment, and the role with which CloudFormation
does it.

tests/deployment/test_rights.py has the calls of a deployment, an update and a deletion.
"""

import fnmatch

from tests.policies.rows_people import APPROVALS, APPROVE
from tests.policies.scene import PIPELINES, UPLOADS
from tests.policies.tables import (
    BUCKET,
    DEPLOY_ROLE,
    DEPLOYED_STACK,
    FIRST_MIRROR,
    FUNCTION,
    FUNCTION_ROLE,
    MIRROR,
    PASSWORD,
    PIPELINE,
    PIPELINE_STACK,
    REPOSITORY,
    group,
    lent_to_a_service,
    regional,
    role,
    user,
)
from tests.policies.vocabulary import actions
from tests.templates.deployed import BOUNDARY, PROVIDER_STACK, REGION
from tests.templates.named import SERVERLESS, passed_to

ROLE = role(PIPELINES, "cfn-gitops-dev-deployment")
DEPLOYING = f"{user(PIPELINES, 'dora')} in {group('group-dev-deployers')}"
PROJECT_STACK = regional("cloudformation", "stack/project-dev-shop/0a1b")
UPLOAD = f"{UPLOADS}/cfn-gitops-dev/0a1b"
READ_ROLE = role(PIPELINES, "role-dev-cfn-gitops-read")
MACHINERY = [
    role(PIPELINES, f"role-dev-{name}")
    for name in (
        "cfn-gitops",
        "cfn-gitops-provisioning",
        "cfn-gitops-read",
        "codebuild-cfn",
        "codedeploy-cfn",
        "codepipeline-cfn",
        "eventbridge-codepipeline-exec",
        "review-codebuild-cfn",
    )
]
FUNCTIONS = [FUNCTION, f"{FUNCTION}-read"]
POLICIES = [
    f"arn:aws:iam::{PIPELINES}:policy/{name}"
    for name in (
        f"cfn-gitops-dev-{REGION}-keeps-its-EnvID",
        *(
            f"policy-dev-{name}"
            for name in (
                "cfn-gitops-change-sets",
                "cfn-gitops-read",
                "codebuild-cfn",
                "codedeploy-cfn",
                "codepipeline-cfn",
                "deployed-roles",
                "eventbridge-codepipeline-exec",
                "review-codebuild-cfn",
            )
        ),
    )
]
LOGS = [regional("logs", f"log-group:/aws/lambda/cfn-gitops-dev{end}") for end in ("", "-read")]
RULE, ALARM = (
    regional("events", "rule/event-rule-dev-cfn-gitops-health"),
    regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-mirrors"),
)
DASHBOARD = f"arn:aws:cloudwatch::{PIPELINES}:dashboard/cfn-gitops-dev-{REGION}"

WITH_THE_ROLE = {"cloudformation:RoleArn": ROLE}
BEGIN_A_CHANGE = (
    "cloudformation:ContinueUpdateRollback cloudformation:CreateChangeSet cloudformation:DeleteStack"
)
OF_STACKS = """cloudformation:DescribeChangeSet
    cloudformation:DescribeEvents cloudformation:DescribeStackEvents cloudformation:ExecuteChangeSet
    cloudformation:GetTemplate cloudformation:GetTemplateSummary cloudformation:ListChangeSets
    cloudformation:TagResource cloudformation:UntagResource"""
CHANGE_STACKS = (
    f"{BEGIN_A_CHANGE} cloudformation:DeleteChangeSet cloudformation:ExecuteChangeSet"
    " cloudformation:TagResource cloudformation:UntagResource"
)
LISTS = """cloudformation:DescribeStacks cloudformation:ListExports cloudformation:ListImports
    cloudformation:ListStacks codebuild:ListProjects codecommit:ListRepositories codepipeline:ListActionTypes
    cloudformation:DescribeType
    iam:GetAccountSummary logs:DescribeLogGroups servicequotas:ListServiceQuotas"""


def matching(patterns):
    """Each action that the policy's patterns match."""
    return " ".join(
        sorted(
            action
            for pattern in patterns.split()
            for action in actions(pattern.split(":")[0])
            if fnmatch.fnmatchcase(action, pattern)
        )
    )


OF_A_ROLE = """iam:AttachRolePolicy iam:CreateRole iam:DeleteRole iam:DeleteRolePermissionsBoundary
    iam:DeleteRolePolicy iam:DetachRolePolicy iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies
    iam:ListRolePolicies iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:TagRole iam:UntagRole
    iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription"""
OF_A_USER = """iam:CreateUser iam:DeleteUser iam:DeleteUserPermissionsBoundary iam:DeleteUserPolicy
    iam:GetLoginProfile iam:GetUser iam:GetUserPolicy iam:ListAccessKeys iam:ListAttachedUserPolicies
    iam:ListGroupsForUser iam:ListUserPolicies iam:ListUserTags iam:PutUserPermissionsBoundary
    iam:PutUserPolicy iam:TagUser iam:UntagUser"""
OF_A_POLICY = """iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicy iam:DeletePolicyVersion
    iam:GetPolicy iam:GetPolicyVersion iam:ListEntitiesForPolicy iam:ListPolicyVersions"""
OF_A_FUNCTION = matching(
    """lambda:AddPermission lambda:AssociateRuntimeAlias lambda:CreateFunction lambda:DeleteFunction
    lambda:DeleteFunctionConcurrency lambda:DeleteFunctionEventInvokeConfig lambda:GetFunction*
    lambda:GetPolicy lambda:GetRuntimeManagementConfig lambda:InvokeFunction lambda:PutFunctionConcurrency
    lambda:PutFunctionEventInvokeConfig lambda:RemovePermission lambda:TagResource lambda:UntagResource
    lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:UpdateFunctionEventInvokeConfig"""
)
OF_A_LOG = """logs:CreateLogGroup logs:DeleteDataProtectionPolicy logs:DeleteLogGroup
    logs:DeleteRetentionPolicy logs:GetDataProtectionPolicy logs:ListTagsForResource
    logs:PutRetentionPolicy logs:TagResource logs:UntagResource"""
OF_THE_BUCKET = matching(
    """s3:CreateBucket s3:DeleteBucket s3:DeleteBucketPolicy s3:GetBucket* s3:GetAccelerateConfiguration
    s3:GetAnalyticsConfiguration s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration
    s3:GetInventoryConfiguration s3:GetLifecycleConfiguration s3:GetMetricsConfiguration
    s3:GetReplicationConfiguration s3:ListBucket s3:ListTagsForResource s3:PutBucketOwnershipControls
    s3:PutBucketPolicy s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning
    s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource"""
)
OF_A_RULE = """events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule
    events:PutRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource"""
OF_AN_ALARM = """cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource
    cloudwatch:PutMetricAlarm cloudwatch:TagResource cloudwatch:UntagResource"""
OF_THE_DASHBOARD = """cloudwatch:DeleteDashboards cloudwatch:GetDashboard cloudwatch:ListTagsForResource
    cloudwatch:PutDashboard cloudwatch:TagResource cloudwatch:UntagResource"""
LOOKS_OF_HANDLERS = """ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups ec2:DescribeSubnets
    ec2:DescribeVpcs logs:DescribeIndexPolicies logs:DescribeLogGroups logs:DescribeResourcePolicies"""
OF_A_ROTATION = "secretsmanager:CancelRotateSecret secretsmanager:DescribeSecret secretsmanager:RotateSecret"

_TRUST_MAY, _TRUST_MAY_NOT = lent_to_a_service("cloudformation.amazonaws.com", ROLE, PIPELINES, demands=())

MAY = [
    *_TRUST_MAY,
    *[
        (DEPLOYING, actions, stack, keys)
        for stack in (PROVIDER_STACK, PROJECT_STACK)
        for actions, keys in ((BEGIN_A_CHANGE, WITH_THE_ROLE), (OF_STACKS, {}))
    ],
    (DEPLOYING, "cloudformation:CreateChangeSet", SERVERLESS, {}),
    (DEPLOYING, "iam:PassRole", ROLE, passed_to("cloudformation.amazonaws.com")),
    (DEPLOYING, "s3:AbortMultipartUpload s3:GetObject s3:PutObject", UPLOAD, {}),
    (DEPLOYING, LISTS, "*", {}),
    (DEPLOYING, "cloudformation:ListStackResources", regional("cloudformation", "stack/anything/0a1b"), {}),
    (DEPLOYING, "cloudformation:GetTemplate", PIPELINE_STACK, {}),
    (DEPLOYING, "codecommit:GetRepository", REPOSITORY, {}),
    (DEPLOYING, "codepipeline:GetPipelineState codepipeline:ListPipelineExecutions", PIPELINE, {}),
    (DEPLOYING, "events:DescribeRule", RULE, {}),
    *[(DEPLOYING, "iam:GetPolicy", policy, {}) for policy in POLICIES],
    (DEPLOYING, "iam:GetRole", FUNCTION_ROLE, {}),
    (DEPLOYING, "iam:GetUser", FIRST_MIRROR, {}),
    (DEPLOYING, "secretsmanager:DescribeSecret", PASSWORD, {}),
    (ROLE, "cloudformation:CreateChangeSet", SERVERLESS, {}),
    *[(ROLE, OF_A_ROLE, each, {}) for each in MACHINERY],
    *[(ROLE, OF_A_USER, each, {}) for each in (FIRST_MIRROR, MIRROR)],
    *[(ROLE, OF_A_POLICY, policy, {}) for policy in POLICIES],
    *[(ROLE, "iam:PassRole", each, passed_to("lambda.amazonaws.com")) for each in (FUNCTION_ROLE, READ_ROLE)],
    *[(ROLE, OF_A_FUNCTION, function, {}) for function in FUNCTIONS],
    (ROLE, LOOKS_OF_HANDLERS, "*", {}),
    (ROLE, "s3:GetObject", UPLOAD, {}),
    *[(ROLE, OF_A_LOG, f"{log}{end}", {}) for log in LOGS for end in ("", ":*")],
    (ROLE, OF_THE_BUCKET, BUCKET, {}),
    (ROLE, OF_A_RULE, RULE, {}),
    (ROLE, OF_AN_ALARM, ALARM, {}),
    (ROLE, OF_THE_DASHBOARD, DASHBOARD, {}),
    (ROLE, OF_A_ROTATION, PASSWORD, {}),
]

OTHER_STACKS = [
    regional("cloudformation", f"stack/{name}/0a1b")
    for name in (
        "deployment-dev",
        "people-dev",
        "mine",
        "cfn-gitops-prd",
        "cfn-gitops-dev2",
        "project-prd-shop",
        "aws-sam-cli-managed-default",
    )
]
# Of pipelines, of people, of the other templates, and their own.
OTHER_ROLES = [
    role(PIPELINES, name)
    for name in (
        "cfn-gitops-dev-deployment",
        "administrator",
        "role-dev-thumbnails",
        "role-dev-codecommit-source",
        "role-prd-cfn-gitops",
        "role-dev-cfn-gitops2",
    )
]
OTHER_USERS = [
    user(PIPELINES, name) for name in ("dora", "mirror", "user-prd-codecommit-mirroring", "user-dev-mary")
]
OTHER_POLICIES = [
    f"arn:aws:iam::{PIPELINES}:policy/{name}"
    for name in (
        "policy-dev-deployment",
        "policy-dev-branch-protection",
        "policy-dev-approvals",
        "administrators",
    )
]

MAY_NOT = [
    *_TRUST_MAY_NOT,
    # The people: no other stack, and no other call that changes something.
    *[
        (DEPLOYING, CHANGE_STACKS, stack, WITH_THE_ROLE)
        for stack in (*OTHER_STACKS, DEPLOYED_STACK, PIPELINE_STACK)
    ],
    # With their own permissions, or with another role.
    *[
        (DEPLOYING, BEGIN_A_CHANGE, stack, keys)
        for stack in (PROVIDER_STACK, PROJECT_STACK)
        for keys in ({}, {"cloudformation:RoleArn": role(PIPELINES, "administrator")})
    ],
    *[
        (DEPLOYING, f"cloudformation:{action}", PROVIDER_STACK, WITH_THE_ROLE)
        for action in (
            "CreateStack",
            "UpdateStack",
            "SetStackPolicy",
            "UpdateTerminationProtection",
            "RollbackStack",
        )
    ],
    *[(DEPLOYING, OF_A_ROLE.replace("iam:GetRole ", ""), each, {}) for each in (*MACHINERY, *OTHER_ROLES)],
    *[
        (DEPLOYING, "iam:PassRole", each, passed_to("cloudformation.amazonaws.com"))
        for each in (*MACHINERY, *OTHER_ROLES[1:], DEPLOY_ROLE)
    ],
    *[
        (DEPLOYING, "iam:PassRole", ROLE, passed_to(f"{service}.amazonaws.com"))
        for service in ("lambda", "codebuild", "ec2")
    ],
    (DEPLOYING, "iam:PassRole sts:AssumeRole", ROLE, {}),
    *[
        (
            DEPLOYING,
            (
                "iam:CreateAccessKey iam:CreateUser iam:PutUserPolicy iam:AttachUserPolicy"
                " iam:CreateServiceSpecificCredential"
            ),
            each,
            {},
        )
        for each in (FIRST_MIRROR, *OTHER_USERS)
    ],
    (
        DEPLOYING,
        "iam:AddUserToGroup iam:PutGroupPolicy iam:AttachGroupPolicy",
        group("group-dev-deployers"),
        {},
    ),
    *[
        (DEPLOYING, OF_A_POLICY.replace("iam:GetPolicy ", ""), policy, {})
        for policy in (*POLICIES, *OTHER_POLICIES)
    ],
    *[(DEPLOYING, OF_A_FUNCTION, function, {}) for function in FUNCTIONS],
    (DEPLOYING, "secretsmanager:GetSecretValue secretsmanager:RotateSecret", PASSWORD, {}),
    (
        DEPLOYING,
        "s3:GetObject s3:PutObject s3:DeleteObject s3:DeleteBucket",
        f"{BUCKET}/codepipeline-dev-cfn/Source/a",
        {},
    ),
    *[
        (DEPLOYING, "s3:PutObject", UPLOAD.replace(*change), {})
        for change in (("cfn-gitops-dev", "cfn-gitops-prd"), ("aws-sam", "mine"))
    ],
    *[(DEPLOYING, APPROVE, approval, {}) for approval in APPROVALS],
    (DEPLOYING, "codepipeline:StartPipelineExecution codepipeline:UpdatePipeline", PIPELINE, {}),
    # The role: no role, user or policy of others.
    *[(ROLE, f"{OF_A_ROLE} sts:AssumeRole", each, {}) for each in OTHER_ROLES],
    (
        ROLE,
        "iam:AttachUserPolicy iam:AddUserToGroup iam:CreateAccessKey iam:CreateLoginProfile",
        FIRST_MIRROR,
        {},
    ),
    *[(ROLE, OF_A_USER, each, {}) for each in OTHER_USERS],
    *[(ROLE, OF_A_POLICY, policy, {}) for policy in (*OTHER_POLICIES, BOUNDARY)],
    *[
        (ROLE, "iam:PassRole", each, passed_to("lambda.amazonaws.com"))
        for each in (*MACHINERY[3:], *OTHER_ROLES, MACHINERY[1])
    ],
    *[
        (ROLE, "iam:PassRole", FUNCTION_ROLE, passed_to(f"{service}.amazonaws.com"))
        for service in ("cloudformation", "codebuild", "ec2")
    ],
    (ROLE, "iam:CreateGroup iam:AttachGroupPolicy iam:PutGroupPolicy", group("group-dev-deployers"), {}),
    (ROLE, OF_A_FUNCTION, regional("lambda", "function:lambda-dev-thumbnails"), {}),
    (
        ROLE,
        "secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:DeleteSecret",
        PASSWORD,
        {},
    ),
    (ROLE, "s3:GetObject s3:PutObject s3:DeleteObject", f"{BUCKET}/codepipeline-dev-cfn/Source/a", {}),
]
