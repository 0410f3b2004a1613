"""The function that only reads: what its role may read, and that it changes nothing."""

from tests.policies.vocabulary import changes
from tests.templates.deployed import PROVIDER_STACK
from tests.templates.named import *

READ_FUNCTION = function("cfn-gitops-dev-read")
BY_ITS_CODE = {"lambda:SourceFunctionArn": READ_FUNCTION}
ITS_LOG = regional("logs", "log-group:/aws/lambda/cfn-gitops-dev-read:log-stream:2026/01/01/a")
OWN_RULE = rule("event-rule-dev-cfn-gitops-health")
READS_OF_A_REPOSITORY = "codecommit:GetBranch codecommit:GetDifferences codecommit:GetCommit"
READS_OF_A_PIPELINE = """codepipeline:GetPipeline codepipeline:GetPipelineState
    codepipeline:ListPipelineExecutions codepipeline:ListActionExecutions"""
EVENTS_OF_A_STACK = "cloudformation:DescribeStacks cloudformation:DescribeStackEvents"
MIRRORS_SECRETS = [
    secret(name)
    for name in (
        "codecommit-mirror/user-dev-codecommit-mirroring-AbC123",
        "codecommit-mirror/user-dev-shop-mirror-AbC123",
        "codecommit-mirror/user-dev-codecommit-mirroring",
        "codecommit-mirror/user-prd-codecommit-mirroring-AbC123",
    )
]

