"""Creates, updates and deletes remote mirrors, with the validation of lib/api/remote_mirrors.rb and
app/models/remote_mirror.rb."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import Any

from tests.local.gitlab import mirror_urls
from tests.local.gitlab.rest import BadParameters, boolean, raise_if, time_text
from tests.local.gitlab.state import Instance, Mirror, Project

AUTH_METHODS = ["ssh_public_key", "password"]
_BOOLEANS = ["enabled", "only_protected_branches", "keep_divergent_refs"]


def create(instance: Instance, project: Project, parameters: dict[str, Any]) -> Mirror:
    if "url" not in parameters:
        raise BadParameters("url is missing")
    given = _taken(instance, parameters, checks_auth_method=True)
    with instance.changes:
        url, credentials = mirror_urls.take_apart(str(parameters["url"] or ""))
        made = Mirror(instance.next_mirror_id(), url, credentials)
        _set(made, given)
        errors = _url_errors(instance, project, made)
        raise_if(errors | _count_errors(instance, project, made, was_enabled=False) | _other_errors(made))
        project.mirrors.append(made)
        return made


def update(instance: Instance, project: Project, mirror: Mirror, parameters: dict[str, Any]) -> None:
    """`url` is not a parameter of it, and is dropped like every unknown one."""
    given = _taken(instance, parameters, checks_auth_method=False)
    with instance.changes:
        changed = replace(mirror, running=threading.Lock())
        _set(changed, given)
        raise_if(_count_errors(instance, project, changed, was_enabled=mirror.enabled) | _other_errors(changed))
        for name in _SETTABLE:
            setattr(mirror, name, getattr(changed, name))


def delete(instance: Instance, project: Project, mirror: Mirror) -> None:
    """A running sync continues, as it does if a mirror is disabled:
    app/services/projects/update_remote_mirror_service.rb reads `enabled?` once, before it calls Gitaly, and the
    job's later look-ups find nothing."""
    with instance.changes:
        mirror.is_deleted = True
        project.mirrors.remove(mirror)


_SETTABLE = [*_BOOLEANS, "mirror_branch_regex", "auth_method"]


def _taken(instance: Instance, parameters: dict[str, Any], checks_auth_method: bool) -> dict[str, Any]:
    """The parameters that lib/api/remote_mirrors.rb and ee/lib/ee/api/helpers/remote_mirrors_helpers.rb declare, in
    their types."""
    known = {*_SETTABLE} if instance.settings.premium else {*_SETTABLE} - {"mirror_branch_regex"}
    given = {name: value for name, value in parameters.items() if name in known}
    for name in _BOOLEANS:
        if name in given:
            given[name] = boolean(name, given[name])
    method = given.get("auth_method")
    if checks_auth_method and method is not None and method not in AUTH_METHODS:
        raise BadParameters("auth_method does not have a valid value")
    # `mutually_exclusive` of Grape checks only whether both are present.
    if "only_protected_branches" in given and "mirror_branch_regex" in given:
        raise BadParameters("only_protected_branches, mirror_branch_regex are mutually exclusive")
    return given


def _set(mirror: Mirror, given: dict[str, Any]) -> None:
    for name, value in given.items():
        setattr(mirror, name, value)
    # app/services/remote_mirrors/attributes.rb, and ee's: one setting replaces the other.
    if given.get("mirror_branch_regex"):
        mirror.only_protected_branches = False
    elif given.get("only_protected_branches"):
        mirror.mirror_branch_regex = None


def _url_errors(instance: Instance, project: Project, mirror: Mirror) -> dict[str, list[str]]:
    if not mirror.url:
        return {"url": ["can't be blank"]}
    try:
        mirror_urls.check(mirror.url, mirror.credentials)
    except mirror_urls.Blocked as blocked:
        return {"url": [f"is blocked: {blocked}"]}
    if instance.settings.urls_are_unique and _bare(mirror.url) == _bare(f"{instance.url}/{project.path}"):
        return {"base": ["You cannot mirror a repository to itself."]}
    if instance.settings.urls_are_unique and any(other.url == mirror.url for other in project.mirrors):
        return {"url": ["has already been taken"]}
    return {}


def _bare(url: str) -> str:
    return url.removesuffix("/").removesuffix(".git")


def _count_errors(instance: Instance, project: Project, mirror: Mirror, was_enabled: bool) -> dict[str, list[str]]:
    """Counts the mirrors that are set to enabled, whether GitLab treats them as enabled or not."""
    limit = instance.settings.max_enabled_mirrors
    others = sum(other.enabled for other in project.mirrors if other.id != mirror.id)
    if limit is not None and mirror.enabled and not was_enabled and others >= limit:
        return {"base": [f"Maximum number of push mirrors ({limit}) exceeded for this project."]}
    return {}


def _other_errors(mirror: Mirror) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    if mirror.only_protected_branches is None:
        errors["only_protected_branches"] = ["can't be blank"]
    if mirror.auth_method not in AUTH_METHODS:
        errors["auth_method"] = ["is not included in the list"]
    if mirror.mirror_branch_regex:
        try:
            # RE2's syntax on a GitLab; Python's is close enough for the names of branches.
            re.compile(mirror.mirror_branch_regex)
        except re.error as error:
            errors["mirror_branch_regex"] = [f"not valid RE2 syntax: {error}"]
    return errors


def shown(instance: Instance, mirror: Mirror) -> dict[str, Any]:
    """lib/api/entities/remote_mirror.rb; `mirror_branch_regex` is ee's."""
    with instance.changes:
        answer = {
            "id": mirror.id, "enabled": instance.is_enabled(mirror),
            "url": mirror_urls.masked(mirror.url, mirror.credentials), "update_status": mirror.update_status,
            "last_update_at": time_text(mirror.last_update_at),
            "last_update_started_at": time_text(mirror.last_update_started_at),
            "last_successful_update_at": time_text(mirror.last_successful_update_at), "last_error": mirror.last_error,
            "only_protected_branches": mirror.only_protected_branches,
            "keep_divergent_refs": bool(mirror.keep_divergent_refs), "auth_method": mirror.auth_method, "host_keys": [],
        }
        if instance.settings.premium:
            answer["mirror_branch_regex"] = mirror.mirror_branch_regex
        return answer
