"""templates/project.yaml: a further project with its own mirror, in an existing environment."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment.conftest import Transcript
from tests.deployment.pages import Folder, blocks, clone, project_table
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.pipelines import Project
from tests.play.steps import ROOT, Environment, Login, Stack

TEMPLATE = ROOT / "templates/project.yaml"


def test_further_project_pushes_deploys_and_is_deleted(
    aws: LocalAws,
    environment: Environment,
    git_login: Callable[[], Login],
    transcript: Transcript,
    name: str,
    tmp_path: Path,
) -> None:
    topic = aws.client("sns").create_topic(Name=f"sns-dev-{name}")["TopicArn"]
    before, stack = steps.what_is_there(aws), Stack(aws, f"project-dev-{name}")
    assert stack.create(TEMPLATE, EnvID="dev", ProjectID=name, ApproversNeeded="1") == "CREATE_COMPLETE", (
        stack.failures()
    )
    transcript.collect_passwords(aws)
    outputs = stack.outputs()
    own = Project(aws, "dev", name, tmp_path, lambda: steps.login(aws, outputs["SecretName"]))
    assert (outputs["RepositoryName"], outputs["PipelineName"]) == (own.repository, own.name)
    assert outputs["RepositoryCloneUrl"] == own.clone_url
    # Its login has access only to its own repository.
    login = steps.login(aws, outputs["SecretName"])
    assert login.name.startswith(f"user-dev-{name}-mirror")
    assert login.status(own.clone_url) == 200
    assert login.status(environment.outputs()["RepositoryCloneUrl"]) == 403

    pushed = own.push()
    assert own.deploy(pushed.commit) == "Succeeded", own.said()
    assert own.deployed_commit() == pushed.commit
    own_files = '"BranchName=development", "DeployTemplatePath=root-stack-shop.yaml",'
    table = project_table(own_files, f'"ApprovalTopicArn={topic}",', of_gitlab=False).replace("shop", name)
    Folder(aws, clone(tmp_path / "clone"), tmp_path).deploy(table)
    stages = aws.client("codepipeline").get_pipeline(name=own.name)["pipeline"]["stages"]
    [approval] = [action for stage in stages for action in stage["actions"] if action["name"] == "Approval"]
    assert approval["configuration"]["NotificationArn"] == topic
    # The pipeline's role publishes the request.
    assert own.deploy(own.push().commit) == "Succeeded", own.said()
    transcript.add_pipeline(own)

    url = own.clone_url
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    after = steps.what_is_there(aws)
    rule = own.deployed.outputs()["Rule"]
    left = {
        kind: sorted(set(names) - set(before[kind])) for kind, names in after.items() if names != before[kind]
    }
    # The deployed stack remains.
    assert left == {"stacks": [own.deployed.name], "event rules": [rule]}
    assert login.status(url) == 401
    assert own.deployed.delete() == "DELETE_COMPLETE", own.deployed.failures()
    assert steps.what_is_there(aws) == before


@pytest.mark.usefixtures("environment")
def test_lists_maps_and_windows_survive_sam(aws: LocalAws, name: str, tmp_path: Path) -> None:
    [lines] = blocks(ROOT / "docs/how-to/add-a-project.md", "toml", "## Settings of a project")
    stack = Stack(aws, f"project-dev-{name}")
    folder = Folder(aws, clone(tmp_path / "clone"), tmp_path)
    # Without `template_file`, `sam deploy` takes the environment from here after `sam build`.
    built = folder.directory / ".aws-sam/build/template.yaml"
    built.parent.mkdir(parents=True)
    shutil.copy(folder.directory / "template.yaml", built)
    folder.deploy(project_table(lines, of_gitlab=False).replace("shop", name))
    pipeline = Stack(aws, f"gitops-dev-{name}")
    assert json.loads(pipeline.outputs()["Settings"])["Paths"] == {
        "Includes": [f"services/{name}/**", "lib/**"],
        "Excludes": ["**/*.md"],
    }
    rendered = aws.client("cloudformation").get_template(StackName=pipeline.name)["TemplateBody"]
    text = rendered if isinstance(rendered, str) else json.dumps(rendered)
    for shown in ('"* * 9-17 ? * MON-FRI"', '"Europe/Berlin"', '"eu-central-1"'):
        assert shown in text, shown
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
