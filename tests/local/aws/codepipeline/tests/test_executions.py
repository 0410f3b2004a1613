"""Executions that no deployment test has: failed actions, execution modes, images, and topics of approvals.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.images import TAG, push_image
from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import eventually, policy

# --- errors ------------------------------------------------------------------------------


def pushed(files: dict[str, str], **more: str) -> Callable[[Scene], list[Any]]:
    """The stages, after a push of these files."""
    def stages(scene: Scene) -> list[Any]:
        scene.push(files)
        return [[scene.deploy(artifact="SourceArtifact", **more)]]

    return stages


def git_build(scene: Scene) -> list[Any]:
    """The source action's artifact is "a ZIP file with a shallow copy of your commit", without its "Git metadata".
    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html"""
    scene.push({"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['git describe --always']}}\n"})
    return [[scene.build()]]


FAILURES: list[tuple[str, Callable[[Scene], list[Any]], str, str]] = [
    ("an absent template", lambda scene: [[scene.build()], [scene.deploy(TemplatePath="BuildArtifact::absent.yaml")]],
     "Deploy", "File [absent.yaml] does not exist in artifact [BuildArtifact]"),
    ("an absent configuration", pushed({}, TemplateConfiguration="SourceArtifact::absent.json"), "Deploy",
     "File [absent.json] does not exist in artifact [SourceArtifact]"),
    ("a configuration that is a list", pushed({"parameter.json": "[]"}), "Deploy", "is not an object"),
    ("a configuration that is not JSON", pushed({"parameter.json": "{"}), "Deploy", "is not valid JSON"),
    ("an unknown key", pushed({"parameter.json": '{"parameters": {}}'}), "Deploy", "has unknown keys: parameters"),
    ("a parameter that is a number", pushed({"parameter.json": '{"Parameters": {"Word": 1}}'}), "Deploy",
     "The value of Word is not a string"),
    ("a configuration with a byte order mark", pushed({"parameter.json": "\ufeff{}"}), "Deploy", "is not valid JSON"),
    ("a name that occurs twice", pushed({"parameter.json": '{"Tags": {}, "Tags": {}}'}), "Deploy", "is not valid JSON"),
    ("a build that reads git's history", git_build, "Build", "exit status 128"),
    ("an unknown parameter", pushed({"parameter.json": '{"Parameters": {"Other": "x"}}'}), "Deploy", "Other"),
    ("an override that is a function",
     pushed({}, ParameterOverrides='{"Word": {"Fn::GetParam": ["SourceArtifact", "more.json", "word"]}}'), "Deploy",
     "The value of Word is not a string"),
    ("a missing capability", pushed({"template.json": json.dumps({"Resources": {"Role": {
        "Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(policy())}}}}),
        "parameter.json": "{}"}), "Deploy", "CAPABILITY_IAM"),
    ("an unknown variable", lambda scene: [[scene.approval(CustomData="#{SourceVariables.Commit}")]], "Approval",
     "the namespace SourceVariables has no variable Commit"),
    ("an absent change set",
     lambda scene: [[scene.build()], [scene.deploy("CHANGE_SET_EXECUTE", ChangeSetName="absent")]], "Deploy",
     "does not exist"),
]


@pytest.mark.parametrize(("stages", "action", "message"), [each[1:] for each in FAILURES],
                         ids=[each[0] for each in FAILURES])
def test_failed_action_ends_the_run_with_its_reason(scene: Scene, stages: Callable[[Scene], list[Any]], action: str,
                                                    message: str) -> None:
    run = scene.create(*stages(scene))
    assert scene.ended(run) == "Failed"
    assert scene.actions(run)[-1]["actionName"] == action
    assert message in scene.error(run, action)[1]
    assert scene.stacks() == []


# --- several executions ------------------------------------------------------------------


def test_parallel_executions_are_in_one_stage_at_once(scene: Scene) -> None:
    first = scene.create([scene.approval()], mode="PARALLEL")
    second = scene.start()

    def token(run: str) -> str:
        """The state of the action has one token, not two: each execution's token is its action's external ID.
        https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html"""
        return next((each["output"].get("executionResult", {}).get("externalExecutionId", "")
                     for each in scene.actions(run) if each["actionName"] == "Approval"), "")

    tokens = [eventually(lambda run=run: token(run)) for run in (first, second)]
    assert "token" not in str(scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1]["actionStates"])
    for decision, given in zip(("Rejected", "Approved"), tokens, strict=True):
        scene.pipelines.put_approval_result(pipelineName=scene.name, stageName="Approval", actionName="Approval",
                                            token=given, result={"status": decision, "summary": ""})
    assert (scene.ended(first), scene.ended(second)) == ("Failed", "Succeeded")


@pytest.mark.parametrize("kept", [True, False])
def test_update_cancels_an_execution_after_its_running_action(scene: Scene, kept: bool) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html
    run = scene.create([scene.approval()], [scene.build()])
    scene.approval_state(run)
    stages = [[scene.approval()], [scene.build()]] if kept else [[scene.build()]]
    scene.pipelines.update_pipeline(pipeline=scene.declaration(*stages))
    if kept:
        assert scene.status(run) == "InProgress"
        scene.decide(run)
    assert scene.ended(run) == "Cancelled"
    assert scene.action(run, "Approval")["status"] == ("Succeeded" if kept else "Abandoned")


def test_repeated_start_with_one_token_is_one_execution(scene: Scene) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html
    scene.approval_state(scene.create([scene.approval()]))
    assert len({scene.start(clientRequestToken=token) for token in ("a-token", "a-token", "another")}) == 2


# --- actions -----------------------------------------------------------------------------


def with_image(scene: Scene, tag_variable: str) -> dict[str, Any]:
    """A pipeline of code and an image, whose build has the image's tag in a variable."""
    build = scene.build(PrimarySource="SourceArtifact", EnvironmentVariables=json.dumps([
        {"name": "ImageTag", "value": tag_variable}]))
    build["inputArtifacts"].append({"name": "ImageArtifact"})
    pipeline = scene.declaration([build])
    pipeline["stages"][0]["actions"].append({
        "name": "Image", "namespace": "ImageVariables", "outputArtifacts": [{"name": "ImageArtifact"}],
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "ECR", "version": "1"},
        "configuration": {"RepositoryName": scene.name, "ImageTag": TAG}})
    return pipeline


