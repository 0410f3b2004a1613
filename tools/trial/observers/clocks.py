"""Observers that compare times of AWS."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tests.play.pipelines import Pipeline
from tools.trial.observers import Found, NotSeen, Seen, World, observes
from tools.trial.observers.sources import seconds_until

_APPROVAL_SECONDS = 60


@observes("alarm-covers-late-check")
def gaps_between_checks(world: World) -> Seen | None:
    """No two periods in a row without data, after the first health check. None if no check was late."""
    cloudwatch = world.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(
        AlarmNames=[f"alarm-{world.story.names.first}-cfn-gitops-health-check"]
    )["MetricAlarms"]
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions", "Period")}
    points = cloudwatch.get_metric_statistics(
        **metric,
        StartTime=world.story.environment.describe()["CreationTime"],
        EndTime=datetime.now(UTC),
        Statistics=["SampleCount"],
    )["Datapoints"]
    times = sorted(each["Timestamp"] for each in points)
    gaps = [(other - one).total_seconds() for one, other in zip(times, times[1:], strict=False)]
    if max(gaps, default=0) <= alarm["Period"]:
        return None
    return Seen(
        max(gaps) <= 2 * alarm["Period"],
        f"the longest gap is {max(gaps):.0f} s, a period {alarm['Period']} s",
        gaps,
    )


@observes("clocks-of-stack-events-and-executions")
def clocks(world: World) -> Seen | None:
    """CodePipeline starts the first execution while CloudFormation creates the pipeline."""
    project = world.story.loop.project
    of_pipeline = {
        event["ResourceStatus"]: event["Timestamp"]
        for event in project.child.events()
        if event["ResourceType"] == "AWS::CodePipeline::Pipeline"
        and event["ResourceStatus"].startswith("CREATE")
    }
    first = project.executions()[0]
    if len(of_pipeline) < 2 or first["trigger"]["triggerType"] != "CreatePipeline":
        return None
    after = (first["startTime"] - of_pipeline["CREATE_IN_PROGRESS"]).total_seconds()
    before = (of_pipeline["CREATE_COMPLETE"] - first["startTime"]).total_seconds()
    if before <= -10:
        raise NotSeen(
            f"the execution began {-before:.0f} s after the pipeline's last event: late, or another clock"
        )
    # The execution began between the two events, so the clocks differ by less than the larger number.
    if after > -10 and max(after, before) >= 10:
        raise NotSeen(f"CloudFormation took {after + before:.0f} s: too long to compare the clocks")
    return Seen(
        after > -10,
        f"the execution began {after:.1f} s after the pipeline's first event and {before:.1f} s before "
        "its last one",
    )


@observes("approval-last-status-change", "canceled-execution-shows-its-end")
def times_of_an_execution(world: World) -> dict[str, Found]:
    """An execution that waits for its approval, and that an update of the pipeline cancels."""
    client, project = world.client("codepipeline"), world.story.loop.project
    before = client.get_pipeline(name=project.name)["pipeline"]
    execution = client.start_pipeline_execution(name=project.name)["pipelineExecutionId"]

    def has_ended() -> bool:
        return project.status(execution) != "InProgress"

    try:
        project.waits_for_approval(execution)
        # Later, the time of the request differs from that of the look.
        seconds_until(has_ended, _APPROVAL_SECONDS)
        requested = _requested(client, project, execution)
        client.update_pipeline(pipeline=_with_another_approval(before))
        seconds_until(has_ended)
        # By AWS's clock: the computer's may be wrong.
        ended = parsedate_to_datetime(
            client.get_pipeline(name=project.name)["ResponseMetadata"]["HTTPHeaders"]["date"]
        )
        return {
            "approval-last-status-change": requested,
            "canceled-execution-shows-its-end": _ended(project, execution, ended),
        }
    finally:
        client.update_pipeline(pipeline=before)
        if not has_ended():
            client.stop_pipeline_execution(
                pipelineName=project.name, pipelineExecutionId=execution, abandon=True
            )


def _requested(client: Any, project: Pipeline, execution: str) -> Found:
    latest = (
        action.get("latestExecution", {})
        for stage in client.get_pipeline_state(name=project.name)["stageStates"]
        for action in stage["actionStates"]
    )
    shown = [each["lastStatusChange"] for each in latest if each.get("token")]
    started = [each["startTime"] for each in project.actions(execution) if each["actionName"] == "Approval"]
    if not shown or not started:
        return None
    seconds = (shown[0] - started[0]).total_seconds()
    return Seen(
        abs(seconds) < _APPROVAL_SECONDS / 2, f"{seconds:.0f} s after the start of the action", str(shown[0])
    )


def _ended(project: Pipeline, execution: str, ended: datetime) -> Found:
    shown = next(each for each in project.executions() if each["pipelineExecutionId"] == execution)
    if shown["status"] != "Cancelled":
        return None
    seconds = (shown["lastUpdateTime"] - ended).total_seconds()
    return Seen(
        abs(seconds) < 10, f"lastUpdateTime is {seconds:.0f} s after the end", str(shown["lastUpdateTime"])
    )


def _with_another_approval(definition: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(definition))
    [approval] = [
        each for stage in changed["stages"] for each in stage["actions"] if each["name"] == "Approval"
    ]
    approval["name"] = "Probe"
    return changed
