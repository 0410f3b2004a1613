"""`GET /projects/:id/repository/commits/:sha`, and the merge requests and comments of a commit
(lib/api/commits.rb). Statuses are in `statuses`, threads in `notes`."""

from __future__ import annotations

import subprocess
from typing import Any

from local.gitlab import access, merge_requests, notes, pipelines, users
from local.gitlab.records import Discussion, Note
from local.gitlab.rest import Answer, Call, no_route, not_found, require, time_text

_FORMAT = "%H%x00%h%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%s%x00%B"


def answer(call: Call, name: str, parts: list[str]) -> Answer:
    access.authorize(call.token, call.project, "read_code")
    match (call.request.method, *parts):
        case ("GET",):
            return Answer(200, _shown(call, _commit(call, name)))
        case ("GET", "merge_requests"):
            return _merge_requests(call, name)
        case ("GET", "comments"):
            commit = _commit(call, name)
            held = [note for each in call.project.records.discussions.get(commit, []) for note in each.notes]
            return call.page([_comment(call, note) for note in sorted(held, key=lambda note: note.id)])
        case ("POST", "comments"):
            return _add_comment(call, name)
    raise no_route()


def listed(call: Call) -> Answer:
    """The commits of a branch, tag or range, newest first. There is no total, so a full page announces another one. Gitaly
    ignores the exit status of `git log`: an unknown name has no commits (internal/gitaly/service/commit/find_commits.go).
    """
    access.authorize(call.token, call.project, "read_code")
    try:
        found = call.project.git("rev-list", "--end-of-options", call.request.query.get("ref_name") or "HEAD").split()
    except subprocess.CalledProcessError:
        found = []
    page = call.page([{"id": each} for each in found])
    page.body = [_shown(call, each["id"]) for each in page.body]
    headers = {name: value for name, value in page.headers.items() if not name.startswith("X-Total")}
    if len(page.body) == int(headers["X-Per-Page"]):
        headers["X-Next-Page"] = str(int(headers["X-Page"]) + 1)
    return Answer(200, page.body, headers)


def _commit(call: Call, name: str) -> str:
    """`user_project.commit(params[:sha])`: a SHA, or the name of a branch or tag."""
    found = call.project.commit(name)
    if found is None:
        raise not_found("Commit")
    return found


def _shown(call: Call, sha: str) -> dict[str, Any]:
    """lib/api/entities/commit.rb and commit_detail.rb, in part."""
    (full, short, parents, author, author_email, authored, committer, committer_email, committed, title,
     message) = call.project.git("show", "--no-patch", f"--format={_FORMAT}", sha).split("\0")
    latest = pipelines.latest(call.project, sha)
    return {
        "id": full, "short_id": short, "created_at": committed, "parent_ids": parents.split(), "title": title,
        "message": message.rstrip("\n") + "\n", "author_name": author, "author_email": author_email,
        "authored_date": authored, "committer_name": committer, "committer_email": committer_email,
        "committed_date": committed, "web_url": f"{call.instance.url}/{call.project.path}/-/commit/{full}",
        "status": pipelines.state(latest) if latest else None, "project_id": call.project.id,
        "last_pipeline": pipelines.shown(call.instance, call.project, latest) if latest else None}


def _merge_requests(call: Call, name: str) -> Answer:
    """Versions before 18.2 drop the parameter `state` like every unknown one
    (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/191169)."""
    access.authorize(call.token, call.project, "read_merge_request")
    commit = _commit(call, name)
    found = merge_requests.of_commit(call.project, commit)
    state = call.request.query.get("state")
    # app/finders/issuable_finder.rb, `by_state`: an unknown state filters nothing.
    if call.instance.settings.filters_merge_requests_of_commits and state in merge_requests.STATES:
        found = [each for each in found if each.state == state]
    return call.page([merge_requests.shown(call, each) for each in found])


def _comment(call: Call, note: Note) -> dict[str, Any]:
    """lib/api/entities/commit_note.rb. It has no id: edit a comment through its thread."""
    return {"note": note.body, "path": None, "line": None, "line_type": None,
            "author": users.shown(call.instance, note.author), "created_at": time_text(note.created_at)}


def _add_comment(call: Call, name: str) -> Answer:
    require(call.request.parameters, "note")
    commit = _commit(call, name)
    # app/services/notes/create_service.rb authorizes nothing here (?): every caller who may read the code may comment.
    note = notes.create(call, call.request.parameters["note"], None)
    call.project.records.discussions.setdefault(commit, []).append(Discussion(notes.discussion_id(), [note]))
    return Answer(201, _comment(call, note))
