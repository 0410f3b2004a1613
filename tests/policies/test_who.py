"""The reverse question: which of all principals can do the most critical calls.

All roles, users and groups of all stacks are evaluated, in every account, and the list is complete.
"""

import pytest

from tests.policies import scene
from tests.policies.rows_across_accounts import (
    A_PUSH,
    AN_IMAGE,
    ARTIFACT,
    BUILD_ARTIFACT,
    BUS,
    CODE,
    IMAGE_REPOSITORY,
    KEY,
    THROUGH_S3,
    UNDER_THE_KEY,
)
from tests.policies.rows_across_accounts import (
    BUCKET as ARTIFACTS,
)
from tests.policies.rows_clone import WITH_THE_WORD
from tests.policies.rows_people import APPROVING, OBSERVING, UNDER_CONTROL
from tests.policies.rows_watching import REPLICA
from tests.policies.scene import FOREIGN_REPOSITORY, IMAGE_ROLE, PIPELINES, REPOSITORIES, SOURCE_ROLE
from tests.policies.tables import (
    ADMINISTRATOR,
    ASSUME,
    BUCKET,
    DEPLOY_ROLE,
    DEPLOYED_STACK,
    FIRST_REPOSITORY,
    FUNCTION,
    FUNCTION_ROLE,
    MIRROR,
    OUTPUT_OF_A_REVIEW,
    PASSWORD,
    PIPELINE,
    PIPELINE_ROLE,
    PIPELINE_STACK,
    PROVISIONING_ROLE,
    REPOSITORY,
    REVIEW_ROLE,
    WAITING,
    group,
    regional,
    role,
    user,
)
from tests.templates.deployed import BOUNDARY
from tests.templates.named import (
    ANOTHER_BUILD,
    AS_A_BUILD,
    DRIFT,
    PLAN,
    WITH_DEPLOY,
    WITH_PROVISIONING,
    change_set,
    passed_to,
)

OF_A_PIPELINE = {"aws:ResourceTag/cfn-gitops:stack-name": "gitops-dev-shop"}
ON_A_PROTECTED_BRANCH = {"codecommit:References": "refs/heads/master"}
ON_A_BRANCH = {"codecommit:References": "refs/heads/feature"}

REVIEW_PROJECT = regional("codebuild", "project/codebuild-dev-review-shop")
BUILD_PROJECT = regional("codebuild", "project/codebuild-dev-cfn-shop")
BUILD_LOG, REVIEW_LOG = [
    regional("logs", f"log-group:/aws/codebuild/codebuild-dev-{kind}-shop:log-stream:a")
    for kind in ("cfn", "review")
]
OTHER_LOGS = [
    regional("logs", f"log-group:{name}:log-stream:a")
    for name in ("/aws/lambda/cfn-gitops-dev", "/aws/codebuild/codebuild-dev-replication-shop")
]

