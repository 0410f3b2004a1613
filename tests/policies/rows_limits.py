"""Limits of a template that a pipeline deploys, even if the pipelines have administrator permissions.

DeployPolicyArns may contain AdministratorAccess itself. Even then a template cannot change the environment's
machinery: what creates, starts, builds, deploys, pushes, copies, and monitors. Users, groups, policies, and
roles of other names are protected too: a change to one of them could remove the limits themselves.
"""

from tests.policies import rows_across_accounts as across
from tests.policies import rows_environment as environment
from tests.policies import scene
from tests.policies.scene import PIPELINES
from tests.policies.tables import DEPLOY_ROLE, FUNCTION, PROVISIONING_ROLE, group, regional, role, user
from tests.policies.vocabulary import changes
from tests.templates.deployed import BOUNDARY, PROVIDER_STACK, REGION
from tests.templates.named import (
    FOR_A_GITLAB,
    KEY,
    REPORTS,
    SECOND_BUCKET,
    SERVICES_OF_PIPELINES,
    TOKEN_KEY,
    WITH_BOUNDARY,
    WITH_OWN_BOUNDARY,
    passed_to,
)

DEPLOY = f"{DEPLOY_ROLE} with everything"
PROVISIONING = f"{PROVISIONING_ROLE} with everything"
IN_ANOTHER_BOUNDARY = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}

# Calls that change a resource so that it runs a template author's code or gives them access.
_TAKES_OVER = {
    "AWS::IAM::Role": (
        "iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:AttachRolePolicy iam:DeleteRolePolicy"
        " iam:DeleteRole iam:PassRole"
    ),
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy",
    "AWS::IAM::User": (
        "iam:CreateAccessKey iam:CreateServiceSpecificCredential iam:AttachUserPolicy iam:DeleteUser"
    ),
    "AWS::IAM::Group": (
        "iam:AddUserToGroup iam:AttachGroupPolicy iam:DetachGroupPolicy iam:PutGroupPolicy iam:DeleteGroup"
    ),
    "AWS::Events::Rule": (
        "events:PutRule events:PutTargets events:RemoveTargets events:DisableRule events:DeleteRule"
    ),
    "AWS::CodeBuild::Project": "codebuild:UpdateProject codebuild:DeleteProject codebuild:StartBuild",
    "AWS::CodePipeline::Pipeline": (
        "codepipeline:UpdatePipeline codepipeline:DeletePipeline codepipeline:StartPipelineExecution"
    ),
    "AWS::Lambda::Function": (
        """lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:AddPermission
        lambda:RemovePermission lambda:DeleteFunction lambda:PutFunctionEventInvokeConfig
        lambda:InvokeFunction lambda:InvokeAsync lambda:InvokeFunctionUrl lambda:CreateFunctionUrlConfig
        lambda:CreateAlias lambda:GetFunction"""
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:PutMetricAlarm cloudwatch:DisableAlarmActions cloudwatch:DeleteAlarms"
        " cloudwatch:SetAlarmState"
    ),
    "AWS::CodeCommit::Repository": (
        "codecommit:DeleteRepository codecommit:UpdateRepositoryName codecommit:PutRepositoryTriggers"
        " codecommit:CreateCommit"
    ),
    "AWS::ECR::Repository": (
        """ecr:SetRepositoryPolicy ecr:DeleteRepositoryPolicy ecr:PutImage ecr:PutLifecyclePolicy
        ecr:DeleteRepository ecr:BatchDeleteImage"""
    ),
    "AWS::S3::Bucket": (
        """s3:PutBucketPolicy s3:DeleteBucketPolicy s3:DeleteBucket s3:PutEncryptionConfiguration
        s3:PutLifecycleConfiguration s3:PutBucketVersioning s3:PutBucketPublicAccessBlock
        s3:PutReplicationConfiguration s3:ListBucket s3:ListBucketVersions"""
    ),
    "AWS::SNS::Topic": "sns:DeleteTopic sns:SetTopicAttributes sns:AddPermission sns:RemovePermission",
    "AWS::SQS::Queue": (
        "sqs:DeleteQueue sqs:SetQueueAttributes sqs:PurgeQueue sqs:ReceiveMessage sqs:SendMessage"
    ),
}


