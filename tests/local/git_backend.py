"""Bare repositories, and git's smart HTTP for the local servers: runs the real `git http-backend` as a CGI
program."""

import base64
import binascii
import os
import subprocess
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

# The machine's git configuration must not affect a repository.
GIT_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
_ONE_AT_A_TIME = 64 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and content are separate writes. Otherwise the second waits 40 ms for the first one's
    # acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: a request or a response may contain credentials."""


class BareRepository:
    """A subclass has its directory."""

    directory: Path

    def create(self, default_branch: str = "main") -> None:
        self.git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", "--template=")

    def run(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", f"--git-dir={self.directory}", *arguments],
            check=check,
            text=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"], **GIT_ENVIRONMENT},
        )

    def git(self, *arguments: str) -> str:
        return self.run(*arguments, check=True).stdout

    def references(self, *patterns: str) -> dict[str, str]:
        """The objects by the references' full names."""
        listed = self.git("for-each-ref", "--format=%(refname) %(objectname)", *patterns)
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def branches(self) -> dict[str, str]:
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): commit for name, commit in self.references(prefix).items()}


def basic_login(handler: BaseHTTPRequestHandler) -> tuple[str, str] | None:
    """User and password as they were entered."""
    scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def read_body(handler: BaseHTTPRequestHandler, into: BinaryIO) -> int:
    """git sends packs above 1 MB in chunks, and a CGI program needs their length."""
    if "chunked" in handler.headers.get("Transfer-Encoding", "").lower():
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            _copy(handler, into, size)
            handler.rfile.readline()
        handler.rfile.readline()
    else:
        _copy(handler, into, int(handler.headers.get("Content-Length") or 0))
    length = into.tell()
    into.seek(0)
    return length


def _copy(handler: BaseHTTPRequestHandler, into: BinaryIO, size: int) -> None:
    while size > 0:
        part = handler.rfile.read(min(size, _ONE_AT_A_TIME))
        if not part:
            raise ConnectionError("the request ended within its body")
        into.write(part)
        size -= len(part)


def reject(handler: BaseHTTPRequestHandler, status: HTTPStatus, text: str, realm: str) -> None:
    """`realm` is the server's name, with which git prompts for another login."""
    login = [("WWW-Authenticate", f'Basic realm="{realm}"')] if status == HTTPStatus.UNAUTHORIZED else []
    send(handler, status, f"{text}\n".encode(), [*login, ("Content-Type", "text/plain")])


def send(
    handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: Iterable[tuple[str, str]]
) -> None:
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    if status != HTTPStatus.NO_CONTENT:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def answer(
    handler: BaseHTTPRequestHandler,
    repository: Path,
    what: str,
    query: str,
    user: str,
    body: BinaryIO,
    length: int,
    before_answering: Callable[[], None] = lambda: None,
    **variables: str,
) -> None:
    """Handles a git request for the bare repository. `what` is the path below it. `before_answering` runs
    before the response is sent. `variables` are for the repository's hooks."""
    environment = {
        "PATH": os.environ["PATH"],
        **GIT_ENVIRONMENT,
        **variables,
        "GIT_PROJECT_ROOT": str(repository.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.name}/{what}",
        "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(length),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
    }
    for header, variable in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")):
        if handler.headers.get(header):
            environment[variable] = handler.headers[header]
    backend = subprocess.run(
        ["git", "http-backend"], stdin=body, capture_output=True, env=environment, check=False
    )
    head, _, content = backend.stdout.partition(b"\r\n\r\n")
    headers = [line.partition(": ")[::2] for line in head.decode("latin-1").split("\r\n") if ": " in line]
    status = next(
        (int(value.split()[0]) for name, value in headers if name == "Status"), 200 if headers else 500
    )
    before_answering()
    send(handler, status, content, [each for each in headers if each[0] != "Status"])
