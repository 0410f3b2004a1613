"""CodeCommit's git endpoint: the real `git http-backend` behind IAM's logins and policies."""

import contextvars
import re
import ssl
import tempfile
import threading
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from ministack.core.responses import set_request_region

from tests.local import git_backend, push_commands
from tests.local.aws import certificates
from tests.local.aws.codecommit import git_logins, git_signatures, push_events, push_records, repositories
from tests.local.aws.codecommit.git_logins import Caller
from tests.local.aws.codecommit.repositories import Repository

# The region is in the path here, because one server serves every region, or in the host for clients with
# AWS's name.
_ROUTE = re.compile(
    r"(?P<path>(/(?P<region>[a-z0-9-]+))?/v1/repos/(?P<name>[^/]+))/"
    r"(?P<what>info/refs|git-upload-pack|git-receive-pack)"
)
# https://docs.aws.amazon.com/codecommit/latest/userguide/regions.html#regions-git
_HOST = re.compile(r"git-codecommit\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?(:[0-9]+)?")
# https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
_ACTIONS = {"git-upload-pack": "codecommit:GitPull", "git-receive-pack": "codecommit:GitPush"}


def start() -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Git)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="git", daemon=True).start()
    return server


class _Git(git_backend.Handler):
    _secured: ssl.SSLSocket | None = None

    def do_GET(self) -> None:
        contextvars.Context().run(self._answer)

    do_POST = do_GET

    def do_CONNECT(self) -> None:
        """Acts as a proxy for programs with fixed AWS addresses, and serves them itself over TLS."""
        host, _, port = self.path.partition(":")
        if not _HOST.fullmatch(host) or port != "443":
            return self._reject(HTTPStatus.FORBIDDEN, "this proxy leads to CodeCommit alone")
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self._secured = self.connection = certificates.server_context(host).wrap_socket(
            self.connection, server_side=True
        )
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        return None

    def finish(self) -> None:
        super().finish()
        if self._secured is not None:
            self._secured.close()

    def _answer(self) -> None:
        # Read the body also for a rejected request: the rest of it would be parsed as the next request.
        with tempfile.TemporaryFile() as body:
            length = git_backend.read_body(self, body)
            self._decide(body, length)

    def _decide(self, body: BinaryIO, length: int) -> None:
        url = urlsplit(self.path)
        route = _ROUTE.fullmatch(unquote(url.path))
        if route is None:
            return self._reject(HTTPStatus.NOT_FOUND, "repository not found")
        service = (
            parse_qs(url.query).get("service", [""])[0] if route["what"] == "info/refs" else route["what"]
        )
        action = _ACTIONS.get(service)
        if action is None:
            return self._reject(HTTPStatus.FORBIDDEN, "only the smart protocol is spoken here")
        host = self.headers.get("Host", "")
        by_name = _HOST.fullmatch(host)
        region = route["region"] or (by_name["region"] if by_name else "")
        if not region:
            return self._reject(HTTPStatus.NOT_FOUND, "no region is named")
        set_request_region(region)
        try:
            name, password = git_backend.basic_login(self) or ("", "")
            caller = git_logins.caller(name, password, host, route["path"], region)
        except git_logins.Unknown:
            return self._reject(HTTPStatus.UNAUTHORIZED, "unknown login")
        except git_signatures.Rejected as rejected:
            return self._reject(HTTPStatus.FORBIDDEN, str(rejected))
        arn = f"arn:aws:codecommit:{region}:{caller.account}:{route['name']}"
        repository = repositories.find_in(caller.account, region, route["name"])
        try:
            commands = (
                push_commands.read_file(body, self.headers.get("Content-Encoding", ""))
                if (route["what"] == "git-receive-pack")
                else []
            )
        except push_commands.Malformed as malformed:
            return self._reject(HTTPStatus.BAD_REQUEST, str(malformed))
        if not _may(caller, action, arn, repository, [command.reference for command in commands]):
            return self._reject(HTTPStatus.FORBIDDEN, f"{action} is not allowed")
        if repository is None:
            return self._reject(HTTPStatus.NOT_FOUND, "repository not found")
        push_records.record(
            repository,
            action.partition(":")[2],
            caller,
            self.client_address[0],
            self.headers.get("User-Agent", ""),
            commands,
        )
        if route["what"] == "git-receive-pack":
            with repository.pushes, push_events.of(repository, caller.arn):
                git_backend.answer(
                    self, repository.directory, route["what"], url.query, caller.name, body, length
                )
        else:
            git_backend.answer(
                self, repository.directory, route["what"], url.query, caller.name, body, length
            )
        return None

    def _reject(self, status: HTTPStatus, text: str) -> None:
        git_backend.reject(self, status, text, "AWS CodeCommit")


def _may(caller: Caller, action: str, arn: str, repository: Repository | None, references: list[str]) -> bool:
    """Evaluates a push with each reference that it would change. One denied reference rejects the whole push.

    The key has one value
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html, type String),
    so each reference of a push is a separate decision. A push's first request names no reference and is
    evaluated without the key. Therefore the policy has `Null` in AWS's example 4 of
    https://docs.aws.amazon.com/codecommit/latest/userguide/customer-managed-policies.html Not documented:
    that one denied reference rejects the others as well. (?)
    """
    keys = {f"aws:ResourceTag/{key}": value for key, value in (repository.tags if repository else {}).items()}
    if not references:
        return caller.may(action, arn, **keys)
    return all(
        caller.may(action, arn, **keys, **{"codecommit:References": reference}) for reference in references
    )
