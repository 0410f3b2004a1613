"""The table "Who can reach what" of docs/concepts/security/who-can-reach-what.md, row by row, as the policies
decide.

A row here has the page's words. Every column is evaluated with the calls of each person or role.
"""

import re
from pathlib import Path

import pytest

from tests.local.policies.evaluation import Caller
from tests.policies import scene
from tests.policies.rows_across_accounts import CODE, UNDER_THE_KEY
from tests.policies.rows_deployment import DEPLOYING
from tests.policies.rows_deployment import ROLE as DEPLOYMENT
from tests.policies.scene import IMAGE_ROLE, PIPELINES, SOURCE_ROLE
from tests.policies.tables import (
    BUCKET,
    BUILD_ROLE,
    DEPLOY_ROLE,
    DEPLOYED_STACK,
    FUNCTION,
    FUNCTION_ROLE,
    MIRROR,
    OUTPUT_OF_A_REVIEW,
    PASSWORD,
    PIPELINE,
    PIPELINE_STACK,
    REPOSITORY,
    REVIEW_ROLE,
    WAITING,
    group,
    regional,
    role,
    user,
)
from tests.templates.named import (
    A_BUILD,
    ANOTHER_BUILD,
    AS_A_BUILD,
    FOR_A_GITLAB,
    PLAN,
    WITH_DEPLOY,
    WITH_PROVISIONING,
    change_set,
    passed_to,
)

PAGE = Path(__file__).parents[2] / "docs/concepts/security/who-can-reach-what.md"

TOKEN = regional("secretsmanager", "secret:gitlab/mirrors-AbC123")
ON_THE_BRANCH = {"codecommit:References": "refs/heads/development"}
OTHERS_CODE = CODE.replace(AS_A_BUILD["aws:userid"], ANOTHER_BUILD)
ITS_CODE, BUILD_ARTIFACT = (
    f"{BUCKET}/code/{A_BUILD}/0a1b2c",
    f"{BUCKET}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
)
SOURCE_ARTIFACT = f"{BUCKET}/codepipeline-dev-cfn/SourceArti/Xa3bC4d"

# The calls behind each column: a short name, the call, its resource and condition keys.
COLUMNS = {
    "password": [
        ("read", "secretsmanager:GetSecretValue", PASSWORD, {}),
        ("issue", "iam:CreateServiceSpecificCredential", MIRROR, {}),
        ("reset", "iam:ResetServiceSpecificCredential", MIRROR, {}),
    ],
    "token": [("read", "secretsmanager:GetSecretValue", TOKEN, FOR_A_GITLAB)],
    # Only the function has it, so only other code in the function can read it.
    "ResponseURL": [("code", "lambda:UpdateFunctionCode", FUNCTION, {})],
    "function's role": [
        ("code", "lambda:UpdateFunctionCode", FUNCTION, {}),
        ("pass", "iam:PassRole", FUNCTION_ROLE, passed_to("lambda.amazonaws.com")),
        ("take", "sts:AssumeRole", FUNCTION_ROLE, {}),
        ("invoke", "lambda:InvokeFunction", FUNCTION, {}),
    ],
    "branch": [
        ("push", "codecommit:GitPush", REPOSITORY, ON_THE_BRANCH),
        ("commit", "codecommit:CreateCommit", REPOSITORY, ON_THE_BRANCH),
        ("clone", "codecommit:GitPull", REPOSITORY, {}),
    ],
    "artifacts": [
        ("read a source", "s3:GetObject", SOURCE_ARTIFACT, {}),
        ("write a source", "s3:PutObject", SOURCE_ARTIFACT, {}),
        ("read a review", "s3:GetObject", OUTPUT_OF_A_REVIEW, {}),
        ("write a review", "s3:PutObject", OUTPUT_OF_A_REVIEW, {}),
        ("write a build artifact", "s3:PutObject", BUILD_ARTIFACT, {}),
        ("write its code", "s3:PutObject", ITS_CODE, {}),
        ("write other code", "s3:PutObject", ITS_CODE.replace(A_BUILD, ANOTHER_BUILD), {}),
        ("replicate over other code", "s3:ReplicateObject", ITS_CODE.replace(A_BUILD, ANOTHER_BUILD), {}),
        ("list", "s3:ListBucketVersions", BUCKET, {}),
        *[
            (
                f"report as a {name}",
                "codebuild:CreateReport",
                regional("codebuild", f"report-group/codebuild-dev-{kind}-shop-unit"),
                {},
            )
            for name, kind in (("build", "cfn"), ("review", "review"))
        ],
        ("write its code beside another account's", "s3:PutObject", CODE, UNDER_THE_KEY),
        ("write other code beside another account's", "s3:PutObject", OTHERS_CODE, UNDER_THE_KEY),
    ],
    "deploy role": [
        ("pass", "iam:PassRole", DEPLOY_ROLE, passed_to("cloudformation.amazonaws.com")),
        ("take", "sts:AssumeRole", DEPLOY_ROLE, {}),
        ("deploy", "cloudformation:UpdateStack", DEPLOYED_STACK, WITH_DEPLOY),
        ("plan", "cloudformation:CreateChangeSet", DEPLOYED_STACK, change_set(PLAN, WITH_DEPLOY)),
        ("execute a plan", "cloudformation:ExecuteChangeSet", DEPLOYED_STACK, change_set(PLAN)),
        (
            "execute the waiting change set",
            "cloudformation:ExecuteChangeSet",
            DEPLOYED_STACK,
            change_set(WAITING),
        ),
        ("approve", "codepipeline:PutApprovalResult", f"{PIPELINE}/Deploy/Approval", {}),
        ("start", "codepipeline:StartPipelineExecution", PIPELINE, {}),
        # These calls remove an approval stage or change the pipeline's source.
        ("change a pipeline", "cloudformation:UpdateStack", PIPELINE_STACK, WITH_PROVISIONING),
    ],
}


