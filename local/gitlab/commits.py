"""`GET /projects/:id/repository/commits/:sha`, and the merge requests of a commit
(lib/api/commits.rb). Statuses are in `statuses`, threads in `notes`."""

from __future__ import annotations

import subprocess
from typing import Any

from local.gitlab import access, merge_requests, pipelines
from local.gitlab.rest import Answer, Call, no_route, not_found

_FORMAT = "%H%x00%h%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%s%x00%B"


def answer(call: Call, name: str, parts: list[str]) -> Answer:
    access.authorize(call.token, call.project, "read_code")
    match (call.request.method, *parts):
        case ("GET",):
            return Answer(200, _shown(call, _commit(call, name)))
        case ("GET", "merge_requests"):
            return _merge_requests(call, name)
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
    access.authorize(call.token, call.project, "read_merge_request")
    commit = _commit(call, name)
    return call.page([merge_requests.shown(call, each) for each in merge_requests.of_commit(call.project, commit)])
