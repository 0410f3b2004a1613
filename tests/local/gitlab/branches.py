"""Branches (lib/api/branches.rb, app/finders/branches_finder.rb)."""

from __future__ import annotations

import re
from typing import Any

from tests.local.gitlab import access
from tests.local.gitlab.rest import Answer, Call, no_route, not_found

_FORMAT = "%00".join(("%(refname:lstrip=2)", "%(objectname)", "%(objectname:short)", "%(committerdate:iso-strict)",
                      "%(contents:subject)"))


def answer(call: Call, parts: list[str]) -> Answer:
    """`regex` is RE2's, in every edition (https://docs.gitlab.com/api/branches/#list-all-repository-branches)."""
    access.authorize(call.token, call.project, "read_code")
    listed = call.project.git("for-each-ref", f"--format={_FORMAT}", "--sort=refname", "refs/heads/")
    found = [line.split("\0", 4) for line in listed.splitlines()]
    match (call.request.method, *parts):
        case ("GET",):
            try:
                regex = re.compile(call.request.query.get("regex", ""))
            except re.error:
                # lib/gitlab/untrusted_regexp.rb raises RegexpError, which no handler of the API rescues.
                return Answer(500, {"message": "500 Internal Server Error"})
            return call.page([_shown(call, *each) for each in found if regex.search(each[0])])
        case ("GET", name):
            for each in found:
                if each[0] == name:
                    return Answer(200, _shown(call, *each))
            raise not_found("Branch")
    raise no_route()


def _shown(call: Call, name: str, sha: str, short: str, committed: str, title: str) -> dict[str, Any]:
    """lib/api/entities/branch.rb, in part."""
    project = call.project
    return {"name": name, "default": name == project.default_branch, "protected": project.is_protected(name),
            "commit": {"id": sha, "short_id": short, "created_at": committed, "committed_date": committed,
                       "title": title},
            "web_url": f"{call.instance.url}/{project.path}/-/tree/{name}"}
