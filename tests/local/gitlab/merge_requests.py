"""The merge requests of a commit, and their creation (lib/api/merge_requests.rb). `notes` has their notes."""

from __future__ import annotations

import time
from typing import Any

from tests.local.gitlab import access, users
from tests.local.gitlab.records import MergeRequest, User
from tests.local.gitlab.rest import Answer, Call, bad_request, boolean, forbidden, no_record, no_route, require_text, time_text
from tests.local.gitlab.state import LEVELS, Instance, Project


def answer(call: Call, parts: list[str]) -> Answer:
    """Only one request, a creation with a title and both branches, and the change of the state."""
    match (call.request.method, *parts):
        case ("GET", iid):
            return _read(call, iid)
        case ("POST",):
            return _created(call)
        case ("PUT", iid):
            return _changed(call, iid)
    raise no_route()


def _read(call: Call, iid: str) -> Answer:
    found = next((each for each in call.project.records.merge_requests if str(each.iid) == iid), None)
    if found is None or not access.is_allowed(call.token, call.project, "read_merge_request"):
        raise no_record()
    answer = shown(call, found)
    # lib/api/entities/merge_request.rb: only if it is asked for.
    if boolean("include_diverged_commits_count", call.request.query.get("include_diverged_commits_count")):
        answer["diverged_commits_count"] = _commits_behind(call.project, found)
    return Answer(200, answer)


def _commits_behind(project: Project, merge_request: MergeRequest) -> int:
    """app/models/merge_request.rb, `diverged_commits_count`: the commits of the target branch that the source branch
    does not have. 0 for a request that is not open."""
    target = f"refs/heads/{merge_request.target_branch}"
    if merge_request.state != "opened" or not merge_request.commits or target not in project.references():
        return 0
    return int(project.git("rev-list", "--count", f"{merge_request.commits[0]}..{target}"))


def _created(call: Call) -> Answer:
    given, project = call.request.parameters, call.project
    require_text(given, "title", "source_branch", "target_branch")
    _authorize(call)
    missing = [name for name in ("source_branch", "target_branch") if given[name] not in project.branches()]
    if missing:
        # The status and the text are not documented. (?)
        raise bad_request(f"{missing[0]} does not exist")
    return Answer(201, shown(call, create(call.instance, project, given["title"], given["source_branch"],
                                          given["target_branch"], call.user)))


def create(instance: Instance, project: Project, title: str, source: str, target: str, author: User) -> MergeRequest:
    with instance.changes:
        held = project.records.merge_requests
        made = MergeRequest(instance.next_id(), len(held) + 1, title, source, target, author, time.time())
        refresh(project, made)
        held.append(made)
        return made


def _changed(call: Call, iid: str) -> Answer:
    found = next((each for each in call.project.records.merge_requests if str(each.iid) == iid), None)
    if found is None:
        raise no_record()
    _authorize(call)
    with call.instance.changes:
        found.state = {"close": "closed", "reopen": "opened"}.get(call.request.parameters.get("state_event"), found.state)
    return Answer(200, shown(call, found))


def _authorize(call: Call) -> None:
    """`create_merge_request_in` and `update_merge_request` are those of Developers (config/authz/roles/developer.yml)."""
    if call.token.level(call.project) < LEVELS["developer"]:
        raise forbidden()


def of_commit(project: Project, commit: str) -> list[MergeRequest]:
    """app/models/merge_request.rb, `by_related_commit_sha`: the merge requests with the commit in their latest
    diff. Sorted newest first (app/finders/issuable_finder.rb, `sort`)."""
    return [each for each in reversed(project.records.merge_requests)
            if commit in each.commits]


def refresh(project: Project, merge_request: MergeRequest) -> None:
    """app/services/merge_requests/refresh_service.rb: after a push to a branch, its open merge requests have its
    commits. GitLab does it in the background, here it is done with the push."""
    source, target = (f"refs/heads/{name}" for name in (merge_request.source_branch, merge_request.target_branch))
    if {source, target} <= project.references().keys():
        merge_request.commits = project.git("rev-list", source, "--not", target).split()


def refresh_pushed(project: Project, before: dict[str, str], after: dict[str, str]) -> None:
    """After a push, which changed the references `before`."""
    for each in project.records.merge_requests:
        source = f"refs/heads/{each.source_branch}"
        if each.state == "opened" and before.get(source) != after.get(source):
            refresh(project, each)


def shown(call: Call, merge_request: MergeRequest) -> dict[str, Any]:
    """lib/api/entities/merge_request_basic.rb, in part."""
    path = f"{call.project.path}/-/merge_requests/{merge_request.iid}"
    return {
        "id": merge_request.id, "iid": merge_request.iid, "project_id": call.project.id, "title": merge_request.title,
        "description": None, "state": merge_request.state, "created_at": time_text(merge_request.created_at),
        "updated_at": time_text(merge_request.created_at), "target_branch": merge_request.target_branch,
        "source_branch": merge_request.source_branch, "author": users.shown(call.instance, merge_request.author),
        "source_project_id": call.project.id, "target_project_id": call.project.id, "merge_user": None,
        "sha": merge_request.commits[0] if merge_request.commits else None,
        "merge_commit_sha": None, "squash_commit_sha": None, "user_notes_count": len(merge_request.notes),
        "web_url": f"{call.instance.url}/{path}"}
