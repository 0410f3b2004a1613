"""Observers of CodePipeline's options: a pipeline of their own with an approval, a deployment and conditions."""

import contextlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.play.pipelines import Pipeline
from tests.play.steps import Stack
from tests.play.waiting import NotInTime, eventually
from tools.trial.observers import NotSeen, Seen, World
from tools.trial.observers.scenes import Scene, arn_of, error_of, role_of, scratch
from tools.trial.observers.sources import HANDLE, allows, archive, delete_stack, probe, seconds_until

# CodePipeline's shortest time to watch an alarm is a minute. Longer shows which failure came before its end.
_ALARM_MINUTES = 2
_PARAMETERS: dict[str, Any] = {"Number": 3, "Flag": True}
# In no minute of the next years, and in every minute.
_CLOSED, _OPEN = "* * * 1 1 ? 2099", "* * * * * ? *"


def template(name: str) -> dict[str, Any]:
    deployed = f"arn:${{AWS::Partition}}:cloudformation:${{AWS::Region}}:${{AWS::AccountId}}:stack/{name}-deployed/*"
    needed = [
        allows("s3:Get*", "s3:List*", "s3:PutObject", resource=[arn_of("Bucket"), {"Fn::Sub": "${Bucket.Arn}/*"}]),
        allows("cloudformation:*", resource={"Fn::Sub": deployed}),
        allows("iam:PassRole", resource=arn_of("Deployer")),
        allows("cloudwatch:DescribeAlarms", "cloudformation:ValidateTemplate")]
    return {"Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}},
        "Role": role_of({"Service": "codepipeline.amazonaws.com"}, *needed),
        "Deployer": role_of({"Service": "cloudformation.amazonaws.com"}),
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": _without_data(name)}},
        "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}, "Role": {"Value": arn_of("Role")},
                    "Deployer": {"Value": arn_of("Deployer")}}}


def _without_data(name: str, missing: str = "missing") -> dict[str, Any]:
    """An alarm that stays in INSUFFICIENT_DATA, or with `breaching` in ALARM."""
    return {"AlarmName": name, "Namespace": name, "MetricName": "none", "Statistic": "Sum", "Period": 60,
            "TreatMissingData": missing, "EvaluationPeriods": 1, "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold"}


def source(parameters: dict[str, Any]) -> bytes:
    """The files of a stack whose resource costs nothing and does nothing."""
    deployed = {"Parameters": {name: {"Type": "String"} for name in _PARAMETERS},
                "Resources": {"Handle": HANDLE}}
    return archive({"template.json": json.dumps(deployed), "configuration.json": json.dumps({"Parameters": parameters})})


