"""The commits of a project, and the merge requests of a commit (lib/api/commits.rb). `statuses` has the statuses,
`notes` the threads."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.local.gitlab import access, merge_requests
from tests.local.gitlab.rest import Answer, Call, not_found

_FORMAT = "%H%x00%h%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%s%x00%B"


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


def _shown(call: Call, sha: str) -> dict[str, Any]:
    """lib/api/entities/commit.rb, in part."""
    (full, short, parents, author, author_email, authored, committer, committer_email, committed, title,
     message) = call.project.git("show", "--no-patch", f"--format={_FORMAT}", sha).split("\0")
    return {
        "id": full, "short_id": short, "created_at": committed, "parent_ids": parents.split(), "title": title,
        "message": message.rstrip("\n") + "\n", "author_name": author, "author_email": author_email,
        "authored_date": authored, "committer_name": committer, "committer_email": committer_email,
        "committed_date": committed, "web_url": f"{call.instance.url}/{call.project.path}/-/commit/{full}"}


def its_merge_requests(call: Call, name: str) -> Answer:
    """The commit is found by a SHA, or the name of a branch or tag (`user_project.commit(params[:sha])`)."""
    access.authorize(call.token, call.project, "read_code")
    access.authorize(call.token, call.project, "read_merge_request")
    commit = call.project.commit(name)
    if commit is None:
        raise not_found("Commit")
    return call.page([merge_requests.shown(call, each) for each in merge_requests.of_commit(call.project, commit)])