def _machinery():
    """For every stack in the pipelines' account, and for stacks that do not exist yet."""
    for stack in scene.stacks().values():
        deployed = stack.deployed
        for kind, actions in _TAKES_OVER.items():
            for logical_id in deployed.of_type(kind):
                if deployed.is_made(logical_id):
                    arn = deployed.arn(logical_id).replace(deployed.account, PIPELINES)
                    yield DEPLOY, actions, arn, WITH_BOUNDARY if kind == "AWS::IAM::Role" else {}


# Calls that change IAM, and calls that assume a role.
IN_IAM = " ".join(sorted(changes("iam") | {"sts:AssumeRole"}))
POLICY = f"arn:aws:iam::{PIPELINES}:policy"
PROFILE = f"arn:aws:iam::{PIPELINES}:instance-profile"
_ON_POLICIES = "iam:CreatePolicy iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy"
_ON_PROFILES = (
    "iam:CreateInstanceProfile iam:AddRoleToInstanceProfile iam:RemoveRoleFromInstanceProfile"
    " iam:DeleteInstanceProfile"
)
CHANGED_STACKS = """cloudformation:UpdateStack cloudformation:CreateChangeSet
    cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet cloudformation:DeleteStack
    cloudformation:RollbackStack cloudformation:ContinueUpdateRollback cloudformation:CancelUpdateStack
    cloudformation:SetStackPolicy cloudformation:CreateStackRefactor cloudformation:ExecuteStackRefactor"""
CHANGED_STACK_SETS = """cloudformation:CreateStackSet cloudformation:UpdateStackSet
    cloudformation:DeleteStackSet cloudformation:CreateStackInstances cloudformation:UpdateStackInstances
    cloudformation:DeleteStackInstances cloudformation:ImportStacksToStackSet
    cloudformation:StopStackSetOperation"""
# These calls name no repository, so IAM has no resource for them.
APPROVAL_RULES = """codecommit:CreateApprovalRuleTemplate codecommit:UpdateApprovalRuleTemplateContent
    codecommit:UpdateApprovalRuleTemplateName codecommit:DeleteApprovalRuleTemplate"""
ON_LOGS = """logs:DeleteLogGroup logs:DeleteRetentionPolicy logs:PutRetentionPolicy
    logs:PutSubscriptionFilter logs:PutLogEvents logs:AssociateKmsKey logs:DisassociateKmsKey
    logs:CreateExportTask logs:CreateLogAnomalyDetector logs:TagResource"""
# Copies of every log.
TABLES_OF_LOGS = "logs:AssociateSourceToS3TableIntegration logs:DisassociateSourceFromS3TableIntegration"
READS_OF_LOGS = (
    "logs:DescribeLogStreams logs:FilterLogEvents logs:GetLogEvents logs:ListTagsForResource logs:StartQuery"
)
LOGS = [
    regional("logs", f"log-group:/aws/{name}")
    for name in (
        "codebuild/codebuild-dev-cfn-shop",
        "codebuild/codebuild-dev-replication-shop",
        "codebuild/codebuild-dev-review-shop",
        "lambda/cfn-gitops-dev-read",
        "lambda/cfn-gitops-dev",
    )
]
READS_OF_IMAGES = """ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:DescribeImages
    ecr:GetDownloadUrlForLayer ecr:GetRepositoryPolicy ecr:ListImages"""
# Calls that would show or write what a secret holds.
ON_SECRETS = (
    "secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:PutResourcePolicy"
    " secretsmanager:TagResource"
)
# Calls that list, overwrite or delete artifacts, and S3 replication's calls with a role. A table of S3
# Metadata lists them.
ON_BUCKETS = """s3:ListBucket s3:ListBucketVersions s3:PutObject s3:ReplicateObject s3:ReplicateDelete
    s3:ReplicateTags s3:DeleteObject s3:CreateBucketMetadataTableConfiguration
    s3:UpdateBucketMetadataJournalTableConfiguration s3:UpdateObjectEncryption s3:RestoreObject
    s3:BypassGovernanceRetention s3:TagResource"""
