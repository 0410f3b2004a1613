"""What a template that a pipeline deploys cannot do, though an administrator gave the pipelines everything.

DeployPolicyArns may hold AdministratorAccess itself. What then still stands is the environment's
machinery: what makes pipelines, starts them, builds, deploys, pushes, copies, and watches.
"""

from deployed import BOUNDARY, PROVIDER_STACK

from . import rows_across_accounts as across
from . import rows_environment as environment
from . import scene
from .scene import PIPELINES
from .tables import regional, role, user

DEPLOY = f"{role(PIPELINES, 'role-dev-codedeploy-cfn')} with everything"
PROVISIONING = f"{role(PIPELINES, 'role-dev-cfn-gitops-provisioning')} with everything"
WITH_BOUNDARY = {"iam:PermissionsBoundary": BOUNDARY}
IN_ANOTHER_BOUNDARY = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}

# What would change a thing so that it does what a template's author wants.
_TAKES_OVER = {
    "AWS::IAM::Role": "iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:AttachRolePolicy iam:DeleteRolePolicy iam:DeleteRole iam:PassRole",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy",
    "AWS::IAM::User": "iam:CreateAccessKey iam:CreateServiceSpecificCredential iam:AttachUserPolicy iam:DeleteUser",
    "AWS::IAM::Group": "iam:AddUserToGroup iam:AttachGroupPolicy iam:DetachGroupPolicy iam:PutGroupPolicy iam:DeleteGroup",
    "AWS::Events::Rule": "events:PutRule events:PutTargets events:RemoveTargets events:DisableRule events:DeleteRule",
    "AWS::CodeBuild::Project": "codebuild:UpdateProject codebuild:DeleteProject codebuild:StartBuild",
    "AWS::CodePipeline::Pipeline": "codepipeline:UpdatePipeline codepipeline:DeletePipeline codepipeline:StartPipelineExecution",
    "AWS::Lambda::Function": """lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:AddPermission
        lambda:RemovePermission lambda:DeleteFunction lambda:PutFunctionEventInvokeConfig""",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DisableAlarmActions cloudwatch:DeleteAlarms cloudwatch:SetAlarmState",
    "AWS::CodeCommit::Repository": "codecommit:DeleteRepository codecommit:UpdateRepositoryName codecommit:PutRepositoryTriggers codecommit:CreateCommit",
    "AWS::ECR::Repository": """ecr:SetRepositoryPolicy ecr:DeleteRepositoryPolicy ecr:PutImage ecr:PutLifecyclePolicy ecr:DeleteRepository
        ecr:BatchDeleteImage""",
    "AWS::S3::Bucket": """s3:PutBucketPolicy s3:DeleteBucketPolicy s3:DeleteBucket s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration
        s3:PutBucketVersioning s3:PutBucketPublicAccessBlock s3:PutReplicationConfiguration""",
    "AWS::SNS::Topic": "sns:DeleteTopic sns:SetTopicAttributes sns:AddPermission sns:RemovePermission",
    "AWS::SQS::Queue": "sqs:DeleteQueue sqs:SetQueueAttributes sqs:PurgeQueue sqs:ReceiveMessage sqs:SendMessage",
}


def _machinery():
    """Of every stack in the pipelines' account, and of those that could be there as well."""
    for stack in scene.stacks().values():
        deployed = stack.deployed
        for kind, actions in _TAKES_OVER.items():
            for logical_id in deployed.of_type(kind):
                if deployed.is_made(logical_id):
                    arn = deployed.arn(logical_id).replace(deployed.account, PIPELINES)
                    yield DEPLOY, actions, arn, WITH_BOUNDARY if kind == "AWS::IAM::Role" else {}


