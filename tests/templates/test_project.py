"""templates/project.yaml: requirements from other stacks, and the order of creation and deletion."""

import json
import re

from tests.templates.companions import project
from tests.templates.deployed import TEMPLATES, source
from tools.release import dist

PROJECT = TEMPLATES / "project.yaml"


def test_project_requires_only_environment_and_name():
    assert project().properties("Pipeline") == {
        "ServiceToken": "import:cfn-gitops-dev-ServiceToken",
        "ServiceTimeout": 3600,
        "EnvID": "dev",
        "ProjectID": "shop",
        "RenderingSerial": dist.version(),
    }


GITLAB = {"GitLabProject": "platform/shop", "GitLabTokenSecretId": "gitlab/shop"}


def test_window_has_the_forms_of_its_properties():
    parameter = source(PROJECT)["Parameters"]["DeployWindow"]
    window = json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text())[
        "properties"
    ]["Deploy"]["properties"]["Window"]["properties"]
    cron, zone = (window[name]["pattern"].strip("^$") for name in ("Cron", "TimeZone"))
    assert parameter["AllowedPattern"] == f"({cron} in {zone})?"
    assert (
        parameter["MaxLength"] == window["Cron"]["maxLength"] + len(" in ") + window["TimeZone"]["maxLength"]
    )


def test_command_of_the_page_admits_tags():
    page = (TEMPLATES.parent / "docs/how-to/approve-in-gitlab.md").read_text()
    [(name, value)] = re.findall(
        r"--stack-name project-dev-shop \\\n.* --parameter-overrides (\w+)=(\w+)$", page, re.MULTILINE
    )
    stack = project(**GITLAB, **{name: value})
    assert stack.broken_rules() == [] and stack.properties("Pipeline")["Approval"]["FromGitLab"] is True


def test_defaults_in_descriptions_are_the_properties():
    schema, parameters = (
        json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text()),
        source(PROJECT)["Parameters"],
    )
    build = schema["properties"]["Build"]["properties"]
    for name, member in (
        ("BuildImage", "Image"),
        ("BuildComputeType", "ComputeType"),
        ("BuildTimeoutInMinutes", "TimeoutInMinutes"),
    ):
        assert parameters[name]["Description"].endswith(f"If empty: {build[member]['default']}."), name
    assert parameters["BuildPrivilegedMode"]["Default"] == str(build["PrivilegedMode"]["default"]).lower()
    assert (
        parameters["ApprovalRequired"]["Default"]
        == str(schema["properties"]["Approval"]["properties"]["Required"]["default"]).lower()
    )
    assert (
        parameters["DeployOnFailure"]["Default"]
        == schema["properties"]["Deploy"]["properties"]["OnFailure"]["default"]
    )