def person(*statements):
    """A person of the pipelines' account with only these permissions: actions and resources."""
    allowed = [
        {"Effect": "Allow", "Action": actions.split(), "Resource": resource}
        for actions, resource in statements
    ]
    return Caller(
        account=PIPELINES, user="person", identity=({"Version": "2012-10-17", "Statement": allowed},)
    )


READER_OF_LOGS = person(
    ("logs:Get* logs:FilterLogEvents cloudformation:Describe* cloudformation:Get* cloudformation:List*", "*")
)
READER_OF_CLOUDTRAIL = person(("cloudtrail:Get* cloudtrail:List* cloudtrail:LookupEvents", "*"))
READER_OF_THE_SECRET = person(("secretsmanager:DescribeSecret secretsmanager:GetSecretValue", PASSWORD))
INVOKER = person(("lambda:InvokeFunction", FUNCTION))
CHANGER, CHANGER_OF_THE_READER = [
    person(("lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration", function))
    for function in (FUNCTION, f"{FUNCTION}-read")
]

# No principal of AWS: their pushes arrive with the mirror's user, or do not arrive.
IN_GITLAB_ONLY = ()

# By the answers of the function that only reads.
SEES = {"token": ("can have it used for reads, never sees it", ""), "branch": ("sees names", "")}

