"""The child stack's template as the function renders it, one file for each variation.

The files are the expected output of the renderer's own tests. These tests check them with
CloudFormation's schemas and the linters, and compare the default one with templates/pipeline.yaml.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.api import lint_file

from local.aws.codepipeline import model, stage_validation
from tests.templates.deployed import REGION, TEMPLATES, Deployed, source

RENDERED = Path(__file__).parent / "rendered"
FILES = sorted(RENDERED.glob("*.json"))


# Findings that are not about the template's safety, by check and resource.
EXCEPTIONS = {
    # CodeBuild's own encryption is off. The artifact bucket encrypts each object: test_resources.py.
    ("CKV_AWS_78", "AWS::CodeBuild::Project.ReviewProject"),
}


def load(path):
    return json.loads(path.read_text())


def without_suppressions(template):
    """The suppressed checks of a template are not deployed."""
    for resource in template["Resources"].values():
        metadata = resource.get("Metadata", {})
        metadata.pop("checkov", None)
        if not metadata:
            resource.pop("Metadata", None)
    return template


def suppressed(template):
    return {
        entry["id"]
        for resource in template["Resources"].values()
        for entry in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }


@pytest.fixture(scope="module")
def failed_checks():
    """checkov's findings for each file, from one run."""
    checkov = Path(sys.executable).with_name("checkov")
    command = [checkov, "--quiet", "--compact", "--skip-download", "--soft-fail", "--framework", "cloudformation",
               "--output", "json", "--directory", RENDERED]
    output = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # A run without files has no findings.
    assert output["summary"]["passed"] > 0 and output["summary"]["parsing_errors"] == 0, output["summary"]
    found = {path.name: set() for path in FILES}
    for check in output["results"]["failed_checks"]:
        if (check["check_id"], check["resource"]) not in EXCEPTIONS:
            found[Path(check["file_path"]).name].add(check["check_id"])
    return found


def test_renderings_are_not_empty():
    assert "default" in [path.stem for path in FILES]
    assert len(FILES) > 1


def test_the_default_rendering_is_the_template_that_can_be_read():
    expected = without_suppressions(source(TEMPLATES / "pipeline.yaml"))
    assert load(RENDERED / "default.json") == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cloudformation_would_take_it(path):
    assert [str(match) for match in lint_file(path)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_as_safe_as_the_template_that_can_be_read(path, failed_checks):
    # Exactly these: a suppression that is not needed fails the test.
    assert failed_checks[path.name] == suppressed(source(TEMPLATES / "pipeline.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_two_variations_are_one(path):
    same = [other.stem for other in FILES if load(other) == load(path)]
    assert same == [path.stem]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_local_codepipeline_accepts_the_stages(path):
    template = load(path)
    env_id = next(iter(template["Mappings"]["BranchMap"].keys() - {"dev", "prd"}), "dev")
    stack = Deployed(template=template, stack_name=f"gitops-{env_id}-shop", EnvID=env_id, ProjectID="shop")
    properties = {key: value for key, value in stack.properties("Pipeline").items() if key != "Tags"}
    declaration = model.declaration_of(properties)
    assert model.declaration_faults(declaration) == []
    # It raises the error of CreatePipeline.
    stage_validation.check(declaration, REGION)
