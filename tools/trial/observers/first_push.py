"""Observers of the first push and build: the statuses of a commit."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.sources import probe


def _posted(world: World, state: str, kind: str, commit: str = "", **more: Any) -> dict[str, Any]:
    """GitLab's response to a status at the newest commit of the branch without a pipeline, or at the `commit`."""
    branch, token = world.story.names.unprotected_branch, more.pop("token", "")
    if not commit:
        commit = sources.gitlab(world, "GET", f"/repository/branches/{branch}").json()["commit"]["id"]
    answer = sources.gitlab(world, "POST", f"/statuses/{commit}", token, json={
        "state": state, "name": f"{probe(world)}-{kind}", "ref": branch, **more})
    if answer.status_code in (401, 403, 429) or answer.status_code >= 500:
        raise NotSeen(f"GitLab answered {answer.status_code} to a status")
    return dict(answer.json())


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
def status_of_two_users(world: World) -> Seen:
    """The second user is the one of a project access token, which expires tomorrow."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    made = sources.gitlab(world, "POST", "/access_tokens", json={
        "name": probe(world), "scopes": ["api"], "access_level": 30, "expires_at": tomorrow})
    if made.status_code != 201:
        raise NotSeen(f"GitLab answered {made.status_code} to a project access token")
    world.story.loop.passwords.add(made.json()["token"])
    try:
        first = _posted(world, "running", "users")
        other = _posted(world, "running", "users", first["sha"], token=made.json()["token"])
        last = _posted(world, "success", "users", first["sha"])
    finally:
        world.project.revoke_access_tokens(probe(world))
    ids = [each.get("id") for each in (first, other, last)]
    if None in ids[:2]:
        raise NotSeen(f"GitLab accepted not all statuses: {ids}")
    return Seen(ids[0] == ids[2] != ids[1], f"the statuses are {ids}", ids)