@dataclass
class Optional:
    """The pipeline, and the options of its stage Deploy."""

    world: World
    outputs: dict[str, str]
    pipeline: Pipeline
    first: str = ""
    # The latest execution that was approved.
    latest: str = ""
    # Executions that wait for a window.
    waiting: list[str] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self.world.client("codepipeline")

    def definition(self, approval: bool = True, **options: Any) -> dict[str, Any]:
        name = self.pipeline.name
        deploy = {"ActionMode": "CREATE_UPDATE", "StackName": f"{name}-deployed", "RoleArn": self.outputs["Deployer"],
                  "TemplatePath": "Source::template.json", "TemplateConfiguration": "Source::configuration.json"}
        stages = [
            _stage("Source", _action("S3", "Source", outputArtifacts=[{"name": "Source"}], configuration={
                "S3Bucket": self.outputs["Bucket"], "S3ObjectKey": "source.zip", "PollForSourceChanges": "false"})),
            _stage("Approval", _action("Manual", "Approval")),
            _stage("Deploy", _action("CloudFormation", "Deploy", inputArtifacts=[{"name": "Source"}],
                                     configuration=deploy), **options)]
        return {"name": name, "roleArn": self.outputs["Role"], "pipelineType": "V2", "executionMode": "SUPERSEDED",
                "artifactStore": {"type": "S3", "location": self.outputs["Bucket"]},
                "stages": [stage for stage in stages if approval or stage["name"] != "Approval"]}

    def set(self, approval: bool = False, **options: Any) -> None:
        self.client.update_pipeline(pipeline=self.definition(approval, **options))

    def store(self, parameters: dict[str, Any]) -> None:
        """Stores the files with these values in the template configuration."""
        self.world.client("s3").put_object(Bucket=self.outputs["Bucket"], Key="source.zip", Body=source(parameters))

    def start(self) -> str:
        return str(self.client.start_pipeline_execution(name=self.pipeline.name)["pipelineExecutionId"])

    def runs(self) -> str:
        """Starts an execution without approval, and returns its final status."""
        return self.pipeline.ended(self.start())

    def approved(self) -> str:
        """Starts and approves an execution, and returns its final status."""
        self.latest = self.start()
        self.pipeline.decide(self.latest)
        return self.pipeline.ended(self.latest)

    def soon(self, execution: str) -> str:
        """The status of the execution at its end, or after two minutes. Then it is stopped."""
        seconds_until(lambda: self.pipeline.status(execution) != "InProgress")
        status = self.pipeline.status(execution)
        self.stop(execution)
        return status

    def stop(self, execution: str) -> None:
        error_of(lambda: self.client.stop_pipeline_execution(
            pipelineName=self.pipeline.name, pipelineExecutionId=execution, abandon=True))
        self.pipeline.ended(execution)

    def has_source(self, *executions: str) -> None:
        """Raises `NotSeen` if one of them is still in its first stage."""
        def have() -> bool:
            return all(("Source", "Succeeded") in self.pipeline.ran(each) for each in executions)

        if not executions or seconds_until(have) > 120:
            raise NotSeen(f"{len(executions)} executions, and not all have their source")

    def roll_back(self, stage: str, target: str) -> tuple[str, str, str]:
        """The code and the message of the error, or the execution that rolls the stage back."""
        made: dict[str, Any] = {}
        code, message = error_of(lambda: made.update(self.client.rollback_stage(
            pipelineName=self.pipeline.name, stageName=stage, targetPipelineExecutionId=target)))
        return code, message, str(made.get("pipelineExecutionId", ""))

    def condition(self, when: str) -> Any:
        """The state of the stage's conditions. Raises `NotSeen` without one, or if a rule could not look."""
        found = self.stage().get(f"{when}ConditionState")
        if not found or re.search("(?i)not authorized|permission|access ?denied|assume", json.dumps(found, default=str)):
            raise NotSeen(f"the conditions {when}: {found}")
        return found

    def alarm(self, missing: str = "missing") -> None:
        """Waits for the alarm's state without data."""
        client, name = self.world.client("cloudwatch"), self.pipeline.name
        client.put_metric_alarm(**_without_data(name, missing))
        state = "ALARM" if missing == "breaching" else "INSUFFICIENT_DATA"
        eventually(lambda: client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"] == state, state, 300)

    def stage(self, name: str = "Deploy") -> dict[str, Any]:
        states = self.client.get_pipeline_state(name=self.pipeline.name)["stageStates"]
        return next(state for state in states if state["stageName"] == name)

    def approval_ids(self, execution: str) -> tuple[str, str]:
        """The token of the request that waits, and the ID of its action's execution."""
        token = self.pipeline.waits_for_approval(execution)["token"]
        return token, str(self.stage("Approval")["actionStates"][0]["latestExecution"]["actionExecutionId"])

    def passes(self, seconds: float) -> float:
        """How long an execution takes from its start to the action of Deploy. Infinite if that is longer."""
        execution = self.start()
        self.waiting.append(execution)
        return seconds_until(lambda: "Deploy" in dict(self.pipeline.ran(execution)), seconds)


def _stage(name: str, action: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"name": name, "actions": [action | {"name": name}], **options}


def _action(provider: str, category: str, **more: Any) -> dict[str, Any]:
    return {"actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"}, **more}


def condition(result: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}
    return {"conditions": [{"result": result, "rules": [{
        "name": "Probe", "ruleTypeId": kind, "configuration": configuration}]}]}


def _window(cron: str) -> dict[str, Any]:
    return {"beforeEntry": condition("FAIL", "DeploymentWindow", Cron=cron, TimeZone="UTC")}


def _alarm(name: str, result: str) -> dict[str, Any]:
    return {"onSuccess": condition(result, "CloudWatchAlarm", AlarmName=name, WaitTime=str(_ALARM_MINUTES))}


