"""What every principal of the template may do, and what it may not.

The first table is complete: a right that is granted and stands in no row fails a test. The
second holds what somebody with a hostile template, build or repository would try.
"""

from deployed import ACCOUNT, BOUNDARY, REGION

ROLES = {
    "FunctionRole": "lambda.amazonaws.com",
    "CodeBuildCFnRole": "codebuild.amazonaws.com",
    "CodeDeployCFnRole": "cloudformation.amazonaws.com",
    "CodePipelineCFnRole": "codepipeline.amazonaws.com",
    "EventsRuleRole": "events.amazonaws.com",
    "ProvisioningRole": "cloudformation.amazonaws.com",
}
PRINCIPALS = [*ROLES, "MirrorUser"]


def regional(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def user(name):
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def secret(name):
    return regional("secretsmanager", f"secret:{name}")


def function(name):
    return regional("lambda", f"function:{name}")


def rule(name):
    return regional("events", f"rule/{name}")


def stack_arn(name):
    return regional("cloudformation", f"stack/{name}/0a1b2c3d")


def repository(name):
    return regional("codecommit", name)


def pipeline(name):
    return regional("codepipeline", name)


def build_project(name):
    return regional("codebuild", f"project/{name}")


def log_group(name):
    return regional("logs", f"log-group:{name}")


def topic(name):
    return regional("sns", name)


BUCKET = f"arn:aws:s3:::s3-dev-codepipeline-artifact-{ACCOUNT}-{REGION}"
MIRROR = user("user-dev-codecommit-mirroring")
REPOSITORY = repository("codecommit-dev-cfn-infra")
PIPELINE = pipeline("codepipeline-dev-cfn-infra")
BUILD_PROJECT = build_project("codebuild-dev-cfn-infra")
PIPELINE_RULE = rule("event-rule-dev-codepipeline-exec-cfn-infra")
PIPELINE_STACK = stack_arn("gitops-dev-infra")
PROVISIONING = role("role-dev-cfn-gitops-provisioning")
BUILD_LOG = log_group("/aws/codebuild/codebuild-dev-cfn-infra")
OWN_LOG = regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:log-stream:2026/01/01/a")
SERVERLESS = f"arn:aws:cloudformation:{REGION}:aws:transform/Serverless-2016-10-31"
KEY = regional("kms", "key/1234abcd")
TOKEN_KEY = regional("kms", "key/5678efab")
FORMER_KEYS = [regional("kms", "key/0987dcba"), regional("kms", "key/mrk-5678")]
# Another account's source: the role it is read with, and where this account keeps it.
SOURCE_ROLES = [
    "arn:aws:iam::111122223333:role/role-dev-codecommit-source",
    "arn:aws:iam::444455556666:role/role-dev-ecr-source",
]
FOREIGN_BUCKET = f"arn:aws:s3:::s3-dev-crossaccount-artifact-{ACCOUNT}-{REGION}"
SECOND_BUCKET = f"arn:aws:s3:::s3-dev-another-account-artifact-{ACCOUNT}-{REGION}"
FOREIGN_KEY = regional("kms", "key/aabb1122")
# What switches on every right that other accounts' sources bring.
OTHER_ACCOUNTS = {
    "SourceRoleArns": ",".join(SOURCE_ROLES),
    "ArtifactBucketArns": f"{FOREIGN_BUCKET},{SECOND_BUCKET}",
    "ArtifactKeyArns": FOREIGN_KEY,
}
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
VIA_SECRETS_MANAGER = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
# The owner of a token says which GitLab it is for.
FOR_A_GITLAB = {"secretsmanager:ResourceTag/cfn-gitops:gitlab-url": "https://gitlab.example.com"}
WITH_BOUNDARY = {"iam:PermissionsBoundary": BOUNDARY}


# A repository that a pipeline's stack made says so.
MADE_BY_A_PIPELINE = {"aws:ResourceTag/cfn-gitops:stack-name": "gitops-dev-infra"}
# What the pipelines' roles may be passed to, by whoever makes a pipeline.
SERVICES_OF_PIPELINES = ("codebuild.amazonaws.com", "codepipeline.amazonaws.com", "events.amazonaws.com")


def passed_to(service):
    return {"iam:PassedToService": service}


CREDENTIALS = """iam:ListUserTags iam:TagUser iam:UntagUser iam:ListServiceSpecificCredentials
    iam:CreateServiceSpecificCredential iam:ResetServiceSpecificCredential
    iam:UpdateServiceSpecificCredential iam:DeleteServiceSpecificCredential"""
SECRETS = """secretsmanager:CreateSecret secretsmanager:DescribeSecret
    secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecret
    secretsmanager:UpdateSecretVersionStage secretsmanager:DeleteSecret
    secretsmanager:TagResource secretsmanager:UntagResource"""
FUNCTIONS = """lambda:CreateFunction lambda:GetFunction lambda:GetFunctionConfiguration
    lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig
    lambda:GetRuntimeManagementConfig lambda:UpdateFunctionCode
    lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency
    lambda:DeleteFunctionConcurrency lambda:PutFunctionEventInvokeConfig
    lambda:GetFunctionEventInvokeConfig lambda:UpdateFunctionEventInvokeConfig
    lambda:DeleteFunctionEventInvokeConfig lambda:PublishVersion
    lambda:ListVersionsByFunction lambda:GetPolicy lambda:RemovePermission
    lambda:InvokeFunction lambda:DeleteFunction lambda:ListTags lambda:TagResource
    lambda:UntagResource"""
RULES = """events:PutRule events:DescribeRule events:EnableRule events:DisableRule
    events:DeleteRule events:PutTargets events:ListTargetsByRule events:RemoveTargets
    events:ListTagsForResource events:TagResource events:UntagResource"""
BOUNDED_ROLES = """iam:CreateRole iam:PutRolePolicy iam:DeleteRolePolicy iam:AttachRolePolicy
    iam:DetachRolePolicy"""
EXISTING_ROLES = """iam:GetRole iam:GetRolePolicy iam:ListRolePolicies
    iam:ListAttachedRolePolicies iam:ListRoleTags iam:UpdateRole iam:UpdateRoleDescription
    iam:UpdateAssumeRolePolicy iam:TagRole iam:UntagRole iam:DeleteRole"""
STACKS = """cloudformation:CreateStack cloudformation:DescribeStacks
    cloudformation:UpdateStack cloudformation:DeleteStack"""
STACK_TAGS = "cloudformation:TagResource cloudformation:UntagResource"
STACKS_OF_PIPELINES = f"""{STACKS} {STACK_TAGS} cloudformation:DescribeStackEvents
    cloudformation:CancelUpdateStack cloudformation:ContinueUpdateRollback"""
TOKENS = "secretsmanager:DescribeSecret secretsmanager:GetSecretValue"
REPOSITORIES = """codecommit:GetRepository codecommit:GetBranch codecommit:ListTagsForResource
    codecommit:AssociateApprovalRuleTemplateWithRepository
    codecommit:DisassociateApprovalRuleTemplateFromRepository"""
APPROVAL_TEMPLATES = """codecommit:CreateApprovalRuleTemplate codecommit:GetApprovalRuleTemplate
    codecommit:UpdateApprovalRuleTemplateContent codecommit:DeleteApprovalRuleTemplate
    codecommit:ListRepositoriesForApprovalRuleTemplate"""
MARKS = """secretsmanager:CreateSecret secretsmanager:DescribeSecret secretsmanager:TagResource
    secretsmanager:RestoreSecret secretsmanager:DeleteSecret"""
SOURCE = """codecommit:GetRepository codecommit:GetBranch codecommit:GetCommit
    codecommit:UploadArchive codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive"""

USE_OF_A_KEY = """kms:DescribeKey kms:Encrypt kms:Decrypt kms:ReEncryptFrom kms:ReEncryptTo
    kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext"""

# By handler, from the registry schemas of the types; see template.yaml.
MADE_REPOSITORIES = """codecommit:CreateRepository codecommit:GetRepository
    codecommit:GetRepositoryTriggers codecommit:UpdateRepositoryName
    codecommit:UpdateRepositoryDescription codecommit:DeleteRepository
    codecommit:ListTagsForResource codecommit:TagResource codecommit:UntagResource"""
MADE_BUILD_PROJECTS = """codebuild:CreateProject codebuild:BatchGetProjects
    codebuild:UpdateProject codebuild:UpdateProjectVisibility codebuild:DeleteProject"""
MADE_LOG_GROUPS = """logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy
    logs:DeleteRetentionPolicy logs:GetDataProtectionPolicy logs:DeleteDataProtectionPolicy
    logs:ListTagsForResource logs:TagResource logs:UntagResource"""
CHANGED_PIPELINES = """codepipeline:CreatePipeline codepipeline:GetPipeline
    codepipeline:UpdatePipeline codepipeline:DeletePipeline codepipeline:ListTagsForResource
    codepipeline:TagResource codepipeline:UntagResource"""
MADE_PIPELINES = f"{CHANGED_PIPELINES} codepipeline:GetPipelineState"
MADE_RULES = """events:PutRule events:DescribeRule events:DeleteRule events:PutTargets
    events:ListTargetsByRule events:RemoveTargets events:ListTagsForResource events:TagResource
    events:UntagResource"""
LISTS_OF_THE_HEALTH_CHECK = "codepipeline:ListPipelines secretsmanager:ListSecrets"
LISTS = """codecommit:ListRepositories logs:DescribeIndexPolicies logs:DescribeLogGroups
    logs:DescribeResourcePolicies"""
CHANGE_SETS = """cloudformation:CreateChangeSet cloudformation:DescribeChangeSet
    cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet"""

# principal, actions, resource, context keys
MAY = [
    ("FunctionRole", CREDENTIALS, MIRROR, {}),
    ("FunctionRole", CREDENTIALS, user("user-dev-second-mirror"), {}),
    # An existing secret, and one that is not there (any more).
    ("FunctionRole", SECRETS, secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror/user-dev-codecommit-mirroring"), {}),
    # A token of GitLab's, whatever its secret is called.
    ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB),
    ("FunctionRole", "kms:Decrypt", TOKEN_KEY, VIA_SECRETS_MANAGER),
    ("FunctionRole", REPOSITORIES, REPOSITORY, {}),
    # One that Source names.
    ("FunctionRole", REPOSITORIES, repository("codecommit-dev-website"), {}),
    ("FunctionRole", "codecommit:UpdateDefaultBranch", REPOSITORY, {}),
    ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, MADE_BY_A_PIPELINE),
    ("FunctionRole", APPROVAL_TEMPLATES, "*", {}),
    # A stack that is not there yet is judged by its name and a star.
    ("FunctionRole", STACKS_OF_PIPELINES, PIPELINE_STACK, {}),
    ("FunctionRole", STACKS_OF_PIPELINES, regional("cloudformation", "stack/gitops-dev-shop/*"), {}),
    ("FunctionRole", "iam:PassRole", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
    ("FunctionRole", "codepipeline:ListPipelineExecutions codepipeline:StartPipelineExecution", PIPELINE, {}),
    ("FunctionRole", "codepipeline:ListPipelineExecutions codepipeline:GetPipelineState", PIPELINE, {}),
    ("FunctionRole", LISTS_OF_THE_HEALTH_CHECK, "*", {}),
    ("FunctionRole", "lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
    ("FunctionRole", MARKS, secret("cfn-gitops-dev/deletions/infra-0a1b2c3d-AbC123"), {}),
    ("FunctionRole", MARKS, secret("cfn-gitops-dev/deletions/infra-0a1b2c3d"), {}),
    ("FunctionRole", "logs:CreateLogStream logs:PutLogEvents", OWN_LOG, {}),
    ("FunctionRole", "kms:Decrypt kms:Encrypt kms:GenerateDataKey", KEY, VIA_SECRETS_MANAGER),
    *[("FunctionRole", "kms:Decrypt", former, VIA_SECRETS_MANAGER) for former in FORMER_KEYS],
    *[("FunctionRole", "sts:AssumeRole", each, {}) for each in SOURCE_ROLES],
    ("CodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{BUILD_LOG}:log-stream:a", {}),
    ("CodeBuildCFnRole", "s3:ListBucket s3:GetBucketAcl s3:GetBucketLocation", BUCKET, {}),
    ("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{BUCKET}/codepipeline-dev-cfn/Build/a", {}),
    *[("CodeBuildCFnRole", "s3:ListBucket s3:GetBucketAcl s3:GetBucketLocation", each, {}) for each in (FOREIGN_BUCKET, SECOND_BUCKET)],
    *[("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{each}/codepipeline-dev-cfn/Build/a", {}) for each in (FOREIGN_BUCKET, SECOND_BUCKET)],
    ("CodeBuildCFnRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("cfnstack-dev-infra-Thumbnails-1A2B3C"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "events.amazonaws.com"}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-dev-nightly"), {}),
    ("CodeDeployCFnRole", RULES, rule("cfnstack-dev-infra-Nightly-1A2B3C"), {}),
    ("CodeDeployCFnRole", "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/code.zip", {}),
    *[("CodeDeployCFnRole", "s3:GetObject s3:GetObjectVersion", f"{each}/code.zip", {}) for each in (FOREIGN_BUCKET, SECOND_BUCKET)],
    ("CodeDeployCFnRole", "kms:Decrypt", FOREIGN_KEY, VIA_S3),
    ("CodeDeployCFnRole", f"{STACKS} cloudformation:TagResource cloudformation:UntagResource", stack_arn("cfnstack-dev-infra-Network-1A2B3C"), {}),
    ("CodeDeployCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("cfnstack-dev-infra-Role-1A2B3C"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", EXISTING_ROLES, role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), passed_to("lambda.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("cfnstack-dev-infra-Role-1A2B3C"), passed_to("events.amazonaws.com")),
    ("CodePipelineCFnRole", "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", BUCKET, {}),
    ("CodePipelineCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{BUCKET}/codepipeline-dev-cfn/Source/a", {}),
    *[("CodePipelineCFnRole", "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", each, {}) for each in (FOREIGN_BUCKET, SECOND_BUCKET)],
    *[("CodePipelineCFnRole", "s3:GetObject s3:GetObjectVersion s3:PutObject", f"{each}/codepipeline-dev-cfn/Source/a", {}) for each in (FOREIGN_BUCKET, SECOND_BUCKET)],
    ("CodePipelineCFnRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    *[("CodePipelineCFnRole", "sts:AssumeRole", each, {}) for each in SOURCE_ROLES],
    ("CodePipelineCFnRole", "ecr:DescribeImages", regional("ecr", "repository/ecr-dev-shop"), {}),
    ("CodePipelineCFnRole", SOURCE, REPOSITORY, {}),
    ("CodePipelineCFnRole", SOURCE, repository("codecommit-dev-website"), {}),
    ("CodePipelineCFnRole", "codebuild:StartBuild codebuild:BatchGetBuilds", BUILD_PROJECT, {}),
    ("CodePipelineCFnRole", "sns:Publish", topic("sns-dev-approvals"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {STACK_TAGS} {CHANGE_SETS} cloudformation:DescribeStackEvents cloudformation:SetStackPolicy", stack_arn("cfnstack-dev-infra"), {}),
    ("CodePipelineCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    ("CodePipelineCFnRole", "cloudformation:ValidateTemplate", "*", {}),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", PIPELINE, {}),
    ("ProvisioningRole", MADE_REPOSITORIES, REPOSITORY, {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, BUILD_PROJECT, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, BUILD_LOG, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, f"{BUILD_LOG}:*", {}),
    ("ProvisioningRole", MADE_PIPELINES, PIPELINE, {}),
    ("ProvisioningRole", MADE_RULES, PIPELINE_RULE, {}),
    # An image's push is a rule of its own.
    ("ProvisioningRole", MADE_RULES, rule("event-rule-dev-codepipeline-exec-ecr-infra"), {}),
    ("ProvisioningRole", LISTS, "*", {}),
    ("ProvisioningRole", "iam:GetRole", role("role-dev-codepipeline-cfn"), {}),
    ("ProvisioningRole", "iam:PassRole", role("role-dev-codebuild-cfn"), passed_to("codebuild.amazonaws.com")),
    ("ProvisioningRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), passed_to("codepipeline.amazonaws.com")),
    ("ProvisioningRole", "iam:PassRole", role("role-dev-eventbridge-codepipeline-exec"), passed_to("events.amazonaws.com")),
    # Roles that a project brings along.
    *[("ProvisioningRole", "iam:PassRole", role("role-dev-shop"), passed_to(service)) for service in SERVICES_OF_PIPELINES],
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", REPOSITORY, {}),
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", repository("codecommit-dev-website"), {}),
]

MAY_NOT = [
    # The function, borrowed by a hostile template.
    ("FunctionRole", CREDENTIALS, user("user-prd-codecommit-mirroring"), {}),
    ("FunctionRole", CREDENTIALS, user("user-dev2-codecommit-mirroring"), {}),
    ("FunctionRole", CREDENTIALS, user("administrator"), {}),
    ("FunctionRole", SECRETS, secret("database/password-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("database/codecommit-mirror/x-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror-AbC123"), {}),
    ("FunctionRole", SECRETS, secret("codecommit-mirror/x-AbC123").replace(REGION, "us-east-1"), {}),
    # A secret that says nothing of GitLab, or says it in other words; one of another account; and
    # whatever would change a token, or make a token of a secret.
    ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), {}),
    ("FunctionRole", TOKENS, secret("database/password-AbC123"), {"secretsmanager:ResourceTag/gitlab-url": "https://gitlab.example.com"}),
    ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123").replace(ACCOUNT, "999999999999"), FOR_A_GITLAB),
    ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123").replace(REGION, "us-east-1"), FOR_A_GITLAB),
    ("FunctionRole", "secretsmanager:PutSecretValue secretsmanager:UpdateSecret secretsmanager:DeleteSecret secretsmanager:TagResource secretsmanager:UntagResource secretsmanager:PutResourcePolicy", secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB),
    ("FunctionRole", "kms:Decrypt", TOKEN_KEY, {}),
    ("FunctionRole", "kms:Encrypt kms:GenerateDataKey kms:CreateGrant", TOKEN_KEY, VIA_SECRETS_MANAGER),
    ("FunctionRole", REPOSITORIES, repository("codecommit-prd-cfn-infra"), {}),
    ("FunctionRole", REPOSITORIES, repository("somebody-elses"), {}),
    ("FunctionRole", "codecommit:GitPush codecommit:GitPull codecommit:CreateRepository", REPOSITORY, MADE_BY_A_PIPELINE),
    # Somebody's repository that has such a name, another environment's, and one that Source names.
    ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, {}),
    ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, {"aws:ResourceTag/CreatedBy": "gitops-dev-infra"}),
    ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, {"aws:ResourceTag/cfn-gitops:stack-name": "gitops-prd-infra"}),
    ("FunctionRole", "codecommit:DeleteRepository", repository("codecommit-prd-cfn-infra"), MADE_BY_A_PIPELINE),
    ("FunctionRole", "codecommit:DeleteRepository", repository("codecommit-dev-website"), MADE_BY_A_PIPELINE),
    # A branch of somebody's repository that Source names.
    ("FunctionRole", "codecommit:UpdateDefaultBranch", repository("codecommit-dev-website"), {}),
    ("FunctionRole", "codecommit:UpdateDefaultBranch", repository("codecommit-prd-cfn-infra"), {}),
    # To give itself the tag that lets it delete.
    ("FunctionRole", "codecommit:TagResource codecommit:UntagResource", REPOSITORY, {}),
    # Another environment's stack, the provider's own, what pipelines deployed, anybody's.
    ("FunctionRole", STACKS_OF_PIPELINES, stack_arn("gitops-prd-infra"), {}),
    ("FunctionRole", STACKS_OF_PIPELINES, stack_arn("gitops-dev2-infra"), {}),
    ("FunctionRole", STACKS_OF_PIPELINES, stack_arn("gitops-dev"), {}),
    ("FunctionRole", STACKS_OF_PIPELINES, stack_arn("cfn-gitops-dev"), {}),
    ("FunctionRole", STACKS_OF_PIPELINES, stack_arn("cfnstack-dev-infra"), {}),
    ("FunctionRole", STACKS_OF_PIPELINES, PIPELINE_STACK.replace(ACCOUNT, "999999999999"), {}),
    ("FunctionRole", f"{CHANGE_SETS} cloudformation:SetStackPolicy", PIPELINE_STACK, {}),
    # The provisioning role in other hands, and other roles in CloudFormation's.
    ("FunctionRole", "iam:PassRole", PROVISIONING, {}),
    *[("FunctionRole", "iam:PassRole", PROVISIONING, passed_to(service)) for service in (*SERVICES_OF_PIPELINES, "lambda.amazonaws.com")],
    ("FunctionRole", "sts:AssumeRole iam:PutRolePolicy iam:AttachRolePolicy iam:UpdateAssumeRolePolicy", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
    *[("FunctionRole", "iam:PassRole", role(name), passed_to("cloudformation.amazonaws.com")) for name in (
        "role-dev-codedeploy-cfn", "role-dev-cfn-gitops", "role-prd-cfn-gitops-provisioning", "administrator")],
    # What CloudFormation does for it, it may not do itself.
    ("FunctionRole", f"{CHANGED_PIPELINES} codepipeline:PutApprovalResult codepipeline:StopPipelineExecution", PIPELINE, {}),
    ("FunctionRole", "codepipeline:GetPipelineState codepipeline:ListPipelineExecutions", pipeline("codepipeline-prd-cfn-infra"), {}),
    # What it sees it logs: metrics are made of that, and nobody else's are touched.
    ("FunctionRole", "cloudwatch:PutMetricData cloudwatch:SetAlarmState cloudwatch:DeleteAlarms", "*", {}),
    ("FunctionRole", "secretsmanager:RotateSecret secretsmanager:CancelRotateSecret secretsmanager:GetRandomPassword", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    ("FunctionRole", MADE_BUILD_PROJECTS, BUILD_PROJECT, {}),
    ("FunctionRole", RULES, PIPELINE_RULE, {}),
    ("FunctionRole", "codepipeline:StartPipelineExecution", pipeline("codepipeline-prd-cfn-infra"), {}),
    ("FunctionRole", "codepipeline:StartPipelineExecution", pipeline("somebody-elses"), {}),
    ("FunctionRole", "lambda:InvokeFunction", function("cfn-gitops-prd"), {}),
    ("FunctionRole", "lambda:InvokeFunction", function("lambda-dev-thumbnails"), {}),
    # A mark holds no value.
    ("FunctionRole", "secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecret", secret("cfn-gitops-dev/deletions/infra-0a1b2c3d-AbC123"), {}),
    ("FunctionRole", MARKS, secret("cfn-gitops-prd/deletions/infra-0a1b2c3d-AbC123"), {}),
    ("FunctionRole", MARKS, secret("cfn-gitops-dev/other-AbC123"), {}),
    ("FunctionRole", "iam:DeleteUser iam:CreateAccessKey iam:CreateLoginProfile iam:AttachUserPolicy iam:PutUserPolicy", MIRROR, {}),
    ("FunctionRole", "iam:CreateRole iam:PassRole iam:UpdateAssumeRolePolicy sts:AssumeRole", role("role-dev-codedeploy-cfn"), passed_to("lambda.amazonaws.com")),
    ("FunctionRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-dev-infra"), {}),
    ("FunctionRole", "s3:GetObject s3:PutObject", f"{BUCKET}/code.zip", {}),
    ("FunctionRole", "lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:AddPermission", function("cfn-gitops-dev"), {}),
    ("FunctionRole", "logs:CreateLogGroup", regional("logs", "log-group:/aws/lambda/cfn-gitops-dev"), {}),
    ("FunctionRole", "logs:PutLogEvents", regional("logs", "log-group:/aws/lambda/other:log-stream:a"), {}),
    ("FunctionRole", "kms:Decrypt", KEY, {}),
    ("FunctionRole", "kms:Decrypt", KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
    ("FunctionRole", "kms:Decrypt", regional("kms", "key/another"), VIA_SECRETS_MANAGER),
    ("FunctionRole", "kms:ScheduleKeyDeletion kms:PutKeyPolicy kms:CreateGrant", KEY, VIA_SECRETS_MANAGER),
    *[
        row
        for former in FORMER_KEYS
        for row in (
            ("FunctionRole", "kms:Encrypt kms:GenerateDataKey kms:ReEncryptFrom kms:CreateGrant", former, VIA_SECRETS_MANAGER),
            ("FunctionRole", "kms:Decrypt", former, {}),
            ("FunctionRole", "kms:Decrypt", former, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("FunctionRole", "kms:Decrypt", former.replace(ACCOUNT, "999999999999"), VIA_SECRETS_MANAGER),
        )
    ],
    # Another account's role of a like name, this account's, another environment's; and never more
    # than to look with it.
    *[
        (principal, "sts:AssumeRole", other, {})
        for principal in ("FunctionRole", "CodePipelineCFnRole")
        for other in (
            SOURCE_ROLES[0].replace("111122223333", "777788889999"),
            SOURCE_ROLES[0].replace("-dev-", "-dev2-"),
            f"{SOURCE_ROLES[0]}s",
            "arn:aws:iam::111122223333:role/administrator",
            role("role-dev-codecommit-source"),
            role("role-dev-codedeploy-cfn"),
        )
    ],
    ("FunctionRole", "sts:TagSession sts:SetSourceIdentity", SOURCE_ROLES[0], {}),
    ("FunctionRole", f"{SOURCE} codecommit:GitPull codecommit:ListTagsForResource", REPOSITORY.replace(ACCOUNT, "111122223333"), {}),
    ("FunctionRole", "s3:GetObject s3:PutObject s3:ListBucket", f"{FOREIGN_BUCKET}/x", {}),
    ("FunctionRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    # A build, which runs whatever was pushed.
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", "arn:aws:s3:::somebody-elses-bucket/x", {}),
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodeBuildCFnRole", "s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl", f"{BUCKET}/x", {}),
    ("CodeBuildCFnRole", "s3:PutBucketPolicy s3:DeleteBucket s3:PutLifecycleConfiguration", BUCKET, {}),
    ("CodeBuildCFnRole", "logs:PutLogEvents", regional("logs", "log-group:/aws/codebuild/codebuild-prd-cfn-infra:log-stream:a"), {}),
    ("CodeBuildCFnRole", "logs:PutLogEvents", OWN_LOG, {}),
    # A group that went with its pipeline stays away.
    *[("CodeBuildCFnRole", "logs:CreateLogGroup", group, {}) for group in (BUILD_LOG, f"{BUILD_LOG}:log-stream:a", OWN_LOG)],
    ("CodeBuildCFnRole", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    ("CodeBuildCFnRole", "iam:PassRole sts:AssumeRole", role("role-dev-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodeBuildCFnRole", "codecommit:GitPush", REPOSITORY, {}),
    ("CodeBuildCFnRole", "lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
    ("CodeBuildCFnRole", "sts:AssumeRole", SOURCE_ROLES[0], {}),
    ("CodeBuildCFnRole", "s3:PutBucketPolicy s3:DeleteBucket s3:GetBucketPolicy", FOREIGN_BUCKET, {}),
    *[
        row
        for principal in ("CodeBuildCFnRole", "CodePipelineCFnRole")
        for row in (
            (principal, "s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl", f"{FOREIGN_BUCKET}/x", {}),
            # A bucket whose name goes on.
            (principal, "s3:GetObject s3:PutObject", f"{FOREIGN_BUCKET}-2/x", {}),
            (principal, "kms:CreateGrant kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:DisableKey kms:Sign", FOREIGN_KEY, VIA_S3),
            (principal, USE_OF_A_KEY, regional("kms", "key/another"), VIA_S3),
            (principal, USE_OF_A_KEY, KEY, VIA_S3),
        )
    ],
    # A template that a pipeline deploys.
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-prd-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("lambda-prd-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", FUNCTIONS, function("cfn-gitops-dev"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "*"}),
    ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), {"lambda:Principal": "999999999999"}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-prd-nightly"), {}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-dev-codepipeline-exec-cfn-infra"), {}),
    ("CodeDeployCFnRole", RULES, rule("event-rule-dev-cfn-gitops-health"), {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-prd-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("administrator"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", EXISTING_ROLES, role("role-prd-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary", role("role-dev-thumbnails"), WITH_BOUNDARY),
    ("CodeDeployCFnRole", "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy", BOUNDARY, {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), passed_to("ec2.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), passed_to("lambda.amazonaws.com")),
    ("CodeDeployCFnRole", "iam:PassRole", role("administrator"), passed_to("lambda.amazonaws.com")),
    *[
        ("CodeDeployCFnRole", f"{BOUNDED_ROLES} {EXISTING_ROLES}", role(f"role-dev-{name}"), WITH_BOUNDARY)
        for name in ("cfn-gitops", "cfn-gitops-provisioning", "codebuild-cfn", "codedeploy-cfn", "codepipeline-cfn", "eventbridge-codepipeline-exec")
    ],
    ("CodeDeployCFnRole", "iam:PassRole", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
    ("CodeDeployCFnRole", STACKS_OF_PIPELINES, PIPELINE_STACK, {}),
    ("CodeDeployCFnRole", MADE_PIPELINES, PIPELINE, {}),
    ("CodeDeployCFnRole", MARKS, secret("cfn-gitops-dev/deletions/infra-0a1b2c3d-AbC123"), {}),
    ("CodeDeployCFnRole", "s3:PutObject s3:DeleteObject", f"{BUCKET}/code.zip", {}),
    ("CodeDeployCFnRole", "s3:PutObject s3:DeleteObject", f"{FOREIGN_BUCKET}/code.zip", {}),
    ("CodeDeployCFnRole", "kms:Decrypt", FOREIGN_KEY, {}),
    ("CodeDeployCFnRole", "kms:Decrypt", FOREIGN_KEY, VIA_SECRETS_MANAGER),
    ("CodeDeployCFnRole", "kms:Encrypt kms:GenerateDataKey kms:ReEncryptFrom kms:CreateGrant", FOREIGN_KEY, VIA_S3),
    ("CodeDeployCFnRole", "sts:AssumeRole", SOURCE_ROLES[0], {}),
    # What lends this account's repositories and images to another account's pipelines.
    *[
        ("CodeDeployCFnRole", f"{BOUNDED_ROLES} {EXISTING_ROLES}", role(f"role-dev-{name}"), WITH_BOUNDARY)
        for name in ("codecommit-source", "ecr-source", "eventbridge-forward", "eventbridge-forward-ecr",
                     "codepipeline-s3-site", "eventbridge-codepipeline-s3-site", "clone", "clone-source", "slack",
                     "codebuild-replication-shop", "eventbridge-replication-shop")
    ],
    *[("CodeDeployCFnRole", RULES, rule(f"event-rule-dev-{name}"), {}) for name in ("forward-codecommit", "replication-shop-daily")],
    ("CodeDeployCFnRole", STACKS, stack_arn("cfn-gitops-dev"), {}),
    ("CodeDeployCFnRole", STACKS, stack_arn("cfnstack-prd-infra"), {}),
    ("CodeDeployCFnRole", CREDENTIALS, MIRROR, {}),
    ("CodeDeployCFnRole", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    # A pipeline.
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codebuild-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-prd-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), passed_to("lambda.amazonaws.com")),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfn-gitops-dev"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-prd-infra"), {}),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack_arn("cfnstack-dev2-infra"), {}),
    ("CodePipelineCFnRole", "iam:PassRole", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
    ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", PIPELINE_STACK, {}),
    ("CodePipelineCFnRole", "sns:Publish", topic("sns-prd-approvals"), {}),
    ("CodePipelineCFnRole", "sns:Publish", topic("somebody-elses"), {}),
    ("CodePipelineCFnRole", "sns:Publish", topic("sns-dev-approvals").replace(ACCOUNT, "999999999999"), {}),
    ("CodePipelineCFnRole", "sns:Subscribe sns:SetTopicAttributes sns:DeleteTopic", topic("sns-dev-approvals"), {}),
    ("CodePipelineCFnRole", SOURCE, repository("codecommit-prd-cfn-infra"), {}),
    ("CodePipelineCFnRole", SOURCE, repository("somebody-elses"), {}),
    ("CodePipelineCFnRole", "codepipeline:PutApprovalResult codepipeline:UpdatePipeline", PIPELINE, {}),
    ("CodePipelineCFnRole", "codecommit:GitPush codecommit:DeleteBranch", REPOSITORY, {}),
    ("CodePipelineCFnRole", "codebuild:StartBuild", build_project("codebuild-prd-cfn-infra"), {}),
    ("CodePipelineCFnRole", "s3:GetObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodePipelineCFnRole", "s3:DeleteObject s3:PutObjectAcl", f"{BUCKET}/x", {}),
    ("CodePipelineCFnRole", "ecr:DescribeImages", regional("ecr", "repository/ecr-prd-shop"), {}),
    ("CodePipelineCFnRole", "ecr:DescribeImages", regional("ecr", "repository/ecr-dev2-shop"), {}),
    ("CodePipelineCFnRole", "ecr:DescribeImages", regional("ecr", "repository/ecr-dev-shop").replace(ACCOUNT, "444455556666"), {}),
    ("CodePipelineCFnRole", "ecr:PutImage ecr:BatchGetImage ecr:BatchDeleteImage ecr:SetRepositoryPolicy", regional("ecr", "repository/ecr-dev-shop"), {}),
    # A rule.
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", pipeline("codepipeline-prd-cfn-infra"), {}),
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", pipeline("somebody-elses"), {}),
    ("EventsRuleRole", "codepipeline:PutApprovalResult codepipeline:StopPipelineExecution", PIPELINE, {}),
    # A pipeline's properties, in a template that holds the ServiceToken: the roles that do more
    # than a pipeline does, a role in another service's hands, other environments, others' things.
    *[
        ("ProvisioningRole", "iam:PassRole", role(name), passed_to(service))
        for name in ("role-dev-cfn-gitops", "role-dev-cfn-gitops-provisioning", "role-dev-codedeploy-cfn",
                     "role-prd-codepipeline-cfn", "role-dev2-codepipeline-cfn", "administrator")
        for service in SERVICES_OF_PIPELINES
    ],
    ("ProvisioningRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), {}),
    *[("ProvisioningRole", "iam:PassRole", role("role-dev-shop"), passed_to(service))
      for service in ("cloudformation.amazonaws.com", "lambda.amazonaws.com", "ec2.amazonaws.com")],
    ("ProvisioningRole", f"{BOUNDED_ROLES} iam:UpdateAssumeRolePolicy iam:DeleteRole iam:TagRole", role("role-dev-shop"), WITH_BOUNDARY),
    ("ProvisioningRole", CREDENTIALS, MIRROR, {}),
    ("ProvisioningRole", MADE_REPOSITORIES, repository("codecommit-prd-cfn-infra"), {}),
    # A repository that Source names is not the pipeline's.
    ("ProvisioningRole", MADE_REPOSITORIES, repository("codecommit-dev-website"), {}),
    ("ProvisioningRole", "codecommit:GitPush codecommit:GitPull codecommit:CreateCommit codecommit:PutRepositoryTriggers", REPOSITORY, {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, build_project("codebuild-prd-cfn-infra"), {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, build_project("somebody-elses"), {}),
    ("ProvisioningRole", "codebuild:StartBuild codebuild:ImportSourceCredentials codebuild:PutResourcePolicy", BUILD_PROJECT, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, log_group("/aws/codebuild/codebuild-prd-cfn-infra"), {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, log_group("/aws/lambda/cfn-gitops-dev"), {}),
    ("ProvisioningRole", "logs:GetLogEvents logs:PutLogEvents logs:PutSubscriptionFilter", f"{BUILD_LOG}:log-stream:a", {}),
    ("ProvisioningRole", MADE_PIPELINES, pipeline("codepipeline-prd-cfn-infra"), {}),
    ("ProvisioningRole", MADE_PIPELINES, pipeline("somebody-elses"), {}),
    ("ProvisioningRole", "codepipeline:StartPipelineExecution codepipeline:PutApprovalResult", PIPELINE, {}),
    ("ProvisioningRole", RULES, rule("event-rule-prd-codepipeline-exec-cfn-infra"), {}),
    # Other rules of this environment are what pipelines deploy.
    ("ProvisioningRole", RULES, rule("event-rule-dev-nightly"), {}),
    ("ProvisioningRole", RULES, rule("event-rule-prd-codepipeline-exec-ecr-infra"), {}),
    ("ProvisioningRole", RULES, rule("event-rule-dev-codepipeline-exec-s3-site"), {}),
    ("ProvisioningRole", "sts:AssumeRole", SOURCE_ROLES[0], {}),
    ("ProvisioningRole", "events:PutPermission events:PutEvents", regional("events", "event-bus/default"), {}),
    ("ProvisioningRole", STACKS_OF_PIPELINES, PIPELINE_STACK, {}),
    ("ProvisioningRole", "s3:GetObject s3:PutObject", f"{BUCKET}/codepipeline-dev-cfn/Source/a", {}),
    ("ProvisioningRole", "lambda:InvokeFunction lambda:AddPermission", function("cfn-gitops-dev"), {}),
    ("ProvisioningRole", SECRETS, secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
    # Whoever got hold of the mirror's login (which opens nothing but git anyway).
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", repository("codecommit-prd-cfn-infra"), {}),
    ("MirrorUser", "codecommit:GitPush", REPOSITORY.replace(ACCOUNT, "999999999999"), {}),
    ("MirrorUser", "codecommit:DeleteRepository codecommit:DeleteBranch codecommit:MergePullRequestByFastForward", REPOSITORY, {}),
    ("MirrorUser", CREDENTIALS, MIRROR, {}),
    ("MirrorUser", "secretsmanager:GetSecretValue", secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"), {}),
]
