"""templates/project.yaml: requirements from other stacks, and the order of creation and deletion."""

import json
import re

import pytest

from tests.templates.companions import project
from tests.templates.deployed import ACCOUNT, TEMPLATES, source

PROJECT = TEMPLATES / "project.yaml"
APPROVER = f"CodeCommitApprovers:{ACCOUNT}:reviewer"


def test_project_requires_only_environment_and_name():
    assert project().properties("Pipeline") == {
        "ServiceToken": "import:cfn-gitops-dev-ServiceToken",
        "ServiceTimeout": 3600,
        "EnvID": "dev",
        "ProjectID": "shop",
        "RenderingSerial": "",
    }


SETTINGS = {
    "BuildImage": "aws/codebuild/standard:8.0", "BuildComputeType": "BUILD_GENERAL1_MEDIUM", "BuildPrivilegedMode": "true",
    "BuildEnvironmentVariables": '{"STAGE": "test"}', "BuildTimeoutInMinutes": "20",
    "ApprovalRequired": "false", "ApprovalFromGitLab": "true",
    "SourcePaths": "services/shop/**,lib/**", "SourcePathsExcluded": "**/*.md",
    "DeployWindow": "* * 9-17 ? * MON,FRI in Europe/Berlin", "AutoApprove": "NoChanges",
    "ReviewBranches": "review/*", "ReviewAllowTransforms": "true",
    "DeployTemplatePath": "infra/stack.yaml", "DeployCapabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND",
    "DeployActionMode": "REPLACE_ON_FAILURE", "DeployOnFailure": "Rollback",
}
REVIEW = {"ReviewBranches": "review/*"}
REPORT = {"GitLabEnvironmentName": "test/eu", "GitLabEnvironmentUrlOutput": "Address"}
GITLAB = {"GitLabProject": "platform/shop", "GitLabTokenSecretId": "gitlab/shop"}


def test_settings_reach_the_pipeline():
    properties = project(**SETTINGS, **GITLAB, **REPORT).properties("Pipeline")
    assert properties["Build"] == {
        "Image": "aws/codebuild/standard:8.0", "ComputeType": "BUILD_GENERAL1_MEDIUM", "PrivilegedMode": True,
        "EnvironmentVariables": '{"STAGE": "test"}', "TimeoutInMinutes": "20",
    }
    approval = properties["Approval"]
    assert (approval["Required"], approval["FromGitLab"], approval["AutoApprove"]) == (False, True, "NoChanges")
    assert properties["Deploy"] == {
        "TemplatePath": "infra/stack.yaml", "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "ActionMode": "REPLACE_ON_FAILURE", "OnFailure": "Rollback",
        "Window": {"Cron": "* * 9-17 ? * MON,FRI", "TimeZone": "Europe/Berlin"},
    }
    assert properties["Source"] == {"Paths": {"Includes": ["services/shop/**", "lib/**"], "Excludes": ["**/*.md"]}}
    assert properties["Review"] == {"Branches": "review/*", "AllowTransforms": True}
    assert properties["Report"] == {"EnvironmentName": "test/eu", "EnvironmentUrlOutput": "Address"}


@pytest.mark.parametrize(("name", "path"), [
    (name, path) for name in SETTINGS for path in ("Build", "Deploy", "Approval") if name.startswith(path)])
def test_one_setting_leaves_the_others_at_their_default(name, path):
    properties, bare = project(**{name: SETTINGS[name]}).properties("Pipeline"), project().properties("Pipeline")
    given = properties.pop(path)
    assert properties == bare
    assert given.keys() - {"CustomData"} == {name.removeprefix(path).removesuffix("InMinutes").replace("Timeout", "TimeoutInMinutes")}