# Row, its principals, and for each column the page's words and the allowed calls. Words without a column are
# "no".
ROWS = [
    ("reader of logs, events, outputs", [READER_OF_LOGS], {"branch": ("sees names", "")}),
    ("reader of CloudTrail", [READER_OF_CLOUDTRAIL], {"branch": ("sees who pushed", "")}),
    (
        "reader of the mirror's secret",
        [READER_OF_THE_SECRET, MIRROR],
        {
            "password": ("yes", "read"),
            "branch": ("pushes", "push, clone"),
            "deploy role": ("through an approval", ""),
        },
    ),
    # The function makes the calls that its events require: `by its events` is the next row's.
    (
        "who may invoke the function, and so everyone who can deploy with its `ServiceToken`",
        [INVOKER],
        {
            "password": ("can make the function send it to a GitLab they control", ""),
            "token": ("can have it used, never sees it", ""),
            "ResponseURL": ("in forged events only", ""),
            "function's role": ("by its events", "invoke"),
            "branch": ("pushes, by forged events", ""),
            "artifacts": ("through their own pipeline", ""),
            "deploy role": ("through their own pipeline", ""),
        },
    ),
    (
        "who may change the function's code or role",
        [CHANGER, FUNCTION_ROLE],
        {
            "password": ("yes", "read, issue, reset"),
            "token": ("yes", "read"),
            "ResponseURL": ("yes", "code"),
            "function's role": ("yes", "code, invoke"),
            "branch": ("pushes", ""),
            "artifacts": ("through their own pipeline, reads reviews", "read a review"),
            "deploy role": (
                "through their own pipeline, plans with it",
                "pass, plan, approve, start, change a pipeline",
            ),
        },
    ),
    (
        "who may change the code or role of the function that only reads",
        [CHANGER_OF_THE_READER, f"{FUNCTION_ROLE}-read"],
        {
            "token": ("yes", "read"),
            "branch": ("pushes, with the token", ""),
            "deploy role": ("through an approval", ""),
        },
    ),
    (
        "a member of `group-<EnvID>-deployers`, with the role `cfn-gitops-<EnvID>-deployment`",
        [DEPLOYING, DEPLOYMENT],
        {
            **dict.fromkeys(("password", "token", "branch"), ("through the function's code", "")),
            "ResponseURL": ("through the function's code", "code"),
            "function's role": ("through a template", "code, pass, invoke"),
            "artifacts": ("through a template", ""),
            "deploy role": ("through a template", ""),
        },
    ),
    (
        "a member of `group-<EnvID>-observers`",
        [f"{user(PIPELINES, 'alice')} in {group('group-dev-observers')}"],
        SEES,
    ),
    ("GitLab: Developer", IN_GITLAB_ONLY, {"branch": ("proposes", "")}),
    (
        "GitLab: Maintainer",
        [MIRROR],
        {
            "password": ("no, it is masked", ""),
            "token": ("their own", ""),
            "branch": ("pushes", "push, clone"),
            "deploy role": ("through an approval", ""),
        },
    ),
    (
        "GitLab: administrator of the server",
        [MIRROR],
        {
            "password": ("yes", ""),
            "token": ("yes", ""),
            "branch": ("pushes", "push, clone"),
            "deploy role": ("through an approval", ""),
        },
    ),
    (
        "what a build runs",
        [BUILD_ROLE],
        {
            "artifacts": (
                "writes its own and any project's test reports, reads a source if it has the key",
                (
                    "read a source, write a build artifact, write its code, write its code beside another"
                    " account's, report as a build"
                ),
            ),
            "deploy role": ("through an approval", ""),
        },
    ),
    (
        "what a build of a review branch runs",
        [REVIEW_ROLE],
        {
            "branch": ("clones", "clone"),
            "artifacts": (
                "writes reviews and their test reports",
                "write a review, write its code, report as a review",
            ),
        },
    ),
    (
        "a template that a pipeline deploys",
        [DEPLOY_ROLE],
        {"artifacts": ("reads", "read a source"), "deploy role": ("is it", "deploy")},
    ),
    (
        (
            "a template that a pipeline deploys, with PowerUserAccess or AdministratorAccess in"
            " `DeployPolicyArns`"
        ),
        [f"{DEPLOY_ROLE} with PowerUserAccess", f"{DEPLOY_ROLE} with AdministratorAccess"],
        {
            "artifacts": ("reads", "read a source"),
            "deploy role": ("is it", "deploy, plan, execute a plan, execute the waiting change set"),
        },
    ),
    (
        "a role that a pipeline creates (`DeployedRoles: Bounded`), with `Action: *`",
        [f"{role(PIPELINES, 'role-dev-thumbnails')} under the boundary"],
        {"artifacts": ("reads", "read a source, read a review")},
    ),
    (
        "a member of `group-<EnvID>-approvers`",
        [f"{user(PIPELINES, 'alice')} in {group('group-dev-approvers')}"],
        {**SEES, "deploy role": ("approves", "approve")},
    ),
    ("another account", [SOURCE_ROLE, IMAGE_ROLE], {"artifacts": ("writes its source, if admitted", "")}),
]


def table():
    """The page's rows: the first cell's words, and each column's."""
    text = PAGE.read_text().split("## Who can reach what", 1)[1]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*\|$", text.split("\n## ", 1)[0], re.MULTILINE)
    ]
    columns, _, *rows = lines
    return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def allowed(callers, column):
    return {
        name
        for caller in callers
        for name, action, resource, keys in COLUMNS[column]
        if scene.world().may(caller, action, resource, {**AS_A_BUILD, **keys})
    }


def test_every_row_and_column_of_the_page_is_evaluated():
    assert list(table()) == [row for row, _, _ in ROWS]
    assert all(list(cells) == list(COLUMNS) for cells in table().values())


# claim: cell-equals-the-evaluated-policies
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("row", "callers", "cells"), ROWS, ids=[row for row, _, _ in ROWS])
def test_cell_equals_the_evaluated_policies(row, callers, cells, column):
    words, names = cells.get(column, ("no", ""))
    assert table()[row][column] == words
    assert allowed(callers, column) == set(filter(None, names.split(", ")))
