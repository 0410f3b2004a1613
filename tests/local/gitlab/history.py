"""The common ancestor of commits (lib/api/repositories.rb), and the push events of a project (lib/api/project_events.rb,
app/finders/events_finder.rb)."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from tests.local.gitlab import access, users
from tests.local.gitlab.records import PushEvent
from tests.local.gitlab.rest import Answer, Call, Rejected, not_found, time_text
from tests.local.gitlab.state import Instance, Project, Token

# "Push event activities limit": if a push changes more branches, or more tags, they share one event
# (https://docs.gitlab.com/administration/settings/push_event_activities_limit/).
_MOST_EVENTS = 3


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
    """An event for each changed branch and tag (app/services/push_event_payload_service.rb), or one for all of a type and
    action if they are too many (app/services/git/process_ref_changes_service.rb, bulk_push_event_payload_service.rb)."""
    changes: dict[tuple[str, str], list[str]] = {}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            action = "created" if name not in before else "removed" if name not in after else "pushed"
            ref_type = "branch" if name.startswith("refs/heads/") else "tag"
            changes.setdefault((ref_type, action), []).append(name)
    for kind, names in changes.items():
        def event(*more: Any, kind: tuple[str, str] = kind) -> PushEvent:
            return PushEvent(instance.next_id(), time.time(), token.user, *kind, *more)
        if len(names) > _MOST_EVENTS:
            project.records.push_events.append(event(None, None, None, len(names)))
        else:
            project.records.push_events += [event(name.split("/", 2)[2], before.get(name), after.get(name))
                                            for name in names]


def events(call: Call) -> Answer:
    """The newest first. Only pushes are recorded, so every other `action` has none. `after` is a date: later than its end
    (`by_created_at_after`). Pages are short (`paginated_filtered_by_user_visibility` in app/finders/events_finder.rb)."""
    is_push = call.request.query.get("action", "pushed") == "pushed"
    listed = [_shown(call, each) for each in reversed(call.project.records.push_events) if is_push]
    after = call.request.query.get("after", "")
    return call.page([each for each in listed if each["created_at"][:len(after)] > after or not after], hidden=1)


def _shown(call: Call, event: PushEvent) -> dict[str, Any]:
    """lib/api/entities/event.rb and push_event_payload.rb."""
    names = {"created": "pushed new", "removed": "deleted", "pushed": "pushed to"}  # app/models/push_event.rb
    return {
        "id": event.id, "project_id": call.project.id, "action_name": names[event.action], "target_id": None,
        "target_iid": None, "target_type": None, "author_id": event.user.id, "target_title": None,
        "created_at": time_text(event.created_at), "author": users.shown(call.instance, event.user),
        "author_username": event.user.username,
        "push_data": {"commit_count": 0 if event.ref_count else 1, "action": event.action, "ref_type": event.ref_type,
                      "commit_from": event.commit_from, "commit_to": event.commit_to, "ref": event.ref,
                      "commit_title": None, "ref_count": event.ref_count}}
