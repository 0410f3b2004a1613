"""The git endpoint, to which developers push with a token as the password."""

from __future__ import annotations

import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local import git_backend, push_commands
from tests.local.gitlab import history, merge_requests
from tests.local.gitlab.mirror_runs import Runs
from tests.local.gitlab.state import LEVELS, Instance, Project, Token

_ROUTE = re.compile(r"/(?P<path>.+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)")
# lib/gitlab/git_access.rb and lib/gitlab/auth.rb: the git services that a token's scope allows.
_PULL_SCOPES, _PUSH_SCOPES = {"api", "read_repository", "write_repository"}, {"api", "write_repository"}


def answer(handler: BaseHTTPRequestHandler, instance: Instance, runs: Runs, body: BinaryIO, length: int) -> None:
    url = urlsplit(handler.path)
    route = _ROUTE.fullmatch(unquote(url.path))
    if route is None:
        return _reject(handler, HTTPStatus.NOT_FOUND, "not found")
    what = route["what"]
    service = parse_qs(url.query).get("service", [""])[0] if what == "info/refs" else what
    if service not in ("git-upload-pack", "git-receive-pack"):
        return _reject(handler, HTTPStatus.FORBIDDEN, "Git over HTTP: only the smart protocol is spoken here")
    # The user's name does not matter (doc/user/profile/personal_access_tokens.md, "Clone repository").
    login = git_backend.basic_login(handler)
    token = instance.find_token(login[1]) if login else None
    pushes = service == "git-receive-pack"
    if token is None or token.revoked or token.expired:
        return _reject(handler, HTTPStatus.UNAUTHORIZED, "HTTP Basic: Access denied")
    project = instance.find_project(route["path"])
    if project is None or not token.level(project):
        return _reject(handler, HTTPStatus.NOT_FOUND, "The project you were looking for could not be found or you "
                                                      "don't have permission to view it.")
    # lib/gitlab/git_access.rb, ERROR_MESSAGES.
    if not set(token.scopes) & (_PUSH_SCOPES if pushes else _PULL_SCOPES):
        return _reject(handler, HTTPStatus.FORBIDDEN, "HTTP Basic: Access denied: the token's scope is too narrow")
    if pushes and token.level(project) < LEVELS["developer"]:
        return _reject(handler, HTTPStatus.FORBIDDEN, "You are not allowed to push code to this project.")
    if what != "git-receive-pack":
        git_backend.answer(handler, project.directory, what, url.query, token.name, body, length)
        return None
    with project.pushes:
        before = project.references()
        commands = push_commands.read_file(body, handler.headers.get("Content-Encoding", ""))
        git_backend.answer(handler, project.directory, what, url.query, token.name, body, length,
                           lambda: after_push(instance, runs, project, token, before),
                           GITLAB_REFUSES=_push_refusal(project, token, commands),
                           GITLAB_PROTECTED=_protected(project, commands))
    return None


def _push_refusal(project: Project, token: Token, commands: list[push_commands.Command]) -> str:
    """The text with which the hook `pre-receive` rejects the whole push (`state.PRE_RECEIVE`)."""
    prefix, none = "refs/tags/", {"0"}
    refusals = [tag_refusal(project, token, each.reference.removeprefix(prefix), None if set(each.old) == none else
                            each.old, None if set(each.new) == none else each.new, by_api=False)
                for each in commands if each.reference.startswith(prefix)]
    return next(filter(None, refusals), "")


def _protected(project: Project, commands: list[push_commands.Command]) -> str:
    """The existing branches that the hook does not let be rewritten."""
    prefix, none = "refs/heads/", {"0"}
    return " ".join(each.reference for each in commands if each.reference.startswith(prefix) and set(each.old) != none
                    and set(each.new) != none and project.rejects_force_push(each.reference.removeprefix(prefix)))


def tag_refusal(project: Project, token: Token, name: str, old: str | None, new: str | None, by_api: bool) -> str:
    """Why this change of a tag is rejected; empty if it is allowed. `protected_tag_checks` and the texts of
    lib/gitlab/checks/tag_check.rb. Without a rule, Developers may create, move and delete a tag."""
    level, rules = token.level(project), project.tag_rules(name)
    if not rules:
        return ""
    if old and new:
        return "Protected tags cannot be updated."
    if old and level < LEVELS["maintainer"]:
        return ("You are not allowed to delete protected tags from this project. "
                "Only a project maintainer or owner can delete a protected tag.")
    if old and not by_api:
        return "You can only delete protected tags using the web interface."
    # app/models/concerns/protected_ref_access.rb
    if not any(0 < least <= level for least in rules):
        return "You are not allowed to create this tag as it is protected."
    return ""


def after_push(instance: Instance, runs: Runs, project: Project, token: Token, before: dict[str, str]) -> None:
    """app/workers/post_receive.rb: a project's first branch becomes its default, a new default is protected, and every
    mirror runs if a reference has changed."""
    after = project.references()
    if after == before:
        return
    branches = project.branches()
    with instance.changes:
        was_empty = not any(name.startswith("refs/heads/") for name in before)
        if was_empty and branches:
            if project.default_branch not in branches:
                project.default_branch = sorted(branches)[0]
                project.git("symbolic-ref", "HEAD", f"refs/heads/{project.default_branch}")
            if instance.settings.protects_the_default_branch and not project.is_protected(project.default_branch):
                project.protected_branches.append(project.default_branch)
        merge_requests.refresh_pushed(project, before, after)
        history.record_push(instance, project, token, before, after)
    runs.project_was_pushed_to(project)


def _reject(handler: BaseHTTPRequestHandler, status: HTTPStatus, text: str) -> None:
    git_backend.reject(handler, status, text, "GitLab")