# Calls after which a key cannot be used any more, or by others only.
ON_KEYS = """kms:PutKeyPolicy kms:DisableKey kms:DisableKeyRotation kms:ScheduleKeyDeletion kms:CreateGrant
    kms:DeleteImportedKeyMaterial kms:RevokeGrant kms:UpdatePrimaryRegion kms:UpdateAlias kms:DeleteAlias
    kms:TagResource"""
USE_OF_KEYS = (
    "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey kms:GetKeyPolicy kms:ListGrants"
    " kms:ReEncryptTo"
)
# The key of notifications.yaml. A parameter cannot name it, because its stack is created later.
KEY_OF_NOTIFICATIONS = regional("kms", "key/of-notifications")
ITS_ALIAS = {"kms:ResourceAliases": ["alias/of-a-team", "alias/cfn-gitops-dev-notifications"]}
PROTECTED_KEYS = [(across.KEY, {}), (KEY, {}), (TOKEN_KEY, {}), (KEY_OF_NOTIFICATIONS, ITS_ALIAS)]
# The bucket of `sam deploy`, and an object that the next deployment of another environment reads.
SAM_BUCKET = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1a2b3c"
SAM_STACK = regional("cloudformation", "stack/aws-sam-cli-managed-default/0a1b")
SAM_OBJECT = f"{SAM_BUCKET}/cfn-gitops-prd/d41d8cd98f00b204e9800998ecf8427e"
# Code that CloudFormation runs before or for operations on every stack of the account.
TYPES = """cloudformation:ActivateOrganizationsAccess cloudformation:ActivateType
    cloudformation:DeactivateType cloudformation:DeregisterType cloudformation:PublishType
    cloudformation:RegisterPublisher cloudformation:RegisterType cloudformation:SetTypeConfiguration
    cloudformation:SetTypeDefaultVersion cloudformation:TestType"""
# Another name of a bucket, for which no statement about the bucket applies.
ACCESS_POINTS = "s3:CreateAccessPoint s3:CreateAccessPointForObjectLambda s3:CreateMultiRegionAccessPoint"
# The events of these sources contain the keys of artifacts, and so do notifications about these resources.
SOURCES_WITH_KEYS = ("aws.codepipeline", "aws.codebuild")
NOTIFICATIONS = (
    "codestar-notifications:CreateNotificationRule codestar-notifications:UpdateNotificationRule"
    " codestar-notifications:Subscribe"
)
NOTIFICATION_RULE = regional("codestar-notifications", "notificationrule/0a1b")


def in_prd(arn):
    return arn.replace("-dev", "-prd")


# Resources with names that no template uses for its own, and that are denied in every environment.
_OF_EVERY_ENVIRONMENT = [
    # Builds of review branches have a role and a rule of their own.
    *[
        ("events:PutTargets events:DisableRule", regional("events", f"rule/event-rule-dev-{name}"))
        for name in (
            "codepipeline-exec-cfn-shop",
            "codepipeline-exec-rev-shop",
            "cfn-gitops-health",
            "cfn-gitops-review",
        )
    ],
    (
        "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms",
        regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-mirrors"),
    ),
    (
        "cloudwatch:PutDashboard cloudwatch:DeleteDashboards",
        f"arn:aws:cloudwatch::{PIPELINES}:dashboard/cfn-gitops-dev-eu-central-1",
    ),
    *[
        (
            "codebuild:UpdateProject codebuild:StartBuild codebuild:DeleteProject",
            regional("codebuild", f"project/codebuild-dev-{kind}-shop"),
        )
        for kind in ("cfn", "replication", "review")
    ],
    *[
        (
            f"{REPORTS} codebuild:DeleteReportGroup codebuild:UpdateReportGroup",
            regional("codebuild", f"report-group/codebuild-dev-{kind}-shop-junit"),
        )
        for kind in ("cfn", "review")
    ],
    ("codecommit:CreateCommit codecommit:GitPush", regional("codecommit", "codecommit-dev-cfn-shop")),
    *[
        (
            "codepipeline:UpdatePipeline codepipeline:StartPipelineExecution",
            regional("codepipeline", f"codepipeline-dev-{name}"),
        )
        for name in ("cfn-shop", "s3-site")
    ],
    (
        "codepipeline:PutApprovalResult",
        regional("codepipeline", "codepipeline-dev-cfn-shop/Approval/Approval"),
    ),
    *[(ON_LOGS, log) for log in (*LOGS, f"{LOGS[-1]}:*")],
    *[
        ("lambda:InvokeFunction lambda:UpdateFunctionCode lambda:CreateFunctionUrlConfig", FUNCTION + end)
        for end in ("", ":$LATEST", ":live", "-read", "-read:$LATEST")
    ],
    *[
        (ON_SECRETS, regional("secretsmanager", f"secret:{name}-AbC123"))
        for name in ("codecommit-mirror/user-dev-shop-mirror", "cfn-gitops-dev/deletions/shop")
    ],
    *[
        (f"{ON_BUCKETS} s3:PutBucketPolicy", bucket)
        for bucket in (environment.BUCKET, across.BUCKET, SAM_BUCKET)
    ],
    (f"{ON_BUCKETS} s3:DeleteObjectVersion s3:PutObjectAcl", SAM_OBJECT),
]

