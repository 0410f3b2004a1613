"""templates/project.yaml: requirements from other stacks, and the order of creation and deletion."""

import json
import re

import pytest
from jsonschema import Draft7Validator

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
    assert (properties["Approval"]["Required"], properties["Approval"]["FromGitLab"]) == (False, True)
    assert properties["Deploy"] == {
        "TemplatePath": "infra/stack.yaml", "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "ActionMode": "REPLACE_ON_FAILURE", "OnFailure": "Rollback",
    }
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
    ({**GITLAB, "ApprovalFromGitLab": "true"}, ""),
    ({"ApprovalFromGitLab": "true"}, "ApprovalFromGitLab needs GitLabProject"),
    *[({**GITLAB, "ApprovalFromGitLab": "true", name: value}, "ApprovalFromGitLab needs") for name, value in {
        "ReportToGitLab": "false", "ApprovalRequired": "false", "DeployOnFailure": "Rollback", "DeployActionMode": "CREATE_UPDATE"}.items()],
    ({"Drift": "Report"}, ""),
    ({"DeployActionMode": "CHANGE_SET"}, ""),
    ({"DeployOnFailure": "Rollback"}, ""),
    ({"DeployActionMode": "CHANGE_SET", "DeployOnFailure": "Rollback"}, "DeployOnFailure must be Fail"),
])
def test_contradicting_settings_are_rejected_first(given, why):
    broken = project(**given).broken_rules()
    assert bool(broken) == bool(why) and why in "".join(broken)


def test_command_of_the_page_admits_tags():
    page = (TEMPLATES.parent / "docs/how-to/approve-in-gitlab.md").read_text()
    [(name, value)] = re.findall(r"--stack-name project-dev-shop \\\n.* --parameter-overrides (\w+)=(\w+)$", page, re.MULTILINE)
    stack = project(**GITLAB, **{name: value})
    assert stack.broken_rules() == [] and stack.properties("Pipeline")["Approval"]["FromGitLab"] is True


# The parameters that a property's format limits, and the property in the schema.
FORMATS = {
    "GitLabEnvironmentName": "Report.EnvironmentName", "GitLabEnvironmentUrlOutput": "Report.EnvironmentUrlOutput",
    "BuildImage": "Build.Image", "BuildComputeType": "Build.ComputeType", "DeployTemplatePath": "Deploy.TemplatePath",
    "DeployActionMode": "Deploy.ActionMode", "DeployOnFailure": "Deploy.OnFailure",
    "BuildEnvironmentVariables": "Build.EnvironmentVariables", "ReviewBranches": "Review.Branches",
}
SAMPLES = [
    "", "a", "a/b.yaml", "/a", "a:b", "a::b", "a:", "infra/ü.yaml", "test/eu", "a b", " a", "a ", "a/", "Address", "a-b",
    "aws/codebuild/standard:8.0", "public.ecr.aws/x/y@sha256:0a", "BUILD_GENERAL1_2XLARGE", "BUILD_LAMBDA_1GB", "Fail",
    "Rollback", "CHANGE_SET", "CREATE_UPDATE", "REPLACE_ON_FAILURE", "5", "5.5", '{"A":"1"}', ' {"A": "1"} ',
    '[{"Name":"A"}]', "A=1", '"{}"', "{", "[}", "review/*", "*", "a**", "a..b", "a//b", "_a+b", "a?", "a" * 256, "a" * 257,
]


def accepts(name, value):
    parameter = source(PROJECT)["Parameters"][name]
    if "AllowedValues" in parameter:
        return value in parameter["AllowedValues"]
    return len(value) <= parameter.get("MaxLength", 4096) and bool(re.fullmatch(parameter["AllowedPattern"], value))


@pytest.mark.parametrize("name", FORMATS)
def test_parameter_admits_what_the_property_admits(name):
    schema = json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text())
    for part in FORMATS[name].split("."):
        schema = schema["properties"][part]
    admits = Draft7Validator(schema).is_valid
    # Empty is the property's default. The schema compares only the first character of JSON.
    different = {value for value in SAMPLES if value and accepts(name, value) != admits(value)}
    assert different == ({"{", "[}"} if name == "BuildEnvironmentVariables" else set())
    assert accepts(name, source(PROJECT)["Parameters"][name]["Default"])


def test_build_timeout_is_within_codebuilds_limits():
    accepted = [number for number in range(3000) if accepts("BuildTimeoutInMinutes", str(number))]
    assert accepted == list(range(5, 2161))
    assert not any(accepts("BuildTimeoutInMinutes", bad) for bad in ("05", "-5", "5.5", "21600", " 5"))


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