REVIEWS_AND_DRIFT = [
    *[
        ("iam:PassRole", DEPLOY_ROLE, passed_to(f"{service}.amazonaws.com"), "")
        for service in ("lambda", "codebuild", "events")
    ],
    *[
        row
        for name in (PLAN, DRIFT)
        for row in (
            (
                "cloudformation:CreateChangeSet",
                DEPLOYED_STACK,
                change_set(name, WITH_DEPLOY),
                "role-dev-codepipeline-cfn role-dev-cfn-gitops",
            ),
            ("cloudformation:CreateChangeSet", DEPLOYED_STACK, change_set(name), ""),
            ("cloudformation:CreateChangeSet", DEPLOYED_STACK, change_set(name, WITH_PROVISIONING), ""),
            (
                "cloudformation:ExecuteChangeSet",
                DEPLOYED_STACK,
                change_set(name),
                "role-dev-codepipeline-cfn",
            ),
        )
    ],
    *[
        (
            f"cloudformation:{verb}ChangeSet",
            DEPLOYED_STACK,
            change_set(WAITING, WITH_DEPLOY),
            "role-dev-codepipeline-cfn",
        )
        for verb in ("Create", "Execute", "Delete")
    ],
    *[
        (f"cloudformation:{verb}ChangeSet", PIPELINE_STACK, change_set(name, WITH_PROVISIONING), "")
        for verb in ("Create", "Execute")
        for name in (PLAN, DRIFT)
    ],
    # CodePipeline has all objects of the bucket. No pipeline reads a review's.
    (
        "s3:PutObject",
        OUTPUT_OF_A_REVIEW,
        AS_A_BUILD,
        "role-dev-review-codebuild-cfn role-dev-codepipeline-cfn",
    ),
    (
        "s3:GetObject",
        OUTPUT_OF_A_REVIEW,
        AS_A_BUILD,
        "role-dev-cfn-gitops role-dev-codepipeline-cfn deployed",
    ),
    ("s3:ListBucket", BUCKET, {}, "cfn-gitops-dev-deployment"),
    (
        "codebuild:StartBuild",
        REVIEW_PROJECT,
        {},
        "role-dev-eventbridge-codepipeline-exec role-dev-cfn-gitops",
    ),
    ("codebuild:BatchGetBuilds", REVIEW_PROJECT, {}, "role-dev-cfn-gitops"),
    ("logs:PutLogEvents", REVIEW_LOG, {}, "role-dev-review-codebuild-cfn"),
    (
        "codebuild:BatchGetBuilds",
        BUILD_PROJECT,
        {},
        "role-dev-codepipeline-cfn role-dev-cfn-gitops role-dev-cfn-gitops-read",
    ),
    *[("logs:GetLogEvents", log, {}, "role-dev-cfn-gitops deployed") for log in (BUILD_LOG, REVIEW_LOG)],
    *[("logs:GetLogEvents", log, {}, "deployed") for log in OTHER_LOGS],
    # Who may read a log sees what its group masks only with this permission.
    *[("logs:Unmask", log, {}, "") for log in (BUILD_LOG, REVIEW_LOG, *OTHER_LOGS)],
    ("iam:PassRole", REVIEW_ROLE, passed_to("codebuild.amazonaws.com"), "role-dev-cfn-gitops-provisioning"),
    ("iam:UpdateAssumeRolePolicy", REVIEW_ROLE, {}, "cfn-gitops-dev-deployment"),
    (ASSUME, REVIEW_ROLE, {}, ""),
    (
        "codecommit:GitPull",
        REPOSITORY,
        {},
        """role-dev-review-codebuild-cfn role-dev-codebuild-replication-shop user-dev-shop-mirror
        group-dev-power-users group-dev-readers""",
    ),
]

