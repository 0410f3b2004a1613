"""GitLab's API, read from this machine with the token, and what its responses prove.

The rules are those of the function, src/clients/gitlab: the token is sent to one address, without a redirect
and without a proxy, and only the public CAs and the given certificates are trusted. A CA that this machine
trusts in addition, as that of a network that inspects TLS, could read the token. So it is not trusted.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import urllib.request
from base64 import b64decode
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from botocore import httpsession

from cli.rules import RULES
from cli.shell.terminal import shortened

_RULES = RULES["gitlab"]
CODES: dict[str, str] = _RULES["codes"]
# Seconds for a connection, and for each part of a response: a check is short, so a request is sent once.
_TO_CONNECT = 5
_LIMIT = float(_RULES["timeout_seconds"])
_PAGE = 100
# It was added in Python 3.10. OpenSSL then accepts a given certificate that is not a root, as the function
# does.
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----[ \t]*\r?\n([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----"
)
# A message that only repeats its status (`is_bare` in src/clients/gitlab/api/sanitize.rs).
_BARE = re.compile(r"(40[134])? ?(unauthorized|forbidden|not found|project not found)?", re.IGNORECASE)
_CHECK_URL = "Check that GitLabUrl leads to GitLab, and not to a proxy or a login page"


@dataclass(eq=False)
class Unread(Exception):
    """GitLab was not read, for the reason with this name in `CODES`. If it `is_passing`, it proves nothing
    about the settings."""

    problem: str
    remedy: str
    code: str
    is_passing: bool = False


@dataclass(eq=False)
class Denied(Exception):
    """GitLab itself rejects the request, for the reason with this name in `CODES`."""

    code: str
    problem: str
    # Whether GitLab's message has no cause.
    is_bare: bool = False


@dataclass
class Response:
    status: int
    # None if it is not JSON.
    body: Any
    headers: Any

    def member(self, name: str) -> str:
        """A text of the body. Empty if there is none."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else json.dumps(value) if value else ""

    @property
    def message(self) -> str:
        """GitLab's own words: https://docs.gitlab.com/api/rest/troubleshooting/. Empty if there are none."""
        words = self.member("message") or self.member("error_description") or self.member("error")
        return shortened(" ".join(words.split()).rstrip("."), 300)


def certificates_of(pem: str) -> list[bytes]:
    """Each certificate, in DER. Raises `ValueError` if one is not readable, or if there is none."""
    found = [b64decode("".join(text.split()), validate=True) for text in _CERTIFICATE.findall(pem)]
    if len(found) != pem.count("-----BEGIN CERTIFICATE-----"):
        raise ValueError("a certificate is not PEM")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=b"".join(found))
    except ssl.SSLError as error:
        raise ValueError("a certificate is not readable") from error
    return found


def fingerprint(certificate: bytes) -> str:
    """As the function shows it, and as OpenSSL prints it without colons."""
    return hashlib.sha256(certificate).hexdigest().upper()


