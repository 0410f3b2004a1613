"""Conditions and rollbacks of stages. `test_alarm_after_a_deployment_rolls_it_back` deploys both.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.local.aws.codepipeline import deployment_window
from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import eventually

ROLLBACK = {"onFailure": {"result": "ROLLBACK"}}
CLOSED = "* * * ? * * 2199"


def condition(result: str, provider: str, *configurations: dict[str, str]) -> dict[str, Any]:
    """A condition with a rule for each configuration."""
    return {"conditions": [{"result": result, "rules": [
        {"name": f"Rule{index}", "configuration": given,
         "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}}
        for index, given in enumerate(configurations)]}]}


def alarm(scene: Scene, state: str, suffix: str = "") -> str:
    """Creates an alarm in this state, and returns its name."""
    cloudwatch, name = scene.aws.client("cloudwatch"), f"{scene.name}{suffix}"
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace=scene.name, MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
    return name


def summary(scene: Scene, run: str) -> str:
    found = scene.pipelines.get_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=run)
    return str(found["pipelineExecution"].get("statusSummary", ""))


# --- alarms after the stage's success -----------------------------------------------------


@pytest.mark.parametrize(("states", "status", "reason"), [
    (["OK", "INSUFFICIENT_DATA"], "Succeeded", ""), (["OK", "ALARM"], "Failed", "is in the state ALARM"),
    (["OK", "absent"], "Failed", "does not exist"), (["denied"], "Failed", "cloudwatch:DescribeAlarms on resource"),
])
def test_stage_succeeds_only_without_an_alarm(scene: Scene, states: list[str], status: str, reason: str) -> None:
    if states == ["denied"]:
        scene.without("pipeline", "cloudwatch:DescribeAlarms")
    names = [f"{scene.name}-absent" if state == "absent" else alarm(scene, state.replace("denied", "OK"), f"-{index}")
             for index, state in enumerate(states)]
    rules = [{"AlarmName": name, "WaitTime": "2"} for name in names]
    run = scene.create([scene.build()], onSuccess=condition("FAIL", "CloudWatchAlarm", *rules))
    assert scene.ended(run) == status
    assert reason in summary(scene, run)
    assert {each["status"] for each in scene.actions(run)} == {"Succeeded"}


def test_alarm_within_the_wait_fails_the_stage(scene: Scene) -> None:
    rule = {"AlarmName": alarm(scene, "OK"), "WaitTime": "10000"}
    run = scene.create([scene.build()], onSuccess=condition("FAIL", "CloudWatchAlarm", rule))
    eventually(lambda: [each for each in scene.actions(run)
                        if (each["actionName"], each["status"]) == ("Build", "Succeeded")])
    assert scene.status(run) == "InProgress"
    alarm(scene, "ALARM")
    assert scene.ended(run) == "Failed"


# --- a window before the stage's entry ------------------------------------------------------


def test_closed_window_holds_the_execution_until_an_update(scene: Scene) -> None:
    entry = {"beforeEntry": condition("FAIL", "DeploymentWindow", {"Cron": CLOSED, "TimeZone": "Europe/Berlin"})}
    first = scene.create([scene.approval()], **entry)
    eventually(lambda: scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1].get("latestExecution"))
    second = scene.start()
    eventually(lambda: scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1].get("inboundExecutions"))
    assert (scene.status(first), scene.status(second)) == ("InProgress", "InProgress")
    assert [each["actionName"] for each in scene.actions(first)] == ["Source"]
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()]))
    assert (scene.ended(first), scene.ended(second)) == ("Cancelled", "Cancelled")


@pytest.mark.parametrize(("cron", "zone", "is_open"), [
    ("* * * ? * * *", "UTC", True), (CLOSED, "UTC", False), ("* * 9-17 ? * MON-FRI *", "UTC", True),
    ("* * 9-17 ? * mon-fri", "UTC", True), ("* * 9-17 ? * SAT,SUN *", "UTC", False),
    ("* 0-4 9 ? * * *", "UTC", False), ("0 0/5 9 ? * * *", "UTC", True), ("* * 10 ? * * *", "Europe/Berlin", True),
    ("* * 9 ? * * *", "Europe/Berlin", False), ("* * * ? DEC * *", "UTC", False),
])
def test_window_is_open_when_the_minute_matches(cron: str, zone: str, is_open: bool) -> None:
    at = datetime(2026, 11, 30, 9, 5, 30, tzinfo=UTC).timestamp()  # a Monday
    assert deployment_window.parse({"Cron": cron, "TimeZone": zone}).is_open(at) == is_open


# --- rollbacks ---------------------------------------------------------------------------


def decided(scene: Scene, run: str, *decisions: str) -> str:
    """The final status of this execution, after these decisions about it and the rollbacks that follow it."""
    for decision in decisions:
        scene.decide(run, decision)
        status = scene.ended(run)
        run = scene.executions()[0]["pipelineExecutionId"]
    return status


def test_failed_stage_is_rolled_back_before_waiting_executions(scene: Scene) -> None:
    decided(scene, scene.create([scene.approval()], **ROLLBACK), "Approved")
    failed, commit = scene.start(), scene.head()
    scene.approval_state(failed)
    scene.push(message="Later")
    waiting = scene.start()
    eventually(lambda: scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"][1].get("inboundExecutions"))
    scene.decide(failed, "Rejected")
    rollback = eventually(lambda: scene.executions()[0], lambda newest: newest["pipelineExecutionId"] != waiting)
    assert rollback["trigger"] == {"triggerType": "AutomatedRollback",
                                   "triggerDetail": f'{{"FailedPipelineExecutionId":"{failed}"}}'}
    assert (rollback["executionType"], rollback["sourceRevisions"][0]["revisionId"]) == ("ROLLBACK", commit)
    assert scene.ended(failed) == "Failed"
    scene.decide(rollback["pipelineExecutionId"])
    scene.decide(waiting)
    assert (scene.ended(rollback["pipelineExecutionId"]), scene.ended(waiting)) == ("Succeeded", "Succeeded")
    assert [each["actionName"] for each in scene.actions(rollback["pipelineExecutionId"])] == ["Approval"]


@pytest.mark.parametrize(("succeeds", "changes"), [(False, False), (True, True)],
                         ids=["without an earlier success", "after a change of the pipeline"])
def test_stage_without_a_target_only_fails(scene: Scene, succeeds: bool, changes: bool) -> None:
    run = scene.create([scene.approval()], **ROLLBACK)
    if succeeds:
        decided(scene, run, "Approved")
    if changes:
        scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.approval()], **ROLLBACK))
        run = scene.start()
    assert decided(scene, run, "Rejected") == "Failed"
    assert {each["executionType"] for each in scene.executions()} == {"STANDARD"}


def test_failed_rollback_is_not_rolled_back(scene: Scene) -> None:
    decided(scene, scene.create([scene.approval()], **ROLLBACK), "Approved")
    assert decided(scene, scene.start(), "Rejected", "Rejected") == "Failed"
    assert [each["executionType"] for each in scene.executions()] == ["ROLLBACK", "STANDARD", "STANDARD"]
