"""The HTTP server: forwards requests for the API to the emulator, records and checks them, and routes those
of git."""

import json
import logging
import re
import ssl
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from tests.local import git_backend
from tests.local.gitlab import git_over_http
from tests.local.gitlab.emulator import Emulator
from tests.witnesses.gitlab import PREFIX, Exchange

_log = logging.getLogger("gitlab")
# The paths of statuses, notes and deployments.
_OF_REPORTS = re.compile("/statuses/|/discussions|/notes|/deployments")


@dataclass
class Seen:
    """A recorded request for tests, without secrets."""

    method: str
    path: str
    # The name of the request's token; "" without a token, "?" for an unknown one.
    token: str
    status: int = 0
    # The status, note or deployment as GitLab stored it, if the request wrote one.
    written: Any = None


@dataclass
class Interruption:
    """A response that a test sets for the next requests."""

    status: int
    body: str
    headers: dict[str, str]
    times: int
    # The requests that it replaces: the method, "" for every one, and a regular expression that the path
    # contains.
    method: str = ""
    path: str = ""

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


@dataclass
class Door:
    emulator: Emulator
    # The names of tokens, by their values.
    tokens: dict[str, str]
    seen: list[Seen] = field(default_factory=list)
    _interruptions: list[Interruption] = field(default_factory=list)
    _changes: threading.Lock = field(default_factory=threading.Lock)

    def interrupt(self, new: Interruption) -> None:
        """Replaces an earlier one for the same requests."""
        with self._changes:
            self._interruptions = [
                each for each in self._interruptions if (each.method, each.path) != (new.method, new.path)
            ] + [new]

    def interruption(self, method: str, path: str) -> Interruption | None:
        with self._changes:
            found = next((each for each in self._interruptions if each.matches(method, path)), None)
            if found is not None:
                found.times -= 1
            return found


def start(door: Door, context: ssl.SSLContext | None) -> ThreadingHTTPServer:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.door = door
    if context:
        # The connection's own thread makes the handshake: a handshake that does not end would block all other
        # clients.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "https" if context else "http"
    door.emulator.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="gitlab", daemon=True
    ).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    door: Door
    # For bursts of connections: the default is five.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if isinstance(
            sys.exception(), OSError
        ):  # also of TLS: a client that does not trust the certificate disconnects
            _log.debug("a connection from %s ended early", client_address, exc_info=True)
        else:
            _log.exception("a connection from %s", client_address)
            self.door.emulator.complaints.append(f"a fault of this server's own: {sys.exception()!r}")

    def shutdown_request(self, request: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            try:
                request.settimeout(1)
                request.unwrap()
            except (OSError, ValueError):
                pass  # the other side closed it first
        super().shutdown_request(request)


class _Handler(git_backend.Handler):
    # Ends the thread of an idle connection.
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        # Read the body also for a rejected request: the rest of it would be parsed as the next request.
        with tempfile.TemporaryFile() as body:
            length = git_backend.read_body(self, body)
            if urlsplit(self.path).path.startswith(PREFIX):
                self._answer_api(body)
            else:
                git_over_http.answer(self, self.server.door.emulator, body, length)

    do_POST = do_PUT = do_DELETE = do_GET

    # --- the API -------------------------------------------------------------------------

    def _answer_api(self, body: BinaryIO) -> None:
        door, url, content = self.server.door, urlsplit(self.path), body.read().decode()
        seen = Seen(self.command, url.path, self._token_name())
        door.seen.append(seen)
        instead = door.interruption(self.command, url.path)
        if instead:
            seen.status = instead.status
            return self._send(instead.status, instead.body, {"Content-Type": "text/plain", **instead.headers})
        try:
            body_content = json.loads(content or "{}")
        except ValueError:
            seen.status = 415
            return self._send(
                415, '{"error": "the local GitLab accepts JSON only"}', {"Content-Type": "application/json"}
            )
        answer = door.emulator.call(self.command, self.path, self.headers, content)
        seen.status = answer.status_code
        if answer.status_code in (200, 201) and self.command != "GET" and _OF_REPORTS.search(url.path):
            seen.written = answer.content()
        exchange = Exchange(self.command, self.path, body_content, answer.status_code, answer.content())
        for kind, faults in (("request", exchange.request_faults()), ("answer to", exchange.answer_faults())):
            door.emulator.complaints += [f"{kind} {self.command} {url.path}: {fault}" for fault in faults]
        return self._send(
            answer.status_code, answer.text, {"Content-Type": "application/json", **answer.headers}
        )

    def _token_name(self) -> str:
        value = self.headers.get("PRIVATE-TOKEN") or self.headers.get("JOB-TOKEN") or ""
        value = value or self.headers.get("Authorization", "").partition(" ")[2]
        return self.server.door.tokens.get(value, "?") if value else ""

    def _send(self, status: int, content: str, headers: dict[str, str]) -> None:
        git_backend.send(self, status, content.encode(), headers.items())
