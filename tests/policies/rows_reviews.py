"""Reviews: their builds, which run code that no one has reviewed, and who creates and starts these. Part of rows_rights.py."""

from tests.templates.deployed import ACCOUNT, REGION
from tests.templates.named import (
    ANOTHER_BUILD,
    AS_A_BUILD,
    A_BUILD,
    BUCKET,
    BUILD_LOG,
    BUILD_PROJECT,
    CREDENTIALS,
    DEPLOYED_STACK,
    DRIFT,
    FOREIGN_BUCKET,
    FOREIGN_KEY,
    FOR_A_GITLAB,
    KEY,
    MADE_BUILD_PROJECTS,
    MADE_LOG_GROUPS,
    MADE_RULES,
    MIRROR,
    OWN_LOG,
    PIPELINE,
    PIPELINE_STACK,
    PLAN,
    PROVISIONING,
    REPOSITORY,
    REVIEW_LOG,
    REVIEW_PROJECT,
    REVIEW_RULE,
    SOURCE_ROLES,
    VIA_S3,
    VIA_SECRETS_MANAGER,
    WITH_BOUNDARY,
    WITH_DEPLOY,
    build_project,
    change_set,
    function,
    log_group,
    passed_to,
    regional,
    repository,
    role,
    rule,
    secret,
)

REVIEW_ROLE = role("role-dev-review-codebuild-cfn")
OUTPUT = f"{BUCKET}/review/infra/5f1d2c90-0000-4000-8000-000000000001/template.yaml"
_ON_OBJECTS = """s3:PutObject s3:GetObject s3:GetObjectVersion s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl
    s3:PutObjectTagging s3:RestoreObject"""

