"""Rollbacks and retries of stages.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import eventually, one_for_many
from local.aws.codepipeline.tests.stage_scene import CLOSED, StageScene, alarm_rule, condition, window_rule
from local.aws.testing import error_of

ROLLBACK = {"onFailure": {"result": "ROLLBACK"}}


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> StageScene:
    return one_for_many(StageScene, running, tmp_path_factory.mktemp("rollbacks"))


@pytest.fixture
def scene(aws: LocalAws, shared: StageScene) -> Iterator[StageScene]:
    aws.set(credential_accepted_after_seconds=0, rule_minute_seconds=0.3)
    yield shared
    shared.pipelines.delete_pipeline(name=shared.name)


def events_of(scene: StageScene) -> Any:
    """A function that returns the events so far: kind, stage or action, state."""
    sqs, name = scene.aws.client("sqs"), f"events-{scene.name}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    scene.aws.client("events").put_rule(Name=name, EventPattern=json.dumps(
        {"source": ["aws.codepipeline"], "resources": [scene.arn("codepipeline", scene.name)]}))
    scene.aws.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": scene.arn("sqs", name)}])
    seen: list[dict[str, Any]] = []

    def received() -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            seen.append(json.loads(message["Body"]))
        return seen

    return received


def shown(events: list[dict[str, Any]], execution: str) -> list[tuple[str, str]]:
    return [(each["detail-type"].split()[1], each["detail"]["state"]) for each in events
            if each["detail"]["execution-id"] == execution]


def one_success(scene: StageScene, behaviour: dict[str, Any], **more: Any) -> str:
    """The execution that a later one can be rolled back to."""
    first = scene.begin({"Approval": behaviour}, [scene.approval()], **more)
    scene.decide(first)
    assert scene.ended(first) == "Succeeded"
    return first


def rollback_of(scene: StageScene, failed: str) -> dict[str, Any]:
    """Waits for the rollback of this execution, which is then the newest."""
    found: dict[str, Any] = eventually(scene.newest, lambda newest: newest["pipelineExecutionId"] != failed)
    return found


# --- rollback ----------------------------------------------------------------------------


def test_failed_stage_is_rolled_back_to_the_latest_success(scene: StageScene) -> None:
    one_success(scene, ROLLBACK)
    second = scene.start()
    scene.decide(second)
    commit = scene.head()
    scene.push(message="Later")
    failed = scene.start()
    scene.reject(failed)
    assert scene.ended(failed) == "Failed"
    rollback = rollback_of(scene, failed)
    assert rollback["trigger"] == {"triggerType": "AutomatedRollback",
                                   "triggerDetail": json.dumps({"FailedPipelineExecutionId": failed}).replace(" ", "")}
    assert (rollback["executionType"], rollback["rollbackMetadata"]) == (
        "ROLLBACK", {"rollbackTargetPipelineExecutionId": second})
    assert rollback["sourceRevisions"][0]["revisionId"] == commit
    scene.decide(rollback["pipelineExecutionId"])
    assert scene.ended(rollback["pipelineExecutionId"]) == "Succeeded"
    about = scene.pipelines.get_pipeline_execution(
        pipelineName=scene.name, pipelineExecutionId=rollback["pipelineExecutionId"])["pipelineExecution"]
    assert (about["executionType"], about["artifactRevisions"][0]["revisionId"]) == ("ROLLBACK", commit)
    assert [each["actionName"] for each in scene.actions(rollback["pipelineExecutionId"])] == ["Approval"]
    assert scene.stage("Approval")["latestExecution"]["type"] == "ROLLBACK"
    assert "type" not in scene.stage("Source")["latestExecution"]
    kinds = [each["executionType"] for each in scene.executions()]
    assert kinds == ["ROLLBACK", "STANDARD", "STANDARD", "STANDARD"]


def test_rollback_deploys_the_artifacts_of_its_target(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = StageScene(aws, name, tmp_path)
    scene.prepare()
    aws.set(rule_minute_seconds=0.3)
    watched = {"onSuccess": condition("ROLLBACK", alarm_rule(scene.alarm("OK"), 2)), **ROLLBACK}
    first = scene.begin({"Deploy": watched}, [scene.deploy(artifact="SourceArtifact")])
    assert scene.ended(first) == "Succeeded", scene.actions(first)
    scene.push({"parameter.json": json.dumps({"Parameters": {"Word": "second"}})})
    aws.set(rule_minute_seconds=60)
    second = scene.start()
    eventually(lambda: scene.rules(second), lambda found: found and found[0][1] == "InProgress")
    assert scene.deployed() == "COMMIT second"
    scene.alarm("ALARM")
    assert scene.ended(second) == "Failed"
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html: "OnSuccess | Rollback | Succeeded"
    by_success = scene.pipelines.list_pipeline_executions(
        pipelineName=name, filter={"succeededInStage": {"stageName": "Deploy"}})["pipelineExecutionSummaries"]
    assert second in [each["pipelineExecutionId"] for each in by_success]
    rollback = rollback_of(scene, second)
    assert rollback["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == first
    assert scene.ended(rollback["pipelineExecutionId"]) == "Succeeded"
    assert scene.deployed() == "COMMIT first"


def test_stage_without_an_earlier_success_only_fails(scene: StageScene) -> None:
    failed = scene.begin({"Approval": ROLLBACK}, [scene.approval()])
    scene.reject(failed)
    assert scene.ended(failed) == "Failed"
    assert len(scene.executions()) == 1


def test_success_before_the_pipelines_change_is_not_a_target(scene: StageScene) -> None:
    one_success(scene, ROLLBACK)
    declared = scene.pipelines.get_pipeline(name=scene.name)["pipeline"]
    scene.pipelines.update_pipeline(pipeline=declared)
    failed = scene.start()
    scene.reject(failed)
    assert scene.ended(failed) == "Failed"
    assert len(scene.executions()) == 2


def test_failed_rollback_is_not_rolled_back(scene: StageScene) -> None:
    one_success(scene, ROLLBACK)
    failed = scene.start()
    scene.reject(failed)
    rollback = rollback_of(scene, failed)["pipelineExecutionId"]
    scene.reject(rollback)
    assert scene.ended(rollback) == "Failed"
    assert len(scene.executions()) == 3


def test_rollback_runs_before_waiting_executions(scene: StageScene) -> None:
    one_success(scene, ROLLBACK)
    failed = scene.start()
    scene.approval_state(failed)
    waiting = scene.start()
    eventually(lambda: scene.stage("Approval").get("inboundExecution", {}).get("pipelineExecutionId"),
               lambda found: found == waiting)
    scene.reject(failed)
    rollback = rollback_of(scene, waiting)["pipelineExecutionId"]
    assert scene.status(waiting) == "InProgress"
    scene.decide(rollback)
    scene.decide(waiting)
    assert (scene.ended(rollback), scene.ended(waiting)) == ("Succeeded", "Succeeded")


@pytest.mark.parametrize(("apply", "status"), [(0, "Succeeded"), (1, "InProgress")])
def test_rollback_and_entry_condition_follow_the_setting(scene: StageScene, apply: int, status: str) -> None:
    first = scene.begin({"Approval": {**ROLLBACK, "beforeEntry": condition("FAIL", window_rule(CLOSED))}},
                        [scene.approval()])
    override = {"pipelineName": scene.name, "stageName": "Approval", "conditionType": "BEFORE_ENTRY"}
    scene.condition_runs("Approval", "beforeEntry")
    scene.pipelines.override_stage_condition(**override, pipelineExecutionId=first)
    scene.decide(first)
    scene.ended(first)
    failed = scene.start()
    scene.condition_runs("Approval", "beforeEntry")
    scene.pipelines.override_stage_condition(**override, pipelineExecutionId=failed)
    scene.aws.set(conditions_apply_to_rollbacks=apply)
    scene.reject(failed)
    rollback = rollback_of(scene, failed)["pipelineExecutionId"]
    if apply:
        scene.condition_runs("Approval", "beforeEntry")
    else:
        scene.decide(rollback)
        scene.ended(rollback)
    assert scene.status(rollback) == status


def test_execution_that_a_condition_rolls_back_may_succeed(scene: StageScene) -> None:
    scene.aws.set(rolled_back_executions_succeed=1)
    watched = {"onSuccess": condition("ROLLBACK", alarm_rule(scene.alarm("OK"), 1))}
    one_success(scene, watched)
    second = scene.start()
    scene.alarm("ALARM")
    scene.decide(second)
    assert scene.ended(second) == "Succeeded"
    assert rollback_of(scene, second)["executionType"] == "ROLLBACK"


def test_stage_is_rolled_back_manually(scene: StageScene) -> None:
    first = one_success(scene, {})
    which = {"pipelineName": scene.name, "stageName": "Approval"}
    rollback = scene.pipelines.rollback_stage(**which, targetPipelineExecutionId=first)["pipelineExecutionId"]
    assert error_of(scene.pipelines.rollback_stage, **which,
                    targetPipelineExecutionId=first)[0] == "UnableToRollbackStageException"
    scene.decide(rollback)
    assert scene.ended(rollback) == "Succeeded"
    assert scene.newest()["trigger"]["triggerType"] == "ManualRollback"
    assert error_of(scene.pipelines.rollback_stage, **which,
                    targetPipelineExecutionId=rollback)[0] == "UnableToRollbackStageException"
    assert error_of(scene.pipelines.rollback_stage, pipelineName=scene.name, stageName="Source",
                    targetPipelineExecutionId=first)[0] == "UnableToRollbackStageException"
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()]))
    assert error_of(scene.pipelines.rollback_stage, **which,
                    targetPipelineExecutionId=first)[0] == "PipelineExecutionOutdatedException"


def test_rollback_event_has_the_trigger(scene: StageScene) -> None:
    one_success(scene, ROLLBACK)
    failed, received = scene.start(), events_of(scene)
    scene.reject(failed)
    rollback = rollback_of(scene, failed)["pipelineExecutionId"]
    scene.decide(rollback)
    eventually(lambda: shown(received(), rollback), lambda found: len(found) == 6)
    assert shown(received(), failed)[-1] == ("Pipeline", "FAILED")
    assert shown(received(), rollback) == [
        ("Pipeline", "STARTED"), ("Stage", "STARTED"), ("Action", "STARTED"), ("Action", "SUCCEEDED"),
        ("Stage", "SUCCEEDED"), ("Pipeline", "SUCCEEDED")]
    started = next(each["detail"] for each in received() if each["detail"]["execution-id"] == rollback)
    assert started["execution-trigger"]["trigger-type"] == "AutomatedRollback"


def test_stage_of_a_changed_pipeline_cannot_be_retried(scene: StageScene) -> None:
    failed = scene.begin({}, [scene.approval()])
    scene.reject(failed)
    scene.ended(failed)
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()]))
    assert error_of(scene.pipelines.retry_stage_execution, pipelineName=scene.name, pipelineExecutionId=failed,
                    stageName="Approval", retryMode="FAILED_ACTIONS")[0] == "StageNotRetryableException"


@pytest.mark.parametrize(("mode", "again"), [("FAILED_ACTIONS", ["Second"]), ("ALL_ACTIONS", ["First", "Second"])])
def test_retry_mode_selects_the_actions(scene: StageScene, mode: str, again: list[str]) -> None:
    approvals = [{**scene.approval(), "name": name, "runOrder": order}
                 for order, name in enumerate(("First", "Second"), 1)]
    run = scene.begin({}, approvals)
    scene.decide(run)
    eventually(lambda: len(scene.actions(run)), lambda count: count == 3)
    scene.reject(run)
    assert scene.ended(run) == "Failed"
    scene.pipelines.retry_stage_execution(pipelineName=scene.name, pipelineExecutionId=run, stageName="First",
                                          retryMode=mode)
    for count, _ in enumerate(again, 4):
        eventually(lambda count=count: len(scene.actions(run)), lambda found, count=count: found == count)
        scene.decide(run)
    assert scene.ended(run) == "Succeeded"
    assert scene.stage("First")["retryStageMetadata"] == {
        "manualStageRetryAttempt": 1, "latestRetryTrigger": "ManualStageRetry"}
    assert [each["actionName"] for each in scene.actions(run)] == ["Source", "First", "Second", *again]
    latest = scene.pipelines.list_action_executions(pipelineName=scene.name, filter={"latestInPipelineExecution": {
        "pipelineExecutionId": run, "startTimeRange": "Latest"}})["actionExecutionDetails"]
    assert sorted(each["actionName"] for each in latest) == ["First", "Second", "Source"]
    assert {each["status"] for each in latest} == {"Succeeded"}