READING_MAY = [
    *[
        ("ReadFunctionRole", "iam:ListUserTags iam:ListServiceSpecificCredentials", user(name), {})
        for name in ("user-dev-codecommit-mirroring", "user-dev-shop-mirror")
    ],
    *[
        (
            "ReadFunctionRole",
            "secretsmanager:DescribeSecret",
            secret(f"codecommit-mirror/user-dev-codecommit-mirroring{end}"),
            {},
        )
        for end in ("-AbC123", "")
    ],
    *[
        ("ReadFunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB | more)
        for more in ({}, {"secretsmanager:ResourceTag/cfn-gitops:env": "dev"})
    ],
    ("ReadFunctionRole", "kms:Decrypt", TOKEN_KEY, VIA_SECRETS_MANAGER),
    *[
        ("ReadFunctionRole", READS_OF_A_REPOSITORY, each, {})
        for each in (REPOSITORY, repository("codecommit-dev-website"))
    ],
    *[("ReadFunctionRole", "events:DescribeRule", each, {}) for each in (PIPELINE_RULE, OWN_RULE)],
    ("ReadFunctionRole", "lambda:GetFunctionConcurrency", function("cfn-gitops-dev"), {}),
    ("ReadFunctionRole", READS_OF_A_PIPELINE, PIPELINE, {}),
    ("ReadFunctionRole", EVENTS_OF_A_STACK, PIPELINE_STACK, {}),
    (
        "ReadFunctionRole",
        f"{EVENTS_OF_A_STACK} cloudformation:DescribeEvents cloudformation:DescribeChangeSet",
        DEPLOYED_STACK,
        {},
    ),
    (
        "ReadFunctionRole",
        "cloudformation:DescribeStackResource cloudformation:ListStackResources",
        stack_arn("anything"),
        {},
    ),
    ("ReadFunctionRole", LISTS_OF_THE_HEALTH_CHECK, "*", {}),
    ("ReadFunctionRole", "codebuild:BatchGetBuilds", BUILD_PROJECT, {}),
    ("ReadFunctionRole", "logs:CreateLogStream logs:PutLogEvents", ITS_LOG, {}),
    # Lambda attaches this function to the same VPC.
    ("ReadFunctionRole", MADE_INTERFACES, regional("ec2", "network-interface/eni-0a1b2c3d"), {}),
    ("ReadFunctionRole", SEEN_INTERFACES, "*", {}),
]

READING_MAY_NOT = [
    # No password of a mirror, even if a person gives its secret the tag of a token.
    *[
        ("ReadFunctionRole", "secretsmanager:GetSecretValue", each, keys)
        for each in MIRRORS_SECRETS
        for keys in ({}, FOR_A_GITLAB)
    ],
    *[
        ("ReadFunctionRole", "kms:Decrypt", key, VIA_SECRETS_MANAGER | SECRET_IN_THE_CONTEXT)
        for key in (KEY, FORMER_KEY)
    ],
    *[
        ("ReadFunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), keys)
        for keys in ({}, FOR_A_GITLAB | {"secretsmanager:ResourceTag/cfn-gitops:env": "prd"})
    ],
    ("ReadFunctionRole", "kms:Decrypt", TOKEN_KEY, {}),
    # Each call that changes something, of each service that it reads.
    *[
        ("ReadFunctionRole", " ".join(sorted(changes(resource.split(":")[2]))), resource, keys)
        for resource, keys in (
            (MIRROR, {}),
            (role("role-dev-codedeploy-cfn"), passed_to("cloudformation.amazonaws.com")),
            (MIRRORS_SECRETS[0], FOR_A_GITLAB),
            (secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB),
            (REPOSITORY, MADE_BY_A_PIPELINE),
            (PIPELINE, {}),
            (PIPELINE_RULE, {}),
            (OWN_RULE, {}),
            (PIPELINE_STACK, change_set(DRIFT, WITH_PROVISIONING)),
            (DEPLOYED_STACK, change_set(PLAN, WITH_DEPLOY)),
            (PROVIDER_STACK, WITH_PROVISIONING),
            (BUILD_PROJECT, {}),
            (REVIEW_PROJECT, {}),
            (function("cfn-gitops-dev"), {}),
            (READ_FUNCTION, {}),
        )
    ],
    ("ReadFunctionRole", "codepipeline:PutApprovalResult", f"{PIPELINE}/Deploy/Approval", {}),
    ("ReadFunctionRole", "cloudwatch:PutMetricData cloudwatch:SetAlarmState", "*", {}),
    # No line of a log, its own included, and no code or artifact.
    *[
        ("ReadFunctionRole", "logs:GetLogEvents logs:FilterLogEvents logs:StartQuery", log, {})
        for log in (ITS_LOG, OWN_LOG, f"{BUILD_LOG}:log-stream:a")
    ],
    ("ReadFunctionRole", "logs:PutLogEvents logs:CreateLogStream logs:DeleteLogGroup", OWN_LOG, {}),
    (
        "ReadFunctionRole",
        "codecommit:GitPull codecommit:GetFile codecommit:GetBlob codecommit:GetRepository",
        REPOSITORY,
        {},
    ),
    *[
        ("ReadFunctionRole", "s3:GetObject s3:PutObject", f"{BUCKET}/{key}", {})
        for key in ("review/infra/0a1b/template.yaml", "codepipeline-dev-cfn/Source/a")
    ],
    *[
        ("ReadFunctionRole", "cloudformation:DescribeStacks cloudformation:GetTemplate", stack, {})
        for stack in (PROVIDER_STACK, stack_arn("anything"))
    ],
    # The role in the account of a source may write artifacts.
    *[("ReadFunctionRole", "sts:AssumeRole", each, {}) for each in SOURCE_ROLES],
    ("ReadFunctionRole", "events:DescribeRule", rule("event-rule-dev-nightly"), {}),
    ("ReadFunctionRole", "lambda:GetFunctionConcurrency", function("cfn-gitops-prd"), {}),
    (
        "ReadFunctionRole",
        "lambda:GetFunction lambda:GetFunctionConfiguration lambda:InvokeFunction",
        function("cfn-gitops-dev"),
        {},
    ),
    ("ReadFunctionRole", READS_OF_A_REPOSITORY, repository("unrelated"), {}),
    ("ReadFunctionRole", "iam:ListUserTags", user("administrator"), {}),
    ("ReadFunctionRole", MADE_INTERFACES, regional("ec2", "network-interface/eni-0a1b2c3d"), BY_ITS_CODE),
    ("ReadFunctionRole", SEEN_INTERFACES, "*", BY_ITS_CODE),
]