REVIEWS_MAY = [
    ("ReviewCodeBuildCFnRole", "codecommit:GitPull", REPOSITORY, {}),
    # A repository that Source names.
    ("ReviewCodeBuildCFnRole", "codecommit:GitPull", repository("codecommit-dev-website"), {}),
    ("ReviewCodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{REVIEW_LOG}:log-stream:a", {}),
    ("ReviewCodeBuildCFnRole", "s3:GetBucketAcl s3:GetBucketLocation", BUCKET, {}),
    ("ReviewCodeBuildCFnRole", "s3:PutObject", OUTPUT, AS_A_BUILD),
    ("ReviewCodeBuildCFnRole", "s3:PutObject", f"{BUCKET}/code/{A_BUILD}/0a1b2c", AS_A_BUILD),
    ("EventsRuleRole", "codebuild:StartBuild", REVIEW_PROJECT, {}),
    ("FunctionRole", "codebuild:BatchGetBuilds codebuild:ListBuildsForProject codebuild:StartBuild", REVIEW_PROJECT, {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, REVIEW_PROJECT, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, REVIEW_LOG, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, f"{REVIEW_LOG}:*", {}),
    ("ProvisioningRole", MADE_RULES, REVIEW_RULE, {}),
    ("ProvisioningRole", "iam:PassRole", REVIEW_ROLE, passed_to("codebuild.amazonaws.com")),
]

# A hostile build of a review branch that knows every name, key and ID.
_HOSTILE_BUILD = [
    # Secrets and parameters, including those that pipelines' builds may read.
    *[("secretsmanager:GetSecretValue secretsmanager:DescribeSecret secretsmanager:PutSecretValue", secret(name), {}) for name in (
        "codecommit-mirror/user-dev-codecommit-mirroring-AbC123", "build/dev/registry-AbC123", "anything-AbC123", "cfn-gitops-dev/deletions/infra-AbC123")],
    ("secretsmanager:GetSecretValue", secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB),
    ("secretsmanager:ListSecrets ssm:DescribeParameters", "*", {}),
    *[("ssm:GetParameter ssm:GetParameters ssm:GetParametersByPath ssm:PutParameter", regional("ssm", f"parameter/{name}"), {}) for name in ("build/dev/licence", "anything")],
    ("kms:Decrypt kms:GenerateDataKey", KEY, VIA_SECRETS_MANAGER),
    ("kms:Decrypt kms:GenerateDataKey", FOREIGN_KEY, VIA_S3),
    # The list of all artifacts, and every object but its own packaged code.
    ("s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads s3:GetBucketPolicy s3:PutBucketPolicy s3:PutLifecycleConfiguration s3:DeleteBucket", BUCKET, AS_A_BUILD),
    *[(_ON_OBJECTS, f"{BUCKET}/{key}", AS_A_BUILD) for key in (
        "codepipeline-dev-cfn/SourceArti/Xa3bC4d", "codepipeline-dev-cfn/ImageArtif/Xa3bC4d", "codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
        f"code/{ANOTHER_BUILD}/0a1b2c", f"code/{A_BUILD}2/0a1b2c", "code/0a1b2c", "code/review/0a1b2c", f"{A_BUILD}/0a1b2c", "0a1b2c.zip", "review", "reviews/a")],
    (_ON_OBJECTS, f"{BUCKET}/code/{A_BUILD}/0a1b2c", {"aws:userid": ANOTHER_BUILD}),
    (_ON_OBJECTS, f"{BUCKET}/code/{A_BUILD}/0a1b2c", {}),
    # The objects of another build of a review are neither read nor deleted, nor are its own.
    *[(_ON_OBJECTS.replace("s3:PutObject ", "", 1), key, AS_A_BUILD) for key in (
        OUTPUT, f"{BUCKET}/review/shop/5f1d2c90-0000-4000-8000-000000000002/template.yaml", f"{BUCKET}/code/{A_BUILD}/0a1b2c")],
    *[(_ON_OBJECTS, f"{bucket}/{key}", AS_A_BUILD) for bucket in (FOREIGN_BUCKET, BUCKET.replace("-dev-", "-prd-"), "arn:aws:s3:::foreign-bucket")
      for key in ("review/infra/a/template.yaml", f"code/{A_BUILD}/0a1b2c")],
    # CloudFormation, in each of its stacks.
    *[("cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet "
       "cloudformation:DescribeStacks cloudformation:DescribeChangeSet cloudformation:GetTemplate", stack, change_set(name, WITH_DEPLOY))
      for stack in (DEPLOYED_STACK, PIPELINE_STACK) for name in (PLAN, DRIFT)],
    ("cloudformation:ValidateTemplate cloudformation:ListStacks cloudformation:ListExports", "*", {}),
    # Other roles and IAM.
    *[("sts:AssumeRole iam:PassRole iam:GetRole iam:UpdateAssumeRolePolicy iam:PutRolePolicy", arn, passed_to("cloudformation.amazonaws.com")) for arn in (
        role("role-dev-codedeploy-cfn"), role("role-dev-cfn-gitops"), PROVISIONING, role("role-dev-codebuild-cfn"), REVIEW_ROLE, SOURCE_ROLES[0])],
    ("iam:CreateRole", role("role-dev-thumbnails"), WITH_BOUNDARY),
    (CREDENTIALS, MIRROR, {}),
    # The function, other builds, pipelines and rules.
    ("lambda:InvokeFunction lambda:UpdateFunctionCode lambda:GetFunction", function("cfn-gitops-dev"), {}),
    *[("codebuild:StartBuild codebuild:RetryBuild codebuild:UpdateProject codebuild:BatchGetBuilds codebuild:ListBuildsForProject", project, {})
      for project in (REVIEW_PROJECT, BUILD_PROJECT)],
    ("codepipeline:StartPipelineExecution codepipeline:PutApprovalResult codepipeline:GetPipeline", PIPELINE, {}),
    ("events:PutRule events:PutTargets events:DisableRule", REVIEW_RULE, {}),
    ("events:PutEvents", regional("events", "event-bus/default"), {}),
    # A repository: no write, only a clone, and none of another environment, owner, region or account.
    ("codecommit:GitPush codecommit:CreateCommit codecommit:CreateBranch codecommit:DeleteBranch codecommit:PutFile codecommit:MergePullRequestByFastForward",
     REPOSITORY, {"codecommit:References": "refs/heads/review/a"}),
    ("codecommit:GetFile codecommit:GetBranch codecommit:GetRepository codecommit:UploadArchive codecommit:PutRepositoryTriggers codecommit:DeleteRepository", REPOSITORY, {}),
    *[("codecommit:GitPull", arn, {}) for arn in (
        repository("codecommit-prd-cfn-infra"), repository("codecommit-dev2-cfn-infra"), repository("foreign"),
        REPOSITORY.replace(REGION, "us-east-1"), REPOSITORY.replace(ACCOUNT, "999999999999"))],
    # Logs: its own streams only, and no group.
    *[("logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy logs:GetLogEvents logs:FilterLogEvents", group, {}) for group in (
        REVIEW_LOG, f"{REVIEW_LOG}:log-stream:a", BUILD_LOG, OWN_LOG)],
    *[("logs:CreateLogStream logs:PutLogEvents", group, {}) for group in (
        f"{BUILD_LOG}:log-stream:a", OWN_LOG, log_group("/aws/codebuild/codebuild-prd-review-infra:log-stream:a"))],
]

_OTHER_PROJECTS = [build_project(name) for name in ("codebuild-prd-review-infra", "codebuild-dev2-review-infra", "codebuild-dev-replication-infra", "foreign")]

REVIEWS_MAY_NOT = [
    *[("ReviewCodeBuildCFnRole", *row) for row in _HOSTILE_BUILD],
    # The pipelines' build role has neither the output nor the log of a review.
    ("CodeBuildCFnRole", _ON_OBJECTS, OUTPUT, AS_A_BUILD),
    ("CodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{REVIEW_LOG}:log-stream:a", {}),
    # EventBridge starts these builds, and changes, repeats and stops none. Pipelines' builds are CodePipeline's.
    ("EventsRuleRole", "codebuild:StopBuild codebuild:RetryBuild codebuild:StartBuildBatch codebuild:UpdateProject codebuild:BatchGetBuilds", REVIEW_PROJECT, {}),
    *[("EventsRuleRole", "codebuild:StartBuild", project, {}) for project in [BUILD_PROJECT, *_OTHER_PROJECTS]],
    # A start that names another role for the build has to pass it.
    *[("EventsRuleRole", "iam:PassRole", role(name), passed_to("codebuild.amazonaws.com")) for name in (
        "role-dev-codebuild-cfn", "role-dev-review-codebuild-cfn", "role-dev-codedeploy-cfn", "administrator")],
    # The function reads and starts the builds of reviews, and changes none.
    ("FunctionRole", f"{MADE_BUILD_PROJECTS} codebuild:StartBuildBatch codebuild:RetryBuild codebuild:StopBuild codebuild:BatchDeleteBuilds", REVIEW_PROJECT, {}),
    *[("FunctionRole", "codebuild:BatchGetBuilds codebuild:ListBuildsForProject codebuild:StartBuild", project, {}) for project in [BUILD_PROJECT, *_OTHER_PROJECTS]],
    ("FunctionRole", "iam:PassRole sts:AssumeRole", REVIEW_ROLE, passed_to("codebuild.amazonaws.com")),
    ("FunctionRole", "logs:GetLogEvents logs:PutLogEvents logs:DeleteLogGroup", f"{REVIEW_LOG}:log-stream:a", {}),
    # A pipeline neither starts a review's build nor reads it.
    ("CodePipelineCFnRole", "codebuild:StartBuild codebuild:BatchGetBuilds", REVIEW_PROJECT, {}),
    ("ProvisioningRole", "codebuild:StartBuild codebuild:PutResourcePolicy codebuild:ImportSourceCredentials", REVIEW_PROJECT, {}),
    *[("ProvisioningRole", MADE_BUILD_PROJECTS, project, {}) for project in _OTHER_PROJECTS],
    ("ProvisioningRole", MADE_LOG_GROUPS, log_group("/aws/codebuild/codebuild-prd-review-infra"), {}),
    ("ProvisioningRole", "logs:GetLogEvents logs:PutLogEvents logs:PutSubscriptionFilter", f"{REVIEW_LOG}:log-stream:a", {}),
    ("ProvisioningRole", MADE_RULES, rule("event-rule-prd-codepipeline-exec-rev-infra"), {}),
    ("ProvisioningRole", MADE_RULES, rule("event-rule-dev-cfn-gitops-review"), {}),
    *[("ProvisioningRole", "iam:PassRole", REVIEW_ROLE, keys) for keys in ({}, passed_to("cloudformation.amazonaws.com"), passed_to("lambda.amazonaws.com"))],
    # The actions of a template that a pipeline deploys on a review's role, project, log and rule.
    ("CodeDeployCFnRole", "iam:PassRole iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:AttachRolePolicy iam:DeleteRole sts:AssumeRole", REVIEW_ROLE, {**WITH_BOUNDARY, **passed_to("lambda.amazonaws.com")}),
    ("CodeDeployCFnRole", f"{MADE_BUILD_PROJECTS} codebuild:StartBuild", REVIEW_PROJECT, {}),
    ("CodeDeployCFnRole", MADE_LOG_GROUPS, REVIEW_LOG, {}),
    ("CodeDeployCFnRole", MADE_RULES, REVIEW_RULE, {}),
    ("CodeDeployCFnRole", "s3:PutObject s3:DeleteObject", OUTPUT, {}),
]