@Scene
@contextmanager
def options(world: World) -> Iterator[Optional]:
    name, client = probe(world), world.client("codepipeline")
    pipeline = Pipeline(world.story.aws, world.story.names.first, "probe")
    pipeline.name = name
    with scratch(world, template(name)) as made:
        held = Optional(world, made.outputs(), pipeline)
        held.store(_PARAMETERS)
        try:
            # A new role is not yet assumable for some seconds.
            eventually(lambda: not error_of(lambda: client.create_pipeline(pipeline=held.definition()))[0],
                       f"{name} is created", 120)
            held.first = eventually(lambda: (pipeline.executions() or [{}])[0].get("pipelineExecutionId", ""), "it runs")
            yield held
        finally:
            for each in pipeline.executions():
                if each["status"] == "InProgress":
                    error_of(lambda each=each: client.stop_pipeline_execution(  # type: ignore[misc]
                        pipelineName=name, pipelineExecutionId=each["pipelineExecutionId"], abandon=True))
            client.delete_pipeline(name=name)
            delete_stack(world.story.aws, f"{name}-deployed")


@options.observes("approval-shows-who-gave-it")
def approver(held: Optional) -> Seen:
    held.pipeline.decide(held.first, why="as a probe")
    held.pipeline.ended(held.first)
    action = next(each for each in held.pipeline.actions(held.first) if each["actionName"] == "Approval")
    summary = action["output"]["executionResult"].get("externalExecutionSummary", "")
    principal = action.get("updatedBy", "").startswith("arn:")
    return Seen("as a probe" in summary and principal,
                f"summary {summary or 'none'}, updatedBy {'an ARN' if principal else 'none'}")


@options.observes("whole-numbers-in-configuration")
def whole_numbers(held: Optional) -> Seen:
    status = held.pipeline.status(held.first)
    # The other rows need a deployment that succeeds.
    held.store({"Number": "3", "Flag": "true"})
    if status != "Succeeded":
        error = held.pipeline.error(held.first)
        if (with_texts := held.approved()) != "Succeeded":
            raise NotSeen(f"the execution is {status}: {error}. With texts it is {with_texts}")
        return Seen(True, f"the execution is {status}: {error}")
    shown = Stack(held.world.story.aws, f"{held.pipeline.name}-deployed").describe()["Parameters"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in shown}
    return Seen(values == {"Number": "3", "Flag": "true"}, json.dumps(values), shown)


@options.observes("retried-approval-has-new-ids")
def retried_approval(held: Optional) -> Seen:
    execution = held.start()
    before = held.approval_ids(execution)
    held.pipeline.decide(execution, approves=False)
    held.pipeline.ended(execution)
    held.client.retry_stage_execution(pipelineName=held.pipeline.name, stageName="Approval", retryMode="FAILED_ACTIONS",
                                      pipelineExecutionId=execution)
    eventually(lambda: held.pipeline.status(execution) == "InProgress", "the stage is retried")
    # The state may show the former request for some seconds.
    seconds_until(lambda: held.approval_ids(execution)[0] != before[0], 60)
    after = held.approval_ids(execution)
    held.pipeline.decide(execution)
    held.pipeline.ended(execution)
    kept = [name for name, old, new in zip(("token", "actionExecutionId"), before, after, strict=True) if old == new]
    return Seen(not kept, f"unchanged: {', '.join(kept) or 'nothing'}", [before[1], after[1]])


@options.observes("rollback-of-a-stage-with-an-approval")
def rollback_of_an_approval(held: Optional) -> Seen:
    """The stage Approval, in which the first execution was approved."""
    code, message, rollback = held.roll_back("Approval", held.first)
    # Any other error, such as a denied or throttled call, is not about the stage.
    if code and code != "UnableToRollbackStageException":
        raise NotSeen(f"{code}: {message}")
    if code:
        return Seen(True, f"it is rejected: {message}")
    requests = seconds_until(lambda: dict(held.pipeline.ran(rollback)).get("Approval") == "InProgress", 120) <= 120
    held.stop(rollback)
    return Seen(requests, f"the rollback {'requests' if requests else 'does not request'} an approval")