def test_tag_variable_is_missing_for_a_digest_start(scene: Scene) -> None:
    """ "Is not emitted when the source revision is overridden". """
    ecr = scene.aws.client("ecr")
    ecr.create_repository(repositoryName=scene.name)
    old, new = (push_image(ecr, scene.name, word) for word in ("old", "new"))
    uri = f"{scene.account}.dkr.ecr.{scene.region}.amazonaws.com/{scene.name}"
    run = scene.create_declared(with_image(scene, "#{ImageVariables.ImageTag}"))
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    variables = {"RegistryId": scene.account, "RepositoryName": scene.name}
    assert scene.action(run, "Image")["output"]["outputVariables"] == {
        **variables, "ImageDigest": new, "ImageTag": TAG, "ImageURI": f"{uri}:{TAG}"}
    run = scene.start(sourceRevisions=[
        {"actionName": "Image", "revisionType": "IMAGE_DIGEST", "revisionValue": old}])
    assert scene.ended(run) == "Failed"
    assert scene.action(run, "Image")["output"]["outputVariables"] == {
        **variables, "ImageDigest": old, "ImageURI": f"{uri}@{old}"}
    assert "#{ImageVariables.ImageTag}" in scene.error(run, "Build")[1]


def test_waiting_approval_is_published_to_its_topic(scene: Scene) -> None:
    topic = scene.aws.client("sns").create_topic(Name=scene.name)["TopicArn"]
    sqs = scene.aws.client("sqs")
    queue = sqs.create_queue(QueueName=scene.name, Attributes={"Policy": policy({
        "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
        "Resource": scene.arn("sqs", scene.name)})})["QueueUrl"]
    scene.aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=scene.arn("sqs", scene.name),
                                      Attributes={"RawMessageDelivery": "true"})
    approval = scene.approval(NotificationArn=topic, CustomData="look at #{SourceVariables.CommitId}",
                              ExternalEntityLink="https://example.com/-/commit/#{SourceVariables.CommitId}")
    denied = scene.create([approval])
    assert scene.ended(denied) == "Failed"
    assert scene.error(denied, "Approval")[0] == "PermissionError"
    scene.allow("pipeline", scene.rights["pipeline"] | {"sns:Publish": (topic, {})})
    run = scene.start()
    received = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    about = json.loads(received[0]["Body"])["approval"]
    assert about["customData"] == f"look at {scene.head()}"
    assert (about["pipelineName"], about["stageName"], about["externalEntityLink"]) == (
        scene.name, "Approval", f"https://example.com/-/commit/{scene.head()}")
    assert about["approvalReviewLink"].endswith(f"/Approval/Approval/approve/{about['token']}")
    assert about["token"] == scene.approval_state(run)["token"]
