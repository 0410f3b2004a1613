"""Reviews: their builds, which run code that no one has reviewed, and who creates and starts these. Part of
rows_rights.py."""

from tests.templates.named import *

REVIEW_ROLE = role("role-dev-review-codebuild-cfn")
OUTPUT = f"{BUCKET}/review/infra/5f1d2c90-0000-4000-8000-000000000001/template.yaml"
_ON_OBJECTS = """s3:PutObject s3:GetObject s3:GetObjectVersion s3:DeleteObject s3:DeleteObjectVersion
    s3:PutObjectAcl s3:PutObjectTagging s3:RestoreObject"""

REVIEWS_MAY = [
    ("ReviewCodeBuildCFnRole", "codecommit:GitPull", REPOSITORY, {}),
    # A repository that Source names.
    ("ReviewCodeBuildCFnRole", "codecommit:GitPull", repository("codecommit-dev-website"), {}),
    ("ReviewCodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{REVIEW_LOG}:log-stream:a", {}),
    ("ReviewCodeBuildCFnRole", "s3:GetBucketAcl s3:GetBucketLocation", BUCKET, {}),
    ("ReviewCodeBuildCFnRole", "s3:PutObject", OUTPUT, AS_A_BUILD),
    ("ReviewCodeBuildCFnRole", REPORTS, report_group("codebuild-dev-review-infra-junit"), AS_A_BUILD),
    ("ReviewCodeBuildCFnRole", "s3:PutObject", f"{BUCKET}/code/{A_BUILD}/0a1b2c", AS_A_BUILD),
    ("EventsRuleRole", "codebuild:StartBuild", REVIEW_PROJECT, {}),
    (
        "FunctionRole",
        "codebuild:BatchGetBuilds codebuild:ListBuildsForProject codebuild:StartBuild",
        REVIEW_PROJECT,
        {},
    ),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, REVIEW_PROJECT, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, REVIEW_LOG, {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, f"{REVIEW_LOG}:*", {}),
    ("ProvisioningRole", MADE_RULES, REVIEW_RULE, {}),
    ("ProvisioningRole", "iam:PassRole", REVIEW_ROLE, passed_to("codebuild.amazonaws.com")),
]

# A hostile build of a review branch that knows every name, key and ID.
_HOSTILE_BUILD = [
    # Secrets and parameters, including those that pipelines' builds may read.
    *[
        (
            "secretsmanager:GetSecretValue secretsmanager:DescribeSecret secretsmanager:PutSecretValue",
            secret(name),
            {},
        )
        for name in ("build/dev/registry-AbC123", "anything-AbC123", "cfn-gitops-dev/deletions/infra-AbC123")
    ],
    ("secretsmanager:ListSecrets ssm:DescribeParameters", "*", {}),
    *[
        (
            "ssm:GetParameter ssm:GetParameters ssm:GetParametersByPath ssm:PutParameter",
            regional("ssm", f"parameter/{name}"),
            {},
        )
        for name in ("build/dev/licence", "anything")
    ],
    ("kms:Decrypt kms:GenerateDataKey", KEY, VIA_SECRETS_MANAGER),
    # The list of all artifacts, and every object but its own packaged code.
    (
        (
            "s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads s3:GetBucketPolicy"
            " s3:PutBucketPolicy s3:PutLifecycleConfiguration s3:DeleteBucket"
        ),
        BUCKET,
        AS_A_BUILD,
    ),
    *[
        (_ON_OBJECTS, f"{BUCKET}/{key}", AS_A_BUILD)
        for key in (
            "codepipeline-dev-cfn/SourceArti/Xa3bC4d",
            "codepipeline-dev-cfn/ImageArtif/Xa3bC4d",
            "codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
            f"code/{ANOTHER_BUILD}/0a1b2c",
            f"code/{A_BUILD}2/0a1b2c",
            "code/0a1b2c",
            "code/review/0a1b2c",
            f"{A_BUILD}/0a1b2c",
            "0a1b2c.zip",
            "review",
            "reviews/a",
        )
    ],
    (_ON_OBJECTS, f"{BUCKET}/code/{A_BUILD}/0a1b2c", {"aws:userid": ANOTHER_BUILD}),
    (_ON_OBJECTS, f"{BUCKET}/code/{A_BUILD}/0a1b2c", {}),
    # The objects of another build of a review are neither read nor deleted.
    (
        _ON_OBJECTS.replace("s3:PutObject ", "", 1),
        f"{BUCKET}/review/shop/5f1d2c90-0000-4000-8000-000000000002/template.yaml",
        AS_A_BUILD,
    ),
    *[
        (_ON_OBJECTS, f"{bucket}/{key}", AS_A_BUILD)
        for bucket in (FOREIGN_BUCKET, BUCKET.replace("-dev-", "-prd-"), "arn:aws:s3:::foreign-bucket")
        for key in ("review/infra/a/template.yaml", f"code/{A_BUILD}/0a1b2c")
    ],
    # CloudFormation, in each of its stacks.
    *[
        (
            (
                "cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack"
                " cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet"
                " cloudformation:DescribeStacks cloudformation:DescribeChangeSet cloudformation:GetTemplate"
            ),
            stack,
            change_set(name, WITH_DEPLOY),
        )
        for stack in (DEPLOYED_STACK, PIPELINE_STACK)
        for name in (PLAN, DRIFT)
    ],
    ("cloudformation:ValidateTemplate cloudformation:ListStacks cloudformation:ListExports", "*", {}),
    # Other roles and IAM.
    *[
        (
            "sts:AssumeRole iam:PassRole iam:GetRole iam:UpdateAssumeRolePolicy iam:PutRolePolicy",
            arn,
            passed_to("cloudformation.amazonaws.com"),
        )
        for arn in (
            role("role-dev-codedeploy-cfn"),
            role("role-dev-cfn-gitops"),
            PROVISIONING,
            role("role-dev-codebuild-cfn"),
            REVIEW_ROLE,
            SOURCE_ROLES[0],
        )
    ],
    # The function, other builds, pipelines and rules.
    ("lambda:InvokeFunction lambda:UpdateFunctionCode lambda:GetFunction", function("cfn-gitops-dev"), {}),
    *[
        (
            (
                "codebuild:StartBuild codebuild:RetryBuild codebuild:UpdateProject codebuild:BatchGetBuilds"
                " codebuild:ListBuildsForProject"
            ),
            project,
            {},
        )
        for project in (REVIEW_PROJECT, BUILD_PROJECT)
    ],
    # The reports of the pipelines' builds, and more than to add a report.
    (REPORTS, report_group("codebuild-dev-cfn-infra-junit"), AS_A_BUILD),
    (
        (
            "codebuild:BatchGetReports codebuild:DeleteReport codebuild:DeleteReportGroup"
            " codebuild:UpdateReportGroup"
        ),
        report_group("codebuild-dev-review-infra-junit"),
        AS_A_BUILD,
    ),
    (
        "codepipeline:StartPipelineExecution codepipeline:PutApprovalResult codepipeline:GetPipeline",
        PIPELINE,
        {},
    ),
    ("events:PutRule events:PutTargets events:DisableRule", REVIEW_RULE, {}),
    ("events:PutEvents", regional("events", "event-bus/default"), {}),
    # A repository: no write, only a clone, and none of another owner.
    (
        (
            "codecommit:GitPush codecommit:CreateCommit codecommit:CreateBranch codecommit:DeleteBranch"
            " codecommit:PutFile codecommit:MergePullRequestByFastForward"
        ),
        REPOSITORY,
        {"codecommit:References": "refs/heads/review/a"},
    ),
    ("codecommit:GitPull", repository("foreign"), {}),
    # Logs: its own streams only, and no group.
    *[
        (
            (
                "logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy logs:GetLogEvents"
                " logs:FilterLogEvents"
            ),
            group,
            {},
        )
        for group in (REVIEW_LOG, BUILD_LOG, OWN_LOG)
    ],
    *[
        ("logs:CreateLogStream logs:PutLogEvents", group, {})
        for group in (f"{BUILD_LOG}:log-stream:a", OWN_LOG)
    ],
]

