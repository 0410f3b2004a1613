"""A server in the place of AWS's, whose answers a test sets, and the machine of a user who calls it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::111122223333:user/ann</Arn><UserId>A</UserId><Account>111122223333</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""
ERROR = "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>1</RequestId></ErrorResponse>"  # noqa: E501


class AwsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.scheme = "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        # An error (status, code, message), a text, or a function, instead of a correct answer. The caller's
        # identity first.
        self.identity: Any = IDENTITY
        self.other: Any = (400, "ValidationError", "no answer is set")
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust the certificate, or that has ended."""


class Answering(BaseHTTPRequestHandler):
    server: AwsServer

    def do_POST(self) -> None:
        self.body = body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        answer = self.server.identity if "Action=GetCallerIdentity" in body else self.server.other
        if callable(answer):
            answer(self)
        elif isinstance(answer, str):
            self.send(200, answer)
        else:
            status, code, message = answer
            self.send(
                status,
                (
                    ERROR.format(code, message)
                    if "Action=" in body
                    else json.dumps({"__type": code, "message": message})
                ),
                code,
            )

    do_GET = do_PUT = do_HEAD = do_POST

    def send(self, status: int, text: str, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        if code:
            self.send_header("x-amzn-errortype", code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


def silent(handler: Answering) -> None:
    """It does not answer, and closes the connection at last, as a load balancer does."""
    handler.server.released.wait(2)
    handler.close_connection = True


def interrupts(signal: int) -> Callable[[Answering], None]:
    # Another one, of a request at the same time, might come after the end of the command.
    first = iter([signal])

    def answer(handler: Answering) -> None:
        for each in first:
            os.kill(os.getpid(), each)
        handler.close_connection = True

    return answer


@contextmanager
def running(server: AwsServer) -> Iterator[AwsServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


@dataclass
class Machine:
    """A user's machine: home, variables, and the folder with samconfig.toml."""

    server: AwsServer
    home: Path
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    _sockets: list[socket.socket] = field(default_factory=list)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def unset(self, *names: str) -> None:
        for name in names:
            self.monkeypatch.delenv(name, raising=False)

    def config(self, text: str, profile: str = "") -> None:
        """Writes ~/.aws/config, and chooses the profile instead of the keys of the environment."""
        self.unset("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        (self.home / ".aws").mkdir(exist_ok=True)
        (self.home / ".aws/config").write_text(text)
        if profile:
            self.set(AWS_PROFILE=profile)

    def samconfig(self, content: str | bytes) -> None:
        (self.folder / "samconfig.toml").write_bytes(
            content.encode() if isinstance(content, str) else content
        )

    def wait_for_answers(self, seconds: float) -> None:
        """Sets how long the subcommands wait for AWS: shortly only where no answer comes, because this
        machine may be busy."""
        for module in [module for name, module in sys.modules.items() if name.startswith("cli.")]:
            # Those of the account, and of longer calls.
            if isinstance(getattr(module, "_CONFIG", None), Config):
                self.monkeypatch.setattr(
                    module, "_CONFIG", Config(connect_timeout=seconds, read_timeout=seconds)
                )

    def silent_port(self) -> int:
        """A port that accepts connections, and does not answer."""
        self._sockets.append(listening := socket.create_server(("127.0.0.1", 0)))
        return int(listening.getsockname()[1])

    def closed_port(self) -> int:
        """A port without a server."""
        # Bound, so that no other program gets it.
        self._sockets.append(bound := socket.socket())
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])

    def without_names(self) -> None:
        """No network: no name of a host is resolved."""
        resolve = socket.getaddrinfo

        def unknown(host: Any, *given: Any, **more: Any) -> Any:
            if host != "127.0.0.1":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return resolve(host, *given, **more)

        self.monkeypatch.setattr(socket, "getaddrinfo", unknown)

    def close(self) -> None:
        for each in self._sockets:
            each.close()
