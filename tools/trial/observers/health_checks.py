"""Observers of executions, approvals and health checks."""

import json
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tests.play import waiting
from tools.trial.observers import NotSeen, Seen, World, observes
from tools.trial.observers.approvals import as_pipelines_deploy
from tools.trial.observers.sources import seconds_between, seconds_until

_APPROVAL_SECONDS = 60


def an_execution(world: World) -> dict[str, Any]:
    """An execution of the newest commit that waits for its approval, and is canceled by an update of the pipeline."""
    if "execution" not in world.kept:
        client, project = world.client("codepipeline"), world.story.loop.project
        before = client.get_pipeline(name=project.name)["pipeline"]
        execution = client.start_pipeline_execution(name=project.name)["pipelineExecutionId"]
        found: dict[str, Any] = {"execution": execution}
        world.kept["execution"] = found
        try:
            if seconds_until(lambda: ("Source", "Succeeded") in project.ran(execution), waiting.PACE.seconds) < math.inf:
                found["revisions"] = _revisions(_listed(world, execution))
            project.waits_for_approval(execution)
            # Later, the time of the request differs from that of the look.
            seconds_until(lambda: project.status(execution) != "InProgress", _APPROVAL_SECONDS)
            found["approval"] = _waiting_action(client.get_pipeline_state(name=project.name))
            found["requested"] = next(each["startTime"] for each in project.actions(execution)
                                      if each["actionName"] == "Approval")
            client.update_pipeline(pipeline=_with_another_approval(before))
            seconds_until(lambda: project.status(execution) != "InProgress")
            # The clock of AWS: the computer's may be wrong.
            shown = client.get_pipeline(name=project.name)["ResponseMetadata"]["HTTPHeaders"]["date"]
            found["ended"] = parsedate_to_datetime(shown)
            found["canceled"] = {name: value for name, value in _listed(world, execution).items()
                                 if name in ("status", "startTime", "lastUpdateTime")}
        finally:
            client.update_pipeline(pipeline=before)
            if project.status(execution) == "InProgress":
                client.stop_pipeline_execution(pipelineName=project.name, pipelineExecutionId=execution, abandon=True)
    kept: dict[str, Any] = world.kept["execution"]
    return kept


def _listed(world: World, execution: str) -> dict[str, Any]:
    return next((each for each in world.story.loop.project.executions() if each["pipelineExecutionId"] == execution), {})


def _revisions(execution: dict[str, Any]) -> list[str]:
    """The commits of an execution, without their messages."""
    return [each["revisionId"] for each in execution.get("sourceRevisions", [])]


def _waiting_action(state: dict[str, Any]) -> dict[str, Any]:
    latest = (action.get("latestExecution", {}) for stage in state["stageStates"] for action in stage["actionStates"])
    return next(({key: each[key] for key in ("lastStatusChange", "status")} for each in latest if each.get("token")), {})


def _with_another_approval(definition: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(definition))
    [approval] = [each for stage in changed["stages"] for each in stage["actions"] if each["name"] == "Approval"]
    approval["name"] = "Probe"
    return changed


@observes("revision-when-the-source-has-succeeded")
def commit_of_a_source(world: World) -> Seen | None:
    revisions = an_execution(world).get("revisions")
    if revisions is None:
        return None
    return Seen(bool(revisions), f"{len(revisions)} revisions as soon as the source action has succeeded", revisions)


@observes("approval-last-status-change")
def time_of_an_approval(world: World) -> Seen | None:
    found = an_execution(world)
    if not found.get("approval") or "requested" not in found:
        return None
    seconds = seconds_between(found["requested"], found["approval"]["lastStatusChange"])
    return Seen(abs(seconds) < _APPROVAL_SECONDS / 2, f"{seconds:.0f} s after the start of the action", found["approval"])


@observes("failed-source-shows-no-commit")
def commit_of_a_failed_source(world: World) -> Seen | None:
    """An execution of a commit that does not exist."""
    client, project = world.client("codepipeline"), world.story.loop.project
    execution = client.start_pipeline_execution(name=project.name, sourceRevisions=[
        {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0" * 40}])["pipelineExecutionId"]
    if project.ended(execution) != "Failed" or ("Source", "Failed") not in project.ran(execution):
        return None
    listed = _listed(world, execution)
    if not listed:
        return None
    revisions = _revisions(listed)
    return Seen(not revisions, f"the list shows {len(revisions)} commits of it", revisions)


@observes("list-stacks-is-complete")
def listed_stacks(world: World) -> Seen:
    """With a nested stack, and with the deleted stack of a failed deployment."""
    story, nested = world.story, as_pipelines_deploy(world)["nested"]
    if not nested or not story.failing.id:
        raise NotSeen("there was no nested stack, or no failed deployment")
    expected = {story.environment.name, story.loop.project.stack_name, nested, story.failing.id}
    pages = world.client("cloudformation").get_paginator("list_stacks").paginate()
    shown = {name for page in pages for each in page["StackSummaries"] for name in (each["StackName"], each["StackId"])}
    return Seen(expected <= shown, f"{len(expected & shown)} of {len(expected)} stacks are listed", sorted(expected - shown))


@observes("alarm-covers-late-check")
def gaps_between_checks(world: World) -> Seen | None:
    """No two periods in a row without data, after the first health check. None if no check was late."""
    cloudwatch = world.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(
        AlarmNames=[f"alarm-{world.story.names.first}-cfn-gitops-health-check"])["MetricAlarms"]
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions", "Period")}
    points = cloudwatch.get_metric_statistics(
        **metric, StartTime=world.story.environment.describe()["CreationTime"], EndTime=datetime.now(UTC),
        Statistics=["SampleCount"])["Datapoints"]
    times = sorted(each["Timestamp"] for each in points)
    gaps = [seconds_between(one, other) for one, other in zip(times, times[1:], strict=False)]
    if max(gaps, default=0) <= alarm["Period"]:
        return None
    return Seen(max(gaps) <= 2 * alarm["Period"], f"the longest gap is {max(gaps):.0f} s, a period {alarm['Period']} s", gaps)
