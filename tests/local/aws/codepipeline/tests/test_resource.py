"""`AWS::CodePipeline::Pipeline` in a stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import Stack, error_of


def capitalised(value: Any) -> Any:
    """The API's declaration in a template's form."""
    if isinstance(value, list):
        return [capitalised(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key[0].upper() + key[1:]: each if key == "configuration" else capitalised(each)
            for key, each in value.items()}


def resources(scene: Scene, **more: Any) -> dict[str, Any]:
    properties = {**capitalised(scene.declaration([scene.approval()])), **more}
    return {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}}


def reasons(stack: Stack) -> str:
    return str([event.get("ResourceStatusReason") for event in stack.events()])


def test_update_of_tags_creates_no_version(scene: Scene, stack: Stack) -> None:
    stack.create(resources(scene, Tags=[{"Key": "k", "Value": "v"}]))
    assert stack.update(resources(scene, Tags=[{"Key": "k", "Value": "w"}])) == "UPDATE_COMPLETE"
    assert scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["version"] == 1
    assert stack.update(resources(scene, ExecutionMode="SUPERSEDED")) == "UPDATE_COMPLETE"
    assert scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["version"] == 2
    assert len(scene.executions()) == 1


def test_numbers_of_a_template_are_the_apis_strings(scene: Scene, stack: Stack) -> None:
    stages = capitalised(scene.declaration([scene.approval()]))["Stages"]
    rule = {"Name": "Alarm", "Configuration": {"AlarmName": "an-alarm", "WaitTime": 10},
            "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Version": "1", "Provider": "CloudWatchAlarm"}}
    stages[1]["OnSuccess"] = {"Conditions": [{"Result": "FAIL", "Rules": [rule]}]}
    assert stack.create(resources(scene, Stages=stages)) == "CREATE_COMPLETE", stack.events()
    made = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["stages"][1]
    assert made["onSuccess"]["conditions"][0]["rules"][0]["configuration"] == {"AlarmName": "an-alarm", "WaitTime": "10"}
    # Unlike the API, the registry's schema has no such property.
    rule["TimeoutInMinutes"] = 60
    assert stack.update(resources(scene, Stages=stages)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "TimeoutInMinutes" in reasons(stack)


@pytest.mark.parametrize(("wrong", "reason"), [
    ({"Colour": "red"}, "Colour"),
    ({"DisableInboundStageTransitions": [{"StageName": "Build", "Reason": "no"}]}, "DisableInboundStageTransitions"),
    ({"RestartExecutionOnUpdate": True}, "RestartExecutionOnUpdate"),
    ({"RoleArn": "arn:aws:iam::123456789012:role/absent"}, "CodePipeline is not authorized to perform AssumeRole"),
    ({"PipelineType": "V1"}, "QUEUED is not supported for pipeline type V1"),
])
def test_unknown_or_rejected_property_fails_the_stack(scene: Scene, stack: Stack, wrong: dict[str, Any],
                                                      reason: str) -> None:
    assert stack.create(resources(scene, **wrong)) == "ROLLBACK_COMPLETE"
    assert reason in reasons(stack)
    assert error_of(scene.pipelines.get_pipeline, name=scene.name)[0] == "PipelineNotFoundException"


def test_taken_name_fails_stack_and_keeps_other_pipeline(scene: Scene, stack: Stack) -> None:
    scene.create([scene.approval()])
    assert stack.create(resources(scene)) == "ROLLBACK_COMPLETE"
    scene.pipelines.get_pipeline(name=scene.name)
