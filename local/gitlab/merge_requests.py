"""The merge requests of a commit. Tests create them. `notes` has their notes."""

from __future__ import annotations

from typing import Any

from local.gitlab import users
from local.gitlab.records import MergeRequest
from local.gitlab.rest import Call, time_text
from local.gitlab.state import Project

STATES = ("opened", "closed", "locked", "merged")


def of_commit(project: Project, commit: str) -> list[MergeRequest]:
    """app/models/merge_request.rb, `by_related_commit_sha`: the merge requests with the commit in their latest
    diff, or as their merge or squash commit. Sorted newest first (app/finders/issuable_finder.rb, `sort`)."""
    return [each for each in reversed(project.records.merge_requests)
            if commit in each.commits or commit in (each.merge_commit, each.squash_commit)]


def refresh(project: Project, merge_request: MergeRequest) -> None:
    """app/services/merge_requests/refresh_service.rb: after a push to a branch, its open merge requests have its
    commits. GitLab does it in the background, here it is done with the push."""
    source, target = (f"refs/heads/{name}" for name in (merge_request.source_branch, merge_request.target_branch))
    if merge_request.is_refreshed and {source, target} <= project.references().keys():
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
        "source_project_id": call.project.id, "target_project_id": call.project.id,
        "sha": merge_request.commits[0] if merge_request.commits else None,
        "merge_commit_sha": merge_request.merge_commit,
        "squash_commit_sha": merge_request.squash_commit, "user_notes_count": len(merge_request.notes),
        "web_url": f"{call.instance.url}/{path}"}