WHO = [
    *REVIEWS_AND_DRIFT,
    ("codecommit:GitPush", REPOSITORY, ON_A_PROTECTED_BRANCH, "user-dev-shop-mirror"),
    ("codecommit:GitPush", REPOSITORY, ON_A_BRANCH, "user-dev-shop-mirror group-dev-power-users"),
    ("codecommit:GitPush", FIRST_REPOSITORY, ON_A_PROTECTED_BRANCH, "user-dev-codecommit-mirroring"),
    ("codecommit:GitPush", REPLICA, ON_A_PROTECTED_BRANCH, "role-dev-codebuild-replication-shop"),
    ("codecommit:GitPush", FOREIGN_REPOSITORY, ON_A_BRANCH, ""),
    (
        "codecommit:DeleteRepository",
        REPOSITORY,
        OF_A_PIPELINE,
        "role-dev-cfn-gitops role-dev-cfn-gitops-provisioning",
    ),
    ("codecommit:UploadArchive", FOREIGN_REPOSITORY, {}, "role-dev-codecommit-source"),
    (
        "codecommit:GitPull",
        FOREIGN_REPOSITORY,
        {"aws:SourceVpce": scene.VPC_ENDPOINT},
        "role-dev-clone-source",
    ),
    ("secretsmanager:GetSecretValue", PASSWORD, {}, "role-dev-cfn-gitops"),
    ("iam:CreateServiceSpecificCredential", MIRROR, {}, "role-dev-cfn-gitops"),
    ("iam:CreateAccessKey", MIRROR, {}, ""),
    ("iam:CreateRole", role(PIPELINES, "role-dev-thumbnails"), {"iam:PermissionsBoundary": BOUNDARY}, ""),
    ("iam:CreateRole", role(PIPELINES, "role-dev-thumbnails"), {}, ""),
    ("iam:UpdateAssumeRolePolicy", PIPELINE_ROLE, {}, "cfn-gitops-dev-deployment"),
    ("iam:UpdateAssumeRolePolicy", role(PIPELINES, "role-dev-codebuild-replication-shop"), {}, ""),
    (
        "iam:PassRole",
        DEPLOY_ROLE,
        passed_to("cloudformation.amazonaws.com"),
        "role-dev-codepipeline-cfn role-dev-cfn-gitops",
    ),
    ("iam:PassRole", PROVISIONING_ROLE, passed_to("cloudformation.amazonaws.com"), "role-dev-cfn-gitops"),
    ("codepipeline:PutApprovalResult", f"{PIPELINE}/Approval/Approval", {}, "group-dev-approvers"),
    # The function only with FunctionApprovals, and only change sets.
    (
        "codepipeline:PutApprovalResult",
        f"{PIPELINE}/Deploy/Approval",
        {},
        "group-dev-approvers role-dev-cfn-gitops",
    ),
    *[
        ("lambda:UpdateFunctionCode", f"{FUNCTION}{end}", {}, "cfn-gitops-dev-deployment")
        for end in ("", "-read")
    ],
    # CloudFormation invokes it for the custom resources of the stack.
    ("lambda:InvokeFunction", FUNCTION, {}, "role-dev-cfn-gitops cfn-gitops-dev-deployment"),
    (
        "lambda:InvokeFunction",
        f"{FUNCTION}-read",
        {},
        "group-dev-approvers group-dev-observers cfn-gitops-dev-deployment",
    ),
    *[
        ("iam:PassRole", f"{FUNCTION_ROLE}-read", passed_to(f"{service}.amazonaws.com"), who)
        for service, who in (
            ("lambda", "cfn-gitops-dev-deployment"),
            ("codebuild", ""),
            ("cloudformation", ""),
        )
    ],
    ("cloudformation:UpdateStack", PIPELINE_STACK, WITH_PROVISIONING, "role-dev-cfn-gitops"),
    (
        "cloudformation:UpdateStack",
        DEPLOYED_STACK,
        WITH_DEPLOY,
        "role-dev-codepipeline-cfn role-dev-codedeploy-cfn",
    ),
    (ASSUME, SOURCE_ROLE, {}, "role-dev-codepipeline-cfn role-dev-cfn-gitops role-dev-codepipeline-s3-site"),
    (ASSUME, IMAGE_ROLE, {}, "role-dev-codepipeline-cfn"),
    (ASSUME, role(REPOSITORIES, "role-dev-clone-source"), WITH_THE_WORD, "role-dev-clone"),
    ("s3:PutObject", ARTIFACT, UNDER_THE_KEY, "role-dev-codecommit-source role-dev-codepipeline-cfn"),
    (
        "s3:PutObject",
        BUILD_ARTIFACT,
        {**UNDER_THE_KEY, **AS_A_BUILD},
        "role-dev-codepipeline-cfn role-dev-codebuild-cfn",
    ),
    (
        "s3:GetObject",
        BUILD_ARTIFACT,
        AS_A_BUILD,
        "role-dev-codepipeline-cfn role-dev-codedeploy-cfn role-dev-codepipeline-s3-site deployed",
    ),
    # Code that a build packaged: no other session of the build role.
    ("s3:PutObject", CODE, AS_A_BUILD, "role-dev-codepipeline-cfn role-dev-codebuild-cfn"),
    ("s3:PutObject", CODE, {"aws:userid": ANOTHER_BUILD}, "role-dev-codepipeline-cfn"),
    ("s3:GetObject", CODE, AS_A_BUILD, "role-dev-codepipeline-cfn role-dev-codedeploy-cfn deployed"),
    ("s3:ListBucket", ARTIFACTS, {}, ""),
    (
        "s3:GetObject",
        ARTIFACT,
        {},
        (
            "role-dev-codepipeline-cfn role-dev-codebuild-cfn role-dev-codedeploy-cfn"
            " role-dev-codepipeline-s3-site deployed"
        ),
    ),
    (
        "kms:Decrypt",
        KEY,
        THROUGH_S3,
        """role-dev-codecommit-source role-dev-ecr-source role-dev-codepipeline-cfn role-dev-codebuild-cfn
        role-dev-codedeploy-cfn role-dev-codepipeline-s3-site deployed""",
    ),
    ("kms:ScheduleKeyDeletion", KEY, {}, ""),
    # Within the account EventBridge accepts no event whose source begins with "aws.", which no policy states:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    ("events:PutEvents", BUS, A_PUSH, "role-dev-eventbridge-forward deployed"),
    ("events:PutEvents", BUS, AN_IMAGE, "role-dev-eventbridge-forward-ecr deployed"),
    ("ecr:PutImage", IMAGE_REPOSITORY, {}, ""),
]


