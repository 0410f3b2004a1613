"""The function's change sets, for reviews and for drift: part of rows_rights.py.

An attacker can invoke the function with any event, so these rows are also what such an attacker can reach at
most.
"""

from tests.templates.deployed import ACCOUNT
from tests.templates.named import *

CREATE, DELETE, DESCRIBE, EXECUTE = [
    f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Delete", "Describe", "Execute")
]
DEPLOY = role("role-dev-codedeploy-cfn")
DEPLOY_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-codedeploy-cfn"
POLICIES_OF_A_ROLE, POLICIES = (
    "iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies",
    "iam:GetPolicy iam:GetPolicyVersion",
)
READERS = ("FunctionRole", "ReadFunctionRole")
WITH_ANOTHER = {"cloudformation:RoleArn": role("administrator")}
# Names that only begin or end like the function's own.
OTHER_NAMES = (
    OF_THE_PIPELINE,
    "anything",
    "plan",
    "drift",
    f"a-{PLAN}",
    f"a-{DRIFT}",
    "Plan-a",
    "DRIFT-a",
    "",
)
OTHER_STACKS = [
    stack_arn(name)
    for name in (
        "cfnstack-prd-infra",
        "cfnstack-dev2-infra",
        "gitops-prd-infra",
        "cfn-gitops-dev",
        "anything",
    )
]

CHANGE_SETS_MAY = [
    *[("FunctionRole", CREATE, DEPLOYED_STACK, change_set(name, WITH_DEPLOY)) for name in (PLAN, DRIFT)],
    *[("FunctionRole", DELETE, DEPLOYED_STACK, change_set(name)) for name in (PLAN, DRIFT)],
    (
        "FunctionRole",
        f"cloudformation:ListChangeSets cloudformation:DescribeEvents {STACK_TAGS}",
        DEPLOYED_STACK,
        {},
    ),
    ("FunctionRole", CREATE, SERVERLESS, {}),
    ("FunctionRole", "iam:PassRole", DEPLOY, passed_to("cloudformation.amazonaws.com")),
    *[(reader, POLICIES_OF_A_ROLE, DEPLOY, {}) for reader in READERS],
    *[(reader, POLICIES, DEPLOY_POLICY, {}) for reader in READERS],
    *[(reader, "cloudformation:DescribeType", "*", {}) for reader in READERS],
    ("FunctionRole", "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/review/infra/0a1b/template.yaml", {}),
]

