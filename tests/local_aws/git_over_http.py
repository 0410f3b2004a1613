"""CodeCommit's git side: the real `git http-backend` behind IAM's logins and policies."""

from __future__ import annotations

import contextvars
import logging
import re
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import iam

import git_backend

from . import enforcement, push_events, repositories, service_specific_credentials
from .repositories import Repository

_log = logging.getLogger("git")
_ROUTE = re.compile(r"/(?P<region>[a-z0-9-]+)/v1/repos/(?P<name>[^/]+)/"
                    r"(?P<what>info/refs|git-upload-pack|git-receive-pack)")
# https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
_ACTIONS = {"git-upload-pack": "codecommit:GitPull", "git-receive-pack": "codecommit:GitPush"}


def start() -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Git)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="git", daemon=True).start()
    return server


class _Git(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        _log.debug("%s", self.requestline)

    def do_GET(self) -> None:
        contextvars.Context().run(self._answer)

    def do_POST(self) -> None:
        contextvars.Context().run(self._answer)

    def _answer(self) -> None:
        # The body is read even when the answer is no: what is left of it would be taken for the next request.
        with tempfile.TemporaryFile() as body:
            length = git_backend.read_body(self, body)
            self._decide(body, length)

    def _decide(self, body: BinaryIO, length: int) -> None:
        url = urlsplit(self.path)
        route = _ROUTE.fullmatch(unquote(url.path))
        if route is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "repository not found")
        service = parse_qs(url.query).get("service", [""])[0] if route["what"] == "info/refs" else route["what"]
        action = _ACTIONS.get(service)
        if action is None:
            return self._refuse(HTTPStatus.FORBIDDEN, "only the smart protocol is spoken here")
        login = self._login()
        if login is None:
            return self._refuse(HTTPStatus.UNAUTHORIZED, "unknown login")
        account = service_specific_credentials.account_of(login)
        set_request_account_id(account)
        set_request_region(route["region"])
        arn = f"arn:aws:codecommit:{route['region']}:{account}:{route['name']}"
        if not enforcement.user_may(login.user_name, action, arn):
            return self._refuse(HTTPStatus.FORBIDDEN, f"{action} is not allowed")
        repository = repositories.find_in(account, route["region"], route["name"])
        if repository is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "repository not found")
        if route["what"] == "git-receive-pack":
            with repository.pushes, push_events.of(repository, iam._users[login.user_name]["Arn"]):
                git_backend.answer(self, repository.directory, route["what"], url.query, login.user_name, body, length)
        else:
            git_backend.answer(self, repository.directory, route["what"], url.query, login.user_name, body, length)
        return None

    def _login(self) -> service_specific_credentials.Credential | None:
        login = git_backend.basic_login(self)
        return service_specific_credentials.login(*login) if login else None

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        message = f"{text}\n".encode()
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="AWS CodeCommit"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(message)))
        self.end_headers()
        self.wfile.write(message)
