"""The parameters of a project become the properties of its pipeline and of its credential.

template.yaml has the first project, and templates/project.yaml each further one.
"""

import json

import pytest

from tests.templates.across_accounts import IMAGES, REPOSITORIES, SHOP
from tests.templates.companions import environment, project
from tests.templates.deployed import ACCOUNT, REGION
from tests.templates.test_property_patterns import ROWS as REACHING
from tools.release import dist

BOTH = ["template", "project"]
URL, TOPIC, KEY = (
    "https://gitlab.example.com/a/platform/infra",
    f"arn:aws:sns:{REGION}:{ACCOUNT}:approvals",
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB+a/b==\n-----END CERTIFICATE-----\n"
GITLAB = {"GitLabProject": "platform/infra", "GitLabTokenSecretId": "gitlab"}
LOGIN = {"Url": "https://gitlab.com", "TokenSecretId": "gitlab"}
OWN = {"GitLabUrl": "https://git.example.com/gitlab", "GitLabCaCertificate": CERTIFICATE}
OWN_LOGIN = {**LOGIN, "Url": OWN["GitLabUrl"], "CaCertificate": CERTIFICATE}
# A branch that is not required would never be pushed without an error.
MIRRORS = [
    {
        "GitLabProject": "platform/infra",
        "RepositoryName": "Pipeline.RepositoryName",
        "RequiredBranches": ["Pipeline.BranchName"],
    }
]
MIRRORED = {"GitLab": LOGIN, "Mirrors": MIRRORS}
REPORTED = {"GitLab": {**LOGIN, "Project": "platform/infra"}}
TAGS = '{"CostCenter":"42"}'
LINK = f"{URL}/-/commit/#{{SourceVariables.CommitId}}"
ELSEWHERE = {"RepositoryAccountId": REPOSITORIES, "RepositoryName": "shop"}
FROM_ELSEWHERE = {
    "Source": {
        "RepositoryArn": SHOP,
        "RoleArn": f"arn:aws:iam::{REPOSITORIES}:role/role-dev-codecommit-source",
    }
}
STORE = {f"Artifact{end}": f"import:cfn-gitops-dev-CrossAccount{end}" for end in ("BucketName", "KeyArn")}


def approval(**properties):
    return {"Approval": {"CustomData": "The next version of shop is ready for dev", **properties}}


# The templates, the parameters, and the properties of the pipeline and of the credential beside those of
# `without`.
ROWS = [
    (BOTH, {}, {}, {}),
    (
        BOTH,
        {"EnvID": "stg", "BranchName": 'release/"next"'},
        {"BranchMap": '{"stg":"release/\\"next\\""}'},
        {},
    ),
    (BOTH, {"ApprovalTopicArn": TOPIC}, approval(NotificationTopicArn=TOPIC), {}),
    (BOTH, {"GitLabProjectUrl": URL}, approval(ExternalEntityLink=LINK), {}),
    (
        BOTH,
        {"ApprovalTopicArn": TOPIC, "GitLabProjectUrl": URL},
        approval(NotificationTopicArn=TOPIC, ExternalEntityLink=LINK),
        {},
    ),
    (BOTH, {"DeployTemplatePath": "a/stack.yaml"}, {"Deploy": {"TemplatePath": "a/stack.yaml"}}, {}),
    (BOTH, {"Drift": "Report"}, {"Drift": "Report"}, {}),
    (BOTH, {"RotationSerial": "2"}, {}, {"RotationSerial": "2"}),
    (BOTH, {"ResourceTags": TAGS}, {"Tags": TAGS}, {"Tags": TAGS}),
    (BOTH, GITLAB, REPORTED, MIRRORED),
    (
        BOTH,
        {**GITLAB, **OWN},
        {"GitLab": {**OWN_LOGIN, "Project": "platform/infra"}},
        {"GitLab": OWN_LOGIN, "Mirrors": MIRRORS},
    ),
    (BOTH, {**GITLAB, "ReportToGitLab": "false"}, {}, MIRRORED),
    (BOTH, {**GITLAB, "ReportToGitLab": "BuildLog"}, {**REPORTED, "Report": {"BuildLog": True}}, MIRRORED),
    # The resource would reject Report without GitLab.
    *[(BOTH, {"ReportToGitLab": value}, {}, {}) for value in ("true", "false", "BuildLog")],
    (
        BOTH,
        {**GITLAB, "ReviewBranches": "review/*"},
        {**REPORTED, "Review": {"Branches": "review/*"}},
        MIRRORED,
    ),
    (["template"], {"MirrorSecretKmsKeyArn": KEY}, {}, {"KmsKeyId": KEY}),
    (["template"], {"ForeignCredentials": "Delete"}, {}, {"ForeignCredentials": "Delete"}),
    (
        ["project"],
        {**GITLAB, "ReviewBranches": "review/*", "ReviewAllowTransforms": "true"},
        {**REPORTED, "Review": {"Branches": "review/*", "AllowTransforms": True}},
        MIRRORED,
    ),
    (
        ["project"],
        {**GITLAB, "GitLabEnvironmentName": "test/eu"},
        {**REPORTED, "Report": {"EnvironmentName": "test/eu"}},
        MIRRORED,
    ),
    (
        ["project"],
        {**GITLAB, "GitLabEnvironmentUrlOutput": "Address", "ReportToGitLab": "BuildLog"},
        {**REPORTED, "Report": {"BuildLog": True, "EnvironmentUrlOutput": "Address"}},
        MIRRORED,
    ),
    (["project"], {"ApprovalRequired": "false"}, approval(Required=False), {}),
    (["project"], {"AutoApprove": "NoChanges"}, approval(AutoApprove="NoChanges"), {}),
    *[
        (["project"], {f"Build{name}": value}, {"Build": {name: value}}, {})
        for name, value in {
            "Image": "aws/codebuild/standard:8.0",
            "ComputeType": "BUILD_GENERAL1_MEDIUM",
            "EnvironmentVariables": '{"STAGE": "test"}',
            "TimeoutInMinutes": "20",
        }.items()
    ],
    (["project"], {"BuildPrivilegedMode": "true"}, {"Build": {"PrivilegedMode": True}}, {}),
    *[
        (["project"], {f"Deploy{name}": value}, {"Deploy": {name: value}}, {})
        for name, value in {"ActionMode": "REPLACE_ON_FAILURE", "OnFailure": "Rollback"}.items()
    ],
    (
        ["project"],
        {"DeployCapabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND"},
        {"Deploy": {"Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]}},
        {},
    ),
    (
        ["project"],
        {"DeployWindow": "* * 9-17 ? * MON,FRI in Europe/Berlin"},
        {"Deploy": {"Window": {"Cron": "* * 9-17 ? * MON,FRI", "TimeZone": "Europe/Berlin"}}},
        {},
    ),
    (["project"], {"RepositoryName": "shop"}, {"Source": {"RepositoryName": "shop"}}, {}),
    (["project"], {"SourcePaths": "a/**"}, {"Source": {"Paths": {"Includes": ["a/**"]}}}, {}),
    (
        ["project"],
        {"SourcePathsExcluded": "a,b", "RepositoryName": "shop"},
        {"Source": {"RepositoryName": "shop", "Paths": {"Excludes": ["a", "b"]}}},
        {},
    ),
    (["project"], {"ApproversNeeded": 2}, {"ApprovalRule": {"ApproversNeeded": "2"}}, {}),
    (
        ["project"],
        {"ApproversNeeded": 1, "ApprovalPoolMembers": "a,b"},
        {"ApprovalRule": {"ApproversNeeded": "1", "ApprovalPoolMembers": ["a", "b"]}},
        {},
    ),
    (["project"], {"ApprovalPoolMembers": "a,b"}, {}, {}),
    (
        ["project"],
        {"ImageRepositoryName": "ecr-dev-shop"},
        {"ImageSource": {"RepositoryName": "ecr-dev-shop", "ImageTag": "latest"}},
        {},
    ),
    (
        ["project"],
        {"ImageRepositoryName": "a/b", "ImageTag": "v1", "ImageAccountId": IMAGES},
        {
            **STORE,
            "ImageSource": {
                "RepositoryArn": f"arn:aws:ecr:{REGION}:{IMAGES}:repository/a/b",
                "RoleArn": f"arn:aws:iam::{IMAGES}:role/role-dev-ecr-source",
                "ImageTag": "v1",
            },
        },
        {},
    ),
    # Without a mirror and its user. The reports stay.
    (["project"], ELSEWHERE, {**STORE, **FROM_ELSEWHERE}, None),
    (
        ["project"],
        {**ELSEWHERE, **GITLAB, "ImageRepositoryName": "ecr-dev-shop"},
        {
            **STORE,
            **FROM_ELSEWHERE,
            **REPORTED,
            "ImageSource": {"RepositoryName": "ecr-dev-shop", "ImageTag": "latest"},
        },
        None,
    ),
]
ALL = [
    pytest.param(template, *row, id=f"{template} {row[0]}")
    for templates, *row in ROWS
    for template in templates
]


def without(template, env):
    """The properties of the pipeline and of the credential without further parameters."""
    is_first = template == "template"
    token = (
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cfn-gitops-{env}"
        if is_first
        else f"import:cfn-gitops-{env}-ServiceToken"
    )
    return {
        "Custom::GitOpsPipeline": {
            "ServiceToken": token,
            "ServiceTimeout": 3600,
            "EnvID": env,
            "ProjectID": "shop",
            "RenderingSerial": dist.version(),
            "BranchMap": f'{{"{env}":"main"}}',
            "Deploy": {"TemplatePath": "template.yaml"},
        },
        "Custom::MirrorCredential": {
            "ServiceToken": token,
            "ServiceTimeout": 900,
            "UserName": f"user-{env}-codecommit-mirroring" if is_first else f"user-{env}-shop-mirror",
            "RepositoryNames": ["Pipeline.RepositoryName"],
            **({"ForeignCredentials": "Refuse"} if is_first else {}),
        },
    }


def properties(template, kind, given):
    stack = environment(ProjectID="shop", **given) if template == "template" else project(**given)
    [name] = stack.of_type(kind)
    # The logical ID of the pipeline is another one in template.yaml.
    return (
        json.loads(json.dumps(stack.properties(name)).replace('"Project.', '"Pipeline.'))
        if stack.is_made(name)
        else None
    )


@pytest.mark.parametrize(("template", "given", "of_the_pipeline", "of_the_credential"), ALL)
def test_parameter_changes_these_properties_alone(template, given, of_the_pipeline, of_the_credential):
    default = without(template, given.get("EnvID", "dev"))
    for kind, expected in (
        ("Custom::GitOpsPipeline", of_the_pipeline),
        ("Custom::MirrorCredential", of_the_credential),
    ):
        found = properties(template, kind, given)
        if kind == "Custom::GitOpsPipeline":
            expected = {**expected, "Deploy": {**default[kind]["Deploy"], **expected.get("Deploy", {})}}
        assert found == (None if expected is None else {**default[kind], **expected}), kind


def test_each_parameter_that_becomes_a_property_has_a_row():
    tried = {(template, name) for templates, given, *_ in ROWS for template in templates for name in given}
    assert {(template, name) for template, name, *_ in REACHING} - tried == {
        (template, "ProjectID") for template in BOTH
    }
