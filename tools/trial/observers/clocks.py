"""Observers that compare times of AWS."""

from datetime import UTC, datetime

from tools.trial.observers import NotSeen, Seen, World, observes


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
    gaps = [(other - one).total_seconds() for one, other in zip(times, times[1:], strict=False)]
    if max(gaps, default=0) <= alarm["Period"]:
        return None
    return Seen(max(gaps) <= 2 * alarm["Period"], f"the longest gap is {max(gaps):.0f} s, a period {alarm['Period']} s", gaps)


@observes("clocks-of-stack-events-and-executions")
def clocks(world: World) -> Seen | None:
    """CodePipeline starts the first execution while CloudFormation creates the pipeline."""
    project = world.story.loop.project
    of_pipeline = {event["ResourceStatus"]: event["Timestamp"] for event in project.child.events()
                   if event["ResourceType"] == "AWS::CodePipeline::Pipeline" and event["ResourceStatus"].startswith("CREATE")}
    first = project.executions()[0]
    if len(of_pipeline) < 2 or first["trigger"]["triggerType"] != "CreatePipeline":
        return None
    after = (first["startTime"] - of_pipeline["CREATE_IN_PROGRESS"]).total_seconds()
    before = (of_pipeline["CREATE_COMPLETE"] - first["startTime"]).total_seconds()
    if before <= -10:
        raise NotSeen(f"the execution began {-before:.0f} s after the pipeline's last event: late, or another clock")
    return Seen(after > -10, f"the execution began {after:.1f} s after the pipeline's first event and {before:.1f} s before "
                             "its last one")