MAY_NOT = [
    *_machinery(),
    *[(DEPLOY, actions, arn, {}) for actions, ours in _OF_EVERY_ENVIRONMENT for arn in (ours, in_prd(ours))],
    *[
        (DEPLOY, ON_SECRETS, regional("secretsmanager", f"secret:{name}-AbC123"), FOR_A_GITLAB)
        for name in ("gitlab/mirrors", "anything")
    ],
    # A tag that makes a secret a GitLab token, or names its owner.
    *[
        (
            DEPLOY,
            "secretsmanager:CreateSecret secretsmanager:TagResource secretsmanager:UntagResource",
            regional("secretsmanager", "secret:thumbnails-AbC123"),
            {"aws:TagKeys": ["team", f"cfn-gitops:{tag}"]},
        )
        for tag in ("gitlab-url", "stack-id")
    ],
    *[
        (
            DEPLOY,
            "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping",
            "*",
            {"lambda:FunctionArn": FUNCTION + end},
        )
        for end in ("", ":live", "-read")
    ],
    # Every change to IAM, for each kind of resource that does not have the names of this environment.
    *[
        (DEPLOY, IN_IAM, arn, WITH_BOUNDARY)
        for arn in (
            "*",
            user(PIPELINES, "administrator"),
            user(PIPELINES, "user-dev-shop-mirror"),
            group("administrators"),
            group("group-dev-readers"),
            role(PIPELINES, "administrator"),
            role(PIPELINES, "role-prd-cfn-gitops"),
            role(PIPELINES, "role-dev2-thumbnails"),
            f"{POLICY}/administrators",
            f"{POLICY}/policy-dev-codedeploy-cfn",
            f"{PROFILE}/bastion",
            f"arn:aws:iam::{PIPELINES}:saml-provider/company",
            f"arn:aws:iam::{PIPELINES}:oidc-provider/gitlab.example.com",
        )
    ],
    # An administrator's stack, which is updated with the role that created it.
    *[
        (DEPLOY, CHANGED_STACKS, regional("cloudformation", f"stack/{name}/0a1b"), {})
        for name in ("CDKToolkit", "cfnstack-prd-shop", "cfnstack-dev2-shop")
    ],
    # Another name of a stack, its own included: a name that others would use later.
    *[
        (
            DEPLOY,
            "cloudformation:SetAlias cloudformation:RemoveAlias",
            regional("cloudformation", f"stack/{name}/0a1b"),
            {},
        )
        for name in ("CDKToolkit", "cfnstack-prd-shop", "cfnstack-dev-shop")
    ],
    *[
        (DEPLOY, CHANGED_STACK_SETS, regional("cloudformation", f"stackset/{name}:0a1b"), {})
        for name in ("cfnstack-dev-shop", "of-an-administrator")
    ],
    (DEPLOY, APPROVAL_RULES, "*", {}),
    # A stack that names another bucket to `sam deploy`.
    *[
        (DEPLOY, "cloudformation:CreateStack cloudformation:TagResource", arn, {})
        for arn in (SAM_STACK, SAM_STACK.replace(REGION, "eu-west-1"))
    ],
    (DEPLOY, ACCESS_POINTS, "*", {}),
    (DEPLOY, f"logs:PutAccountPolicy logs:DeleteAccountPolicy {TABLES_OF_LOGS}", "*", {}),
    *[
        (DEPLOY, TYPES, arn, {})
        for arn in (
            "*",
            regional("cloudformation", "type/hook/Company-Any-Hook"),
            regional("cloudformation", "type/resource/Company-Any-Thing"),
        )
    ],
    (
        DEPLOY,
        "chatbot:UpdateSlackChannelConfiguration chatbot:DeleteMicrosoftTeamsChannelConfiguration",
        "*",
        {},
    ),
    (
        DEPLOY,
        """sso:CreateAccountAssignment sso:AttachManagedPolicyToPermissionSet sso:DeletePermissionSet
        sso-directory:AddMemberToGroup identitystore:CreateGroupMembership identitystore:CreateUser""",
        "*",
        {},
    ),
    (DEPLOY, "ecr:PutRegistryPolicy ecr:PutReplicationConfiguration", "*", {}),
    (DEPLOY, "ecr:UpdateImageStorageClass", regional("ecr", "repository/ecr-dev-shop"), {}),
    # Messages on which people act, such as that of an approval that waits.
    (
        DEPLOY,
        (
            "sns:Publish sns:PutDataProtectionPolicy sns:Subscribe sns:ConfirmSubscription"
            " sns:GetTopicAttributes"
        ),
        regional("sns", "sns-dev-notifications"),
        {},
    ),
    *[
        (
            DEPLOY,
            "events:PutRule",
            regional("events", "rule/event-rule-dev-nightly"),
            {"events:source": sources},
        )
        for each in SOURCES_WITH_KEYS
        for sources in (each, [each], ["aws.s3", each])
    ],
    *[
        (DEPLOY, NOTIFICATIONS, NOTIFICATION_RULE, {"codestar-notifications:NotificationsForResource": arn})
        for arn in (
            regional("codepipeline", "codepipeline-dev-cfn-shop"),
            regional("codebuild", "project/codebuild-dev-cfn-shop"),
            regional("codebuild", "project/codebuild-dev-review-shop"),
        )
    ],
    *[
        (DEPLOY, f"{ON_BUCKETS} s3:DeleteObjectVersion s3:PutObjectAcl", f"{bucket}/{key}", {})
        for bucket in (across.BUCKET, environment.BUCKET)
        for key in ("codepipeline-dev-cfn/Source/a", "review/shop/0a1b/template.yaml")
    ],
    *[
        (DEPLOY, f"{ON_BUCKETS} s3:PutBucketPolicy s3:DeleteBucket", f"{SECOND_BUCKET}{key}", {})
        for key in ("", "/codepipeline-dev-cfn/Source/a")
    ],
    *[(DEPLOY, ON_KEYS, key, keys) for key, keys in PROTECTED_KEYS],
    # A key without its store cannot be used.
    (DEPLOY, "kms:DisconnectCustomKeyStore kms:DeleteCustomKeyStore kms:UpdateCustomKeyStore", "*", {}),
    # The default bus, which a disabled key would stop.
    (DEPLOY, "events:UpdateEventBus", across.BUS, {}),
    *[
        (DEPLOY, "events:PutPermission events:RemovePermission", across.BUS.replace("default", name), {})
        for name in ("default", "shop")
    ],
    (
        DEPLOY,
        "cloudformation:UpdateStack cloudformation:DeleteStack cloudformation:TagResource",
        regional("cloudformation", "stack/gitops-dev-shop/0a1b"),
        {},
    ),
    (
        DEPLOY,
        f"{CHANGED_STACKS} cloudformation:UpdateTerminationProtection cloudformation:TagResource",
        PROVIDER_STACK,
        {},
    ),
    (DEPLOY, "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy", BOUNDARY, {}),
    # No user or role is created that could do more than the boundary allows.
    *[
        (
            DEPLOY,
            "iam:CreateRole iam:AcquireRole iam:PutRolePolicy iam:AttachRolePolicy",
            role(PIPELINES, name),
            keys,
        )
        for keys in ({}, IN_ANOTHER_BOUNDARY, WITH_OWN_BOUNDARY)
        for name in ("role-dev-thumbnails", "anything")
    ],
    (
        DEPLOY,
        "iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary",
        role(PIPELINES, "role-dev-thumbnails"),
        WITH_BOUNDARY,
    ),
    # A path that begins like a name. IAM's star also matches a slash.
    *[
        (
            DEPLOY,
            f"{_TAKES_OVER['AWS::IAM::Role']} iam:CreateRole sts:AssumeRole",
            role(PIPELINES, name),
            WITH_BOUNDARY,
        )
        for name in (
            "role-dev-tools/admin",
            "cfnstack-dev-tools/admin",
            "x/role-dev-y",
            "role/role-dev-y",
            "x/cfnstack-dev-y",
        )
    ],
    *[
        (PROVISIONING, "iam:PassRole", role(PIPELINES, name), passed_to(service))
        for service in SERVICES_OF_PIPELINES
        for name in (
            "role-dev-cfn-gitops",
            "role-dev-cfn-gitops-provisioning",
            "role-dev-codedeploy-cfn",
            "role-dev-codepipeline-s3-site",
            "role-dev-tools/admin",
            "x/role-dev-codebuild-cfn",
        )
    ],
    # The keys of a real request, without a boundary.
    *[
        (
            DEPLOY,
            "iam:UpdateAssumeRolePolicy iam:DeleteRolePermissionsBoundary sts:AssumeRole",
            role(PIPELINES, f"role-dev-{name}"),
            {},
        )
        for name in ("codedeploy-cfn", "cfn-gitops-provisioning", "review-codebuild-cfn")
    ],
    *[
        (DEPLOY, "iam:PassRole", role(PIPELINES, f"role-dev-{name}"), passed_to(f"{service}.amazonaws.com"))
        for name, service in (
            ("codepipeline-cfn", "codepipeline"),
            ("cfn-gitops-provisioning", "cloudformation"),
            ("review-codebuild-cfn", "codebuild"),
        )
    ],
    (DEPLOY, "iam:CreateUser iam:CreateAccessKey", user(PIPELINES, "anybody"), {}),
    (DEPLOY, "lambda:AddPermission", FUNCTION, {"lambda:Principal": "*"}),
]

