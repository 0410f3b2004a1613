"""Tags, their releases, and the rules that protect them (lib/api/tags.rb, lib/api/releases.rb, lib/api/protected_tags.rb,
lib/gitlab/checks/tag_check.rb)."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.local.gitlab import access, git_over_http
from tests.local.gitlab.mirror_runs import Runs
from tests.local.gitlab.rest import Answer, Call, Rejected, forbidden, no_route, not_found, require
from tests.local.gitlab.state import LEVELS


def answer(call: Call, runs: Runs, parts: list[str]) -> Answer:
    access.authorize(call.token, call.project, "read_code")
    match (call.request.method, *parts):
        case ("GET", name):
            return Answer(200, _shown(call, _target(call, name), name))
        case ("POST",):
            return _created(call, runs)
        case ("DELETE", name):
            return _deleted(call, runs, name)
    raise no_route()


def _target(call: Call, name: str) -> str:
    target = call.project.references().get(f"refs/tags/{name}")
    if target is None:
        raise not_found("Tag")
    return target


def _created(call: Call, runs: Runs) -> Answer:
    """app/services/tags/create_service.rb. Each rejection is 400 (`render_api_error!(result[:message], 400)`), also that
    of a protected tag. Only a caller without `admin_tag` gets 403."""
    if call.token.level(call.project) < LEVELS["developer"]:
        raise forbidden()
    given = {**call.request.query, **call.request.parameters}
    require(given, "tag_name", "ref")
    name, commit = given["tag_name"], call.project.commit(given["ref"])
    if f"refs/tags/{name}" in call.project.references():
        raise Rejected(400, {"message": f"Tag {name} already exists"})
    if commit is None:
        raise Rejected(400, {"message": f"Target {given['ref']} is invalid"})
    _create(call, runs, name, commit)
    return Answer(201, _shown(call, _target(call, name), name))


def releases(call: Call, runs: Runs, parts: list[str]) -> Answer:
    """lib/api/releases.rb. Developers create a release, also with a job's token, and its tag if the rules admit them
    (app/services/releases/create_service.rb). Its deletion leaves the tag."""
    access.authorize(call.token, call.project, "read_code")
    released = call.project.released
    match (call.request.method, *parts):
        case ("POST",):
            require(call.request.parameters, "tag_name")
            name = call.request.parameters["tag_name"]
            commit = call.project.commit(call.request.parameters.get("ref", ""))
            if call.token.level(call.project) < LEVELS["developer"]:
                raise forbidden()
            if f"refs/tags/{name}" not in call.project.references():
                if commit is None:
                    raise Rejected(422, {"message": "Ref is not specified"})
                _create(call, runs, name, commit)
            released.add(name)
            return Answer(201, {"tag_name": name, "name": name, "description": None})
        case ("GET", name) if name in released:
            return Answer(200, {"tag_name": name, "name": name, "description": None})
        case ("DELETE", name) if name in released:
            access.authorize(call.token, call.project, "admin_project")
            released.discard(name)
            return Answer(200, {"tag_name": name, "name": name, "description": None})
        case ("GET" | "DELETE", _):
            raise Rejected(404, {"message": "404 Not Found"})
    raise no_route()


def _create(call: Call, runs: Runs, name: str, commit: str) -> None:
    _change(call, runs, name, None, commit, "tag", "--end-of-options", name, commit)


def _deleted(call: Call, runs: Runs, name: str) -> Answer:
    """The policy of `delete_tag` (app/policies/tag_policy.rb) is 403, before the checks of tag_check.rb."""
    target = _target(call, name)
    least = "maintainer" if call.project.tag_rules(name) else "developer"
    if call.token.level(call.project) < LEVELS[least]:
        raise forbidden()
    _change(call, runs, name, target, None, "tag", "--delete", name)
    return Answer(204)


def _change(call: Call, runs: Runs, name: str, old: str | None, new: str | None, *command: str) -> None:
    """Runs the same hooks as a push: its checks before, and its events and mirrors after it."""
    with call.project.pushes:
        if refused := git_over_http.tag_refusal(call.project, call.token, name, old, new, by_api=True):
            raise Rejected(400, {"message": refused})
        before = call.project.references()
        try:
            call.project.git(*command)
        except subprocess.CalledProcessError:
            raise Rejected(400, {"message": "Tag name invalid"}) from None
        git_over_http.after_push(call.instance, runs, call.project, call.token, before)


def _shown(call: Call, target: str, name: str) -> dict[str, Any]:
    """lib/api/entities/tag.rb, in part: `target` is the tag object of an annotated tag, `commit` what it leads to."""
    message = call.project.git("tag", "--list", "--format=%(contents)", name).strip()
    is_annotated = call.project.git("cat-file", "-t", target).strip() == "tag"
    return {"name": name, "message": message if is_annotated else "", "target": target,
            "commit": {"id": call.project.commit(target)},
            "release": {"tag_name": name, "description": None} if name in call.project.released else None,
            "protected": bool(call.project.tag_rules(name))}


def protected(call: Call) -> Answer:
    """lib/api/protected_tags.rb: `authorize_admin_project`. lib/api/entities/protected_tag.rb and
    protected_ref_access.rb, with the texts of app/models/concerns/protected_ref_access.rb."""
    access.authorize(call.token, call.project, "admin_project")
    texts = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers", 60: "Instance admins"}
    return call.page([{"name": name, "create_access_levels": [
        {"id": number, "access_level": level, "access_level_description": texts[level]}
        for number, level in enumerate(levels, 1)]} for name, levels in call.project.protected_tags.items()])


def deploy_keys(call: Call) -> Answer:
    """lib/api/deploy_keys.rb: `authorize_admin_project`. No project has one."""
    access.authorize(call.token, call.project, "admin_project")
    return call.page([])
