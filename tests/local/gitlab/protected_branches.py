"""`/projects/:id/protected_branches` (lib/api/protected_branches.rb)."""

from __future__ import annotations

from typing import Any

from tests.local.gitlab import access
from tests.local.gitlab.rest import Answer, Call, Rejected, boolean, forbidden, no_record, no_route, require_text
from tests.local.gitlab.state import LEVELS

# app/finders/protected_branches_finder.rb, LIMIT: over all pages.
_MAX_LISTED = 100


def answer(call: Call, parts: list[str]) -> Answer:
    match (call.request.method, *parts):
        case ("GET",):
            return _listed(call)
        case ("POST",):
            return _created(call)
        case ("DELETE", name):
            return _deleted(call, name)
    raise no_route()


def _listed(call: Call) -> Answer:
    project = call.project
    # lib/api/protected_branches.rb, `authorize_read_protected_branch!` (formerly `authorize_admin_project`): allowed
    # for Maintainers; in newer versions, for Developers.
    if call.token.level(project) < LEVELS["developer"]:
        raise forbidden()
    # app/finders/protected_branches_finder.rb: `all_protected_branches`, including those of the groups. They are
    # distinguished by `inherited`, of Premium and Ultimate (https://docs.gitlab.com/api/protected_branches/).
    own, groups = sorted(project.protected_branches), sorted(project.inherited_protected_branches)
    named = [(name, False) for name in own] + [(name, True) for name in groups]
    return call.page([_shown(call, number, name, inherited)
                      for number, (name, inherited) in enumerate(named[:_MAX_LISTED], 1)])


def _shown(call: Call, number: int, name: str, inherited: bool) -> dict[str, Any]:
    maintainers = {"id": 1, "access_level": LEVELS["maintainer"], "access_level_description": "Maintainers"}
    return {"id": number, "name": name, "push_access_levels": [maintainers], "merge_access_levels": [maintainers],
            "allow_force_push": False, **({"inherited": inherited} if call.instance.settings.premium else {})}


def _created(call: Call) -> Answer:
    _authorize(call)
    require_text(call.request.parameters, "name")
    name = str(call.request.parameters["name"])
    with call.instance.changes:
        if name in call.project.protected_branches:
            raise Rejected(409, {"message": f"Protected branch '{name}' already exists"})
        call.project.protected_branches.append(name)
        number = len(call.project.protected_branches)
    force = bool(boolean("allow_force_push", call.request.parameters.get("allow_force_push")))
    if force:
        call.project.force_pushed_branches.add(name)
    return Answer(201, {**_shown(call, number, name, False), "allow_force_push": force})


def _deleted(call: Call, name: str) -> Answer:
    _authorize(call)
    with call.instance.changes:
        if name not in call.project.protected_branches:
            raise no_record()
        call.project.protected_branches.remove(name)
        call.project.force_pushed_branches.discard(name)
    return Answer(204)


def _authorize(call: Call) -> None:
    """`authorize_admin_project`, in newer versions `create_protected_branch` and `destroy_protected_branch`: all are
    Maintainers' (config/authz/roles/maintainer.yml)."""
    access.authorize(call.token, call.project, "admin_project")