@options.observes("alarm-rule-watches-the-state-alarm")
def insufficient_data(held: Optional) -> Seen:
    held.alarm()
    held.set(**_alarm(held.pipeline.name, "FAIL"))
    status = held.runs()
    return Seen(status == "Succeeded", f"INSUFFICIENT_DATA: {status}", held.condition("onSuccess"))


@options.observes("alarm-already-raised-fails-at-once")
def raised_alarm(held: Optional) -> Seen:
    held.alarm("breaching")
    held.set(**_alarm(held.pipeline.name, "FAIL"))
    execution = held.start()
    deployed = seconds_until(lambda: ("Deploy", "Succeeded") in held.pipeline.ran(execution), 300)
    took = seconds_until(lambda: held.pipeline.status(execution) != "InProgress", 60 * _ALARM_MINUTES + 120)
    status = held.pipeline.status(execution)
    if deployed > 300:
        raise NotSeen(f"the deployment did not succeed: {held.pipeline.ran(execution)}")
    held.condition("onSuccess")
    return Seen(status == "Failed" and took < 60 * _ALARM_MINUTES - 15,
                f"{status} {took:.0f} s after the deployment, with {_ALARM_MINUTES} minutes to watch")


@options.observes("rollback-after-alarm-fails-the-execution")
def rolled_back(held: Optional) -> Seen | None:
    """CodePipeline rolls back to an execution of the same definition, so a first one has to succeed."""
    held.alarm()
    held.set(True, onFailure={"result": "ROLLBACK"}, **_alarm(held.pipeline.name, "ROLLBACK"))
    if held.approved() != "Succeeded":
        return None
    held.alarm("breaching")
    status = held.approved()
    rollback = _rollback(held, held.latest)
    return Seen(status == "Failed", f"the execution is {status}, its rollback is {rollback}") if rollback else None


@options.observes("rollback-runs-the-stage-alone")
def rollback_alone(held: Optional) -> Seen | None:
    rollback = _rollback(held, held.latest)
    ran = [action for action, _ in held.pipeline.ran(rollback)] if rollback else []
    return Seen(set(ran) == {"Deploy"}, f"the rollback ran {', '.join(ran)}", ran) if ran else None


def _rollback(held: Optional, execution: str) -> str:
    with contextlib.suppress(NotInTime):
        eventually(lambda: held.pipeline.rollback_of(execution), "the rollback starts", 120)
    return held.pipeline.rollback_of(execution)


@options.observes("waiting-window-holds-the-stage")
def held_stage(held: Optional) -> Seen:
    held.set(**_window(_CLOSED))
    times = [held.passes(30) for _ in range(2)]
    held.has_source(*held.waiting)
    # The second one may replace the first one for some seconds.
    seconds_until(lambda: held.pipeline.status(held.waiting[0]) != "InProgress", 20)
    statuses = [held.pipeline.status(each) for each in held.waiting]
    latest = held.stage()["latestExecution"]["pipelineExecutionId"]
    if latest not in held.waiting:
        raise NotSeen("no execution has reached the stage")
    first = latest == held.waiting[0]
    return Seen(statuses == ["InProgress"] * 2 and first and min(times) > 30,
                f"two executions: {', '.join(statuses)}; the first one {'holds' if first else 'left'} the stage",
                held.stage().get("beforeEntryConditionState"))


@options.observes("window-cron-open-in-matching-minutes")
def window(held: Optional) -> Seen:
    held.has_source(*held.waiting[:1])
    closed = held.pipeline.status(held.waiting[0])
    for each in held.waiting:
        held.stop(each)
    code, message = error_of(lambda: held.set(**_window("* * * * * * *")))
    if code and not re.search("Invalid|Validation", code):
        raise NotSeen(f"an expression without ? was not judged: {code} {message}")
    # If this fails because of something else, so does the open window.
    both = code or held.soon(held.start())
    held.set(**_window(_OPEN))
    took = held.passes(120)
    held.has_source(held.waiting[-1])
    return Seen(closed == "InProgress" and took < 120 and both not in ("Succeeded", "InProgress"),
                f"closed: {closed}; open: after {took:.0f} s; without ?: {both} {message}")
