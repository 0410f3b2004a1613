"""Notes on merge requests and threads on commits (lib/api/notes.rb, lib/api/discussions.rb,
lib/api/helpers/notes_helpers.rb, app/policies/note_policy.rb)."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from tests.local.gitlab import access, users
from tests.local.gitlab.records import Discussion, MergeRequest, Note
from tests.local.gitlab.rest import (
    Answer,
    BadParameters,
    Call,
    bad_request,
    check_value,
    no_record,
    no_route,
    not_found,
    require,
    time_text,
)

# lib/gitlab/database.rb, MAX_TEXT_SIZE_LIMIT (app/models/concerns/notes/active_record.rb).
_MAX_LENGTH = 1_000_000
# A quick action begins a line, outside of code (lib/gitlab/quick_actions/extractor.rb).
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_QUICK_ACTION = re.compile(r"^/[a-z_]+\b", re.MULTILINE)


def answer_for_merge_request(call: Call, iid: str, parts: list[str]) -> Answer:
    found = next((each for each in call.project.records.merge_requests if str(each.iid) == iid), None)
    # app/finders/notes_finder.rb searches the merge requests that the caller may read, with `find_by!`.
    if found is None or not access.is_allowed(call.token, call.project, "read_merge_request"):
        raise no_record()
    match (call.request.method, *parts):
        case ("GET",):
            return _listed(call, found)
        case ("POST",):
            require(call.request.parameters, "body")
            with call.instance.changes:
                access.authorize(call.token, call.project, "create_note")
                made = create(call, call.request.parameters["body"], None)
                found.notes.append(made)
            return Answer(201, shown(call, made, found))
        case ("PUT", number):
            if not str(call.request.parameters.get("body", "x") or "").strip():
                raise BadParameters("body is empty")
            return Answer(200, shown(call, _edit(call, _find(found.notes, number)), found))
        case ("DELETE", number):
            return _delete(call, found.notes, number)
    raise no_route()


def _listed(call: Call, merge_request: MergeRequest) -> Answer:
    query = call.request.query
    check_value(query, "sort", ("asc", "desc"))
    # No note here is of the system, so all are comments.
    check_value(query, "activity_filter", ("all_notes", "only_comments"))
    found = sorted(merge_request.notes, key=lambda note: note.id, reverse=query.get("sort", "desc") == "desc")
    return call.page([shown(call, note, merge_request) for note in found])


def answer_for_commit(call: Call, name: str, parts: list[str]) -> Answer:
    """Threads. A comment of `commits` is also a thread, with one note."""
    found = call.project.commit(name) if access.is_allowed(call.token, call.project, "read_code") else None
    if found is None:
        raise not_found("Commit")
    held = call.project.records.discussions.setdefault(found, [])
    match (call.request.method, *parts):
        case ("GET",):
            return call.page([_discussion_shown(call, each) for each in held])
        case ("POST",):
            require(call.request.parameters, "body")
            with call.instance.changes:
                access.authorize(call.token, call.project, "create_note")
                made = Discussion(discussion_id(), [create(call, call.request.parameters["body"], "DiscussionNote")])
                held.append(made)
            return Answer(201, _discussion_shown(call, made))
        case ("PUT", identifier, "notes", number):
            if "body" not in call.request.parameters:
                raise BadParameters("body, resolved are missing, exactly one parameter must be provided")
            note = _find(_find_discussion(held, identifier).notes, number)
            return Answer(200, shown(call, _edit(call, note), None))
        case ("DELETE", identifier, "notes", number):
            answer = _delete(call, _find_discussion(held, identifier).notes, number)
            # A thread is the notes with its identifier (app/models/discussion.rb): without notes there is none.
            held[:] = [each for each in held if each.notes]
            return answer
    raise no_route()


def discussion_id() -> str:
    return secrets.token_hex(20)


def create(call: Call, body: Any, kind: str | None) -> Note:
    _check(body)
    now = time.time()
    return Note(call.instance.next_id(), str(body), call.user, now, now, kind)


def _edit(call: Call, note: Note) -> Note:
    """`update_note`: for its author and for Maintainers (app/policies/note_policy.rb, `is_author`; `admin_note` of
    config/authz/roles/maintainer.yml)."""
    with call.instance.changes:
        _authorize_change(call, note)
        # app/services/notes/update_service.rb: without a body, the note does not change.
        if "body" in call.request.parameters:
            _check(call.request.parameters["body"])
            note.body, note.updated_at = str(call.request.parameters["body"]), time.time()
    return note


def _delete(call: Call, notes: list[Note], number: str) -> Answer:
    """`delete_note` (lib/api/helpers/notes_helpers.rb): 204, with the permission `admin_note` of its author and of
    Maintainers."""
    with call.instance.changes:
        note = _find(notes, number)
        _authorize_change(call, note)
        notes.remove(note)
    return Answer(204)


def _authorize_change(call: Call, note: Note) -> None:
    if note.author.id != call.user.id:
        access.authorize(call.token, call.project, "admin_note")


def _check(body: Any) -> None:
    text = str(body or "")
    if not text.strip():
        raise bad_request('Note {:note=>["can\'t be blank"]}')
    if len(text) > _MAX_LENGTH:
        raise bad_request(f'Note {{:note=>["is too long (maximum is {_MAX_LENGTH} characters)"]}}')
    if _QUICK_ACTION.search(_CODE.sub("", text)):
        # GitLab would run it, for example `/close` or `/merge`, and remove it from the note. Not implemented here.
        raise NotImplementedError("a line of the note begins with a quick action")


def _find(notes: list[Note], number: str) -> Note:
    found = next((each for each in notes if str(each.id) == number), None)
    if found is None:
        raise no_record()
    return found


def _find_discussion(held: list[Discussion], identifier: str) -> Discussion:
    found = next((each for each in held if each.id == identifier), None)
    if found is None:
        raise not_found("Discussion")
    return found


def _discussion_shown(call: Call, discussion: Discussion) -> dict[str, Any]:
    """lib/api/entities/discussion.rb."""
    return {"id": discussion.id, "individual_note": discussion.notes[0].type is None,
            "notes": [shown(call, note, None) for note in discussion.notes]}


def shown(call: Call, note: Note, merge_request: MergeRequest | None) -> dict[str, Any]:
    """lib/api/entities/note.rb, in part. A note on a commit has no `noteable_id` (lib/api/discussions.rb, `id_key`),
    although https://docs.gitlab.com/api/discussions/#commits shows one."""
    return {
        "id": note.id, "type": note.type, "body": note.body, "author": users.shown(call.instance, note.author),
        "created_at": time_text(note.created_at), "updated_at": time_text(note.updated_at), "system": False,
        "noteable_id": merge_request.id if merge_request else None,
        "noteable_type": "MergeRequest" if merge_request else "Commit",
        "noteable_iid": merge_request.iid if merge_request else None, "project_id": call.project.id,
        "resolvable": False, "confidential": False, "internal": False}
