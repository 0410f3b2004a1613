"""GitLab's API, read from this machine with the token, and what its responses prove.

The rules are those of the function, src/clients/gitlab: the token is sent to one address, without a redirect and without a
proxy, and only the public CAs and the given certificates are trusted. A CA that this machine trusts in addition, as that of
a network that inspects TLS, could read the token. So it is not trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import ssl
import threading
import urllib.request
from base64 import b64decode
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from botocore import httpsession

from cli.rules import RULES
from cli.shell.terminal import shortened

_RULES = RULES["gitlab"]
CODES: dict[str, str] = _RULES["codes"]
# Seconds: a check is short, so a request is sent once.
_TO_CONNECT = 5
_LIMIT = float(_RULES["timeout_seconds"])
_PAGE, _MAX_PAGES = 100, 50
# It was added in Python 3.10. OpenSSL then accepts a given certificate that is not a root, as the function does.
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[ \t]*\r?\n([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
# The extension basicConstraints with CA:TRUE: https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.9
_OF_A_CA = re.compile(rb"\x06\x03\x55\x1d\x13(\x01\x01\xff)?\x04.\x30.\x01\x01\xff", re.DOTALL)
# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_CERTIFICATE_FAULTS = {
    9: ("is not valid yet", "Wait until it is valid, or correct the clock of this machine"),
    10: ("has expired", "Renew it"),
    62: ("is for another name", "Set GitLabUrl to a name in the certificate"),
    64: ("is for another address", "Set GitLabUrl to a name in the certificate"),
}
_UNKNOWN_CA = ("is signed by a CA that is not trusted",
               "If a private CA signed it, set GitLabCaCertificate to the CA's certificate: docs/how-to/connect-gitlab.md. If your "
               "network inspects TLS, run this from another one")
_CHECK_URL = "Check that GitLabUrl leads to GitLab, and not to a proxy or a login page"
_CHECK_NETWORK = "Check GitLabUrl, and this machine's network path to it"


class Unread(Exception):
    """GitLab was not read. If the cause `is_passing`, it proves nothing about the settings."""

    def __init__(self, problem: str, remedy: str, code: str, is_passing: bool = False) -> None:
        super().__init__(problem)
        self.problem, self.remedy, self.code, self.is_passing = problem, remedy, CODES[code], is_passing


class Denied(Exception):
    """GitLab itself rejects the request. `kind` is a code of `CODES`."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(kind)
        self.kind, self.status = kind, status


@dataclass
class Response:
    status: int
    # None if it is not JSON.
    body: Any
    has_next: bool = False
    location: str = ""

    def member(self, name: str) -> str:
        """A text of the body. Empty if there is none."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else ""

    @property
    def is_own_denial(self) -> bool:
        """A gateway answers without the status in the message: `unauthorized!` and its kin in GitLab's lib/api/helpers.rb."""
        return self.member("message").startswith(f"{self.status} ")


def certificates_of(pem: str) -> list[bytes]:
    """Each certificate, in DER. Raises `ValueError` if one is not readable, or if there is none."""
    found = [b64decode("".join(text.split()), validate=True) for text in _CERTIFICATE.findall(pem)]
    if not found or len(found) != pem.count("-----BEGIN CERTIFICATE-----"):
        raise ValueError("no readable certificate in PEM")
    for each in found:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=each)
        except ssl.SSLError as error:
            raise ValueError("a certificate is not readable") from error
    return found


def fingerprint(certificate: bytes) -> str:
    """As the function shows it, and as OpenSSL prints it without colons."""
    return hashlib.sha256(certificate).hexdigest().upper()


def is_usable(url: str) -> bool:
    """Whether the token may be sent there: by https, or to this machine."""
    try:
        parts = urlsplit(url)
        # The encoding of a host fails if a label is empty or too long. The template accepts ASCII only.
        is_whole = bool((parts.hostname or "").encode("idna")) and parts.port != 0 and url.isascii() and url.isprintable()
    except ValueError:
        return False
    return is_whole and re.search(_RULES["url"]["pattern"], url) is not None and not re.search(r"\s|/api/v4/*$", url)


