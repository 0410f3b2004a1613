"""The projects of examples/, pushed and deployed as they are. test_first_deployment.py deploys examples/project."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.image_scene import push_image
from tests.deployment.pipelines import Project, ProjectStack
from tests.deployment.steps import ROOT, Environment, Stack

EXAMPLES = ROOT / "examples"


def push(project: Project, example: str) -> str:
    """Pushes the example under the project's name, and returns the commit."""
    folder = EXAMPLES / example
    files = {str(path.relative_to(folder)).replace("-infra.", f"-{project.project_id}."): path.read_text()
             for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return project.push(further=files).commit


def deployed_function(aws: LocalAws, project: Project) -> dict[str, Any]:
    return aws.client("lambda").get_function(FunctionName=project.deployed.outputs()["Function"])


# `aws cloudformation package` looks for the object before the upload, which a build may not.
@pytest.mark.usefixtures("expected_denials")
def test_sam_project_deploys_the_pushed_code(aws: LocalAws, bounded: Environment, stack: ProjectStack) -> None:
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    commit = push(project, "sam")
    assert project.deploy(commit) == "Succeeded", project.said() + str(project.deployed.failures())
    assert project.deployed_commit() == commit
    function = deployed_function(aws, project)
    with urllib.request.urlopen(function["Code"]["Location"]) as code:
        [name] = zipfile.ZipFile(io.BytesIO(code.read())).namelist()
    assert name == "app.py"
    answer = aws.client("lambda").invoke(FunctionName=function["Configuration"]["FunctionName"])["Payload"].read()
    assert json.loads(answer) == {"commit": commit}
    # Now, because the deploy role may not delete roles after `bounded`.
    assert project.deployed.delete() == "DELETE_COMPLETE", project.deployed.failures()


@pytest.fixture
def repository(aws: LocalAws, environment: Environment) -> Iterator[str]:
    """The stack that examples/container/README.md deploys once, and its repository's name."""
    stack = Stack(aws, "container-dev")
    assert stack.create(EXAMPLES / "container/repository.yaml") == "CREATE_COMPLETE", stack.failures()
    aws.put_iam_into_effect()
    name = stack.outputs()["RepositoryUri"].partition("/")[2]
    yield name
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    aws.client("ecr").delete_repository(repositoryName=name, force=True)


def test_container_project_deploys_the_pushed_image(aws: LocalAws, repository: str, stack: ProjectStack) -> None:
    digest = push_image(aws.client("ecr"), repository, "one", "latest")
    assert stack.make(ImageSource={"RepositoryName": repository}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    commit = push(project, "container")
    assert project.deploy(commit) == "Succeeded", project.said() + str(project.deployed.failures())
    assert project.deployed_commit() == commit
    image = f"{aws.account_id}.dkr.ecr.{aws.region}.amazonaws.com/{repository}"
    assert deployed_function(aws, project)["Code"]["ImageUri"] == f"{image}@{digest}"

    newer = push_image(aws.client("ecr"), repository, "two", "latest")
    assert project.deploy(newer) == "Succeeded", project.said()
    assert deployed_function(aws, project)["Code"]["ImageUri"] == f"{image}@{newer}"


@pytest.mark.parametrize("example", ["project", "sam", "container"])
def test_readme_of_an_example_is_short_and_names_its_files(example: str) -> None:
    folder = EXAMPLES / example
    text = (folder / "README.md").read_text()
    assert len(text.splitlines()) <= 40
    named = [path for path in folder.iterdir() if path.name != "README.md"]
    assert [path.name for path in named if f"`{path.name}{'/' if path.is_dir() else ''}`" not in text] == []
