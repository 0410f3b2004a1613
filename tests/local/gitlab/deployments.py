"""Deployments (lib/api/deployments.rb, app/services/deployments/create_service.rb, app/models/deployment.rb). The
texts are those of spec/requests/api/deployments_spec.rb."""

from __future__ import annotations

import time
from typing import Any

from tests.local.gitlab import access, environments, users
from tests.local.gitlab.records import Deployment, Environment
from tests.local.gitlab.rest import (
    Answer,
    Call,
    Invalid,
    boolean,
    check_value,
    no_route,
    require,
    require_text,
    time_text,
)

_STATUSES = ("running", "success", "failed", "canceled")
# `iid` and `created_at` sort by `id`. The other orders of app/finders/deployments_finder.rb are not implemented.
_ORDERS = ("id", "iid", "created_at")


def answer(call: Call, parts: list[str]) -> Answer:
    match (call.request.method, *parts):
        case ("GET",):
            return _listed(call)
        case ("POST",):
            return _created(call)
    raise no_route()


def _listed(call: Call) -> Answer:
    query = call.request.query
    check_value(query, "order_by", _ORDERS)
    check_value(query, "sort", ("asc", "desc"))
    access.authorize(call.token, call.project, "read_deployment")
    found = [each for each in call.project.records.deployments
             if query.get("environment", "") in ("", each.environment.name)]
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
        same = _last_success(call, environment)
        if same and (same.sha, same.ref, same.tag, same.status) == (sha, ref, tag, parameters["status"]):
            return Answer(201, shown(call, same))
        held = call.project.records.deployments
        made = Deployment(call.instance.next_id(), len(held) + 1, environment, sha, ref, tag, call.user, time.time(),
                          parameters["status"])
        held.append(made)
        # app/services/deployments/update_environment_service.rb: a success makes a stopped environment available again.
        if made.status == "success":
            environment.state = "available"
    return Answer(201, shown(call, made))


def _last_success(call: Call, environment: Environment) -> Deployment | None:
    """app/models/environment.rb, `last_deployment`: the latest successful deployment. GitLab compares a new
    deployment only with this one (app/services/deployments/create_service.rb, `equal_to?`)."""
    return next((each for each in reversed(call.project.records.deployments)
                 if each.environment is environment and each.status == "success"), None)


def shown(call: Call, deployment: Deployment) -> dict[str, Any]:
    """lib/api/entities/deployment.rb. deployment_extended.rb adds members only in the Enterprise Edition."""
    return {"id": deployment.id, "iid": deployment.iid, "ref": deployment.ref, "sha": deployment.sha,
            "created_at": time_text(deployment.created_at), "updated_at": time_text(deployment.created_at),
            "user": users.shown(call.instance, deployment.user),
            "environment": environments.shown_briefly(deployment.environment),
            "deployable": None, "status": deployment.status}
