"""Commit statuses: `GET /projects/:id/repository/commits/:sha/statuses` and `POST /projects/:id/statuses/:sha`
(lib/api/commit_statuses.rb, app/services/ci/create_commit_status_service.rb, app/models/commit_status.rb). The texts
are those of spec/requests/api/commit_statuses_spec.rb."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

from tests.local.gitlab import access, users
from tests.local.gitlab.records import Pipeline, Status
from tests.local.gitlab.rest import (
    Answer,
    Call,
    Rejected,
    check_value,
    forbidden,
    not_found,
    raise_if,
    require,
    time_text,
    too_long,
)

_STATES = ("pending", "running", "success", "failed", "canceled", "skipped")
# app/models/commit_status.rb, `state_machine`: the event of each posted state (`apply_job_state!`), and the states
# before it.
_EVENTS = {
    "pending": ("enqueue", {"created", "skipped", "manual", "scheduled"}),
    "running": ("run", {"pending"}),
    "success": ("success", {"created", "pending", "running"}),
    "failed": ("drop", {"created", "pending", "running", "manual", "scheduled"}),
    "canceled": ("cancel", {"created", "pending", "running", "manual", "scheduled"}),
    "skipped": ("skip", {"created", "pending"}),
}
_UPDATABLE = ("target_url", "description")


def listed(call: Call, sha: str) -> Answer:
    query = call.request.query
    access.authorize(call.token, call.project, "read_commit_status")
    if call.project.commit(sha) is None:
        raise not_found("Commit")
    # Pipelines are compared by the full SHA: with a short SHA or a branch, GitLab finds the commit but no status.
    found = [(pipeline, status) for pipeline in call.project.records.pipelines if pipeline.sha == sha
             for status in pipeline.statuses
             if not status.is_retried and query.get("ref", "") in ("", status.ref)
             and query.get("name", "") in ("", status.name)]
    found.sort(key=lambda pair: pair[1].id)
    return call.page([shown(call, pipeline, status) for pipeline, status in found])


def posted(call: Call, sha: str) -> Answer:
    parameters = call.request.parameters
    require(parameters, "state")
    check_value(parameters, "state", _STATES)
    access.authorize(call.token, call.project, "create_commit_status")
    with call.instance.changes:
        commit = call.project.commit(sha)
        if commit is None:
            raise not_found("Commit")
        pipeline = _pipeline(call, commit)
        # app/policies/ci/pipeline_policy.rb, `update_pipeline`. If this is forbidden, the new pipeline remains.
        if not call.project.may_update(call.token.level(call.project), pipeline.ref):
            raise forbidden()
        status = _find_or_build(call, pipeline)
        _check(status)
        _transition(status, parameters["state"])
        _save(pipeline, status)
        return Answer(201, shown(call, pipeline, status))


def _pipeline(call: Call, commit: str) -> Pipeline:
    """`first_matching_pipeline`: the newest of this commit and ref, or the wanted one.
    `find_or_create_pipeline` creates one if there is none."""
    ref, project = call.request.parameters.get("ref"), call.project
    wanted = call.request.parameters.get("pipeline_id")
    found = [each for each in project.records.pipelines
             if each.sha == commit and (not ref or each.ref == ref)
             and (not wanted or str(each.id) == str(wanted))]
    if found:
        return found[-1]
    if wanted:
        raise not_found("Pipeline for pipeline_id, sha and ref")
    ref = ref or next(iter(sorted(_branches_with(call, commit))), None)
    if ref is None:
        raise not_found("References for commit")
    made = Pipeline(call.instance.next_id(), commit, ref)
    project.records.pipelines.append(made)
    return made


def _branches_with(call: Call, commit: str) -> list[str]:
    """app/models/repository.rb, `branch_names_contains`."""
    return call.project.git("for-each-ref", f"--contains={commit}", "--format=%(refname:lstrip=2)",
                            "refs/heads/").split()


def _find_or_build(call: Call, pipeline: Pipeline) -> Status:
    """`external_commit_status_scope`: finds only a running or pending status of the same name, ref and user. `retried`
    is not a condition and is never reset, so a retried status is found and remains retried. Returns a copy: GitLab
    saves nothing before the transition."""
    parameters, ref = call.request.parameters, pipeline.ref
    name = parameters.get("name") or parameters.get("context") or "default"
    # app/models/project.rb: `protected_for?` raises AmbiguousRefError, which the API does not rescue.
    if {f"refs/heads/{ref}", f"refs/tags/{ref}"} <= set(call.project.references()):
        raise Rejected(500, {"message": "500 Internal Server Error"})
    is_protected = call.project.is_protected(ref)
    found = [each for each in pipeline.statuses
             if each.state in ("pending", "running") and each.name == name and each.ref == ref
             and each.user.id == call.user.id and (each.is_protected or not is_protected)]
    status = replace(found[0]) if found else Status(0, name, ref, call.user, time.time(), is_protected=is_protected)
    if not found:
        status.id = call.instance.next_id()
    # lib/api/helpers.rb, `attributes_for_keys`: a blank value counts as missing.
    for attribute in _UPDATABLE:
        if parameters.get(attribute) not in (None, ""):
            setattr(status, attribute, str(parameters[attribute]))
    return status


def _check(status: Status) -> None:
    """app/models/commit_status.rb and app/models/generic_commit_status.rb. Both check the length of the target URL."""
    target = too_long(status.target_url) * 2
    if status.target_url is not None and not re.match(r"https?://[^\s/]", status.target_url, re.IGNORECASE):
        target.append("is blocked: Only allowed schemes are http, https")
    raise_if({"ref": too_long(status.ref), "target_url": target, "description": too_long(status.description)})


def _transition(status: Status, state: str) -> None:
    if state == "running" and status.state in _EVENTS["pending"][1]:
        status.state = "pending"  # `job.enqueue` precedes `job.run!`, and its failure is ignored
    event, earlier = _EVENTS[state]
    if status.state not in earlier:
        # app/services/ci/pipelines/add_job_service.rb: the message of StateMachines::InvalidTransition.
        raise Rejected(400, {"message": f"Cannot transition status via :{event} from :{status.state} (Reason(s): "
                                        f'Status cannot transition via "{event}")'})
    status.state, now = state, time.time()
    if state == "running":
        status.started_at = now
    elif state in ("success", "failed", "canceled"):
        status.finished_at = now


def _save(pipeline: Pipeline, status: Status) -> None:
    """Also `update_older_statuses_retried!`: all others of this name in the pipeline, of any user."""
    others = [each for each in pipeline.statuses if each.id != status.id]
    for each in others:
        each.is_retried = each.is_retried or each.name == status.name
    pipeline.statuses[:] = sorted([*others, status], key=lambda each: each.id)


def shown(call: Call, pipeline: Pipeline, status: Status) -> dict[str, Any]:
    """lib/api/entities/commit_status.rb."""
    return {
        "id": status.id, "sha": pipeline.sha, "ref": status.ref, "status": status.state, "name": status.name,
        "target_url": status.target_url, "description": status.description, "created_at": time_text(status.created_at),
        "started_at": time_text(status.started_at), "finished_at": time_text(status.finished_at),
        "allow_failure": False, "coverage": None, "pipeline_id": pipeline.id,
        "author": users.shown(call.instance, status.user)}