MAY = [
    # Added permissions are effective.
    (
        DEPLOY,
        "sqs:CreateQueue sqs:SetQueueAttributes sqs:DeleteQueue",
        regional("sqs", "sqs-dev-thumbnails"),
        {},
    ),
    (
        DEPLOY,
        "sns:CreateTopic sns:SetTopicAttributes sns:DeleteTopic",
        regional("sns", "sns-dev-thumbnails"),
        {},
    ),
    (
        DEPLOY,
        "s3:CreateBucket s3:PutBucketPolicy s3:PutEncryptionConfiguration s3:DeleteBucket",
        "arn:aws:s3:::s3-dev-thumbnails",
        {},
    ),
    (
        DEPLOY,
        "ecr:CreateRepository ecr:PutLifecyclePolicy ecr:SetRepositoryPolicy ecr:DeleteRepository",
        regional("ecr", "repository/thumbnails-dev"),
        {},
    ),
    # A function's image: described and pulled.
    (DEPLOY, READS_OF_IMAGES, regional("ecr", "repository/ecr-dev-shop"), {}),
    (DEPLOY, "kms:CreateKey", "*", {}),
    *[
        (DEPLOY, ON_KEYS, regional("kms", "key/thumbnails"), keys)
        for keys in ({}, {"kms:ResourceAliases": ["alias/thumbnails"]})
    ],
    *[(DEPLOY, USE_OF_KEYS, key, keys) for key, keys in PROTECTED_KEYS[1:]],
    *[(DEPLOY, READS_OF_LOGS, log, {}) for log in LOGS],
    (DEPLOY, "events:UpdateEventBus", regional("events", "event-bus/orders"), {}),
    (
        DEPLOY,
        f"{ON_LOGS} logs:CreateLogGroup",
        regional("logs", "log-group:/aws/lambda/lambda-dev-thumbnails"),
        {},
    ),
    (
        DEPLOY,
        "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms",
        regional("cloudwatch", "alarm:alarm-dev-thumbnails"),
        {},
    ),
    *[
        (DEPLOY, "s3:GetObject s3:GetObjectVersion", f"{bucket}/0a1b2c.zip", {})
        for bucket in (environment.BUCKET, SECOND_BUCKET)
    ],
    (
        DEPLOY,
        "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy",
        role(PIPELINES, "role-dev-thumbnails"),
        WITH_BOUNDARY,
    ),
    # Policies and profiles that a template does not name, and those that a service creates for itself.
    (DEPLOY, _ON_POLICIES, f"{POLICY}/cfnstack-dev-shop-Reads-1A2B3C", {}),
    (DEPLOY, _ON_PROFILES, f"{PROFILE}/cfnstack-dev-shop-Profile-1A2B3C", {}),
    (
        DEPLOY,
        "iam:CreateServiceLinkedRole iam:DeleteServiceLinkedRole",
        role(PIPELINES, "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        {},
    ),
    *[
        (DEPLOY, "iam:TagRole iam:UpdateRole iam:PassRole sts:AssumeRole", role(PIPELINES, name), {})
        for name in ("role-dev-thumbnails", "cfnstack-dev-shop-Role-1A2B3C")
    ],
    (DEPLOY, "iam:ListRoles iam:ListUsers", "*", {}),
    (
        DEPLOY,
        f"{CHANGED_STACKS} cloudformation:CreateStack",
        regional("cloudformation", "stack/cfnstack-dev-shop-Network-1A2B3C/0a1b"),
        {},
    ),
    (
        DEPLOY,
        "cloudformation:CreateChangeSet",
        regional("cloudformation", "transform/Serverless-2016-10-31", "aws"),
        {},
    ),
    (DEPLOY, ON_SECRETS, regional("secretsmanager", "secret:thumbnails-AbC123"), {}),
    (
        DEPLOY,
        "secretsmanager:CreateSecret secretsmanager:TagResource secretsmanager:UntagResource",
        regional("secretsmanager", "secret:thumbnails-AbC123"),
        {"aws:TagKeys": ["team"]},
    ),
    (
        DEPLOY,
        "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping",
        "*",
        {"lambda:FunctionArn": regional("lambda", "function:lambda-dev-thumbnails")},
    ),
    (DEPLOY, "iam:UpdateAssumeRolePolicy iam:DeleteRole", role(PIPELINES, "role-dev-thumbnails"), {}),
    (DEPLOY, "events:PutTargets", regional("events", "rule/event-rule-dev-nightly"), {}),
    # A schedule has no source.
    *[
        (DEPLOY, "events:PutRule", regional("events", "rule/event-rule-dev-nightly"), keys)
        for keys in ({}, {"events:source": ["aws.s3", "aws.ecr"]})
    ],
    (
        DEPLOY,
        NOTIFICATIONS,
        NOTIFICATION_RULE,
        {"codestar-notifications:NotificationsForResource": regional("codecommit", "thumbnails")},
    ),
    (
        DEPLOY,
        (
            "lambda:UpdateFunctionCode lambda:AddPermission lambda:DeleteFunction"
            " lambda:PutFunctionConcurrency lambda:RemovePermission"
        ),
        regional("lambda", "function:lambda-dev-thumbnails"),
        {},
    ),
    *[
        (PROVISIONING, "iam:PassRole", role(PIPELINES, "administrator"), passed_to(service))
        for service in SERVICES_OF_PIPELINES
    ],
]