def is_same(tagged: str, url: str) -> bool:
    """Whether two addresses are equal, except for slashes at the end and the spelling of the host."""
    try:
        return _parts(tagged) == _parts(url)
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url.strip().rstrip("/"))
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), parts.path


class GitLab:
    """One GitLab and the token for it."""

    def __init__(self, url: str, token: str, certificates: list[bytes]) -> None:
        self.url, self._token, self._certificates = url.rstrip("/"), token, certificates
        self._scheme, self._host, self._port, self._prefix = _parts(url)

    def read(self, path: str, **query: Any) -> Any:
        """The JSON of a successful response. Raises `Unread`, and `Denied` if GitLab itself rejects the request."""
        return self._read(path, query).body

    def list(self, path: str) -> list[dict[str, Any]]:
        """The elements of all pages: a part of a list proves nothing."""
        found: list[dict[str, Any]] = []
        for number in range(1, _MAX_PAGES + 1):
            response = self._read(path, {"per_page": _PAGE, "page": number})
            page = response.body
            if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
                raise self._not_gitlab(response)
            found += page
            if len(page) < _PAGE and not response.has_next:
                return found
        raise Unread(f"{self.url} has more elements in a list than cfn-gitops reads", _CHECK_URL, "not_gitlab")

    def _read(self, path: str, query: dict[str, Any]) -> Response:
        response = self._send(f"{self._prefix}/api/v4{path}" + (f"?{urlencode(query)}" if query else ""))
        if response.status == 200 and isinstance(response.body, (dict, list)):
            return response
        if 300 <= response.status < 400:
            raise self._redirected(response)
        if response.status in (408, 409, 423, 425, 429) or response.status >= 500:
            raise Unread(f"{self.url} is not available now: HTTP {response.status}", "Run this again in some minutes",
                         "unreachable", is_passing=True)
        if response.status == 403 and response.member("error") in ("insufficient_scope", "insufficient_granular_scope"):
            raise Denied("lacks_access", response.status)
        # RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb implements it.
        if response.status == 401 and response.member("error_description"):
            raise Denied("rejected", response.status)
        if response.status in (401, 403, 404) and response.is_own_denial:
            kind = {401: "rejected", 403: "lacks_access", 404: "project_missing"}[response.status]
            raise Denied(kind, response.status)
        raise self._not_gitlab(response)

    def _redirected(self, response: Response) -> Exception:
        try:
            to = urlsplit(response.location)
        except ValueError:
            return self._not_gitlab(response)
        # GitLab redirects from the path of a moved project to its number (`url_with_project_id` in lib/api/helpers.rb).
        if re.search(r"/api/v4/projects/[0-9]+(/|$)", to.path):
            return Denied("project_missing", response.status)
        base, is_api, _ = f"{to.scheme}://{to.netloc.rpartition('@')[2]}{to.path}".partition("/api/v4")
        base, is_other = shortened(base, 200), bool(is_api) and to.scheme == "https"
        return Unread(f"{self.url} redirects to {base}, and the token is not sent there",
                      f"If that is this GitLab's own address, set GitLabUrl and the tag to {base}" if is_other else _CHECK_URL,
                      "not_gitlab")

    def _not_gitlab(self, response: Response) -> Unread:
        return Unread(f"the response of {self.url} is not that of GitLab's API (HTTP {response.status})", _CHECK_URL,
                      "not_gitlab")

    def unexpected(self) -> Unread:
        """JSON without the members that GitLab's API documents."""
        return Unread(f"the response of {self.url} is not as GitLab's API documents it", _CHECK_URL, "not_gitlab")

    def _send(self, target: str) -> Response:
        try:
            status, headers, content = self._exchange(target)
        except (OSError, HTTPException) as error:
            raise self._explained(error) from error
        if len(content) > _RULES["max_response_bytes"]:
            raise Unread(f"the response of {self.url} is larger than that of GitLab's API", _CHECK_URL, "not_gitlab")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        has_next = bool(headers.get("x-next-page")) or 'rel="next"' in headers.get("link", "")
        return Response(status, body, has_next, headers.get("location", ""))

    def _exchange(self, target: str) -> tuple[int, Any, bytes]:
        connection = self._connection()
        late = threading.Event()
        try:
            connection.connect()
            channel = connection.sock
            self._require_server(channel)
            channel.settimeout(_LIMIT)

            def end() -> None:
                late.set()
                with contextlib.suppress(OSError):
                    channel.shutdown(socket.SHUT_RDWR)

            # The limit of a socket is only that of each part of a response.
            watch = threading.Timer(_LIMIT, end)
            watch.daemon = True
            watch.start()
            try:
                # This header takes every kind of token: https://docs.gitlab.com/api/rest/authentication/
                connection.request("GET", target, headers={"PRIVATE-TOKEN": self._token, "Accept": "application/json",
                                                           "User-Agent": "cfn-gitops"})
                response = connection.getresponse()
                content = response.read(_RULES["max_response_bytes"] + 1)
            finally:
                watch.cancel()
                if late.is_set():
                    raise TimeoutError
            return response.status, response.headers, content
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self._scheme == "http":
            return HTTPConnection(self._host, self._port, timeout=_TO_CONNECT)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=httpsession.where())
        context.verify_flags |= _PARTIAL_CHAIN
        for certificate in self._certificates:
            context.load_verify_locations(cadata=certificate)
        return HTTPSConnection(self._host, self._port, timeout=_TO_CONNECT, context=context)

    def _require_server(self, channel: Any) -> None:
        """Raises `Unread` if the server's certificate is marked as that of a CA, which the function does not accept."""
        certificate = channel.getpeercert(binary_form=True) if isinstance(channel, ssl.SSLSocket) else None
        if certificate and _OF_A_CA.search(certificate):
            raise Unread(f"the certificate of {self._host} is marked as that of a CA (CA:TRUE)",
                         "Create it with `-addext basicConstraints=critical,CA:FALSE`: docs/how-to/connect-gitlab.md",
                         "not_trusted")

    def _explained(self, error: Exception) -> Unread:
        if isinstance(error, ssl.SSLCertVerificationError):
            fault, remedy = _CERTIFICATE_FAULTS.get(error.verify_code, _UNKNOWN_CA)
            return Unread(f"the certificate of {self._host} {fault}", remedy, "not_trusted")
        if isinstance(error, ssl.SSLError):
            return Unread(f"there is no TLS connection to {self._host}: {error.reason or 'the handshake failed'}",
                          "Check the port in GitLabUrl. The server needs TLS 1.3, or TLS 1.2 with ECDHE, and no client "
                          "certificate", "no_tls")
        # A closed connection is both.
        if isinstance(error, HTTPException) and not isinstance(error, OSError):
            return Unread(f"the response of {self.url} is not HTTP", _CHECK_URL, "not_gitlab")
        if isinstance(error, socket.gaierror):
            problem = f"the name {self._host} is not resolved"
        elif isinstance(error, (TimeoutError, socket.timeout)):  # noqa: UP041: two classes before Python 3.10
            problem = f"{self.url} does not respond in time"
        else:
            problem = f"there is no connection to {self.url}"
        if self._scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(self._host):
            # The function has no proxy, which could be another one that reads the token.
            return Unread(f"{problem} without this machine's proxy, through which the token is not sent", _CHECK_NETWORK,
                          "unreachable", is_passing=True)
        return Unread(problem, _CHECK_NETWORK, "unreachable")


def project_path(project: str) -> str:
    """The project's path or number is one segment: https://docs.gitlab.com/api/rest/#namespaced-paths"""
    return f"/projects/{quote(project.strip('/'), safe='')}"
