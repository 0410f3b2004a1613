"""templates/project.yaml: a further project with its own mirror, in an existing environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.gitlab import LocalGitLab
from tests.deployment import steps
from tests.deployment.conftest import Transcript
from tests.deployment.mirroring import MirroredProject, Source
from tests.deployment.pages import Folder, blocks
from tests.deployment.pipelines import PROJECT, Project, eventually
from tests.deployment.steps import ROOT, Environment, Login, Stack, Working

TEMPLATE = ROOT / "templates/project.yaml"


def test_further_project_pushes_deploys_and_is_deleted(aws: LocalAws, environment: Environment,
                                                       git_login: Callable[[], Login], transcript: Transcript,
                                                       name: str, tmp_path: Path) -> None:
    topic = aws.client("sns").create_topic(Name=f"sns-dev-{name}")["TopicArn"]
    before, stack = steps.what_is_there(aws), Stack(aws, f"project-dev-{name}")
    assert stack.create(TEMPLATE, EnvID="dev", ProjectID=name, ApproversNeeded="1") == "CREATE_COMPLETE", stack.failures()
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
    [*_, add_topic] = blocks(ROOT / "docs/how-to/notifications.md")
    Folder(aws, ROOT, tmp_path).run(f"output() {{ echo {topic}; }}\n{add_topic.replace('shop', name)}")
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
    left = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items() if names != before[kind]}
    # The deployed stack remains.
    assert left == {"stacks": [own.deployed.name], "event rules": [rule]}
    assert login.status(url) == 401
    assert own.deployed.delete() == "DELETE_COMPLETE", own.deployed.failures()
    assert steps.what_is_there(aws) == before


def test_further_project_mirror_is_rotated_by_the_function(aws: LocalAws, environment: Environment, gitlab: LocalGitLab,
                                                           transcript: Transcript, name: str, tmp_path: Path) -> None:
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    stack = Stack(aws, f"project-dev-{name}")
    given = source.parameters(EnvID="dev", ProjectID=name, RotationDays="7")
    assert stack.create(TEMPLATE, **given) == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    outputs, secrets = stack.outputs(), aws.client("secretsmanager")
    secret, url = outputs["SecretName"], outputs["RepositoryCloneUrl"]
    [first] = source.mirrors_to(url)
    # Attaching the schedule tests the function and changes nothing.
    assert [step["Step"] for step in aws.rotated(secret)["steps"]] == ["testSecret"]
    assert secrets.describe_secret(SecretId=secret)["RotationRules"]["AutomaticallyAfterDays"] == 7

    assert aws.days_later(secret, 8)
    run = aws.rotated(secret)
    assert run["events"][-1] == "RotationSucceeded", run
    transcript.collect_passwords(aws)
    [moved] = source.mirrors_to(url)
    assert moved.id != first.id and moved.enabled
    working = Working(tmp_path / "work")
    pushed = working.push(source.developer(), source.project.url, to="refs/heads/development")
    assert pushed.accepted, pushed.output
    login = steps.login(aws, secret)
    eventually(lambda: working.references(login, url).get("refs/heads/development") == pushed.commit, "the push in CodeCommit")

    # Deletion order: rotation, mirror, login, repository.
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert source.project.mirrors() == []
    assert not steps.user_exists(aws, f"user-dev-{name}-mirror")
    assert not steps.secret_exists(aws, secret)
    source.forget_token()


BUILDSPEC = """\
version: 0.2
phases:
  build:
    commands:
      - echo "stage $STAGE of level $LEVEL"
      - mkdir -p out/infra
      - cp root-stack-*.yaml out/infra/stack.yaml
      - sed -e s/ENVIRONMENT/$EnvID/ -e s/COMMIT/$CODEBUILD_RESOLVED_SOURCE_VERSION/ parameter.json > out/parameter.json
artifacts:
  base-directory: out
  files: ["**/*"]
"""
DEPLOYED = (PROJECT / "root-stack-infra.yaml").read_text() + """
  Address:
    Value: https://shop.example.com/
