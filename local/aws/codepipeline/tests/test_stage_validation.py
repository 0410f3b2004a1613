"""Invalid stages, each with one mistake, and CodePipeline's error.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html (considerations)
https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline import deployment_window
from local.aws.codepipeline.tests.pipeline_scene import one_for_many
from local.aws.codepipeline.tests.stage_scene import CLOSED, OPEN, StageScene, alarm_rule, condition, window_rule
from local.aws.testing import error_of

STAGE, STRUCTURE, MODEL = "InvalidStageDeclarationException", "InvalidStructureException", "ValidationException"
ALARM, WINDOW = alarm_rule("an-alarm", 10), window_rule(OPEN)


@pytest.fixture(scope="module")
def scene(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> StageScene:
    return one_for_many(StageScene, running, tmp_path_factory.mktemp("behaviour"))


def on_failure(result: str | None, **more: Any) -> dict[str, Any]:
    return {"onFailure": {**({"result": result} if result else {}), **more}}


def entry(*rules: dict[str, Any], result: str = "FAIL") -> dict[str, Any]:
    return {"beforeEntry": condition(result, *rules)}


def success(*rules: dict[str, Any], result: str = "FAIL") -> dict[str, Any]:
    return {"onSuccess": condition(result, *rules)}


def changed(rule: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**rule, **changes}


def window(cron: str, **zone: str) -> dict[str, Any]:
    return entry(window_rule(cron, **zone))


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("conditions on failure", on_failure("ROLLBACK", **condition("ROLLBACK", ALARM)), STAGE,
     "Conditions in onFailure of stage Approval is not part"),
    ("fail as the result of a failure", on_failure("FAIL"), STAGE, "one of the results ROLLBACK"),
    ("skip as the result of a failure", on_failure("SKIP"), STAGE, "one of the results ROLLBACK"),
    ("an unknown result", on_failure("CONTINUE"), MODEL, "enum value set"),
    ("an automatic retry", on_failure("RETRY"), STAGE, "An automatic retry of stage Approval is not part"),
    ("rollback on entry", entry(ALARM, result="ROLLBACK"), STAGE, "one of the results FAIL, SKIP"),
    ("skip with an alarm", entry(ALARM, result="SKIP"), STAGE, "does not support the rule CloudWatchAlarm"),
    ("skip with a window", entry(WINDOW, result="SKIP"), STAGE, "does not support the rule DeploymentWindow"),
    ("retry after success", success(ALARM, result="RETRY"), STAGE, "one of the results ROLLBACK, FAIL"),
    ("no rules", {"onSuccess": {"conditions": [{"result": "FAIL"}]}}, STAGE, "has no rules"),
    ("six rules", success(*(changed(ALARM, name=f"Alarm{each}") for each in range(6))), MODEL,
     "length less than or equal to 5"),
    ("two conditions", {"onSuccess": {"conditions": condition("FAIL", ALARM)["conditions"] * 2}}, MODEL,
     "length less than or equal to 1"),
    ("two rules of one name", success(ALARM, ALARM), STAGE, "Rule names must be unique"),
    ("an alarm rule without an alarm", success(changed(ALARM, configuration={"WaitTime": "1"})), STAGE,
     "missing required configuration 'AlarmName'"),
    ("an unknown configuration key", success(changed(ALARM, configuration={"AlarmName": "a", "Wait": "1"})), STAGE,
     "unknown configuration 'Wait'"),
    ("a wait that is not a number", success(changed(ALARM, configuration={"AlarmName": "a", "WaitTime": "1h"})), STAGE,
     "WaitTime must be a number of minutes"),
    ("a window without an expression", entry(changed(WINDOW, configuration={"TimeZone": "UTC"})), STAGE, "'Cron'"),
    ("an expression without seconds", window("* 9-17 ? * MON-FRI *"), STAGE, "one of day of month and day of week"),
    ("an expression of five fields", window("0 9 * * 1"), STAGE, "does not have the fields"),
    ("an hour out of range", window("* * 24 ? * * *"), STAGE, "out of range"),
    ("both days", window("* * 9 1 * MON *"), STAGE, "one of day of month and day of week must be ?"),
    ("an unknown time zone", window(OPEN, TimeZone="Mars/Phobos"), STAGE, "TimeZone 'Mars/Phobos' is not known"),
    ("another provider", entry(changed(ALARM, ruleTypeId={"category": "Rule", "provider": "LambdaInvoke"})), STAGE,
     "Provider: 'LambdaInvoke'"),
    ("another region", entry(changed(ALARM, region="us-east-1")), STAGE, "region us-east-1 is not part"),
    ("input artifacts", entry(changed(ALARM, inputArtifacts=[{"name": "SourceArtifact"}])), STAGE,
     "does not accept inputArtifacts"),
]


@pytest.mark.parametrize(("behaviour", "code", "message"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_mistake_in_a_stage_is_rejected(scene: StageScene, behaviour: dict[str, Any], code: str, message: str) -> None:
    pipeline = scene.behaving({"Approval": behaviour}, [scene.approval()])
    found = error_of(scene.pipelines.create_pipeline, pipeline=pipeline)
    assert found[0] == code, found
    assert message in found[2]


@pytest.mark.parametrize("behaviour", [on_failure("ROLLBACK"), success(ALARM, result="ROLLBACK")])
def test_rollback_is_rejected_in_parallel_and_source_stages(scene: StageScene, behaviour: dict[str, Any]) -> None:
    parallel = scene.behaving({"Approval": behaviour}, [scene.approval()], mode="PARALLEL")
    code, _, message = error_of(scene.pipelines.create_pipeline, pipeline=parallel)
    assert (code, "PARALLEL" in message) == (STAGE, True)
    source = scene.behaving({"Source": behaviour}, [scene.approval()])
    assert "cannot roll back a source stage" in error_of(scene.pipelines.create_pipeline, pipeline=source)[2]


@pytest.mark.parametrize("behaviour", [on_failure("ROLLBACK"), entry(WINDOW), success(ALARM)])
def test_stage_behaviour_needs_pipeline_type_v2(scene: StageScene, behaviour: dict[str, Any]) -> None:
    pipeline = {**scene.behaving({"Approval": behaviour}, [scene.approval()], mode="SUPERSEDED"), "pipelineType": "V1"}
    assert error_of(scene.pipelines.create_pipeline, pipeline=pipeline)[0] == STRUCTURE


@pytest.mark.parametrize(("mode", "behaviour"), [
    ("PARALLEL", {**entry(WINDOW, ALARM), **success(ALARM)}),
    ("QUEUED", {**on_failure("ROLLBACK"), **entry(WINDOW), **success(ALARM, result="ROLLBACK")}),
])
def test_valid_combinations_are_accepted(scene: StageScene, mode: str, behaviour: dict[str, Any]) -> None:
    scene.pipelines.create_pipeline(pipeline=scene.behaving({"Approval": behaviour}, [scene.approval()], mode=mode))
    scene.pipelines.delete_pipeline(name=scene.name)


@pytest.mark.parametrize(("cron", "zone", "is_open"), [
    (OPEN, "UTC", True), (CLOSED, "UTC", False), ("* * 9-17 ? * MON-FRI *", "UTC", True),
    ("* * 9-17 ? * mon-fri", "UTC", True), ("* * 9-17 ? * SAT,SUN *", "UTC", False),
    ("* 0-4 9 ? * * *", "UTC", False), ("0 0/5 9 ? * * *", "UTC", True), ("* * 10 ? * * *", "Europe/Berlin", True),
    ("* * 9 ? * * *", "Europe/Berlin", False), ("* * 14 ? * * *", "UTC+05:00", True), ("* * 1 ? * * *", "PST", True),
    ("* * * L * ? *", "UTC", True), ("* * * ? * 2#5 *", "UTC", True), ("* * * ? * 2L *", "UTC", True),
    ("* * * 30W * ? *", "UTC", True), ("* * * ? DEC * *", "UTC", False),
])
def test_window_is_open_when_the_minute_matches(cron: str, zone: str, is_open: bool) -> None:
    # The last day of November 2026 is its fifth Monday.
    at = datetime(2026, 11, 30, 9, 5, 30, tzinfo=UTC).timestamp()
    assert deployment_window.parse({"Cron": cron, "TimeZone": zone}).is_open(at) == is_open