CHANGE_SETS_MAY_NOT = [
    *[
        (reader, POLICIES_OF_A_ROLE, role(name), {})
        for reader in READERS
        for name in ("role-dev-cfn-gitops", "administrator")
    ],
    *[
        (reader, POLICIES, DEPLOY_POLICY.replace("policy-dev-codedeploy-cfn", "another"), {})
        for reader in READERS
    ],
    (
        "FunctionRole",
        f"{CREATE} {DESCRIBE} {EXECUTE} {DELETE} cloudformation:SetStackPolicy",
        PIPELINE_STACK,
        {},
    ),
    (
        "FunctionRole",
        "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet",
        DEPLOYED_STACK,
        WITH_PROVISIONING,
    ),
    # No change set is executed: neither the function's own nor the pipeline's, with any role.
    *[
        ("FunctionRole", EXECUTE, stack, change_set(name, keys))
        for stack in (DEPLOYED_STACK, PIPELINE_STACK)
        for name in (PLAN, DRIFT, *OTHER_NAMES)
        for keys in ({}, WITH_DEPLOY, WITH_PROVISIONING)
    ],
    ("FunctionRole", EXECUTE, DEPLOYED_STACK, {}),
    # Another name, which could be that of the change set that waits for an approval.
    *[
        ("FunctionRole", f"{CREATE} {DELETE}", DEPLOYED_STACK, change_set(name, WITH_DEPLOY))
        for name in OTHER_NAMES
    ],
    *[("FunctionRole", f"{CREATE} {DELETE}", DEPLOYED_STACK, keys) for keys in ({}, WITH_DEPLOY)],
    *[
        (
            "FunctionRole",
            f"{CREATE} {DELETE} {DESCRIBE} {EXECUTE}",
            PIPELINE_STACK,
            change_set(name, WITH_PROVISIONING),
        )
        for name in (PLAN, DRIFT, *OTHER_NAMES)
    ],
    *[
        ("FunctionRole", f"{CREATE} {DELETE} {DESCRIBE} {EXECUTE}", PIPELINE_STACK, keys)
        for keys in ({}, WITH_PROVISIONING)
    ],
    # Without a role, so with the function's own permissions, and with another role.
    *[
        ("FunctionRole", CREATE, DEPLOYED_STACK, change_set(name, keys))
        for name in (PLAN, DRIFT)
        for keys in ({}, WITH_PROVISIONING, WITH_ANOTHER)
    ],
    *[
        ("FunctionRole", CREATE, PIPELINE_STACK, change_set(DRIFT, keys))
        for keys in ({}, WITH_DEPLOY, WITH_ANOTHER)
    ],
    # Another environment's stack, the provider stack, others' stacks, another account's.
    *[
        (
            "FunctionRole",
            f"{CREATE} {DELETE} {DESCRIBE} {EXECUTE} cloudformation:ListChangeSets",
            stack,
            change_set(name, keys),
        )
        for stack in [
            *OTHER_STACKS,
            DEPLOYED_STACK.replace(ACCOUNT, "999999999999"),
            PIPELINE_STACK.replace(ACCOUNT, "999999999999"),
        ]
        for name in (PLAN, DRIFT)
        for keys in (WITH_DEPLOY, WITH_PROVISIONING)
    ],
    *[
        ("FunctionRole", STACK_TAGS, stack, {})
        for stack in [*OTHER_STACKS, DEPLOYED_STACK.replace(ACCOUNT, "999999999999")]
    ],
    # Other ways to change a deployed stack, with the deploy role or with a change set's name.
    (
        "FunctionRole",
        """cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack
        cloudformation:RollbackStack cloudformation:ContinueUpdateRollback cloudformation:CancelUpdateStack
        cloudformation:SetStackPolicy cloudformation:CreateStackRefactor
        cloudformation:ExecuteStackRefactor cloudformation:GetTemplate""",
        DEPLOYED_STACK,
        change_set(PLAN, WITH_DEPLOY),
    ),
    ("FunctionRole", "cloudformation:ListChangeSets", PIPELINE_STACK, {}),
    # The deploy role for other services, and other use of it.
    ("FunctionRole", "iam:PassRole", DEPLOY, {}),
    *[
        ("FunctionRole", "iam:PassRole", DEPLOY, passed_to(service))
        for service in (*SERVICES_OF_PIPELINES, "lambda.amazonaws.com", "ec2.amazonaws.com")
    ],
    (
        "FunctionRole",
        "sts:AssumeRole iam:PutRolePolicy iam:AttachRolePolicy iam:UpdateAssumeRolePolicy",
        DEPLOY,
        passed_to("cloudformation.amazonaws.com"),
    ),
    # A macro of this account, which runs a function. Only AWS's transforms are allowed.
    ("FunctionRole", CREATE, SERVERLESS.replace(":aws:", f":{ACCOUNT}:"), {}),
    ("FunctionRole", EXECUTE, SERVERLESS, {}),
    # Objects that no build of a review branch stored.
    *[
        ("FunctionRole", "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/{key}", {})
        for key in (
            "code.zip",
            "code/a/0a1b2c",
            "codepipeline-dev-cfn/SourceArti/Xa3bC4d",
            "codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
            "review",
            "reviews/a",
            "a/review/b",
        )
    ],
    ("FunctionRole", "s3:ListBucket s3:ListBucketVersions s3:PutBucketPolicy", BUCKET, {}),
]