_OTHER_PROJECTS = [build_project(name) for name in ("codebuild-dev-replication-infra", "foreign")]

REVIEWS_MAY_NOT = [
    *[("ReviewCodeBuildCFnRole", *row) for row in _HOSTILE_BUILD],
    # The pipelines' build role has neither the output nor the log of a review.
    ("CodeBuildCFnRole", _ON_OBJECTS, OUTPUT, AS_A_BUILD),
    ("CodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{REVIEW_LOG}:log-stream:a", {}),
    # EventBridge starts these builds. Pipelines' builds are CodePipeline's.
    *[
        ("EventsRuleRole", "codebuild:StartBuild", project, {})
        for project in [BUILD_PROJECT, *_OTHER_PROJECTS]
    ],
    # A start that names another role for the build has to pass it.
    *[
        ("EventsRuleRole", "iam:PassRole", role(name), passed_to("codebuild.amazonaws.com"))
        for name in ("role-dev-codedeploy-cfn", "administrator")
    ],
    # The function reads and starts the builds of reviews.
    *[
        (
            "FunctionRole",
            "codebuild:BatchGetBuilds codebuild:ListBuildsForProject codebuild:StartBuild",
            project,
            {},
        )
        for project in _OTHER_PROJECTS
    ],
    ("FunctionRole", "iam:PassRole sts:AssumeRole", REVIEW_ROLE, passed_to("codebuild.amazonaws.com")),
    *[("ProvisioningRole", MADE_BUILD_PROJECTS, project, {}) for project in _OTHER_PROJECTS],
    (
        "ProvisioningRole",
        "logs:GetLogEvents logs:PutLogEvents logs:PutSubscriptionFilter",
        f"{REVIEW_LOG}:log-stream:a",
        {},
    ),
    ("ProvisioningRole", MADE_RULES, rule("event-rule-dev-cfn-gitops-review"), {}),
    *[
        ("ProvisioningRole", "iam:PassRole", REVIEW_ROLE, keys)
        for keys in ({}, passed_to("cloudformation.amazonaws.com"), passed_to("lambda.amazonaws.com"))
    ],
    # The actions of a template that a pipeline deploys on a review's role, project, log and rule.
    (
        "CodeDeployCFnRole",
        (
            "iam:PassRole iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:AttachRolePolicy iam:DeleteRole"
            " sts:AssumeRole"
        ),
        REVIEW_ROLE,
        {**WITH_BOUNDARY, **passed_to("lambda.amazonaws.com")},
    ),
    ("CodeDeployCFnRole", MADE_RULES, REVIEW_RULE, {}),
    ("CodeDeployCFnRole", "s3:PutObject s3:DeleteObject", OUTPUT, {}),
]