@pytest.mark.parametrize(("given", "why"), [
    ({**GITLAB, **REPORT}, ""),
    (REPORT, "need GitLabProject"),
    ({**GITLAB, **REPORT, "ReportToGitLab": "false"}, "need GitLabProject"),
    ({**GITLAB, **REVIEW}, ""),
    (REVIEW, "ReviewBranches needs GitLabProject"),
    ({**GITLAB, **REVIEW, "ReportToGitLab": "false"}, "ReviewBranches needs GitLabProject"),
    ({**GITLAB, **REVIEW, "ReviewAllowTransforms": "true"}, ""),
    ({**GITLAB, "ReviewAllowTransforms": "true"}, "ReviewAllowTransforms needs ReviewBranches"),
    ({"SourcePaths": "a/**"}, ""),
    ({"SourcePaths": "a/**", "RepositoryName": "shop"}, ""),
    *[({name: "a/**,b", "RepositoryName": "shop", "RepositoryAccountId": "210987654321"}, "SourcePaths and SourcePathsExcluded need")
      for name in ("SourcePaths", "SourcePathsExcluded")],
    ({"AutoApprove": "NoChanges"}, ""),
    *[({"AutoApprove": "NoChanges", name: value}, "AutoApprove needs") for name, value in {
        "ApprovalRequired": "false", "DeployOnFailure": "Rollback", "DeployActionMode": "REPLACE_ON_FAILURE"}.items()],
    ({**GITLAB, "ApprovalFromGitLab": "true"}, ""),
    ({"ApprovalFromGitLab": "true"}, "ApprovalFromGitLab needs GitLabProject"),
    *[({**GITLAB, "ApprovalFromGitLab": "true", name: value}, "ApprovalFromGitLab needs") for name, value in {
        "ReportToGitLab": "false", "ApprovalRequired": "false", "DeployOnFailure": "Rollback", "DeployActionMode": "CREATE_UPDATE"}.items()],
    *[({**GITLAB, **REVIEW, **given}, "ReviewBranches needs a repository of this account") for given in (
        {"RepositoryAccountId": "111122223333", "RepositoryName": "shop"}, {"ImageRepositoryName": "ecr-dev-shop"})],
    ({"ApproversNeeded": "1", "RepositoryName": "shop"}, ""),
    ({"ApproversNeeded": "1", "RepositoryAccountId": "111122223333", "RepositoryName": "shop"}, "ApproversNeeded needs"),
    ({"Drift": "Report"}, ""),
    ({"DeployActionMode": "CHANGE_SET"}, ""),
    ({"DeployOnFailure": "Rollback"}, ""),
    ({"DeployActionMode": "CHANGE_SET", "DeployOnFailure": "Rollback"}, "DeployOnFailure must be Fail"),
])
def test_contradicting_settings_are_rejected_first(given, why):
    broken = project(**given).broken_rules()
    assert bool(broken) == bool(why) and why in "".join(broken)


@pytest.mark.parametrize(("given", "paths"), [
    ({"SourcePaths": "a/**"}, {"Includes": ["a/**"]}), ({"SourcePathsExcluded": "a,b"}, {"Excludes": ["a", "b"]})])
def test_either_list_of_paths_suffices(given, paths):
    assert project(**given).properties("Pipeline")["Source"] == {"Paths": paths}


def test_window_has_the_forms_of_its_properties():
    parameter = source(PROJECT)["Parameters"]["DeployWindow"]
    window = json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text())["properties"]["Deploy"][
        "properties"]["Window"]["properties"]
    cron, zone = (window[name]["pattern"].strip("^$") for name in ("Cron", "TimeZone"))
    assert parameter["AllowedPattern"] == f"({cron} in {zone})?"
    assert parameter["MaxLength"] == window["Cron"]["maxLength"] + len(" in ") + window["TimeZone"]["maxLength"]


def test_command_of_the_page_admits_tags():
    page = (TEMPLATES.parent / "docs/how-to/approve-in-gitlab.md").read_text()
    [(name, value)] = re.findall(r"--stack-name project-dev-shop \\\n.* --parameter-overrides (\w+)=(\w+)$", page, re.MULTILINE)
    stack = project(**GITLAB, **{name: value})
    assert stack.broken_rules() == [] and stack.properties("Pipeline")["Approval"]["FromGitLab"] is True


def test_defaults_in_descriptions_are_the_properties():
    schema, parameters = json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text()), source(PROJECT)["Parameters"]
    build = schema["properties"]["Build"]["properties"]
    for name, member in (("BuildImage", "Image"), ("BuildComputeType", "ComputeType"), ("BuildTimeoutInMinutes", "TimeoutInMinutes")):
        assert parameters[name]["Description"].endswith(f"If empty: {build[member]['default']}."), name
    assert parameters["BuildPrivilegedMode"]["Default"] == str(build["PrivilegedMode"]["default"]).lower()
    assert parameters["ApprovalRequired"]["Default"] == str(schema["properties"]["Approval"]["properties"]["Required"]["default"]).lower()
    assert parameters["DeployOnFailure"]["Default"] == schema["properties"]["Deploy"]["properties"]["OnFailure"]["default"]


@pytest.mark.parametrize(("given", "rule"), [
    ({"ApproversNeeded": 2}, {"ApproversNeeded": "2"}),
    ({"ApproversNeeded": 1, "ApprovalPoolMembers": APPROVER}, {"ApproversNeeded": "1", "ApprovalPoolMembers": [APPROVER]}),
    ({"ApprovalPoolMembers": APPROVER}, None),
])
def test_given_number_of_approvals_is_required(given, rule):
    assert project(**given).properties("Pipeline").get("ApprovalRule") == rule
