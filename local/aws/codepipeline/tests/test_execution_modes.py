"""Several executions of one pipeline.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually
from local.aws.testing import error_of


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


def waiting_before(scene: Scene, stage: str) -> list[str]:
    states = scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"]
    found = next(each for each in states if each["stageName"] == stage)
    return [each["pipelineExecutionId"] for each in found.get("inboundExecutions", [])]


def test_queued_executions_pass_stages_in_start_order(scene: Scene) -> None:
    first = scene.create([scene.build()], [scene.approval()], [scene.deploy()])
    scene.approval_state(first)
    commits = [scene.push(message="Second"), scene.push(message="Third")]
    runs = [scene.start(sourceRevisions=[{"actionName": "Source", "revisionType": "COMMIT_ID",
                                          "revisionValue": commit}]) for commit in commits]
    eventually(lambda: waiting_before(scene, "Approval"), lambda waiting: waiting == runs)
    for run in (first, *runs):
        scene.decide(run)
    assert [scene.ended(run) for run in (first, *runs)] == ["Succeeded"] * 3
    assert scene.deployed() == f"{commits[1]} first"
    for stage in ("Source", "Build", "Approval", "Deploy"):
        times = [(scene.action(run, stage)["startTime"], scene.action(run, stage)["lastUpdateTime"])
                 for run in (first, *runs)]
        assert times == sorted(times)
        # At most one execution at a time is in a stage.
        assert all(before[1] <= after[0] for before, after in zip(times, times[1:], strict=False))


def test_failed_execution_lets_the_next_queued_one_start(scene: Scene) -> None:
    first = scene.create([scene.approval()], [scene.deploy(artifact="SourceArtifact")])
    scene.approval_state(first)
    second = scene.start()
    scene.decide(first, "Rejected")
    scene.decide(second)
    assert (scene.ended(first), scene.ended(second)) == ("Failed", "Succeeded")


def test_repeated_start_with_one_token_is_one_execution(scene: Scene) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html
    scene.approval_state(scene.create([scene.approval()]))
    runs = {scene.start(clientRequestToken=token) for token in ("a-token", "a-token", "another")}
    assert len(runs) == 2
    assert len(scene.executions()) == 3


def test_superseding_execution_overtakes_waiting_ones(scene: Scene) -> None:
    first = scene.create([scene.approval()], mode="SUPERSEDED")
    scene.approval_state(first)
    second = scene.start()
    eventually(lambda: waiting_before(scene, "Approval"), lambda waiting: waiting == [second])
    third = scene.start()
    assert scene.ended(second) == "Superseded"
    assert waiting_before(scene, "Approval") == [third]
    assert scene.status(first) == "InProgress"
    scene.decide(first)
    scene.decide(third)
    assert (scene.ended(first), scene.ended(third)) == ("Succeeded", "Succeeded")
    assert [each["actionName"] for each in scene.actions(second)] == ["Source"]


def test_parallel_executions_are_in_one_stage_at_once(scene: Scene) -> None:
    first = scene.create([scene.approval()], mode="PARALLEL")
    second = scene.start()

    def in_approval(run: str) -> list[str]:
        return [each["status"] for each in scene.actions(run) if each["actionName"] == "Approval"]

    eventually(lambda: (in_approval(first), in_approval(second)), lambda found: found == (
        ["InProgress"], ["InProgress"]))
    # The action's state has one token, not two: each execution's token is its action execution's external ID.
    # https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html
    assert "token" not in str(scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1]["actionStates"])
    for run, decision in ((second, "Approved"), (first, "Rejected")):
        token = eventually(lambda run=run: scene.action(run, "Approval")["output"].get("executionResult", {}).get(
            "externalExecutionId"), bool)
        scene.pipelines.put_approval_result(pipelineName=scene.name, stageName="Approval", actionName="Approval",
                                            token=token, result={"status": decision, "summary": ""})
    assert (scene.ended(first), scene.ended(second)) == ("Failed", "Succeeded")


def test_update_starts_nothing_and_lets_running_action_finish(scene: Scene) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html
    first = scene.create([scene.approval()], [scene.build()])
    scene.approval_state(first)
    second = scene.start()
    eventually(lambda: waiting_before(scene, "Approval"), lambda waiting: waiting == [second])
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.build()], [scene.approval()]))
    assert scene.ended(second) == "Cancelled"
    assert scene.status(first) == "InProgress"
    scene.decide(first)
    assert scene.ended(first) == "Cancelled"
    assert [(each["actionName"], each["status"]) for each in scene.actions(first)] == [
        ("Source", "Succeeded"), ("Approval", "Succeeded")]
    assert [each["pipelineExecutionId"] for each in scene.executions()] == [second, first]
    about = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    assert (about["version"], about["stages"][1]["name"]) == (2, "Build")
    assert scene.pipelines.get_pipeline(name=scene.name, version=1)["pipeline"]["stages"][1]["name"] == "Approval"
    assert error_of(scene.pipelines.get_pipeline, name=scene.name, version=3)[0] == "PipelineVersionNotFoundException"


def test_update_may_cancel_a_waiting_approval_at_once(scene: Scene) -> None:
    scene.aws.set(updates_cancel_approvals=1)
    first = scene.create([scene.approval()], [scene.build()])
    scene.approval_state(first)
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()], [scene.build()]))
    assert scene.ended(first) == "Cancelled"
    assert scene.action(first, "Approval")["status"] == "Abandoned"
    assert len(scene.executions()) == 1


def test_approval_removed_by_update_is_not_waited_for(scene: Scene) -> None:
    first = scene.create([scene.approval()], [scene.build()])
    scene.approval_state(first)
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.build()]))
    assert scene.ended(first) == "Cancelled"
    assert scene.action(first, "Approval")["status"] == "Abandoned"
    assert scene.ended(scene.start()) == "Succeeded"


def test_stopped_execution_finishes_action_unless_abandoned(scene: Scene) -> None:
    first = scene.create([scene.approval()], [scene.build()])
    scene.approval_state(first)
    which = {"pipelineName": scene.name, "pipelineExecutionId": first}
    scene.pipelines.stop_pipeline_execution(**which, reason="enough")
    assert scene.status(first) == "Stopping"
    assert error_of(scene.pipelines.stop_pipeline_execution, **which)[0] == "DuplicatedStopRequestException"
    scene.decide(first)
    assert scene.ended(first) == "Stopped"
    assert [(each["actionName"], each["status"]) for each in scene.actions(first)] == [
        ("Source", "Succeeded"), ("Approval", "Succeeded")]
    assert scene.executions()[0]["stopTrigger"] == {"reason": "enough"}
    assert error_of(scene.pipelines.stop_pipeline_execution, **which)[0] == "PipelineExecutionNotStoppableException"
    second = scene.start()
    scene.approval_state(second)
    scene.pipelines.stop_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=second, abandon=True)
    assert scene.ended(second) == "Stopped"
    assert scene.action(second, "Approval")["status"] == "Abandoned"


def test_executions_are_listed_newest_first_in_pages(scene: Scene) -> None:
    runs = [scene.create([scene.build()], mode="PARALLEL"), scene.start(), scene.start()]
    for run in runs:
        scene.ended(run)
    seen, more = [], {}
    while True:
        page = scene.pipelines.list_pipeline_executions(pipelineName=scene.name, maxResults=2, **more)
        seen += [each["pipelineExecutionId"] for each in page["pipelineExecutionSummaries"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert seen == runs[::-1]
    assert error_of(scene.pipelines.list_pipeline_executions, pipelineName=scene.name,
                   nextToken="nonsense")[0] == "InvalidNextTokenException"


def test_no_more_than_fifty_executions_wait(scene: Scene) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
    first = scene.create([scene.approval()])
    scene.approval_state(first)
    runs = [scene.start() for _ in range(49)]
    assert error_of(scene.pipelines.start_pipeline_execution, name=scene.name)[0] == (
        "ConcurrentPipelineExecutionsLimitExceededException")
    scene.pipelines.delete_pipeline(name=scene.name)
    assert len(runs) == 49


def test_deleted_pipeline_ends_its_executions(scene: Scene) -> None:
    first = scene.create([scene.approval()])
    scene.approval_state(first)
    scene.pipelines.delete_pipeline(name=scene.name)
    assert error_of(scene.pipelines.get_pipeline_state, name=scene.name)[0] == "PipelineNotFoundException"
    # A repeated deletion ("If the pipeline was already deleted") returns no error.
    scene.pipelines.delete_pipeline(name=scene.name)
    again = scene.create([scene.approval()])
    scene.decide(again)
    assert scene.ended(again) == "Succeeded"


def test_tags_are_listed_added_and_removed(scene: Scene) -> None:
    scene.pipelines.create_pipeline(pipeline=scene.declaration([scene.build()]), tags=[{"key": "a", "value": "1"}])
    arn = scene.arn("codepipeline", scene.name)
    scene.pipelines.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    scene.pipelines.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert scene.pipelines.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    assert error_of(scene.pipelines.list_tags_for_resource, resourceArn=f"{arn}-not")[0] == "ResourceNotFoundException"
    assert error_of(scene.pipelines.tag_resource, resourceArn=arn,
                   tags=[{"key": "aws:b", "value": "2"}])[0] == "InvalidTagsException"
