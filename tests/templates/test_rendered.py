"""The child stack's template as the function renders it, for each variation of its properties.

The renderings are the expected output of the renderer's own tests. These tests check them with
CloudFormation's schemas and the linters.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.aws.codepipeline import model, stage_validation
from tests.templates.deployed import TEMPLATES, Deployed, source
from tests.templates.linting import linted
from tests.templates.renderings import NAMES, rendering
from tools.release import dist

# Findings that are not about the template's safety, by check and resource.
EXCEPTIONS = {
    # CodeBuild's own encryption is off. The artifact bucket encrypts each object: test_resources.py.
    ("CKV_AWS_78", "AWS::CodeBuild::Project.ReviewProject"),
}


def suppressed(template):
    return {
        entry["id"]
        for resource in template["Resources"].values()
        for entry in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Each rendering as a file, for the linters."""
    made = tmp_path_factory.mktemp("rendered")
    for name in NAMES:
        (made / f"{name}.json").write_text(json.dumps(rendering(name), indent=2))
    return made


@pytest.fixture(scope="module")
def failed_checks(directory):
    """checkov's findings for each rendering, from one run."""
    checkov = Path(sys.executable).with_name("checkov")
    command = [
        checkov,
        "--quiet",
        "--compact",
        "--skip-download",
        "--soft-fail",
        "--framework",
        "cloudformation",
        "--output",
        "json",
        "--directory",
        directory,
    ]
    output = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # A run without files has no findings.
    assert output["summary"]["passed"] > 0 and output["summary"]["parsing_errors"] == 0, output["summary"]
    found = {name: set() for name in NAMES}
    for check in output["results"]["failed_checks"]:
        if (check["check_id"], check["resource"]) not in EXCEPTIONS:
            found[Path(check["file_path"]).stem].add(check["check_id"])
    return found


@pytest.mark.parametrize(
    ("template", "resource"), [("template.yaml", "Project"), ("templates/project.yaml", "Pipeline")]
)
def test_update_to_another_release_renders_again(template, resource):
    properties = source(TEMPLATES.parent / template)["Resources"][resource]["Properties"]
    assert properties["RenderingSerial"] == dist.version()


@pytest.mark.parametrize("name", NAMES)
def test_cloudformation_would_take_it(name, directory):
    assert linted(directory / f"{name}.json")[f"{name}.json"] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_as_safe_as_the_template_that_can_be_read(name, failed_checks):
    # Exactly these: a suppression that is not needed fails the test.
    assert failed_checks[name] == suppressed(source(TEMPLATES / "pipeline.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_local_codepipeline_accepts_the_stages(name):
    template = rendering(name)
    env_id = next(iter(template["Mappings"]["BranchMap"].keys() - {"dev", "prd"}), "dev")
    stack = Deployed(template=template, stack_name=f"gitops-{env_id}-shop", EnvID=env_id, ProjectID="shop")
    properties = {key: value for key, value in stack.properties("Pipeline").items() if key != "Tags"}
    declaration = model.declaration_of(properties)
    assert model.declaration_faults(declaration) == []
    # It raises the error of CreatePipeline.
    stage_validation.check(declaration)
