"""Deployments (lib/api/deployments.rb, app/services/deployments/create_service.rb, app/models/deployment.rb). The
texts are those of spec/requests/api/deployments_spec.rb."""

from __future__ import annotations

import time
from typing import Any

from local.gitlab import access, environments, users
from local.gitlab.records import Deployment, Environment
from local.gitlab.rest import (
    Answer,
    Call,
    Invalid,
    boolean,
    check_value,
    no_record,
    no_route,
    require,
    require_text,
    time_text,
)

_STATUSES = ("running", "success", "failed", "canceled")
_ALL_STATUSES = ("created", *_STATUSES, "skipped", "blocked")
# `iid` and `created_at` sort by `id`. The other orders of app/finders/deployments_finder.rb are not implemented.
_ORDERS = ("id", "iid", "created_at")
# app/models/deployment.rb, `state_machine`: the event of each status.
_EVENTS = {"running": "run", "success": "succeed", "failed": "drop", "canceled": "cancel"}


def answer(call: Call, parts: list[str]) -> Answer:
    match (call.request.method, *parts):
        case ("GET",):
            return _listed(call)
        case ("POST",):
            return _created(call)
        case ("GET", number):
            access.authorize(call.token, call.project, "read_deployment")
            return Answer(200, shown(call, _find(call, number)))
        case ("PUT", number):
            return _updated(call, number)
    raise no_route()


def _listed(call: Call) -> Answer:
    query = call.request.query
    check_value(query, "order_by", _ORDERS)
    check_value(query, "sort", ("asc", "desc"))
    check_value(query, "status", _ALL_STATUSES)
    access.authorize(call.token, call.project, "read_deployment")
    found = [each for each in call.project.records.deployments
             if query.get("environment", "") in ("", each.environment.name)
             and query.get("status", "") in ("", each.status)]
    found.sort(key=lambda each: each.id, reverse=query.get("sort") == "desc")
    return call.page([shown(call, each) for each in found])


def _created(call: Call) -> Answer:
    parameters = call.request.parameters
    require(parameters, "environment", "sha", "ref", "tag", "status")
    require_text(parameters, "environment", "sha", "ref")
    check_value(parameters, "status", _STATUSES)
    tag = bool(boolean("tag", parameters["tag"]))
    access.authorize(call.token, call.project, "create_deployment")
    access.authorize(call.token, call.project, "create_environment")
    sha, ref = str(parameters["sha"]), str(parameters["ref"])
    if call.project.commit(sha) is None:
        raise Invalid({"sha": ["The commit does not exist"]})
    if call.project.commit(ref) is None:
        raise Invalid({"ref": ["The branch or tag does not exist"]})
    with call.instance.changes:
        name = str(parameters["environment"])
        environment = next((each for each in call.project.records.environments if each.name == name), None)
        environment = environment or environments.create(call, name)
        made = Deployment(0, 0, environment, sha, ref, tag, call.user, time.time(), time.time())
        same = _last_success(call, environment)
        if same and (same.sha, same.ref, same.tag, same.status) == (sha, ref, tag, parameters["status"]):
            return Answer(201, shown(call, same))
        made.id, made.iid = call.instance.next_id(), len(call.project.records.deployments) + 1
        call.project.records.deployments.append(made)
        _transition(made, parameters["status"])
    return Answer(201, shown(call, made))


def _last_success(call: Call, environment: Environment) -> Deployment | None:
    """app/models/environment.rb, `last_deployment`: the latest successful deployment. GitLab compares a new
    deployment only with this one (app/services/deployments/create_service.rb, `equal_to?`)."""
    found = [each for each in call.project.records.deployments
             if each.environment.id == environment.id and each.status == "success"]
    return max(found, key=lambda each: each.finished_at or 0, default=None)


def _updated(call: Call, number: str) -> Answer:
    require(call.request.parameters, "status")
    check_value(call.request.parameters, "status", _STATUSES)
    with call.instance.changes:
        found = _find(call, number)
        access.authorize(call.token, call.project, "update_deployment")
        _transition(found, call.request.parameters["status"])
        return Answer(200, shown(call, found))


def _transition(deployment: Deployment, status: str) -> None:
    """A deployment can change to any other final status, also from a final one. Only a new or blocked deployment can
    change to `running`."""
    if status == deployment.status or (status == "running" and deployment.status not in ("created", "blocked")):
        raise Invalid({"status": [f'cannot transition via "{_EVENTS[status]}"']})
    deployment.status, deployment.updated_at = status, time.time()
    if status != "running":
        deployment.finished_at = deployment.updated_at
    # app/services/deployments/update_environment_service.rb: a success makes a stopped environment available again.
    if status == "success":
        deployment.environment.state = "available"


def _find(call: Call, number: str) -> Deployment:
    found = next((each for each in call.project.records.deployments if str(each.id) == number), None)
    if found is None:
        raise no_record()
    return found


def shown(call: Call, deployment: Deployment) -> dict[str, Any]:
    """lib/api/entities/deployment.rb. deployment_extended.rb adds members only in the Enterprise Edition."""
    return {"id": deployment.id, "iid": deployment.iid, "ref": deployment.ref, "sha": deployment.sha,
            "created_at": time_text(deployment.created_at), "updated_at": time_text(deployment.updated_at),
            "user": users.shown(call.instance, deployment.user),
            "environment": environments.shown_briefly(deployment.environment),
            "deployable": None, "status": deployment.status}
