"""Names in the tables of tests/policies/rows_rights.py: principals, ARNs, condition keys, actions."""

from tests.templates.deployed import ACCOUNT, BOUNDARY, DEPLOYED_BOUNDARY, REGION


def regional(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _arn(beginning):
    return lambda name: beginning + name


def stack_arn(name):
    return regional("cloudformation", f"stack/{name}/0a1b2c3d")


user, role = _arn(f"arn:aws:iam::{ACCOUNT}:user/"), _arn(f"arn:aws:iam::{ACCOUNT}:role/")
secret, function, rule = (
    _arn(regional("secretsmanager", "secret:")),
    _arn(regional("lambda", "function:")),
    _arn(regional("events", "rule/")),
)
repository, pipeline, topic = (
    _arn(regional("codecommit", "")),
    _arn(regional("codepipeline", "")),
    _arn(regional("sns", "")),
)
build_project, log_group = _arn(regional("codebuild", "project/")), _arn(regional("logs", "log-group:"))
report_group = _arn(regional("codebuild", "report-group/"))
BUCKET = f"arn:aws:s3:::s3-dev-codepipeline-artifact-{ACCOUNT}-{REGION}"
MIRROR = user("user-dev-codecommit-mirroring")
REPOSITORY = repository("codecommit-dev-cfn-infra")
PIPELINE = pipeline("codepipeline-dev-cfn-infra")
BUILD_PROJECT = build_project("codebuild-dev-cfn-infra")
PIPELINE_RULE = rule("event-rule-dev-codepipeline-exec-cfn-infra")
PIPELINE_STACK = stack_arn("gitops-dev-infra")
PROVISIONING = role("role-dev-cfn-gitops-provisioning")
REVIEW_PROJECT = build_project("codebuild-dev-review-infra")
REVIEW_LOG = log_group("/aws/codebuild/codebuild-dev-review-infra")
REVIEW_RULE = rule("event-rule-dev-codepipeline-exec-rev-infra")
DEPLOYED_STACK = stack_arn("cfnstack-dev-infra")
BUILD_LOG = log_group("/aws/codebuild/codebuild-dev-cfn-infra")
OWN_LOG = regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:log-stream:2026/01/01/a")
SERVERLESS = f"arn:aws:cloudformation:{REGION}:aws:transform/Serverless-2016-10-31"
KEY = regional("kms", "key/1234abcd")
TOKEN_KEY = regional("kms", "key/5678efab")
FORMER_KEY = regional("kms", "key/mrk-5678")
# Another account's source: the role that reads it, and its place in this account.
SOURCE_ROLES = [
    "arn:aws:iam::111122223333:role/role-dev-codecommit-source",
    "arn:aws:iam::444455556666:role/role-dev-ecr-source",
]
# aws:userid of a build: the role's ID and the session's name.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
A_BUILD = "AROA4EXAMPLEBUILDROLE:AWSCodeBuild-5f1d2c90-0000-4000-8000-000000000001"
ANOTHER_BUILD = "AROA4EXAMPLEBUILDROLE:AWSCodeBuild-5f1d2c90-0000-4000-8000-000000000002"
AS_A_BUILD = {"aws:userid": A_BUILD}
FOREIGN_BUCKET = f"arn:aws:s3:::s3-dev-crossaccount-artifact-{ACCOUNT}-{REGION}"
# ArtifactBucketArns accepts any name.
SECOND_BUCKET = "arn:aws:s3:::artifacts-of-another-account"
# The key of cross-account-artifacts.yaml, by the ID that `Deployed` gives it.
FOREIGN_KEY = regional("kms", "key/ArtifactKey")
# Enables every permission for a function in a VPC.
IN_A_VPC = {"VpcSubnetIds": "subnet-0a1b2c3d,subnet-4e5f6a7b", "VpcSecurityGroupIds": "sg-0a1b2c3d"}
PROXY = {"HttpsProxy": "http://proxy.example.com:3128", "NoProxy": "10.0.0.0/8"}
MADE_INTERFACES = (
    "ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:AssignPrivateIpAddresses"
    " ec2:UnassignPrivateIpAddresses"
)
SEEN_INTERFACES = "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets"
# Calls of the function's code contain it, calls of Lambda itself do not.
# https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
BY_THE_CODE = {"lambda:SourceFunctionArn": function("cfn-gitops-dev")}
# A topic whose name does not belong to the environment.
APPROVAL_TOPIC = topic("approvals")
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
VIA_SECRETS_MANAGER = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
SECRET_IN_THE_CONTEXT = {
    "kms:EncryptionContext:SecretARN": secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"),
}
# The token's owner sets this tag, which names the GitLab of the token.
FOR_A_GITLAB = {"secretsmanager:ResourceTag/cfn-gitops:gitlab-url": "https://gitlab.example.com"}
WITH_PROVISIONING = {"cloudformation:RoleArn": PROVISIONING}
WITH_DEPLOY = {"cloudformation:RoleArn": role("role-dev-codedeploy-cfn")}


def change_set(name, role_keys=None):
    """The keys of a call for a change set with this name."""
    return {"cloudformation:ChangeSetName": name, **(role_keys or {})}


PLAN = "plan-5f1d2c90-0000-4000-8000-000000000001"
DRIFT = "drift-cfn-gitops"
# The change set of the pipeline itself, which waits for an approval.
OF_THE_PIPELINE = "changeset-dev-infra"
WITH_BOUNDARY = {"iam:PermissionsBoundary": DEPLOYED_BOUNDARY}
# The machinery's boundary, which allows the machinery's calls.
WITH_OWN_BOUNDARY = {"iam:PermissionsBoundary": BOUNDARY}


# A repository that a pipeline's stack created has this tag.
MADE_BY_A_PIPELINE = {"aws:ResourceTag/cfn-gitops:stack-name": "gitops-dev-infra"}
# The services that the pipelines' roles may be passed to when a pipeline is created.
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
    lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig lambda:GetFunctionScalingConfig
    lambda:GetRuntimeManagementConfig lambda:AssociateRuntimeAlias lambda:UpdateFunctionCode
    lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency
    lambda:PutFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig
    lambda:UpdateFunctionEventInvokeConfig lambda:DeleteFunctionEventInvokeConfig lambda:PublishVersion
    lambda:ListVersionsByFunction lambda:GetProvisionedConcurrencyConfig lambda:CreateAlias lambda:GetAlias
    lambda:UpdateAlias lambda:DeleteAlias lambda:GetPolicy lambda:RemovePermission lambda:InvokeFunction
    lambda:DeleteFunction lambda:ListTags lambda:TagResource lambda:UntagResource"""
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
    cloudformation:DescribeEvents cloudformation:CancelUpdateStack cloudformation:ContinueUpdateRollback"""
# Beside STACKS, of the pipeline's role: tests/policies/deploy_action.yaml.
READS_OF_THE_DEPLOY_ACTION = (
    "cloudformation:DescribeStackResources cloudformation:GetStackPolicy cloudformation:GetTemplate"
)
# Calls of the function that name the role with which CloudFormation works.
WITH_A_ROLE = (
    "cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack"
    " cloudformation:ContinueUpdateRollback"
)
TOKENS = "secretsmanager:DescribeSecret secretsmanager:GetSecretValue"
REPOSITORIES = """codecommit:GetRepository codecommit:GetBranch codecommit:ListBranches codecommit:GetDifferences
    codecommit:ListTagsForResource
    codecommit:AssociateApprovalRuleTemplateWithRepository
    codecommit:DisassociateApprovalRuleTemplateFromRepository"""  # noqa: E501
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
    codecommit:GetRepositoryTriggers codecommit:PutRepositoryTriggers codecommit:UpdateRepositoryName
    codecommit:UpdateRepositoryDescription codecommit:DeleteRepository
    codecommit:ListTagsForResource codecommit:TagResource codecommit:UntagResource"""
MADE_BUILD_PROJECTS = """codebuild:CreateProject codebuild:BatchGetProjects
    codebuild:UpdateProject codebuild:UpdateProjectVisibility codebuild:DeleteProject"""
# https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
REPORTS = """codebuild:BatchPutCodeCoverages codebuild:BatchPutTestCases codebuild:CreateReport codebuild:CreateReportGroup
    codebuild:UpdateReport"""  # noqa: E501
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
LISTS_OF_THE_HEALTH_CHECK = """cloudformation:ListStacks cloudformation:ListImports
    codepipeline:ListPipelines secretsmanager:ListSecrets iam:ListUsers"""
LISTS = """codecommit:ListRepositories logs:DescribeIndexPolicies logs:DescribeLogGroups
    logs:DescribeResourcePolicies"""
CHANGE_SETS = """cloudformation:CreateChangeSet cloudformation:DescribeChangeSet
    cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet"""