"""
SETTINGS = {
    "BuildImage": "aws/codebuild/standard:8.0", "BuildComputeType": "BUILD_GENERAL1_MEDIUM",
    "BuildPrivilegedMode": "true", "BuildEnvironmentVariables": '{"STAGE": "test", "LEVEL": 3}',
    "BuildTimeoutInMinutes": "20", "ApprovalRequired": "false",
    "DeployTemplatePath": "infra/stack.yaml", "DeployCapabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND",
    "DeployActionMode": "REPLACE_ON_FAILURE", "DeployOnFailure": "Rollback",
    "GitLabEnvironmentName": "test/eu", "GitLabEnvironmentUrlOutput": "Address",
}


def test_settings_are_those_of_build_pipeline_and_reports(aws: LocalAws, environment: Environment, gitlab: LocalGitLab,
                                                          transcript: Transcript, name: str, tmp_path: Path) -> None:
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    stack, given = Stack(aws, f"project-dev-{name}"), source.parameters(EnvID="dev", ProjectID=name)
    assert stack.create(TEMPLATE, **given, **SETTINGS) == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    own = MirroredProject(aws, "dev", name, tmp_path, source)
    pushed = own.push_only(buildspec=BUILDSPEC, template=DEPLOYED)
    # Without an approval.
    assert own.ended(own.execution_of(pushed.commit)) == "Succeeded", own.said()
    assert own.deployed_commit() == pushed.commit
    assert "stage test of level 3" in own.build_log()
    build, deploy = build_settings(own), deploy_settings(own)
    assert build == {
        "image": "aws/codebuild/standard:8.0", "computeType": "BUILD_GENERAL1_MEDIUM", "privilegedMode": True,
        "timeoutInMinutes": 20,
        "variables": {"STAGE": "test", "LEVEL": "3", "EnvID": "dev", "AccountId": aws.account_id}}
    assert deploy == {
        "actions": ["Deploy"], "ActionMode": "REPLACE_ON_FAILURE",
        "Capabilities": "CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND", "TemplatePath": "BuildArtifact::infra/stack.yaml", "onFailure": "ROLLBACK"}

    def address() -> str | None:
        reported = source.project.environment("test/eu")
        return reported and reported.external_url

    assert eventually(address, "GitLab has the environment") == "https://shop.example.com/"
    transcript.add_pipeline(own)

    # Each setting returns to its default.
    status = stack.update(TEMPLATE, **given, **{key: "" for key in SETTINGS if key not in DEFAULTS}, **DEFAULTS)
    assert status == "UPDATE_COMPLETE", stack.failures()
    assert build_settings(own) == {
        "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0", "computeType": "BUILD_GENERAL1_SMALL",
        "privilegedMode": False, "timeoutInMinutes": 60, "variables": {"EnvID": "dev", "AccountId": aws.account_id}}
    after = deploy_settings(own)
    assert after["actions"] == ["CreateChangeSet", "Approval", "Deploy"]
    assert after["Capabilities"] == "CAPABILITY_NAMED_IAM"
    assert after["TemplatePath"] == f"BuildArtifact::root-stack-{name}.yaml"
    assert "onFailure" not in after

    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert own.deployed.delete() == "DELETE_COMPLETE", own.deployed.failures()
    source.forget_token()


DEFAULTS = {"BuildPrivilegedMode": "false", "ApprovalRequired": "true", "DeployOnFailure": "Fail"}


def build_settings(project: Project) -> dict[str, Any]:
    [build] = project.aws.client("codebuild").batch_get_projects(names=[project.build_project])["projects"]
    machine = build["environment"]
    variables = {each["name"]: each["value"] for each in machine["environmentVariables"]}
    return {key: machine[key] for key in ("image", "computeType", "privilegedMode")} | {
        "timeoutInMinutes": build["timeoutInMinutes"], "variables": variables}


def deploy_settings(project: Project) -> dict[str, Any]:
    """The actions of the pipeline's last stage, and the configuration of the one that has the template."""
    stage = project.aws.client("codepipeline").get_pipeline(name=project.name)["pipeline"]["stages"][-1]
    configurations = [action.get("configuration", {}) for action in stage["actions"]]
    [deploys] = [each for each in configurations if "TemplatePath" in each]
    found = {"actions": [action["name"] for action in stage["actions"]]} | {
        key: deploys[key] for key in ("ActionMode", "Capabilities", "TemplatePath")}
    return found | ({"onFailure": stage["onFailure"]["result"]} if "onFailure" in stage else {})
