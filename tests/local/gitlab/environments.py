"""Environments (lib/api/environments.rb, app/models/environment.rb)."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any
from urllib.parse import urlsplit

from tests.local.gitlab import access
from tests.local.gitlab.records import Environment
from tests.local.gitlab.rest import (
    Answer,
    Call,
    check_value,
    forbidden,
    no_record,
    no_route,
    raise_if,
    time_text,
    too_long,
)

# lib/gitlab/regex.rb, `environment_name_regex`, with its message.
_NAME = re.compile(r"[a-zA-Z0-9_\\${}. -]([a-zA-Z0-9_/\\${}. -]*[a-zA-Z0-9_\\${}. -])?")
_NAME_MESSAGE = ("can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start "
                 "or end with '/'")
# lib/gitlab/utils/sanitize_node_link.rb, UNSAFE_PROTOCOLS: GitLab accepts all others, including `ftp` and `ssh`.
_UNSAFE_SCHEMES = ("data", "javascript", "vbscript")
_TIERS = ("production", "staging", "testing", "development", "other")
# app/models/environment.rb, `guess_tier`: the first pattern that the name contains.
_TIERS_OF_NAMES = (("(dev|review|trunk)", "development"),
                   ("(test|tst|int|ac(ce|)pt|qa|qc|control|quality)", "testing"),
                   ("(st(a|)g|mod(e|)l|pre|demo|non)", "staging"), ("(pr(o|)d|live)", "production"))


def answer(call: Call, parts: list[str]) -> Answer:
    match (call.request.method, *parts):
        case ("GET",):
            return _listed(call)
        case ("PUT", number):
            return _updated(call, number)
        case ("POST", number, "stop"):
            return _stopped(call, number)
        case ("DELETE", number):
            return _deleted(call, number)
    raise no_route()


def _listed(call: Call) -> Answer:
    query = call.request.query
    access.authorize(call.token, call.project, "read_environment")
    return call.page([shown(each) for each in call.project.records.environments
                      if query.get("name", "") in ("", each.name)])


def _updated(call: Call, number: str) -> Answer:
    check_value(call.request.parameters, "tier", _TIERS)
    access.authorize(call.token, call.project, "read_environment")
    with call.instance.changes:
        found, given = _find(call, number), call.request.parameters
        access.authorize(call.token, call.project, "update_environment")
        if "external_url" in given:
            # `nullify_if_blank :external_url`.
            url = str(given["external_url"] or "").strip() or None
            raise_if({"external_url": _url_errors(url)})
            found.external_url = url
        found.tier = given.get("tier") or found.tier
        found.updated_at = time.time()
        return Answer(200, shown(found))


def _stopped(call: Call, number: str) -> Answer:
    """lib/api/environments.rb. No environment here has a job to run when it stops."""
    with call.instance.changes:
        found = _find(call, number)
        # `stop_environment` is a Developer's, like `update_environment` (config/authz/roles/developer.yml).
        access.authorize(call.token, call.project, "update_environment")
        found.state = "stopped"
        return Answer(200, shown(found))


def _deleted(call: Call, number: str) -> Answer:
    """Only a stopped environment may be deleted: app/policies/environment_policy.rb,
    `rule { ~stopped }.prevent(:destroy_environment)`. Its deployments go with it (app/models/environment.rb)."""
    with call.instance.changes:
        found = _find(call, number)
        access.authorize(call.token, call.project, "update_environment")
        if found.state != "stopped":
            raise forbidden()
        records = call.project.records
        records.environments.remove(found)
        records.deployments = [each for each in records.deployments if each.environment is not found]
    return Answer(204)


def create(call: Call, name: str) -> Environment:
    """The caller holds `changes`."""
    held = call.project.records.environments
    raise_if({"name": too_long(name) + ([] if _NAME.fullmatch(name) else [_NAME_MESSAGE])})
    now = time.time()
    made = Environment(call.instance.next_id(), name, _slug(name), _guessed_tier(name), now, now)
    held.append(made)
    return made


def _url_errors(url: str | None) -> list[str]:
    """`length: { maximum: 255 }` and `safe_external_url`."""
    if url is None:
        return []
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return [*too_long(url), "URI is invalid"]
    return too_long(url) + ([f"{scheme} scheme is not allowed"] if scheme in _UNSAFE_SCHEMES else [])


def _slug(name: str) -> str:
    """lib/gitlab/slug/environment.rb, except for the digits of the suffix."""
    slug = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]", "-", name.lower()))
    if not slug[:1].isalpha():
        slug = re.sub(r"-+", "-", f"env-{slug}")
    if len(slug) <= 24 and slug == name:
        return slug.removesuffix("-")
    return f"{slug[:17].removesuffix('-')}-{hashlib.sha256(name.encode()).hexdigest()[-6:]}"


def _guessed_tier(name: str) -> str:
    return next((tier for pattern, tier in _TIERS_OF_NAMES if re.search(pattern, name, re.IGNORECASE)), "other")


def _find(call: Call, number: str) -> Environment:
    found = next((each for each in call.project.records.environments if str(each.id) == number), None)
    if found is None:
        raise no_record()
    return found


def shown_briefly(environment: Environment) -> dict[str, Any]:
    """lib/api/entities/environment_basic.rb."""
    return {"id": environment.id, "name": environment.name, "slug": environment.slug,
            "external_url": environment.external_url, "created_at": time_text(environment.created_at),
            "updated_at": time_text(environment.updated_at)}


def shown(environment: Environment) -> dict[str, Any]:
    """lib/api/entities/environment.rb, in part."""
    return {**shown_briefly(environment), "tier": environment.tier, "state": environment.state, "auto_stop_at": None,
            "description": None}
