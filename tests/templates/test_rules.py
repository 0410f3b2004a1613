"""The rules of all templates, which CloudFormation checks before it creates anything.

Each assertion has a row with parameters that break its rule alone. The assertion's text begins with one of
them, or with the missing one. If the properties of a pipeline can contain the same contradiction, the row
names the example in tests/schemas that has them: the decoder and the schema reject it, too.
"""

import json
import re

import pytest

from tests.policies import scene
from tests.templates.companions import OF_A_PROJECT, environment, stack
from tests.templates.deployed import ACCOUNT, REGION
from tests.templates.named import APPROVAL_TOPIC, IN_A_VPC, PROXY

EXAMPLES = {
    example["name"]: example
    for example in json.loads(
        (scene.TEMPLATE.parent / "tests/schemas/custom-gitopspipeline.json").read_text()
    )
}
GITLAB = {"GitLabProject": "platform/infra", "GitLabTokenSecretId": "gitlab"}
SILENT = {**GITLAB, "ReportToGitLab": "false"}
REVIEW, NAMED, AUTOMATIC = (
    {"ReviewBranches": "review/*"},
    {"GitLabEnvironmentName": "test/eu"},
    {"AutoApprove": "NoChanges"},
)
ELSEWHERE = {"RepositoryAccountId": "111122223333", "RepositoryName": "shop"}
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/"
SLACK = {"SlackWorkspaceId": "T01234567", "SlackChannelId": "C01234567"}
TEAMS = {"TeamId": scene.TEAM, "TeamsTenantId": scene.TEAM, "TeamsChannelId": "19%3Ashop%40thread.tacv2"}
CHANNEL = f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/slack-dev-notifications"
# Without a first project, these settings of template.yaml would have no effect.
OF_THE_FIRST_PROJECT = [
    {"BranchName": "main"},
    {"DeployTemplatePath": "template.yaml"},
    GITLAB,
    {"GitLabProjectUrl": "https://gitlab.example.com/a/b"},
    {"RotationSerial": "2"},
    {"ResourceTags": '{"a":"b"}'},
    {"Drift": "Report"},
]
# With each of these, no change set waits for an approval.
NO_CHANGE_SET = [
    {"ApprovalRequired": "false"},
    {"DeployActionMode": "CREATE_UPDATE"},
    {"DeployOnFailure": "Rollback"},
]

