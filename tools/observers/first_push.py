"""Observers of the first push and build."""

from __future__ import annotations

from typing import Any

from observers import Seen, World, observes
from observers import sources
from observers.sources import probe, seconds_between


@observes("codecommit-trailing-slash")
def slash_at_the_end(world: World) -> Seen:
    project = world.story.loop.project
    read = [len(project.working.references(project.mirror_login(), f"{project.mirrored_url}{end}")) for end in ("", "/")]
    return Seen(read[0] > 0 and read[1] == 0, f"git reads {read[0]} references, and {read[1]} with a slash")


@observes("stage-event-start-time")
def start_time_of_stages(world: World) -> Seen | None:
    executions = {each["pipelineExecutionId"]: each["startTime"] for each in world.story.loop.project.executions()}
    actions = {each["actionExecutionId"]: each["startTime"] for each in sources.actions(world)}
    stages = [(event["detail"]["start-time"], executions.get(event["detail"]["execution-id"]))
              for event in sources.events(world, "CodePipeline Stage Execution State Change")]
    of_actions = [(event["detail"]["start-time"], actions.get(event["detail"]["action-execution-id"]))
                  for event in sources.events(world, "CodePipeline Action Execution State Change")]
    differ = [[abs(seconds_between(one, other)) >= 1 for one, other in pairs if other] for pairs in (stages, of_actions)]
    if not all(differ):
        return None
    return Seen(not any(map(any, differ)), f"{sum(differ[0])} of {len(differ[0])} stage events and {sum(differ[1])} of "
                                           f"{len(differ[1])} action events differ", stages[0][0])


@observes("status-shows-its-pipeline")
def pipeline_of_a_status(world: World) -> Seen:
    """A status at a commit of another branch, posted into the pipeline that its first status shows."""
    commit, first = _posted(world, "running")
    second = _posted(world, "success", commit, pipeline_id=first.get("pipeline_id"))[1]
    pipelines = [each.get("pipeline_id") for each in (first, second)]
    return Seen(pipelines[0] is not None and pipelines[0] == pipelines[1], f"the pipelines are {pipelines}",
                {key: first.get(key) for key in ("id", "status", "pipeline_id")})


def _posted(world: World, state: str, commit: str = "", **more: Any) -> tuple[str, dict[str, Any]]:
    """The newest commit of the branch without a pipeline, and GitLab's response to a status of it."""
    branch = world.story.names.unprotected_branch
    if not commit:
        commit = sources.gitlab(world, "GET", f"/repository/branches/{branch}").json()["commit"]["id"]
    answer: dict[str, Any] = sources.gitlab(world, "POST", f"/statuses/{commit}", json={
        "state": state, "name": probe(world), "ref": branch, **more}).json()
    return commit, answer


@observes("build-reads-artifacts-with-its-role")
def principal_of_artifacts(world: World) -> Seen | None:
    """S3 uses the artifacts' key as the principal that reads or writes the object. CloudTrail has these uses."""
    ids = [each["id"].split(":")[-1] for each in sources.builds(world)]
    calls = [record for each in ids[:3] for record in sources.trail(world, f"AWSCodeBuild-{each}", "Username")]
    uses = [record for record in sources.trail(world, "kms.amazonaws.com", "EventSource") if "BuildArtif" in str(
        record.get("requestParameters", {}).get("encryptionContext"))]
    own = [record["eventName"] for record in calls if record["eventSource"] == "kms.amazonaws.com"]
    if not uses or not calls:
        return None
    return Seen("GenerateDataKey" in own, f"{len(own)} uses of the key by builds, {len(uses)} of build artifacts", own)
