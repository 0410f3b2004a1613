"""templates/project.yaml: requirements from other stacks, and the order of creation and deletion."""

import json
import tomllib

from samcli.yamlhelper import yaml_parse

from tests.deployment.pages import project_table
from tests.templates.companions import project
from tests.templates.deployed import TEMPLATES, Deployed, source
from tools.release import dist
from tools.run import merging

PROJECT = TEMPLATES / "project.yaml"


def test_project_requires_only_names_a_branch_and_a_template():
    assert project().properties("Pipeline") == {
        "ServiceToken": "import:cfn-gitops-dev-ServiceToken",
        "ServiceTimeout": 3600,
        "EnvID": "dev",
        "ProjectID": "shop",
        "RenderingSerial": dist.version(),
        "BranchMap": '{"dev":"main"}',
        "Deploy": {"TemplatePath": "template.yaml"},
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


def test_page_without_approvals_sets_its_project_up():
    """docs/how-to/approve-by-merging.md, with the bucket and the role of docs/how-to/own-bucket.md."""
    [lines] = merging.blocks("approve-by-merging.md", "toml")
    table = tomllib.loads(project_table(lines))["shop-dev"]["deploy"]["parameters"]
    given = dict(each.split("=", 1) for each in table["parameter_overrides"])
    template = yaml_parse(merging.template_of_the_page())
    deployed = Deployed(template=template, stack_name="project-dev-shop", **given)
    assert deployed.broken_rules() == []
    pipeline = deployed.properties("Pipeline")
    assert pipeline["Approval"]["Required"] is False
    [of_bucket] = merging.blocks("own-bucket.md", "yaml")
    made = Deployed(
        template=yaml_parse(of_bucket), stack_name="artifacts-dev-shop", EnvID="dev", ProjectID="shop"
    )
    assert pipeline["ArtifactBucketName"] in {made.name(each) for each in made.of_type("AWS::S3::Bucket")}
    assert pipeline["Build"]["ServiceRoleArn"] in {made.arn(each) for each in made.of_type("AWS::IAM::Role")}