# The templates, the rule once for each broken assertion, parameters that break it, and the example, or None
# without one.
BROKEN = [
    *[
        ("template", "AProjectHasABranchAndATemplate", {name: ""}, None)
        for name in ("BranchName", "DeployTemplatePath")
    ],
    ("cross-account-repository", "EveryEnvironmentHasABranch", {"EnvID": "stg"}, None),
    ("people branch-protection", "EveryEnvironmentNamesItsBranches", {"EnvID": "stg"}, None),
    (
        "template project",
        "AProjectNeedsAToken",
        {"GitLabProject": "platform/infra"},
        "reports with an empty token",
    ),
    ("template project", "ATokenNeedsAProject", {"GitLabTokenSecretId": "gitlab"}, None),
    *[
        ("template project", "ReviewsNeedGitLab", {**given, **REVIEW}, "a review without GitLab")
        for given in ({}, SILENT)
    ],
    *[
        ("project", "ReviewsNeedGitLab", {**GITLAB, **REVIEW, **given}, None)
        for given in (ELSEWHERE, {"ImageRepositoryName": "ecr-dev-shop"})
    ],
    ("project", "TransformsAreReviewed", {**GITLAB, "ReviewAllowTransforms": "true"}, None),
    *[
        ("project", "ReportsNeedGitLab", {**given, **NAMED}, "reports without GitLab")
        for given in ({}, SILENT)
    ],
    ("project", "ReportsNeedGitLab", {"GitLabEnvironmentUrlOutput": "Address"}, None),
    *[("project", "AnEmptyChangeSetIsAChangeSet", {**AUTOMATIC, **given}, None) for given in NO_CHANGE_SET],
    (
        "project",
        "AnEmptyChangeSetIsAChangeSet",
        {**AUTOMATIC, "DeployActionMode": "REPLACE_ON_FAILURE"},
        "no changes without a change set",
    ),
    (
        "project",
        "AChangeSetIsExecutedOnce",
        {"DeployActionMode": "CHANGE_SET", "DeployOnFailure": "Rollback"},
        "a rollback of a change set",
    ),
    *[
        ("project", "PathsAreOfThisAccount", {**ELSEWHERE, name: "a/**,b"}, None)
        for name in ("SourcePaths", "SourcePathsExcluded")
    ],
    ("project", "AnApprovalRuleIsOfThisAccount", {**ELSEWHERE, "ApproversNeeded": "1"}, None),
    ("project", "ARepositoryOfAnAccountHasAName", {"RepositoryAccountId": "111122223333"}, None),
    ("project", "AnImageOfAnAccountHasARepository", {"ImageAccountId": "111122223333"}, None),
    (
        "project cross-account-artifacts",
        "TheyAreOtherAccounts",
        {**ELSEWHERE, "RepositoryAccountId": ACCOUNT},
        "a repository of this account by its ARN",
    ),
    (
        "project cross-account-artifacts",
        "TheyAreOtherAccounts",
        {"ImageAccountId": ACCOUNT, "ImageRepositoryName": "a"},
        None,
    ),
    (
        "cross-account-repository cross-account-image",
        "ItIsAnotherAccount",
        {"PipelineAccountId": ACCOUNT},
        None,
    ),
    ("cross-account-s3", "ItIsAnotherAccount", {"RepositoryAccountId": ACCOUNT}, None),
    ("replica", "ACopyIsInAnotherRegion", {"SourceRegion": REGION}, None),
    ("replication", "ACopyIsInAnotherRegion", {"ReplicaRegion": REGION}, None),
    ("repository", "AllIsAlone", {"TriggerEvents": "all,deleteReference"}, None),
    *[
        ("template", "SettingsOfTheFirstProjectNeedIt", {"ProjectID": "", **given}, None)
        for given in OF_THE_FIRST_PROJECT
    ],
    # The assertion about GitLabProject, too: without it, another rule is broken.
    ("template", "SettingsOfTheFirstProjectNeedIt " * 2, {"ProjectID": "", **GITLAB, **REVIEW}, None),
    ("template", "SubnetsNeedASecurityGroup", {"VpcSubnetIds": IN_A_VPC["VpcSubnetIds"]}, None),
    (
        "template",
        "ASecurityGroupNeedsSubnets",
        {"VpcSecurityGroupIds": IN_A_VPC["VpcSecurityGroupIds"]},
        None,
    ),
    ("template", "Ipv6NeedsSubnets", {"VpcIpv6": "true"}, None),
    ("template", "NoProxyNeedsAProxy", {"NoProxy": "10.0.0.0/8"}, None),
    (
        "template",
        "DeployedRolesHaveOneBoundary",
        {"DeployedRoles": "Bounded", "DeployedRolesBoundaryArn": f"{POLICY}deployed"},
        None,
    ),
    (
        "template",
        "DeployedRolesHaveABoundaryOfTheirOwn",
        {"PermissionsBoundaryArn": f"{POLICY}own", "DeployedRolesBoundaryArn": f"{POLICY}own"},
        None,
    ),
    ("notifications", "AChannelNeedsAWorkspace", {"SlackChannelId": "C01234567"}, None),
    ("notifications", "AWorkspaceNeedsAChannel", {"SlackWorkspaceId": "T01234567"}, None),
    ("notifications", "AWorkspaceNeedsAChannel", {**SLACK, "SlackConfigurationArn": CHANNEL}, None),
    *[("notifications", "TeamsNeedsAllOfItsIds", {**TEAMS, name: ""}, None) for name in TEAMS],
    *[("notifications", "TeamsNeedsAllOfItsIds " * 2, {name: TEAMS[name]}, None) for name in TEAMS],
    ("notifications", "TeamsNeedsAllOfItsIds", {**TEAMS, "TeamsConfigurationArn": CHANNEL}, None),
    ("notifications", "ARepositoryNeedsAProject", {"ProjectID": "", "RepositoryName": "shop"}, None),
    (
        "notifications",
        "APipelineNeedsAProject",
        {"ProjectID": "", "PipelineName": "codepipeline-dev-s3-site"},
        None,
    ),
]
ACCEPTED = [
    ("template project people branch-protection cross-account-repository", {}),
    ("template project people branch-protection cross-account-repository", {"EnvID": "prd"}),
    ("template project", {"EnvID": "stg"}),
    # An address alone configures nothing.
    ("template project", {"GitLabUrl": "https://git.example.com"}),
    *[
        ("template project", {**GITLAB, **REVIEW, **NAMED, "ReportToGitLab": value})
        for value in ("true", "BuildLog")
    ],
    ("template", {"EnvID": "stg", "ProjectID": ""}),
    (
        "template",
        {
            "ProjectID": "",
            "GitLabTokenKmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
            "ApprovalTopicArn": APPROVAL_TOPIC,
        },
    ),
    ("template", {**IN_A_VPC, **PROXY, "VpcIpv6": "true"}),
    ("template", {"DeployedRoles": "Bounded", "PermissionsBoundaryArn": f"{POLICY}own"}),
    ("template", {"DeployedRolesBoundaryArn": f"{POLICY}deployed", "PermissionsBoundaryArn": f"{POLICY}own"}),
    (
        "project",
        {
            **GITLAB,
            **REVIEW,
            **AUTOMATIC,
            "ReviewAllowTransforms": "true",
            "SourcePaths": "a/**",
            "RepositoryName": "shop",
            "ApproversNeeded": "1",
            "DeployActionMode": "CHANGE_SET",
        },
    ),
    ("project", {"DeployOnFailure": "Rollback"}),
    ("project", AUTOMATIC),
    ("project", {**ELSEWHERE, "ImageAccountId": "111122223333", "ImageRepositoryName": "a"}),
    ("people branch-protection", {"EnvID": "stg", "ProtectedBranches": "main"}),
    ("cross-account-repository", {"EnvID": "stg", "BranchNames": "staging,hotfix"}),
    # One account, both, or none before the stack is deleted.
    *[
        ("cross-account-artifacts", dict.fromkeys(names, "111122223333"))
        for names in (
            ["RepositoryAccountId"],
            ["ImageAccountId"],
            ["RepositoryAccountId", "ImageAccountId"],
            [],
        )
    ],
    ("cross-account-image cross-account-s3 replica replication", {}),
    *[("repository", {"TriggerEvents": events}) for events in ("all", "createReference,deleteReference")],
    (
        "notifications",
        {**SLACK, **TEAMS, "RepositoryName": "shop", "PipelineName": "codepipeline-dev-s3-site"},
    ),
]