def everybody():
    """Each principal by a name that the tables use. A group is represented by a member."""
    for stack in scene.stacks().values():
        deployed = stack.deployed
        for logical_id in deployed.of_type("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
            if deployed.is_made(logical_id):
                arn = deployed.arn(logical_id)
                is_group = ":group/" in arn
                yield f"{user(deployed.account, 'somebody')} in {arn}" if is_group else arn
    # A role that a pipeline created, with all permissions in its own policy.
    yield f"{role(PIPELINES, 'deployed')} under the boundary"


# claim: hostile-builds-do-not-change-what-was-approved
# claim: only-listed-principals-can
# claim: no-principal-creates-an-access-key-of-the-mirror-user
@pytest.mark.parametrize(("action", "resource", "keys", "expected"), WHO)
def test_only_listed_principals_can(action, resource, keys, expected):
    able = {
        who.rsplit("/", 1)[-1].split()[0]
        for who in everybody()
        if scene.world().may(who, action, resource, keys)
    }
    assert able == set(expected.split())


# claim: only-named-approvers-approve
@pytest.mark.parametrize("stage", ["Approval", "Deploy"])
def test_control_policy_leaves_approvals_to_named_approvers(stage):
    """Of all principals with all permissions in addition, in an account with the service control policy."""
    approval = f"{PIPELINE}/{stage}/Approval"
    named = f"anybody {scene.APPROVER}"
    able = {
        who
        for who in [*everybody(), named]
        if scene.world().may(
            f"{who} with everything under control", "codepipeline:PutApprovalResult", approval
        )
    }
    assert able == {FUNCTION_ROLE, named}


# The calls of `cfn-gitops approve` and `reject`: the request, its change set, the decision, and the one who
# decided if the response was lost.
DECIDING = [
    ("codepipeline:GetPipelineState", PIPELINE),
    ("lambda:InvokeFunction", f"{FUNCTION}-read"),
    ("codepipeline:ListActionExecutions", PIPELINE),
    *[("codepipeline:PutApprovalResult", f"{PIPELINE}/{stage}/Approval") for stage in ("Approval", "Deploy")],
]
DECISION, READS = (
    {"codepipeline:PutApprovalResult"},
    {"codepipeline:GetPipelineState", "codepipeline:ListActionExecutions"},
)
NAMED = f"{scene.APPROVER} in {group('group-dev-approvers')}"


# claim: only-named-approvers-approve
@pytest.mark.parametrize(
    ("who", "denied"),
    [
        (NAMED, set()),
        (f"{NAMED} under control", set()),
        (APPROVING, set()),
        (f"{APPROVING} under control", DECISION),
        (ADMINISTRATOR, set()),
        (UNDER_CONTROL, DECISION),
        (OBSERVING, DECISION | READS),
        (f"{OBSERVING} under control", DECISION | READS),
    ],
)
def test_approve_and_reject_need_an_approver(who, denied):
    assert {action for action, resource in DECIDING if not scene.world().may(who, action, resource)} == denied