MAY_NOT = [
    *_machinery(),
    (DEPLOY, "codecommit:DeleteRepository codecommit:CreateCommit codecommit:TagResource codecommit:PutFile", regional("codecommit", "codecommit-dev-cfn-shop"), {}),
    # What another pipeline has as a source, whoever made it.
    (DEPLOY, "codecommit:DeleteRepository codecommit:PutFile", regional("codecommit", "codecommit-dev-website"), {}),
    (DEPLOY, "ecr:PutImage ecr:SetRepositoryPolicy ecr:BatchDeleteImage", regional("ecr", "repository/ecr-dev-shop"), {}),
    *[(DEPLOY, "logs:DeleteLogGroup logs:DeleteRetentionPolicy", regional("logs", f"log-group:{name}"), {}) for name in (
        "/aws/codebuild/codebuild-dev-cfn-shop", "/aws/codebuild/codebuild-dev-replication-shop",
        "/aws/lambda/cfn-gitops-dev", "/aws/lambda/cfn-gitops-dev:*")],
    *[(DEPLOY, "s3:DeleteObject s3:DeleteObjectVersion s3:PutObject s3:PutObjectAcl", f"{bucket}/codepipeline-dev-cfn/Source/a", {})
      for bucket in (across.BUCKET, environment.BUCKET)],
    (DEPLOY, "kms:PutKeyPolicy kms:DisableKey kms:DisableKeyRotation kms:ScheduleKeyDeletion kms:CreateGrant", across.KEY, {}),
    (DEPLOY, "events:PutPermission events:RemovePermission", across.BUS, {}),
    (DEPLOY, "events:PutPermission events:RemovePermission", across.BUS.replace("default", "shop"), {}),
    (DEPLOY, "secretsmanager:TagResource secretsmanager:CreateSecret", regional("secretsmanager", "secret:cfn-gitops-dev/deletions/shop-AbC123"), {}),
    (DEPLOY, "cloudformation:UpdateStack cloudformation:DeleteStack", regional("cloudformation", "stack/gitops-dev-shop/0a1b"), {}),
    (DEPLOY, "cloudformation:UpdateStack cloudformation:DeleteStack", PROVIDER_STACK, {}),
    (DEPLOY, "cloudwatch:PutDashboard cloudwatch:DeleteDashboards", f"arn:aws:cloudwatch::{PIPELINES}:dashboard/cfn-gitops-dev-eu-central-1", {}),
    (DEPLOY, "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy", BOUNDARY, {}),
    # Nobody is made who could do more than the boundary says.
    *[
        row
        for keys in ({}, IN_ANOTHER_BOUNDARY)
        for row in (
            (DEPLOY, "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy", role(PIPELINES, "role-dev-thumbnails"), keys),
            (DEPLOY, "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy", role(PIPELINES, "anything"), keys),
            (DEPLOY, "iam:CreateUser iam:PutUserPolicy iam:AttachUserPolicy", user(PIPELINES, "anybody"), keys),
        )
    ],
    (DEPLOY, "iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary", role(PIPELINES, "role-dev-thumbnails"), WITH_BOUNDARY),
    (DEPLOY, "iam:PutUserPermissionsBoundary iam:DeleteUserPermissionsBoundary", user(PIPELINES, "anybody"), WITH_BOUNDARY),
    *[(PROVISIONING, "iam:PassRole", role(PIPELINES, name), {"iam:PassedToService": "codebuild.amazonaws.com"})
      for name in ("role-dev-cfn-gitops", "role-dev-cfn-gitops-provisioning", "role-dev-codedeploy-cfn", "role-dev-codepipeline-s3-site")],
]

MAY = [
    # What is added is added.
    (DEPLOY, "sqs:CreateQueue sqs:SetQueueAttributes sqs:DeleteQueue", regional("sqs", "sqs-dev-thumbnails"), {}),
    (DEPLOY, "sns:CreateTopic sns:SetTopicAttributes sns:DeleteTopic", regional("sns", "sns-dev-thumbnails"), {}),
    (DEPLOY, "s3:CreateBucket s3:PutBucketPolicy s3:PutEncryptionConfiguration s3:DeleteBucket", "arn:aws:s3:::s3-dev-thumbnails", {}),
    (DEPLOY, "ecr:CreateRepository ecr:PutLifecyclePolicy ecr:SetRepositoryPolicy ecr:DeleteRepository", regional("ecr", "repository/thumbnails-dev"), {}),
    # A function's image: looked at, and pulled.
    (DEPLOY, "ecr:BatchGetImage ecr:GetDownloadUrlForLayer ecr:GetRepositoryPolicy", regional("ecr", "repository/ecr-dev-shop"), {}),
    (DEPLOY, "kms:CreateKey", "*", {}),
    (DEPLOY, "kms:PutKeyPolicy kms:ScheduleKeyDeletion", regional("kms", "key/thumbnails"), {}),
    (DEPLOY, "logs:CreateLogGroup logs:DeleteLogGroup", regional("logs", "log-group:/aws/lambda/lambda-dev-thumbnails"), {}),
    (DEPLOY, "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms", regional("cloudwatch", "alarm:alarm-dev-thumbnails"), {}),
    (DEPLOY, "s3:GetObject s3:GetObjectVersion", f"{environment.BUCKET}/0a1b2c.zip", {}),
    (DEPLOY, "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy", role(PIPELINES, "role-dev-thumbnails"), WITH_BOUNDARY),
    (DEPLOY, "iam:CreateUser iam:PutUserPolicy iam:AttachUserPolicy", user(PIPELINES, "anybody"), WITH_BOUNDARY),
    (DEPLOY, "iam:UpdateAssumeRolePolicy iam:DeleteRole", role(PIPELINES, "role-dev-thumbnails"), {}),
    (DEPLOY, "events:PutTargets", regional("events", "rule/event-rule-dev-nightly"), {}),
    (DEPLOY, "lambda:UpdateFunctionCode lambda:AddPermission lambda:DeleteFunction lambda:PutFunctionConcurrency lambda:RemovePermission",
     regional("lambda", "function:lambda-dev-thumbnails"), {}),
    (PROVISIONING, "iam:PassRole", role(PIPELINES, "administrator"), {"iam:PassedToService": "codebuild.amazonaws.com"}),
]
