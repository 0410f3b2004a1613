"""Retried stages, and change sets without changes. `test_tag_of_a_maintainer_in_gitlab_approves` retries with the function.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.codepipeline.tests.pipeline_scene import Scene, template

CHANGE_SET = {"ChangeSetName": "waiting"}


def stages(scene: Scene) -> list[list[dict[str, Any]]]:
    """As cfn-gitops renders them."""
    return [[scene.build()], [
        scene.deploy("CHANGE_SET_REPLACE", name="CreateChangeSet", **CHANGE_SET), {**scene.approval(), "runOrder": 2},
        scene.deploy("CHANGE_SET_EXECUTE", order=3, **CHANGE_SET)]]


def approved(scene: Scene, run: str) -> str:
    scene.decide(run)
    return scene.ended(run)


def retried(scene: Scene, run: str, mode: str) -> str:
    """The error code. Empty if the stage is retried."""
    try:
        scene.pipelines.retry_stage_execution(
            pipelineName=scene.pipeline, stageName="CreateChangeSet", pipelineExecutionId=run, retryMode=mode)
    except ClientError as rejected:
        return str(rejected.response["Error"]["Code"])
    return ""


def test_retry_of_failed_actions_misses_the_change_set(scene: Scene) -> None:
    run = scene.create(*stages(scene))
    assert retried(scene, run, "ALL_ACTIONS") == "StageNotRetryableException"
    assert approved(scene, run) == "Succeeded"
    taken = json.loads(template(scene.name))
    taken["Resources"]["Taken"] = {"Type": "AWS::SSM::Parameter", "Properties": {
        "Name": f"{scene.name}-taken", "Type": "String", "Value": "x"}}
    ssm = scene.aws.client("ssm")
    ssm.put_parameter(Name=f"{scene.name}-taken", Type="String", Value="of another owner")
    scene.push({"template.json": json.dumps(taken)})
    run = scene.start()
    first = scene.approval_state(run)["actionExecutionId"]
    assert approved(scene, run) == "Failed"
    assert retried(scene, run, "FAILED_ACTIONS") == ""
    assert scene.ended(run) == "Failed"
    assert scene.error(run, "Deploy")[1].startswith("ChangeSet [waiting] does not exist (Service: ")
    assert [each["actionName"] for each in scene.actions(run)][-3:] == ["Approval", "Deploy", "Deploy"]
    ssm.delete_parameter(Name=f"{scene.name}-taken")
    assert retried(scene, run, "ALL_ACTIONS") == ""
    assert scene.approval_state(run)["actionExecutionId"] != first
    assert approved(scene, run) == "Succeeded"
    assert [each["actionName"] for each in scene.actions(run)][-3:] == ["CreateChangeSet", "Approval", "Deploy"]
    failed, later = scene.start(), scene.start()
    for each in (failed, later):
        scene.decide(each, "Rejected")
        assert scene.ended(each) == "Failed"
    assert retried(scene, failed, "ALL_ACTIONS") == "NotLatestPipelineExecutionException"


@pytest.mark.parametrize("is_deleted", [0, 1])
def test_empty_change_set_is_approved_and_executed(scene: Scene, is_deleted: int) -> None:
    scene.aws.set(empty_change_set_is_deleted=is_deleted)
    assert approved(scene, scene.create(*stages(scene))) == "Succeeded"
    run = scene.start()
    scene.approval_state(run)
    listed = scene.aws.client("cloudformation").list_change_sets(StackName=scene.stack_name)["Summaries"]
    assert [(each["Status"], each["ExecutionStatus"]) for each in listed] == [("FAILED", "UNAVAILABLE")][is_deleted:]
    assert approved(scene, run) == "Succeeded"
    scene.aws.set(empty_change_set_is_deleted=0)
