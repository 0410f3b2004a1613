"""Conditions of stages: alarms after a deployment, alarms and deployment windows on entry.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-CloudWatchAlarm.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import eventually, one_for_many
from local.aws.codepipeline.tests.stage_scene import CLOSED, OPEN, StageScene, alarm_rule, condition, window_rule
from local.aws.testing import error_of


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> StageScene:
    return one_for_many(StageScene, running, tmp_path_factory.mktemp("conditions"))


@pytest.fixture
def scene(aws: LocalAws, shared: StageScene) -> Iterator[StageScene]:
    """Without a pipeline and alarms yet. A minute of a rule is short."""
    aws.set(credential_accepted_after_seconds=0, rule_minute_seconds=0.3)
    given = copy.deepcopy(shared.rights)
    yield shared
    shared.rights = given
    shared.allow("pipeline", given["pipeline"])
    shared.pipelines.delete_pipeline(name=shared.name)
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=shared.name)["MetricAlarms"]
    aws.client("cloudwatch").delete_alarms(AlarmNames=[each["AlarmName"] for each in alarms])


def after_success(scene: StageScene, result: str, *rules: dict) -> str:
    """An execution whose second stage succeeded and has this condition."""
    run = scene.begin({"Approval": {"onSuccess": condition(result, *rules)}}, [scene.approval()])
    scene.decide(run)
    return run


def before_entry(scene: StageScene, *rules: dict, mode: str = "QUEUED") -> str:
    return scene.begin({"Approval": {"beforeEntry": condition("FAIL", *rules)}}, [scene.approval()], mode=mode)


# --- after the stage's success -----------------------------------------------------------


def test_alarm_within_the_wait_fails_the_stage(scene: StageScene) -> None:
    run = after_success(scene, "FAIL", alarm_rule(scene.alarm("OK"), 10_000))
    scene.condition_runs("Approval", "onSuccess")
    assert (scene.status(run), scene.stage("Approval")["latestExecution"]["status"]) == ("InProgress", "InProgress")
    name = scene.alarm("ALARM")
    assert scene.ended(run) == "Failed"
    assert scene.stage("Approval")["latestExecution"]["status"] == "Failed"
    assert scene.condition_status("Approval", "onSuccess") == "Failed"
    assert scene.rules(run) == [("Alarm", "Failed", f"The alarm {name} is in the state ALARM")]
    assert {each["status"] for each in scene.actions(run)} == {"Succeeded"}
    about = scene.pipelines.get_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=run)["pipelineExecution"]
    assert about["statusSummary"] == f"Rule Alarm failed: The alarm {name} is in the state ALARM"


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_wait_without_an_alarm_lets_the_stage_succeed(scene: StageScene, state: str) -> None:
    started = time.time()
    run = after_success(scene, "FAIL", alarm_rule(scene.alarm(state), 2))
    assert scene.ended(run) == "Succeeded"
    assert time.time() - started >= 0.6
    assert scene.rules(run)[0][1] == "Succeeded"


def test_one_alarm_of_several_fails_the_condition(scene: StageScene) -> None:
    rules = [alarm_rule(scene.alarm("ALARM" if each == 3 else "OK", f"-{each}"), 10_000, f"Alarm{each}")
             for each in range(5)]
    run = after_success(scene, "FAIL", *rules)
    assert scene.ended(run) == "Failed"
    assert sorted(status for _, status, _ in scene.rules(run)) == ["Abandoned"] * 4 + ["Failed"]


def test_absent_alarm_fails_the_condition(scene: StageScene) -> None:
    run = after_success(scene, "FAIL", alarm_rule(f"{scene.name}-absent"))
    assert scene.ended(run) == "Failed"
    assert "does not exist" in scene.rules(run)[0][2]


def test_alarm_rule_without_describe_alarms_fails(scene: StageScene) -> None:
    scene.without("pipeline", "cloudwatch:DescribeAlarms")
    name = scene.alarm("OK")
    run = after_success(scene, "FAIL", alarm_rule(name))
    assert scene.ended(run) == "Failed"
    found = scene.stage("Approval")["onSuccessConditionState"]["conditionStates"][0]["ruleStates"][0]["latestExecution"]
    assert found["errorDetails"]["code"] == "PermissionError"
    assert f"cloudwatch:DescribeAlarms on resource: {scene.arn('cloudwatch', f'alarm:{name}')}" in (
        found["errorDetails"]["message"])


def test_composite_alarm_needs_describe_alarms_on_all(scene: StageScene) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    name = f"{scene.name}-composite"
    scene.aws.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{scene.alarm("OK")}")')
    run = after_success(scene, "FAIL", alarm_rule(name))
    assert scene.ended(run) == "Failed"
    assert "cloudwatch:DescribeAlarms on resource: *" in scene.rules(run)[0][2]
    scene.allow("pipeline", {**scene.rights["pipeline"], "cloudwatch:DescribeAlarms": ("*", {})})
    again = scene.start()
    scene.decide(again)
    assert scene.ended(again) == "Succeeded"
    scene.aws.client("cloudwatch").delete_alarms(AlarmNames=[name])


def test_success_condition_is_overridden(scene: StageScene) -> None:
    run = after_success(scene, "FAIL", alarm_rule(scene.alarm("OK"), 10_000))
    scene.condition_runs("Approval", "onSuccess")
    which = {"pipelineName": scene.name, "stageName": "Approval", "pipelineExecutionId": run}
    assert error_of(scene.pipelines.override_stage_condition, **which,
                    conditionType="BEFORE_ENTRY")[0] == "ConditionNotOverridableException"
    scene.pipelines.override_stage_condition(**which, conditionType="ON_SUCCESS")
    assert scene.ended(run) == "Succeeded"
    assert scene.condition_status("Approval", "onSuccess") == "Overridden"
    assert scene.rules(run)[0][1] == "Abandoned"


# --- on entry ----------------------------------------------------------------------------


def test_entry_waits_until_the_alarm_is_ok(scene: StageScene) -> None:
    run = before_entry(scene, alarm_rule(scene.alarm("ALARM"), 10_000))
    scene.condition_runs("Approval", "beforeEntry")
    assert [each["actionName"] for each in scene.actions(run)] == ["Source"]
    scene.alarm("OK")
    scene.decide(run)
    assert scene.ended(run) == "Succeeded"


def test_alarm_during_the_whole_wait_blocks_entry(scene: StageScene) -> None:
    run = before_entry(scene, alarm_rule(scene.alarm("ALARM"), 1))
    assert scene.ended(run) == "Failed"
    assert [each["actionName"] for each in scene.actions(run)] == ["Source"]
    assert scene.stage("Approval")["latestExecution"] == {"pipelineExecutionId": run, "status": "Failed"}


def test_open_window_allows_entry(scene: StageScene) -> None:
    run = before_entry(scene, window_rule(OPEN))
    scene.decide(run)
    assert scene.ended(run) == "Succeeded"
    assert scene.rules(run) == [("Window", "Succeeded", "The deployment window is open")]


def test_closed_window_holds_the_execution_until_it_opens(scene: StageScene) -> None:
    tomorrow = time.gmtime(time.time() + 86400)
    run = before_entry(scene, window_rule(f"* * * {tomorrow.tm_mday} {tomorrow.tm_mon} ? *"))
    scene.condition_runs("Approval", "beforeEntry")
    assert scene.status(run) == "InProgress"
    scene.aws.set(deployment_windows_ahead_seconds=86400)
    scene.decide(run)
    assert scene.ended(run) == "Succeeded"


def test_executions_queue_behind_one_that_waits_for_a_window(scene: StageScene) -> None:
    first = before_entry(scene, window_rule(CLOSED))
    scene.condition_runs("Approval", "beforeEntry")
    second = scene.start()
    eventually(lambda: [each["pipelineExecutionId"] for each in scene.stage("Approval").get("inboundExecutions", [])],
               lambda waiting: waiting == [second])
    scene.pipelines.override_stage_condition(pipelineName=scene.name, stageName="Approval", pipelineExecutionId=first,
                                             conditionType="BEFORE_ENTRY")
    scene.decide(first)
    assert scene.ended(first) == "Succeeded"
    scene.condition_runs("Approval", "beforeEntry")
    assert scene.status(second) == "InProgress"


def test_rule_with_a_timeout_fails_when_the_window_stays_closed(scene: StageScene) -> None:
    run = before_entry(scene, {**window_rule(CLOSED), "timeoutInMinutes": 5})
    assert scene.ended(run) == "Failed"
    assert scene.rules(run) == [("Window", "Failed", "The rule timed out after 5 minutes")]


def test_stopped_execution_does_not_wait_for_the_window(scene: StageScene) -> None:
    run = before_entry(scene, window_rule(CLOSED))
    scene.condition_runs("Approval", "beforeEntry")
    scene.pipelines.stop_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=run)
    assert scene.ended(run) == "Stopped"
    assert scene.rules(run)[0][1] == "Abandoned"


def test_update_cancels_an_execution_that_waits_for_a_window(scene: StageScene) -> None:
    run = before_entry(scene, window_rule(CLOSED))
    scene.condition_runs("Approval", "beforeEntry")
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()]))
    assert scene.ended(run) == "Cancelled"