def is_of_a_ca(certificate: Any) -> bool:
    """Whether it is marked as that of a CA (CA:TRUE)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    return context.cert_store_stats()["x509_ca"] > 0


def is_usable(url: str) -> bool:
    """Whether the token may be sent there: by https, or to this machine."""
    return re.fullmatch(_RULES["url"]["pattern"], url) is not None and _parts(url) is not None


def is_same(tagged: str, url: str) -> bool:
    """Whether two addresses are equal, except for slashes at the end and the spelling of the host."""
    return _parts(tagged) is not None and _parts(tagged) == _parts(url)


def _parts(url: str) -> tuple[str, str, int, str] | None:
    """`None` if the host or the port is not valid."""
    parts = urlsplit(url.strip().rstrip("/"))
    try:
        host, port = (
            (parts.hostname or "").encode("idna").decode(),
            parts.port or (443 if parts.scheme == "https" else 80),
        )
    except ValueError:
        return None
    return parts.scheme, host, port, parts.path


class GitLab:
    """One GitLab and the token for it."""

    def __init__(self, url: str, token: str, certificates: list[bytes]) -> None:
        self.url, self._token, self._certificates = url.rstrip("/"), token, certificates
        self._scheme, self._host, self._port, self._prefix = _parts(url) or ("", "", 0, "")

    def read(self, path: str, member: str = "id", kind: type = int) -> dict[str, Any]:
        """The object with this member in a successful response. Raises `Unread`, and `Denied` if GitLab
        itself rejects the request."""
        body = self._read(path).body
        if not isinstance(body, dict) or not isinstance(body.get(member), kind):
            raise self._unexpected()
        return body

    def page(self, path: str, **members: type) -> tuple[list[dict[str, Any]], bool]:
        """The first elements of a list, each with members of these types, and whether they are all."""
        response = self._read(f"{path}?per_page={_PAGE}")
        page = response.body
        if not isinstance(page, list) or not all(
            isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in members.items())
            for each in page
        ):
            raise self._unexpected()
        return page, len(page) < _PAGE and not response.headers.get("x-next-page")

    def _read(self, path: str) -> Response:
        response = self._send(f"{self._prefix}/api/v4{path}")
        status, message = response.status, response.message
        if status == 200 and isinstance(response.body, (dict, list)):
            return response
        if 300 <= status < 400:
            raise self._redirected(response)
        answer = f"GitLab answers HTTP {status}: {message.removeprefix(f'{status} ')}"
        if status in (408, 409, 423, 425, 429) or status >= 500:
            raise Unread(
                answer if message else f"{self.url} is not available now: HTTP {status}",
                "Run this again in some minutes",
                "unreachable",
                is_passing=True,
            )
        if status == 403 and response.member("error") in (
            "insufficient_scope",
            "insufficient_granular_scope",
        ):
            raise Denied("lacks_access", answer)
        is_bare = _BARE.fullmatch(message) is not None
        # A gateway writes no status into its message, and gives no cause: `unauthorized!` and its kin in
        # GitLab's lib/api/helpers.rb. GitLab's lib/api/api_guard.rb describes a token by RFC 6750, section
        # 3.1.
        is_of_token = status == 401 and response.member("error_description")
        if (
            response.member("message").startswith(f"{status} ")
            or is_of_token
            or (status in (400, 403) and not is_bare)
        ):
            codes = {
                401: "rejected",
                403: "lacks_access" if is_bare else "said_by_gitlab",
                404: "project_missing",
            }
            raise Denied(codes.get(status, "said_by_gitlab"), answer, is_bare)
        raise Unread(
            f"the response of {self.url} is not that of GitLab's API (HTTP {status})",
            _CHECK_URL,
            "not_gitlab",
        )

    def _redirected(self, response: Response) -> Exception:
        if not response.headers.get("location"):
            return self._unexpected()
        address = re.sub("//[^/]*@", "//", response.headers.get("location", "").partition("?")[0])
        base, _, path = address.partition("/api/v4")
        # GitLab redirects from the path of a moved project to its number (`url_with_project_id` in
        # lib/api/helpers.rb).
        if re.match("/projects/[0-9]+(/|$)", path):
            return Denied(
                "project_missing",
                f"GitLab redirects to {shortened(address, 200)}: the project was moved, or GitLab "
                "renamed it because it is scheduled for deletion",
            )
        return Unread(
            f"{self.url} redirects to {shortened(base, 200)}, and the token is not sent there",
            f"If that is this GitLab's own address, set GitLabUrl and the tag to it. Otherwise: {_CHECK_URL}",
            "not_gitlab",
        )

    def _unexpected(self) -> Unread:
        return Unread(
            f"the response of {self.url} is not as GitLab's API documents it", _CHECK_URL, "not_gitlab"
        )

    def _send(self, target: str) -> Response:
        connection = self._connection()
        try:
            connection.connect()
            if isinstance(connection.sock, ssl.SSLSocket) and is_of_a_ca(
                connection.sock.getpeercert(binary_form=True)
            ):
                # OpenSSL accepts it, and the function does not.
                raise Unread(
                    f"the certificate of {self._host} is marked as that of a CA (CA:TRUE)",
                    "Create it with `-addext "
                    "basicConstraints=critical,CA:FALSE`: docs/how-to/connect-gitlab.md",
                    "not_trusted",
                )
            connection.sock.settimeout(_LIMIT)
            # This header takes every kind of token: https://docs.gitlab.com/api/rest/authentication/
            connection.request(
                "GET",
                target,
                headers={
                    "PRIVATE-TOKEN": self._token,
                    "Accept": "application/json",
                    "User-Agent": "cfn-gitops",
                },
            )
            response = connection.getresponse()
            content = response.read(_RULES["max_response_bytes"] + 1)
        except (OSError, HTTPException) as error:
            raise self._explained(error) from error
        finally:
            connection.close()
        if len(content) > _RULES["max_response_bytes"]:
            raise Unread(
                f"the response of {self.url} is larger than that of GitLab's API", _CHECK_URL, "not_gitlab"
            )
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        return Response(response.status, body, response.headers)

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

    def _explained(self, error: Exception) -> Unread:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unread(
                f"the certificate of {self._host} is not trusted: {error.verify_message.rstrip('.')}",
                "Correct the certificate. If a private CA signed it, set GitLabCaCertificate to the CA's"
                " certificate: docs/how-to/connect-gitlab.md. If your network inspects TLS, run this from"
                " another one",
                "not_trusted",
            )
        if isinstance(error, ssl.SSLError):
            return Unread(
                f"there is no TLS connection to {self._host}: {error.reason or 'the handshake failed'}",
                "Check the port in GitLabUrl. The server needs TLS 1.3, or TLS 1.2 with ECDHE, and no client "
                "certificate",
                "no_tls",
            )
        if isinstance(error, HTTPException) and not isinstance(error, OSError):
            return Unread(f"the response of {self.url} is not HTTP", _CHECK_URL, "not_gitlab")
        # The function has another proxy or none, and this machine's could read the token.
        needs_proxy = self._scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(
            self._host
        )
        without = " without this machine's proxy, through which the token is not sent" if needs_proxy else ""
        return Unread(
            f"there is no connection to {self.url}{without}:"
            f" {shortened(getattr(error, 'strerror', '') or error, 100)}",
            "Check GitLabUrl, and this machine's network path to it",
            "unreachable",
            is_passing=True,
        )


def project_path(project: str) -> str:
    """The project's path or number is one segment: https://docs.gitlab.com/api/rest/#namespaced-paths"""
    return f"/projects/{quote(project.strip('/'), safe='')}"
