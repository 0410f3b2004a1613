"""Declarations of stages with conditions, retries and rollbacks, and alarms for their rules."""

from __future__ import annotations

from typing import Any

from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually

OPEN, CLOSED = "* * * ? * * *", "* * * ? * * 2199"


def alarm_rule(name: str, minutes: int | None = None, called: str = "Alarm") -> dict[str, Any]:
    wait = {} if minutes is None else {"WaitTime": str(minutes)}
    return _rule(called, "CloudWatchAlarm", {"AlarmName": name, **wait})


def window_rule(cron: str, called: str = "Window", **zone: str) -> dict[str, Any]:
    return _rule(called, "DeploymentWindow", {"Cron": cron, **zone})


def _rule(called: str, provider: str, configuration: dict[str, str]) -> dict[str, Any]:
    return {"name": called, "configuration": configuration,
            "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}}


def condition(result: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"result": result, "rules": list(rules)}]}


class StageScene(Scene):
    def all_rights(self) -> dict[str, tuple[str, dict[str, Any]]]:
        alarms = self.arn("cloudwatch", f"alarm:{self.name}*")
        return {**self.rights["pipeline"], "cloudwatch:DescribeAlarms": (alarms, {})}

    def prepare(self, *given: Any, **more: Any) -> None:
        self.rights["pipeline"] = self.all_rights()
        super().prepare(*given, **more)

    def behaving(self, behaviour: dict[str, dict[str, Any]], *stages: list[dict[str, Any]],
                 mode: str = "QUEUED") -> dict[str, Any]:
        """A declaration whose stages have these additional members."""
        made = self.declaration(*stages, mode=mode)
        for stage in made["stages"]:
            stage.update(behaviour.get(stage["name"], {}))
        return made

    def begin(self, behaviour: dict[str, dict[str, Any]], *stages: list[dict[str, Any]], mode: str = "QUEUED") -> str:
        self.pipelines.create_pipeline(pipeline=self.behaving(behaviour, *stages, mode=mode))
        return str(self.executions()[-1]["pipelineExecutionId"])

    def alarm(self, state: str, suffix: str = "") -> str:
        """Sets the alarm's state and returns its name. Creates the alarm if it does not exist."""
        cloudwatch, name = self.aws.client("cloudwatch"), f"{self.name}{suffix}"
        if not cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            cloudwatch.put_metric_alarm(
                AlarmName=name, Namespace=self.name, MetricName="Errors", Statistic="Sum", Period=60,
                EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
        return name

    def stage(self, name: str) -> dict[str, Any]:
        """The stage in GetPipelineState's response."""
        found: dict[str, Any] = next(each for each in self.pipelines.get_pipeline_state(name=self.name)["stageStates"]
                                     if each["stageName"] == name)
        return found

    def condition_status(self, stage: str, kind: str) -> str:
        return str(self.stage(stage).get(f"{kind}ConditionState", {}).get("latestExecution", {}).get("status", ""))

    def condition_runs(self, stage: str, kind: str) -> None:
        eventually(lambda: self.condition_status(stage, kind), lambda status: status == "InProgress")

    def rules(self, execution: str) -> list[tuple[str, str, str]]:
        """The rules' names, statuses and summaries, oldest first."""
        found = self.pipelines.list_rule_executions(pipelineName=self.name, filter={
            "pipelineExecutionId": execution})["ruleExecutionDetails"][::-1]
        return [(each["ruleName"], each["status"], each.get("output", {}).get("executionResult", {}).get(
            "externalExecutionSummary", "")) for each in found]

    def reject(self, execution: str) -> None:
        """Rejects the approval, so that its stage fails."""
        self.decide(execution, "Rejected")

    def newest(self) -> dict[str, Any]:
        return self.executions()[0]
