"""git's smart HTTP for the local servers: runs the real `git http-backend` as a CGI program."""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

# The machine's git configuration must not affect a repository.
GIT_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
_ONE_AT_A_TIME = 64 * 1024


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
    message = f"{text}\n".encode()
    handler.send_response(status)
    if status == HTTPStatus.UNAUTHORIZED:
        handler.send_header("WWW-Authenticate", f'Basic realm="{realm}"')
    handler.send_header("Content-Type", "text/plain")
    handler.send_header("Content-Length", str(len(message)))
    handler.end_headers()
    handler.wfile.write(message)


def answer(handler: BaseHTTPRequestHandler, repository: Path, what: str, query: str, user: str, body: BinaryIO,
           length: int, before_answering: Callable[[], None] = lambda: None, **variables: str) -> None:
    """Handles a git request for the bare repository. `what` is the path below it. `before_answering` runs before the
    response is sent. `variables` are for the repository's hooks."""
    environment = {
        "PATH": os.environ["PATH"], **GIT_ENVIRONMENT, **variables,
        "GIT_PROJECT_ROOT": str(repository.parent), "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.name}/{what}", "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command, "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(length), "REMOTE_USER": user, "REMOTE_ADDR": "127.0.0.1",
    }
    for header, variable in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")):
        if handler.headers.get(header):
            environment[variable] = handler.headers[header]
    backend = subprocess.run(["git", "http-backend"], stdin=body, capture_output=True, env=environment, check=False)
    head, _, content = backend.stdout.partition(b"\r\n\r\n")
    headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
    status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200 if headers else 500)
    before_answering()
    handler.send_response(status)
    for name, value in headers:
        if name != "Status":
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
