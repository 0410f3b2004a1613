"""templates/project.yaml: a further project with a mirror of its own, in an environment that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from local_aws import LocalAws
from local_deploy import steps
from local_deploy.conftest import Witness
from local_deploy.pipelines import Project
from local_deploy.steps import ROOT, Environment, Login, Stack

TEMPLATE = ROOT / "templates/project.yaml"


def test_a_further_project_pushes_with_its_own_login_is_deployed_and_goes(
        aws: LocalAws, environment: Environment, git_login: Callable[[], Login], witness: Witness, name: str,
        tmp_path: Path) -> None:
    topic = aws.client("sns").create_topic(Name=f"sns-dev-{name}")["TopicArn"]
    before, stack = steps.what_is_there(aws), Stack(aws, f"project-dev-{name}")
    assert stack.create(TEMPLATE, EnvID="dev", ProjectID=name, ApproversNeeded="1",
                        ApprovalTopicArn=topic) == "CREATE_COMPLETE", stack.failures()
    witness.learns(aws)
    outputs = stack.outputs()
    own = Project(aws, "dev", name, tmp_path, lambda: steps.login(aws, outputs["SecretName"]))
    assert (outputs["RepositoryName"], outputs["PipelineName"]) == (own.repository, own.name)
    assert outputs["RepositoryCloneUrl"] == own.clone_url
    # Its login is good for its own repository alone.
    login = steps.login(aws, outputs["SecretName"])
    assert login.name.startswith(f"user-dev-{name}-mirror")
    assert login.status(own.clone_url) == 200
    assert login.status(environment.outputs()["RepositoryCloneUrl"]) == 403

    pushed = own.push()
    assert own.deploy(pushed.commit) == "Succeeded", own.said()
    assert own.deployed_commit() == pushed.commit
    witness.hears_pipeline(own)

    url = own.clone_url
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    after = steps.what_is_there(aws)
    rule = own.deployed.outputs()["Rule"]
    left = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items() if names != before[kind]}
    # What it deployed stays.
    assert left == {"stacks": [own.deployed.name], "event rules": [rule]}
    assert login.status(url) == 401
    assert own.deployed.delete() == "DELETE_COMPLETE", own.deployed.failures()
    assert steps.what_is_there(aws) == before
