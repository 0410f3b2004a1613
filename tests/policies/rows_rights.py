"""The permissions of every principal of template.yaml, and the calls that must be denied.

The first table is complete: test_every_part_is_needed.py fails if a permission is granted and not in a row.
The second contains the attempts of an attacker with a hostile template, build or repository.
"""

from pathlib import Path

import yaml

from tests.policies import scene
from tests.policies.rows_change_sets import CHANGE_SETS_MAY, CHANGE_SETS_MAY_NOT
from tests.policies.rows_environment import inputs_and_outputs_of_a_build, what_is_not_the_builds
from tests.policies.rows_failures import FAILURES_MAY, FAILURES_MAY_NOT
from tests.policies.rows_reading import READING_MAY, READING_MAY_NOT
from tests.policies.rows_reviews import REVIEWS_MAY, REVIEWS_MAY_NOT
from tests.templates.deployed import ACCOUNT, BOUNDARY, REGION
from tests.templates.named import *

_DEPLOY_ACTION = yaml.safe_load((Path(__file__).parent / "deploy_action.yaml").read_text())
# A repository that a pipeline's Source names.
WEBSITE = repository("codecommit-dev-website")

# principal, actions, resource, context keys
_MAY = [
    *CHANGE_SETS_MAY,
    *REVIEWS_MAY,
    *FAILURES_MAY,
    *READING_MAY,
    # Also of a project with a stack of its own.
    *[("FunctionRole", CREDENTIALS, mirror, {}) for mirror in (MIRROR, user("user-dev-shop-mirror"))],
    # An existing secret, and one that does not exist (any more).
    *[
        ("FunctionRole", SECRETS, secret(f"codecommit-mirror/user-dev-codecommit-mirroring{end}"), {})
        for end in ("-AbC123", "")
    ],
    # A GitLab token in a secret of any name.
    *[
        ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), FOR_A_GITLAB | more)
        for more in ({}, {"secretsmanager:ResourceTag/cfn-gitops:env": "dev"})
    ],
    ("FunctionRole", "kms:Decrypt", TOKEN_KEY, VIA_SECRETS_MANAGER),
    # Also a repository that Source names.
    *[("FunctionRole", REPOSITORIES, each, {}) for each in (REPOSITORY, WEBSITE)],
    ("FunctionRole", "codecommit:UpdateDefaultBranch", REPOSITORY, {}),
    ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, MADE_BY_A_PIPELINE),
    ("FunctionRole", APPROVAL_TEMPLATES, "*", {}),
    # A missing stack is evaluated with its name and a star.
    *[
        ("FunctionRole", STACKS_OF_PIPELINES, stack, WITH_PROVISIONING)
        for stack in (PIPELINE_STACK, regional("cloudformation", "stack/gitops-dev-shop/*"))
    ],
    # A mirror's stack may have any name.
    (
        "FunctionRole",
        "cloudformation:DescribeStackResource cloudformation:ListStackResources",
        stack_arn("anything"),
        {},
    ),
    ("FunctionRole", "iam:PassRole", PROVISIONING, passed_to("cloudformation.amazonaws.com")),
    (
        "FunctionRole",
        """codepipeline:StartPipelineExecution codepipeline:GetPipelineState
        codepipeline:ListPipelineExecutions codepipeline:ListActionExecutions""",
        PIPELINE,
        {},
    ),
    # With FunctionApprovals: test_function_approvals.py has the other values.
    ("FunctionRole", "codepipeline:PutApprovalResult", f"{PIPELINE}/Deploy/Approval", {}),
    ("FunctionRole", "events:DescribeRule", PIPELINE_RULE, {}),
    (
        "FunctionRole",
        "cloudformation:DescribeChangeSet cloudformation:DescribeStacks",
        stack_arn("cfnstack-dev-infra"),
        {},
    ),
    ("FunctionRole", LISTS_OF_THE_HEALTH_CHECK, "*", {}),
    ("FunctionRole", "lambda:InvokeFunction", function("cfn-gitops-dev"), {}),
    *[
        ("FunctionRole", MARKS, secret(f"cfn-gitops-dev/deletions/infra-0a1b2c3d{end}"), {})
        for end in ("-AbC123", "")
    ],
    ("FunctionRole", "logs:CreateLogStream logs:PutLogEvents", OWN_LOG, {}),
    ("FunctionRole", "kms:Encrypt kms:GenerateDataKey", KEY, VIA_SECRETS_MANAGER),
    *[
        ("FunctionRole", "kms:Decrypt", key, VIA_SECRETS_MANAGER | SECRET_IN_THE_CONTEXT)
        for key in (KEY, FORMER_KEY)
    ],
    ("FunctionRole", "sts:AssumeRole", SOURCE_ROLES[0], {}),
    # Lambda attaches the function to a VPC with the function's role.
    ("FunctionRole", MADE_INTERFACES, regional("ec2", "network-interface/eni-0a1b2c3d"), {}),
    *[
        ("FunctionRole", "ec2:CreateNetworkInterface", regional("ec2", each), {})
        for each in ("subnet/subnet-0a1b2c3d", "security-group/sg-0a1b2c3d")
    ],
    ("FunctionRole", SEEN_INTERFACES, "*", {}),
    ("CodeBuildCFnRole", "logs:CreateLogStream logs:PutLogEvents", f"{BUILD_LOG}:log-stream:a", {}),
    ("CodeBuildCFnRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    # Also of another project, because all builds share the role.
    *[
        ("CodeBuildCFnRole", REPORTS, report_group(f"codebuild-dev-cfn-{name}-junit"), AS_A_BUILD)
        for name in ("infra", "shop")
    ],
    *[
        ("CodeDeployCFnRole", FUNCTIONS, function(name), {})
        for name in ("lambda-dev-thumbnails", "cfnstack-dev-infra-Thumbnails-1A2B3C")
    ],
    (
        "CodeDeployCFnRole",
        "lambda:AddPermission",
        function("lambda-dev-thumbnails"),
        {"lambda:Principal": "events.amazonaws.com"},
    ),
    # For an alias or a version.
    (
        "CodeDeployCFnRole",
        "lambda:GetProvisionedConcurrencyConfig",
        function("lambda-dev-thumbnails:live"),
        {},
    ),
    *[
        ("CodeDeployCFnRole", RULES, rule(name), {})
        for name in ("event-rule-dev-nightly", "cfnstack-dev-infra-Nightly-1A2B3C")
    ],
    *[
        ("CodeDeployCFnRole", "s3:GetObject s3:GetObjectVersion", f"{each}/code.zip", {})
        for each in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET)
    ],
    ("CodeDeployCFnRole", "kms:Decrypt", FOREIGN_KEY, VIA_S3),
    (
        "CodeDeployCFnRole",
        f"{STACKS} {STACK_TAGS} cloudformation:GetStackPolicy cloudformation:GetTemplate",
        stack_arn("cfnstack-dev-infra-Network-1A2B3C"),
        {},
    ),
    ("CodeDeployCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    *[
        ("CodeDeployCFnRole", BOUNDED_ROLES, role(name), WITH_BOUNDARY)
        for name in ("role-dev-thumbnails", "cfnstack-dev-infra-Role-1A2B3C")
    ],
    ("CodeDeployCFnRole", EXISTING_ROLES, role("role-dev-thumbnails"), {}),
    ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), passed_to("lambda.amazonaws.com")),
    (
        "CodeDeployCFnRole",
        "iam:PassRole",
        role("cfnstack-dev-infra-Role-1A2B3C"),
        passed_to("events.amazonaws.com"),
    ),
    *[
        ("CodePipelineCFnRole", "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", each, {})
        for each in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET)
    ],
    *[
        (
            "CodePipelineCFnRole",
            "s3:GetObject s3:GetObjectVersion s3:PutObject",
            f"{each}/codepipeline-dev-cfn/Source/a",
            {},
        )
        for each in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET)
    ],
    ("CodePipelineCFnRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    *[("CodePipelineCFnRole", "sts:AssumeRole", each, {}) for each in SOURCE_ROLES],
    ("CodePipelineCFnRole", "ecr:DescribeImages", regional("ecr", "repository/ecr-dev-shop"), {}),
    *[("CodePipelineCFnRole", SOURCE, each, {}) for each in (REPOSITORY, WEBSITE)],
    ("CodePipelineCFnRole", "codebuild:StartBuild codebuild:BatchGetBuilds", BUILD_PROJECT, {}),
    ("CodePipelineCFnRole", "cloudwatch:DescribeAlarms", regional("cloudwatch", "alarm:shop-5xx"), {}),
    *[
        ("CodePipelineCFnRole", "sns:Publish", each, {})
        for each in (topic("sns-dev-approvals"), APPROVAL_TOPIC)
    ],
    (
        "CodePipelineCFnRole",
        (
            f"{STACKS} {STACK_TAGS} {CHANGE_SETS} cloudformation:DescribeStackEvents"
            f" cloudformation:SetStackPolicy {READS_OF_THE_DEPLOY_ACTION}"
        ),
        stack_arn("cfnstack-dev-infra"),
        WITH_DEPLOY,
    ),
    # The list of AWS for the action that deploys with CloudFormation.
    *[
        ("CodePipelineCFnRole", " ".join(_DEPLOY_ACTION[kind]), resource, keys)
        for kind, resource, keys in (
            ("on_the_stack", stack_arn("cfnstack-dev-infra"), WITH_DEPLOY),
            ("without_a_resource", "*", {}),
            (
                "on_the_deploy_role",
                role("role-dev-codedeploy-cfn"),
                passed_to("cloudformation.amazonaws.com"),
            ),
        )
    ],
    # A deletion may use the role with which CloudFormation created the stack.
    ("CodePipelineCFnRole", "cloudformation:DeleteStack", stack_arn("cfnstack-dev-infra"), {}),
    ("CodePipelineCFnRole", "cloudformation:CreateChangeSet", SERVERLESS, {}),
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", PIPELINE, {}),
    ("ProvisioningRole", MADE_REPOSITORIES, REPOSITORY, {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, BUILD_PROJECT, {}),
    *[("ProvisioningRole", MADE_LOG_GROUPS, log, {}) for log in (BUILD_LOG, f"{BUILD_LOG}:*")],
    ("ProvisioningRole", MADE_PIPELINES, PIPELINE, {}),
    # An image's push has a rule of its own.
    *[
        ("ProvisioningRole", MADE_RULES, each, {})
        for each in (PIPELINE_RULE, rule("event-rule-dev-codepipeline-exec-ecr-infra"))
    ],
    ("ProvisioningRole", LISTS, "*", {}),
    ("ProvisioningRole", "iam:GetRole", role("role-dev-codepipeline-cfn"), {}),
    *[
        ("ProvisioningRole", "iam:PassRole", role(f"role-dev-{name}"), passed_to(f"{service}.amazonaws.com"))
        for name, service in (
            ("codebuild-cfn", "codebuild"),
            ("codepipeline-cfn", "codepipeline"),
            ("eventbridge-codepipeline-exec", "events"),
        )
    ],
    # Roles that a project's template creates.
    *[
        ("ProvisioningRole", "iam:PassRole", role("role-dev-shop"), passed_to(service))
        for service in SERVICES_OF_PIPELINES
    ],
    ("MirrorUser", "codecommit:GitPull codecommit:GitPush", REPOSITORY, {}),
]

_MAY_NOT = [
    *CHANGE_SETS_MAY_NOT,
    *REVIEWS_MAY_NOT,
    *FAILURES_MAY_NOT,
    *READING_MAY_NOT,
    # The function's code needs no network interface: Lambda's permissions in the role are denied to the code.
    ("FunctionRole", MADE_INTERFACES, regional("ec2", "network-interface/eni-0a1b2c3d"), BY_THE_CODE),
    ("FunctionRole", SEEN_INTERFACES, "*", BY_THE_CODE),
    # The function's calls for a hostile template.
    ("FunctionRole", CREDENTIALS, user("administrator"), {}),
    # Also another environment's mirror, and a user that no environment has.
    *[
        ("FunctionRole", SECRETS, secret(f"{name}-AbC123"), {})
        for name in (
            "database/password",
            "database/codecommit-mirror/x",
            "codecommit-mirror",
            "codecommit-mirror/user-prd-codecommit-mirroring",
            "codecommit-mirror/user-dev2-x",
            "codecommit-mirror/x",
        )
    ],
    ("FunctionRole", SECRETS, secret("codecommit-mirror/user-dev-x-AbC123").replace(REGION, "us-east-1"), {}),
    # A secret without the tag for GitLab, or with another key; one of another environment or account. Calls
    # that would change a token, or turn a secret into a token.
    *[
        ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123"), keys)
        for keys in (
            {},
            *[
                FOR_A_GITLAB | {"secretsmanager:ResourceTag/cfn-gitops:env": other}
                for other in ("prd", "dev2", "d")
            ],
        )
    ],
    (
        "FunctionRole",
        TOKENS,
        secret("database/password-AbC123"),
        {"secretsmanager:ResourceTag/gitlab-url": "https://gitlab.example.com"},
    ),
    ("FunctionRole", TOKENS, secret("gitlab/mirrors-AbC123").replace(REGION, "us-east-1"), FOR_A_GITLAB),
    (
        "FunctionRole",
        (
            "secretsmanager:PutSecretValue secretsmanager:UpdateSecret secretsmanager:DeleteSecret"
            " secretsmanager:TagResource secretsmanager:UntagResource secretsmanager:PutResourcePolicy"
        ),
        secret("gitlab/mirrors-AbC123"),
        FOR_A_GITLAB,
    ),
    ("FunctionRole", "kms:Decrypt", TOKEN_KEY, {}),
    ("FunctionRole", "kms:Encrypt kms:GenerateDataKey kms:CreateGrant", TOKEN_KEY, VIA_SECRETS_MANAGER),
    ("FunctionRole", REPOSITORIES, repository("unrelated"), {}),
    # Another owner's repository with such a name, and one that Source names.
    *[
        ("FunctionRole", "codecommit:DeleteRepository", REPOSITORY, keys)
        for keys in (
            {},
            {"aws:ResourceTag/CreatedBy": "gitops-dev-infra"},
            {"aws:ResourceTag/cfn-gitops:stack-name": "gitops-prd-infra"},
        )
    ],
    ("FunctionRole", "codecommit:DeleteRepository", WEBSITE, MADE_BY_A_PIPELINE),
    # A branch of another owner's repository that Source names.
    ("FunctionRole", "codecommit:UpdateDefaultBranch", WEBSITE, {}),
    # The provider stack, deployed stacks, others' stacks.
    *[
        ("FunctionRole", STACKS_OF_PIPELINES, stack_arn(name), WITH_PROVISIONING)
        for name in ("gitops-dev", "cfn-gitops-dev")
    ],
    ("FunctionRole", WITH_A_ROLE, stack_arn("cfnstack-dev-infra"), WITH_PROVISIONING),
    # Without a role, so with the function's own permissions, and with another role.
    *[
        ("FunctionRole", WITH_A_ROLE, PIPELINE_STACK, keys)
        for keys in ({}, WITH_DEPLOY, {"cloudformation:RoleArn": role("administrator")})
    ],
    # The provisioning role for other callers, and other roles for CloudFormation.
    ("FunctionRole", "iam:PassRole", PROVISIONING, {}),
    *[
        ("FunctionRole", "iam:PassRole", PROVISIONING, passed_to(service))
        for service in (*SERVICES_OF_PIPELINES, "lambda.amazonaws.com")
    ],
    (
        "FunctionRole",
        "sts:AssumeRole iam:PutRolePolicy iam:AttachRolePolicy iam:UpdateAssumeRolePolicy",
        PROVISIONING,
        passed_to("cloudformation.amazonaws.com"),
    ),
    *[
        ("FunctionRole", "iam:PassRole", role(name), passed_to("cloudformation.amazonaws.com"))
        for name in ("role-dev-cfn-gitops", "administrator")
    ],
    # The function may not make CloudFormation's calls itself.
    (
        "FunctionRole",
        f"{CHANGED_PIPELINES} codepipeline:PutApprovalResult codepipeline:StopPipelineExecution",
        PIPELINE,
        {},
    ),
    # The function logs its findings as metrics, and changes no other metric.
    ("FunctionRole", "cloudwatch:PutMetricData cloudwatch:SetAlarmState cloudwatch:DeleteAlarms", "*", {}),
    ("FunctionRole", "events:DescribeRule", rule("event-rule-dev-nightly"), {}),
    ("FunctionRole", "codepipeline:StartPipelineExecution", pipeline("unrelated"), {}),
    ("FunctionRole", "lambda:InvokeFunction", function("lambda-dev-thumbnails"), {}),
    # A tombstone contains no value.
    (
        "FunctionRole",
        "secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecret",
        secret("cfn-gitops-dev/deletions/infra-0a1b2c3d-AbC123"),
        {},
    ),
    ("FunctionRole", MARKS, secret("cfn-gitops-dev/other-AbC123"), {}),
    (
        "FunctionRole",
        "iam:CreateRole iam:PassRole iam:UpdateAssumeRolePolicy sts:AssumeRole",
        role("role-dev-codedeploy-cfn"),
        passed_to("lambda.amazonaws.com"),
    ),
    ("FunctionRole", "s3:GetObject s3:PutObject", f"{BUCKET}/code.zip", {}),
    ("FunctionRole", "logs:CreateLogGroup", regional("logs", "log-group:/aws/lambda/cfn-gitops-dev"), {}),
    ("FunctionRole", "logs:PutLogEvents", regional("logs", "log-group:/aws/lambda/other:log-stream:a"), {}),
    *[("FunctionRole", "kms:Encrypt kms:GenerateDataKey", KEY, keys) for keys in ({}, VIA_S3)],
    # With any other key the function only decrypts its own secrets, through Secrets Manager.
    (
        "FunctionRole",
        "kms:Encrypt kms:GenerateDataKey kms:ReEncryptFrom kms:CreateGrant",
        FORMER_KEY,
        VIA_SECRETS_MANAGER | SECRET_IN_THE_CONTEXT,
    ),
    *[
        ("FunctionRole", "kms:Decrypt", FORMER_KEY, keys)
        for keys in (
            {},
            VIA_SECRETS_MANAGER,
            SECRET_IN_THE_CONTEXT,
            VIA_S3 | SECRET_IN_THE_CONTEXT,
            *[
                VIA_SECRETS_MANAGER | {"kms:EncryptionContext:SecretARN": secret(name)}
                for name in (
                    "database/password-AbC123",
                    "codecommit-mirror/user-prd-codecommit-mirroring-AbC123",
                )
            ],
        )
    ],
    # Another role of the other account, and one of this account; and only reads with the role.
    *[
        (principal, "sts:AssumeRole", other, {})
        for principal in ("FunctionRole", "CodePipelineCFnRole")
        for other in (
            f"{SOURCE_ROLES[0]}s",
            "arn:aws:iam::111122223333:role/administrator",
            role("role-dev-codedeploy-cfn"),
        )
    ],
    (
        "FunctionRole",
        f"{SOURCE} codecommit:GitPull codecommit:ListTagsForResource",
        REPOSITORY.replace(ACCOUNT, "111122223333"),
        {},
    ),
    ("FunctionRole", "s3:GetObject s3:PutObject s3:ListBucket", f"{FOREIGN_BUCKET}/x", {}),
    ("FunctionRole", USE_OF_A_KEY, FOREIGN_KEY, VIA_S3),
    # A build, which runs any pushed code.
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", "arn:aws:s3:::unrelated-bucket/x", {}),
    ("CodeBuildCFnRole", "s3:GetObject s3:PutObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodeBuildCFnRole", "s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl", f"{BUCKET}/x", {}),
    ("CodeBuildCFnRole", "s3:PutBucketPolicy s3:DeleteBucket s3:PutLifecycleConfiguration", BUCKET, {}),
    ("CodeBuildCFnRole", "logs:CreateLogGroup logs:PutLogEvents", OWN_LOG, {}),
    *[
        ("CodeBuildCFnRole", REPORTS, report_group(name), AS_A_BUILD)
        for name in ("codebuild-dev-review-infra-junit", "unrelated")
    ],
    (
        "CodeBuildCFnRole",
        "secretsmanager:GetSecretValue",
        secret("codecommit-mirror/user-dev-codecommit-mirroring-AbC123"),
        {},
    ),
    (
        "CodeBuildCFnRole",
        "iam:PassRole sts:AssumeRole",
        role("role-dev-codedeploy-cfn"),
        passed_to("cloudformation.amazonaws.com"),
    ),
    ("CodeBuildCFnRole", "s3:PutBucketPolicy s3:DeleteBucket s3:GetBucketPolicy", FOREIGN_BUCKET, {}),
    *[
        (principal, *call)
        for principal in ("CodeBuildCFnRole", "CodePipelineCFnRole")
        for call in (
            ("s3:DeleteObject s3:DeleteObjectVersion s3:PutObjectAcl", f"{FOREIGN_BUCKET}/x", {}),
            # A bucket whose name has this one as its beginning.
            ("s3:GetObject s3:PutObject", f"{FOREIGN_BUCKET}-2/x", {}),
            *[(USE_OF_A_KEY, key, VIA_S3) for key in (regional("kms", "key/another"), KEY)],
        )
    ],
    # A template that a pipeline deploys.
    *[
        ("CodeDeployCFnRole", FUNCTIONS, function(name), {})
        for name in ("lambda-prd-dev-thumbnails", "cfn-gitops-dev", "cfn-gitops-dev-read")
    ],
    *[
        ("CodeDeployCFnRole", "lambda:AddPermission", function("lambda-dev-thumbnails"), keys)
        for keys in ({}, {"lambda:Principal": "*"}, {"lambda:Principal": "999999999999"})
    ],
    *[
        ("CodeDeployCFnRole", BOUNDED_ROLES, role("role-dev-thumbnails"), keys)
        for keys in (
            {},
            WITH_OWN_BOUNDARY,
            {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
        )
    ],
    ("CodeDeployCFnRole", BOUNDED_ROLES, role("administrator"), WITH_BOUNDARY),
    (
        "CodeDeployCFnRole",
        "iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:DeletePolicy",
        BOUNDARY,
        {},
    ),
    *[
        ("CodeDeployCFnRole", "iam:PassRole", role("role-dev-thumbnails"), keys)
        for keys in ({}, passed_to("ec2.amazonaws.com"))
    ],
    *[
        ("CodeDeployCFnRole", "iam:PassRole", role(name), passed_to("lambda.amazonaws.com"))
        for name in ("role-dev-codepipeline-cfn", "administrator")
    ],
    # The machinery's roles, and those that give this account's repositories and images to another account's
    # pipelines.
    *[
        ("CodeDeployCFnRole", f"{BOUNDED_ROLES} {EXISTING_ROLES}", role(f"role-dev-{name}"), WITH_BOUNDARY)
        for name in (
            "cfn-gitops",
            "cfn-gitops-provisioning",
            "cfn-gitops-read",
            "codebuild-cfn",
            "codedeploy-cfn",
            "codepipeline-cfn",
            "eventbridge-codepipeline-exec",
            "codecommit-source",
            "ecr-source",
            "eventbridge-forward",
            "eventbridge-forward-ecr",
            "codepipeline-s3-site",
            "eventbridge-codepipeline-s3-site",
            "clone",
            "clone-source",
            "chat",
            "codebuild-replication-shop",
            "eventbridge-replication-shop",
        )
    ],
    *[
        ("CodeDeployCFnRole", RULES, rule(f"event-rule-dev-{name}"), {})
        for name in (
            "codepipeline-exec-cfn-infra",
            "cfn-gitops-health",
            "forward-codecommit",
            "replication-shop-daily",
        )
    ],
    ("CodeDeployCFnRole", STACKS_OF_PIPELINES, PIPELINE_STACK, {}),
    *[("CodeDeployCFnRole", "kms:Decrypt", FOREIGN_KEY, keys) for keys in ({}, VIA_SECRETS_MANAGER)],
    *[
        ("CodeDeployCFnRole", STACKS, stack_arn(name), {})
        for name in ("cfn-gitops-dev", "cfnstack-prd-infra")
    ],
    # A pipeline.
    (
        "CodePipelineCFnRole",
        "iam:PassRole",
        role("role-dev-codebuild-cfn"),
        passed_to("cloudformation.amazonaws.com"),
    ),
    ("CodePipelineCFnRole", "iam:PassRole", role("role-dev-codedeploy-cfn"), {}),
    *[
        (
            "CodePipelineCFnRole",
            "cloudformation:CreateStack cloudformation:UpdateStack cloudformation:CreateChangeSet",
            stack_arn("cfnstack-dev-infra"),
            keys,
        )
        for keys in ({}, WITH_PROVISIONING, {"cloudformation:RoleArn": role("administrator")})
    ],
    *[
        (
            "CodePipelineCFnRole",
            "cloudformation:DeleteStack",
            stack_arn("cfnstack-dev-infra"),
            {"cloudformation:RoleArn": role(name)},
        )
        for name in ("role-dev-cfn-gitops-provisioning", "administrator")
    ],
    *[
        ("CodePipelineCFnRole", f"{STACKS} {CHANGE_SETS}", stack, WITH_DEPLOY)
        for stack in (stack_arn("cfn-gitops-dev"), PIPELINE_STACK)
    ],
    *[("CodePipelineCFnRole", "sns:Publish", topic(name), {}) for name in ("approvals-2", "unrelated")],
    ("CodePipelineCFnRole", SOURCE, repository("unrelated"), {}),
    ("CodePipelineCFnRole", "codepipeline:PutApprovalResult codepipeline:UpdatePipeline", PIPELINE, {}),
    ("CodePipelineCFnRole", "s3:GetObject", f"{BUCKET.replace('-dev-', '-prd-')}/x", {}),
    ("CodePipelineCFnRole", "s3:DeleteObject s3:PutObjectAcl", f"{BUCKET}/x", {}),
    # A rule.
    ("EventsRuleRole", "codepipeline:StartPipelineExecution", pipeline("unrelated"), {}),
    # A pipeline's properties, in a template with the ServiceToken: roles with more permissions
    # than a pipeline's, a role for another service, other environments, others' resources.
    *[
        ("ProvisioningRole", "iam:PassRole", role(name), passed_to(service))
        for name in (
            "role-dev-cfn-gitops",
            "role-dev-cfn-gitops-provisioning",
            "role-dev-cfn-gitops-read",
            "role-dev-codedeploy-cfn",
            "role-dev-codepipeline-s3-site",
            "role-prd-codepipeline-cfn",
            "role-dev2-codepipeline-cfn",
            "administrator",
        )
        for service in SERVICES_OF_PIPELINES
    ],
    ("ProvisioningRole", "iam:PassRole", role("role-dev-codepipeline-cfn"), {}),
    *[
        ("ProvisioningRole", "iam:PassRole", role("role-dev-shop"), passed_to(service))
        for service in ("cloudformation.amazonaws.com", "lambda.amazonaws.com", "ec2.amazonaws.com")
    ],
    (
        "ProvisioningRole",
        f"{BOUNDED_ROLES} iam:UpdateAssumeRolePolicy iam:DeleteRole iam:TagRole",
        role("role-dev-shop"),
        WITH_BOUNDARY,
    ),
    # A repository that Source names does not belong to the pipeline.
    ("ProvisioningRole", MADE_REPOSITORIES, WEBSITE, {}),
    ("ProvisioningRole", MADE_BUILD_PROJECTS, build_project("unrelated"), {}),
    ("ProvisioningRole", MADE_LOG_GROUPS, log_group("/aws/lambda/cfn-gitops-dev"), {}),
    (
        "ProvisioningRole",
        "logs:GetLogEvents logs:PutLogEvents logs:PutSubscriptionFilter",
        f"{BUILD_LOG}:log-stream:a",
        {},
    ),
    ("ProvisioningRole", MADE_PIPELINES, pipeline("unrelated"), {}),
    # Other rules of this environment belong to deployed stacks.
    *[
        ("ProvisioningRole", RULES, rule(f"event-rule-dev-{name}"), {})
        for name in ("nightly", "codepipeline-exec-s3-site")
    ],
    (
        "ProvisioningRole",
        "events:PutPermission events:PutEvents",
        regional("events", "event-bus/default"),
        {},
    ),
    ("ProvisioningRole", STACKS_OF_PIPELINES, PIPELINE_STACK, {}),
    *[
        ("ProvisioningRole", "lambda:InvokeFunction lambda:AddPermission", function(name), {})
        for name in ("cfn-gitops-dev", "cfn-gitops-dev-read")
    ],
    # Nor does the function ask the other one, and nor does a build, a pipeline or a rule.
    *[
        (principal, "lambda:InvokeFunction lambda:UpdateFunctionCode", function("cfn-gitops-dev-read"), {})
        for principal in (
            "FunctionRole",
            "CodeBuildCFnRole",
            "ReviewCodeBuildCFnRole",
            "CodePipelineCFnRole",
            "EventsRuleRole",
            "MirrorUser",
        )
    ],
    # A person who got hold of the mirror's login: other projects have mirror users of their own.
    *[
        ("MirrorUser", "codecommit:GitPull codecommit:GitPush", repository(name), {})
        for name in ("codecommit-dev-cfn-shop", "codecommit-dev-website")
    ],
]


def _of_the_environment(rows):
    deployed = scene.stacks()["template"].deployed
    return [(deployed.arn(principal), *row) for principal, *row in rows]


MAY = [*_of_the_environment(_MAY), *inputs_and_outputs_of_a_build(SECOND_BUCKET)]
MAY_NOT = [
    *_of_the_environment(_MAY_NOT),
    *[row for bucket in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET) for row in what_is_not_the_builds(bucket)],
]