def each(rows):
    return [
        pytest.param(template, *row, id=f"{template} {row}")
        for templates, *row in rows
        for template in templates.split()
    ]


def deployed(template, given):
    """With those of the parameters that the template has."""
    make = environment if template == "template" else lambda **values: stack(template, **values)
    of_a_project = {} if given.get("ProjectID") == "" else OF_A_PROJECT
    given = {"ProjectID": "shop", **of_a_project, **given}
    return make(**{name: value for name, value in given.items() if name in make().template["Parameters"]})


@pytest.mark.parametrize(("template", "rule", "given", "example"), each(BROKEN))
def test_contradiction_is_rejected_as_in_the_properties(template, rule, given, example):
    made = deployed(template, given)
    assert made.names_of_broken_rules() == rule.split()
    for why in made.broken_rules():
        [subjects] = re.findall(r"^(\w+(?: and \w+)?) (?:is|must|needs?)\b", why)
        assert any(
            "".join(made.values[name]) == "" if " is required " in why else given.get(name)
            for name in subjects.split(" and ")
        ), why
    for pipeline in made.of_type("Custom::GitOpsPipeline") if example else ():
        assert EXAMPLES[example]["faults"] and contains(
            made.properties(pipeline), EXAMPLES[example]["properties"]
        )


def contains(properties, example):
    """Whether they are those of the example. Some names may be others."""
    if not isinstance(example, dict):
        return str(properties) == str(example)
    others = ("ServiceToken", "RepositoryArn", "RoleArn", "ArtifactKeyArn")
    return all(
        name in properties and (name in others or contains(properties[name], value))
        for name, value in example.items()
    )


@pytest.mark.parametrize(("template", "given"), each(ACCEPTED))
def test_settings_without_a_contradiction_are_accepted(template, given):
    assert deployed(template, given).broken_rules() == []


@pytest.mark.parametrize(
    ("templates", "given"), [(templates, given) for templates, _, given, _ in BROKEN] + ACCEPTED
)
def test_each_parameter_of_a_row_exists(templates, given):
    assert given.keys() <= {
        name for template in templates.split() for name in deployed(template, {}).template["Parameters"]
    }


@pytest.mark.parametrize("template", [path.stem for path in scene.templates()])
def test_each_assertion_has_a_row(template):
    broken = {
        why
        for templates, _, given, _ in BROKEN
        if template in templates.split()
        for why in deployed(template, given).broken_rules()
    }
    rules = deployed(template, {}).template.get("Rules", {})
    assert broken == {
        assertion["AssertDescription"] for rule in rules.values() for assertion in rule["Assertions"]
    }
