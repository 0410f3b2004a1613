"""`AWS::CodePipeline::Pipeline` in a stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually, one_for_many
from local.aws.testing import Stack, error_of


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return one_for_many(Scene, running, tmp_path_factory.mktemp("shared"))


def capitalised(value: Any) -> Any:
    """The API's declaration in a template's form."""
    if isinstance(value, list):
        return [capitalised(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key[0].upper() + key[1:]: each if key == "configuration" else capitalised(each)
            for key, each in value.items()}


def resources(scene: Scene, **more: Any) -> dict[str, Any]:
    properties = {**capitalised(scene.declaration([scene.build()])), "Tags": [{"Key": "k", "Value": "v"}], **more}
    return {
        "Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {
            key: value for key, value in properties.items() if value is not None}},
        "Seen": {"Type": "AWS::SSM::Parameter", "Properties": {
            "Name": f"seen-{scene.name}", "Type": "String", "Value": {"Fn::Sub": "${Pipeline} ${Pipeline.Version}"}}}}


def seen(scene: Scene) -> str:
    return str(scene.aws.client("ssm").get_parameter(Name=f"seen-{scene.name}")["Parameter"]["Value"])


def test_stack_creates_updates_and_deletes_a_pipeline(scene: Scene, stack: Stack) -> None:
    assert stack.create(resources(scene)) == "CREATE_COMPLETE", stack.events()
    assert seen(scene) == f"{scene.name} 1"
    first = scene.executions()[0]["pipelineExecutionId"]
    assert scene.ended(first) == "Succeeded"
    made = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    assert made["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"
    assert stack.update(resources(scene, ExecutionMode="SUPERSEDED", Tags=[])) == "UPDATE_COMPLETE"
    assert scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["version"] == 2
    assert len(scene.executions()) == 1
    tags = scene.pipelines.list_tags_for_resource(resourceArn=scene.arn("codepipeline", scene.name))["tags"]
    assert "k" not in {tag["key"] for tag in tags}
    assert stack.delete() == "DELETE_COMPLETE"
    assert error_of(scene.pipelines.get_pipeline, name=scene.name)[0] == "PipelineNotFoundException"


def test_update_of_tags_creates_no_version(scene: Scene, stack: Stack) -> None:
    stack.create(resources(scene))
    assert stack.update(resources(scene, Tags=[{"Key": "k", "Value": "w"}])) == "UPDATE_COMPLETE"
    assert scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["version"] == 1


def test_pipeline_restarts_after_update_if_enabled(scene: Scene, stack: Stack) -> None:
    stack.create(resources(scene))
    stack.update(resources(scene, ExecutionMode="SUPERSEDED", RestartExecutionOnUpdate=True))
    assert len(scene.executions()) == 2


def test_another_name_is_another_pipeline(scene: Scene, stack: Stack) -> None:
    stack.create(resources(scene))
    assert stack.update(resources(scene, Name=f"{scene.name}-2")) == "UPDATE_COMPLETE", stack.events()
    assert seen(scene) == f"{scene.name}-2 1"
    assert error_of(scene.pipelines.get_pipeline, name=scene.name)[0] == "PipelineNotFoundException"


def test_without_a_name_it_gets_one(scene: Scene, stack: Stack) -> None:
    assert stack.create(resources(scene, Name=None)) == "CREATE_COMPLETE", stack.events()
    assert seen(scene).startswith(f"{stack.name}-Pipeline")


def test_template_properties_of_stages_are_the_declarations(scene: Scene, stack: Stack) -> None:
    """Numbers become the strings that CodePipeline's API requires."""
    kind = {"Category": "Rule", "Owner": "AWS", "Version": "1"}
    stages = capitalised(scene.declaration([scene.approval()]))["Stages"]
    stages[1].update({
        "OnFailure": {"Result": "ROLLBACK"},
        "BeforeEntry": {"Conditions": [{"Result": "FAIL", "Rules": [{
            "Name": "Window", "RuleTypeId": {**kind, "Provider": "DeploymentWindow"},
            "Configuration": {"Cron": "* * * ? * * *", "TimeZone": "Europe/Berlin"}}]}]},
        "OnSuccess": {"Conditions": [{"Result": "FAIL", "Rules": [{
            "Name": "Alarm", "RuleTypeId": {**kind, "Provider": "CloudWatchAlarm"},
            "Configuration": {"AlarmName": "an-alarm", "WaitTime": 10}}]}]}})
    assert stack.create(resources(scene, Stages=stages)) == "CREATE_COMPLETE", stack.events()
    made = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["stages"][1]
    assert made["onFailure"] == {"result": "ROLLBACK"}
    assert made["onSuccess"]["conditions"][0]["rules"][0]["configuration"] == {"AlarmName": "an-alarm", "WaitTime": "10"}
    assert made["beforeEntry"]["conditions"][0]["rules"][0]["ruleTypeId"]["provider"] == "DeploymentWindow"
    # Unlike the API, the registry's schema has no such property.
    stages[1]["OnSuccess"]["Conditions"][0]["Rules"][0]["TimeoutInMinutes"] = 60
    assert stack.update(resources(scene, Stages=stages)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "TimeoutInMinutes" in str([event.get("ResourceStatusReason") for event in stack.events()])


@pytest.mark.parametrize(("wrong", "reason"), [
    ({"Colour": "red"}, "Colour"),
    ({"DisableInboundStageTransitions": [{"StageName": "Build", "Reason": "no"}]}, "DisableInboundStageTransitions"),
    ({"RoleArn": "arn:aws:iam::123456789012:role/absent"}, "CodePipeline is not authorized to perform AssumeRole"),
    ({"PipelineType": "V1"}, "QUEUED is not supported for pipeline type V1"),
])
def test_unknown_or_rejected_property_fails_the_stack(shared: Scene, stack: Stack, wrong: dict, reason: str) -> None:
    assert stack.create(resources(shared, **wrong)) == "ROLLBACK_COMPLETE"
    assert reason in str([event.get("ResourceStatusReason") for event in stack.events()])
    assert error_of(shared.pipelines.get_pipeline, name=shared.name)[0] == "PipelineNotFoundException"


def test_an_unknown_property_of_an_action_fails_the_stack(shared: Scene, stack: Stack) -> None:
    wrong = resources(shared)
    wrong["Pipeline"]["Properties"]["Stages"][1]["Actions"][0]["Colour"] = "red"
    assert stack.create(wrong) == "ROLLBACK_COMPLETE"
    assert "Colour" in str([event.get("ResourceStatusReason") for event in stack.events()])


def test_taken_name_fails_stack_and_keeps_other_pipeline(scene: Scene, stack: Stack) -> None:
    scene.create([scene.build()])
    assert stack.create(resources(scene)) == "ROLLBACK_COMPLETE"
    scene.pipelines.get_pipeline(name=scene.name)


def test_a_pipeline_that_its_stack_deletes_while_it_runs_ends(scene: Scene, stack: Stack) -> None:
    waiting = capitalised(scene.declaration([scene.approval()]))["Stages"]
    stack.create(resources(scene, Stages=waiting))
    scene.approval_state(scene.executions()[0]["pipelineExecutionId"])
    assert stack.delete() == "DELETE_COMPLETE"
    again = scene.create([scene.approval()])
    eventually(lambda: scene.approval_state(again), bool)


def test_drift_of_a_pipeline_is_reverted(scene: Scene, stack: Stack) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
    stack.create(resources(scene, ArtifactStore=None, ArtifactStores=[
        {"Region": scene.region, "ArtifactStore": {"Type": "S3", "Location": scene.bucket}}]))
    cloudformation = scene.aws.client("cloudformation")

    def compared() -> dict[str, Any]:
        cloudformation.create_change_set(StackName=stack.name, ChangeSetName="drift", UsePreviousTemplate=True,
                                         DeploymentMode="REVERT_DRIFT")
        found: dict[str, Any] = cloudformation.describe_change_set(StackName=stack.name, ChangeSetName="drift")
        return found

    assert compared()["Changes"] == []
    cloudformation.delete_change_set(StackName=stack.name, ChangeSetName="drift")
    before = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    changed = {**before, "stages": [*before["stages"][:1], {"name": "Other", "actions": [scene.approval()]}]}
    scene.pipelines.update_pipeline(pipeline=changed)
    found = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in compared()["Changes"]}
    assert found.keys() == {"Pipeline"}
    assert found["Pipeline"]["ResourceDriftStatus"] == "MODIFIED"
    assert [each["Target"]["Name"] for each in found["Pipeline"]["Details"]] == ["Stages"]
    cloudformation.execute_change_set(StackName=stack.name, ChangeSetName="drift")
    assert stack.wait() == "UPDATE_COMPLETE"
    after = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    assert {**after, "version": 0} == {**before, "version": 0}
