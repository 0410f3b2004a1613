"""CodeCommit's git side: the real `git http-backend` behind IAM's logins and policies."""

from __future__ import annotations

import base64
import binascii
import contextvars
import logging
import os
import re
import subprocess
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import iam

from . import enforcement, push_events, repositories, service_specific_credentials
from .repositories import Repository

_log = logging.getLogger("git")
_ROUTE = re.compile(r"/(?P<region>[a-z0-9-]+)/v1/repos/(?P<name>[^/]+)/"
                    r"(?P<what>info/refs|git-upload-pack|git-receive-pack)")
# https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
_ACTIONS = {"git-upload-pack": "codecommit:GitPull", "git-receive-pack": "codecommit:GitPush"}
_ONE_AT_A_TIME = 64 * 1024


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
            length = self._read_body(body)
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
                self._run_backend(repository, route["what"], url.query, login.user_name, body, length)
        else:
            self._run_backend(repository, route["what"], url.query, login.user_name, body, length)
        return None

    def _login(self) -> service_specific_credentials.Credential | None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return service_specific_credentials.login(user, password) if colon else None

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        message = f"{text}\n".encode()
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="AWS CodeCommit"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(message)))
        self.end_headers()
        self.wfile.write(message)

    def _read_body(self, body: BinaryIO) -> int:
        """git sends packs above 1 MB in chunks, a CGI program wants their length."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self._copy(body, size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self._copy(body, int(self.headers.get("Content-Length") or 0))
        length = body.tell()
        body.seek(0)
        return length

    def _copy(self, body: BinaryIO, size: int) -> None:
        while size > 0:
            part = self.rfile.read(min(size, _ONE_AT_A_TIME))
            if not part:
                raise ConnectionError("the request ended within its body")
            body.write(part)
            size -= len(part)

    def _run_backend(self, repository: Repository, what: str, query: str, user: str,
                     body: BinaryIO, length: int) -> None:
        environment = {
            "PATH": os.environ["PATH"], **repositories.GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(repository.directory.parent), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repository.directory.name}/{what}", "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length), "REMOTE_USER": user, "REMOTE_ADDR": "127.0.0.1",
        }
        for header, variable in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")):
            if self.headers.get(header):
                environment[variable] = self.headers[header]
        backend = subprocess.run(["git", "http-backend"], stdin=body, capture_output=True, env=environment,
                                 check=False)
        head, _, content = backend.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"),
                      200 if headers else 500)
        self.send_response(status)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
