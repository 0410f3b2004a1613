"""The git endpoint, to which developers push with a token as the password. The emulator decides who may."""

import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local import git_backend, push_commands
from tests.local.gitlab.emulator import Emulator

_ROUTE = re.compile(r"/(?P<path>.+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)")


def answer(handler: BaseHTTPRequestHandler, emulator: Emulator, body: BinaryIO, length: int) -> None:
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
    token = login[1] if login else ""
    is_push = what == "git-receive-pack"
    commands = push_commands.read_file(body, handler.headers.get("Content-Encoding", "")) if is_push else []
    allowed = emulator.may_use_git(
        token,
        route["path"],
        service == "git-receive-pack",
        [(each.old, each.new, each.reference) for each in commands],
    )
    if "status" in allowed:
        return _reject(handler, HTTPStatus(allowed["status"]), allowed["text"])
    held = emulator.repositories[allowed["project"]]
    if not is_push:
        return git_backend.answer(handler, held.directory, what, url.query, "developer", body, length)
    with held.pushes:
        return git_backend.answer(
            handler,
            held.directory,
            what,
            url.query,
            "developer",
            body,
            length,
            lambda: emulator.was_pushed_to(held),
            GITLAB_PROTECTED=" ".join(allowed["not_forced"]),
        )


def _reject(handler: BaseHTTPRequestHandler, status: HTTPStatus, text: str) -> None:
    git_backend.reject(handler, status, text, "GitLab")
