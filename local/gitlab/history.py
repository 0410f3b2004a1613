"""The common ancestor of commits (lib/api/repositories.rb), and the push events of a project (lib/api/project_events.rb,
app/finders/events_finder.rb)."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from local.gitlab import access, users
from local.gitlab.records import PushEvent
from local.gitlab.rest import Answer, Call, Rejected, not_found, time_text
from local.gitlab.state import Instance, Project, Token


def merge_base(call: Call) -> Answer:
    """https://docs.gitlab.com/api/repositories/"""
    access.authorize(call.token, call.project, "read_code")
    refs = [name for name in call.request.query.get("refs[]", "").split(",") if name]
    if len(refs) < 2:
        raise Rejected(400, {"message": "Provide at least 2 refs"})
    commits = [found for found in map(call.project.commit, refs) if found]
    # lib/gitlab/git/merge_base.rb, `unknown_refs`, pairs the names with the commits that were found: if one is missing,
    # it is always the last name.
    unknown = refs[len(commits):]
    if unknown:
        noun = "ref" if len(unknown) == 1 else "refs"
        raise Rejected(400, {"message": f"Could not find {noun}: {', '.join(unknown)}"})
    try:
        base = call.project.git("merge-base", *commits).strip()
    except subprocess.CalledProcessError:
        raise not_found("Merge Base") from None
    committed = call.project.git("show", "--no-patch", "--format=%cI", base).strip()
    return Answer(200, {"id": base, "short_id": base[:8], "committed_date": committed})


def record_push(instance: Instance, project: Project, token: Token, before: dict[str, str], after: dict[str, str]) -> None:
    """An event for each changed branch (app/services/push_event_payload_service.rb)."""
    prefix = "refs/heads/"
    changed = [name for name in sorted(before.keys() | after.keys())
               if name.startswith(prefix) and before.get(name) != after.get(name)]
    project.records.push_events += [
        PushEvent(instance.next_id(), time.time(), token.user, name.removeprefix(prefix), before.get(name),
                  after.get(name)) for name in changed]


def events(call: Call) -> Answer:
    """The newest first. Only pushes are recorded, so every other `action` has none."""
    is_push = call.request.query.get("action", "pushed") == "pushed"
    listed = reversed(call.project.records.push_events) if is_push else ()
    return call.page([_shown(call, each) for each in listed])


def _shown(call: Call, event: PushEvent) -> dict[str, Any]:
    """lib/api/entities/event.rb and push_event_payload.rb."""
    action = "created" if event.commit_from is None else "removed" if event.commit_to is None else "pushed"
    names = {"created": "pushed new", "removed": "deleted", "pushed": "pushed to"}  # app/models/push_event.rb
    return {
        "id": event.id, "project_id": call.project.id, "action_name": names[action], "target_id": None,
        "target_iid": None, "target_type": None, "author_id": event.user.id, "target_title": None,
        "created_at": time_text(event.created_at), "author": users.shown(call.instance, event.user),
        "author_username": event.user.username,
        "push_data": {"commit_count": 1, "action": action, "ref_type": "branch", "commit_from": event.commit_from,
                      "commit_to": event.commit_to, "ref": event.branch, "commit_title": None, "ref_count": None}}
