"""Observers of the first push and build."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


# --- statuses ----------------------------------------------------------------------------------


def _posted(world: World, state: str, kind: str, commit: str = "", **more: Any) -> dict[str, Any]:
    """GitLab's response to a status at the newest commit of the branch without a pipeline, or at the `commit`."""
    branch, token = world.story.names.unprotected_branch, more.pop("token", "")
    if not commit:
        commit = sources.gitlab(world, "GET", f"/repository/branches/{branch}").json()["commit"]["id"]
    answer: dict[str, Any] = sources.gitlab(world, "POST", f"/statuses/{commit}", token, json={
        "state": state, "name": f"{probe(world)}-{kind}", "ref": branch, **more}).json()
    return answer


@observes("status-shows-its-pipeline")
def pipeline_of_a_status(world: World) -> Seen:
    """A status that is posted into the pipeline that its first response shows."""
    first = _posted(world, "running", "pipeline")
    second = _posted(world, "success", "pipeline", first["sha"], pipeline_id=first.get("pipeline_id"))
    pipelines = [each.get("pipeline_id") for each in (first, second)]
    return Seen(pipelines[0] is not None and pipelines[0] == pipelines[1], f"the pipelines are {pipelines}",
                {key: first.get(key) for key in ("id", "status", "pipeline_id")})


@observes("canceled-status-is-posted-again")
def status_in_a_canceled_pipeline(world: World) -> Seen | None:
    """None if GitLab does not cancel the pipeline and its status."""
    first = _posted(world, "running", "canceled")
    commit, pipeline = first["sha"], first.get("pipeline_id")
    sources.gitlab(world, "POST", f"/pipelines/{pipeline}/cancel")
    listed = sources.gitlab(world, "GET", f"/repository/commits/{commit}/statuses", params={"name": first["name"]}).json()
    if [each["status"] for each in listed] != ["canceled"]:
        return None
    again = _posted(world, "running", "canceled", commit, pipeline_id=pipeline)
    return Seen(again.get("status") == "running", f"the status is {again.get('status', again)}", again.get("status"))


@observes("status-of-another-user-stays-retried")
def status_of_two_users(world: World) -> Seen | None:
    """The second user is the one of a project access token, which expires tomorrow. None if the edition has none."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    made = sources.gitlab(world, "POST", "/access_tokens", json={
        "name": probe(world), "scopes": ["api"], "access_level": 40, "expires_at": tomorrow})
    if made.status_code != 201:
        return None
    try:
        first = _posted(world, "running", "users")
        other = _posted(world, "running", "users", first["sha"], token=made.json()["token"])
        last = _posted(world, "success", "users", first["sha"])
    finally:
        sources.gitlab(world, "DELETE", f"/access_tokens/{made.json()['id']}")
    ids = [each.get("id") for each in (first, other, last)]
    return Seen(ids[0] == ids[2] != ids[1], f"the statuses are {ids}", ids)
