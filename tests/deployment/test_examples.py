"""A project of examples/, pushed and deployed as it is. test_first_deployment.py deploys examples/project,
and tests/pages/test_build_images.py examples/container."""

import io
import json
import urllib.request
import zipfile
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.play.pipelines import Project, ProjectStack
from tests.play.steps import ROOT, Environment

EXAMPLES = ROOT / "examples"


def push(project: Project, example: str) -> str:
    """Pushes the example as it is, and returns the commit."""
    folder = EXAMPLES / example
    files = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return project.push(further=files).commit


def deployed_function(aws: LocalAws, project: Project) -> dict[str, Any]:
    return aws.client("lambda").get_function(FunctionName=project.deployed.outputs()["Function"])


# `aws cloudformation package` looks for the object before the upload, which a build may not.
@pytest.mark.usefixtures("expected_denials")
def test_sam_project_deploys_the_pushed_code(
    aws: LocalAws, bounded: Environment, stack: ProjectStack
) -> None:
    assert stack.make(Deploy={"TemplatePath": "template.yaml"}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    commit = push(project, "sam")
    assert project.deploy(commit) == "Succeeded", project.said() + str(project.deployed.failures())
    assert project.deployed_commit() == commit
    function = deployed_function(aws, project)
    with urllib.request.urlopen(function["Code"]["Location"]) as code:
        [name] = zipfile.ZipFile(io.BytesIO(code.read())).namelist()
    assert name == "app.py"
    answer = (
        aws.client("lambda").invoke(FunctionName=function["Configuration"]["FunctionName"])["Payload"].read()
    )
    assert json.loads(answer) == {"commit": commit}
    # Now, because the deploy role may not delete roles after `bounded`.
    assert project.deployed.delete() == "DELETE_COMPLETE", project.deployed.failures()
