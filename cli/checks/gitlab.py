"""GitLab's API, read from this machine with the token. A response leads to the conclusion of the function:
src/clients/gitlab/tests/answers.json has examples of each.

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
# The code, the problem and the remedy of each.
CONCLUSIONS: dict[str, dict[str, Any]] = _RULES["conclusions"]
UNREACHABLE = CONCLUSIONS["Unreachable"]["code"]
# GitLab did not judge the request.
_UNREAD = {UNREACHABLE, *(CONCLUSIONS[name]["code"] for name in ("NotGitLab", "Refused", "UnknownCa"))}
# By the number of OpenSSL's X509_V_ERR. Each other one is an unknown CA.
_OF_CERTIFICATE = {9: "NotYetValid", 10: "Expired", 62: "WrongName", 64: "WrongName"}
# By RFC 6750, section 3.1, as GitLab's lib/api/api_guard.rb implements it.
_OF_TOKEN = {
    "dpop_error": "ProofRequired",
    "insufficient_granular_scope": "InsufficientPermissions",
    "insufficient_scope": "InsufficientScope",
    "invalid_token": "TokenRejected",
}
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


class Rejected(Exception):
    """GitLab rejects the request, or was not read: a conclusion of the function, with this name."""

    def __init__(self, name: str, detail: object = "", **given: object) -> None:
        conclusion = CONCLUSIONS[name]
        self.code, self.remedy = conclusion["code"], conclusion["remedy"]
        self.problem = of_parameters(conclusion["problem"]).format(**given)
        if detail:
            self.problem += f": {_sanitized(str(detail), 200)}"
        self.is_unread, self.given = self.code in _UNREAD, given


def of_parameters(text: str) -> str:
    """A sentence of the function about its properties and its network, as one of this machine."""
    return re.sub(r"GitLab\.(?=[UCT])", "GitLab", text).replace("the function's", "this machine's")


def _sanitized(text: str, length: int = 300) -> str:
    """Without logins and without the queries of addresses."""
    return shortened(re.sub(r"(://)[^\s/]*@|(?<=\S)\?\S*", r"\1", " ".join(text.split())), length)


@dataclass
class Response:
    status: int
    # None if it is not JSON.
    body: Any
    headers: Any
    # Empty if it is a page.
    text: str = ""
    is_challenge: bool = False

    def member(self, name: str) -> str:
        """A text of the body. Empty if there is none."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else json.dumps(value) if value else ""

    @property
    def message(self) -> str:
        """GitLab's own words: https://docs.gitlab.com/api/rest/troubleshooting/."""
        error = self.member("error_description") or self.member("error")
        words = "; ".join(dict.fromkeys(filter(None, (self.member("message"), error))))
        shown = _sanitized(self.text if self.body is None else words).rstrip(".")
        return shown or ("a page without a message" if self.body is None else "no message")

    def conclusion(self, denials: dict[int, str]) -> str:
        """The name of what the function concludes. `denials` are the names, by status, of those whose cause
        is not in GitLab's message. Without any, no project explains a denial."""
        status, error = self.status, self.member("error")
        if 300 <= status < 400:
            # GitLab redirects from the path of a moved project to its number (`url_with_project_id` in
            # lib/api/helpers.rb).
            moved = re.search("/api/v4/projects/[0-9]+(/|$)", self.location)
            return "ProjectMoved" if moved else "Redirected"
        if status in (408, 409, 423, 425, 429) or status >= 500:
            return "Throttled" if status == 429 else "ServerError" if status >= 500 else "Temporary"
        if self.body is None:
            return "Challenged" if self.is_challenge else "NotGitLab"
        if status < 300:
            return "UnexpectedResponse"
        if error in _OF_TOKEN or (status == 401 and error and self.member("error_description")):
            return _OF_TOKEN.get(error, "TokenRejected")
        if not self.member("message").startswith(f"{status} ") and (
            status in (401, 404, 413) or (status == 403 and self.is_bare)
        ):
            # A gateway writes no status into its message: `unauthorized!` and its kin in GitLab's
            # lib/api/helpers.rb.
            return "UnknownRoute" if error == "404 Not Found" else "NotGitLab"
        if self.is_bare and status in denials:
            return denials[status]
        return "TokenRejected" if status == 401 and not denials else "Other"

    @property
    def is_bare(self) -> bool:
        """Whether its message only repeats its status, so that another look has to find the cause."""
        return self.message.lstrip("0123456789 ").lower() in _RULES["bare_messages"]

    @property
    def location(self) -> str:
        return _sanitized(self.headers.get("location") or "an unnamed address", 200)


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

    def __init__(self, url: str, token: str, certificates: list[bytes], secret: str) -> None:
        self.url, self._token, self._certificates = url.rstrip("/"), token, certificates
        self._source = {"secret": secret, "key": _RULES["secret_key"]["default"]}
        self._scheme, self._host, self._port, self._prefix = _parts(url) or ("", "", 0, "")

    def read(
        self, path: str, denials: dict[int, str], member: str = "id", kind: type = int
    ) -> dict[str, Any]:
        """The object with this member in a successful response. Raises `Rejected`."""
        body = self._read(path, denials).body
        if not isinstance(body, dict) or not isinstance(body.get(member), kind):
            raise Rejected("UnexpectedResponse", status=200)
        return body

    def page(
        self, path: str, denials: dict[int, str], member: str, kind: type, **given: object
    ) -> tuple[list[dict[str, Any]], bool]:
        """The first elements of a list, each with this member, and whether they are all."""
        response = self._read(f"{path}?per_page={_PAGE}", denials, **given)
        page = response.body
        if not isinstance(page, list) or not all(
            isinstance(each, dict) and isinstance(each.get(member), kind) for each in page
        ):
            raise Rejected("UnexpectedResponse", status=200)
        return page, len(page) < _PAGE and not response.headers.get("x-next-page")

    def _read(self, path: str, denials: dict[int, str], **given: object) -> Response:
        response = self._send(f"{self._prefix}/api/v4{path}")
        if response.status == 200 and isinstance(response.body, (dict, list)):
            return response
        raise Rejected(
            response.conclusion(denials),
            status=response.status,
            message=response.message,
            to=response.location,
            **self._source,
            **given,
        )

    def _send(self, target: str) -> Response:
        connection, is_connected = self._connection(), False
        try:
            connection.connect()
            is_connected = True
            if isinstance(connection.sock, ssl.SSLSocket) and is_of_a_ca(
                connection.sock.getpeercert(binary_form=True)
            ):
                # OpenSSL accepts it, and the function does not.
                raise Rejected("CaAsServer")
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
            raise self._explained(error, is_connected) from error
        finally:
            connection.close()
        if len(content) > _RULES["max_response_bytes"]:
            raise Rejected("TooLarge")
        try:
            return Response(response.status, json.loads(content), response.headers)
        except (ValueError, RecursionError):
            text = content.decode(errors="replace").strip()
        is_page = text.startswith("<")
        is_challenge = response.headers.get("cf-mitigated") == "challenge" or (
            is_page and any(title in text for title in _RULES["challenges"])
        )
        return Response(response.status, None, response.headers, "" if is_page else text, is_challenge)

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

    def _explained(self, error: Exception, is_connected: bool) -> Rejected:
        if isinstance(error, ssl.SSLCertVerificationError):
            rejected = Rejected(
                _OF_CERTIFICATE.get(error.verify_code, "UnknownCa"), error.verify_message.rstrip(".")
            )
            rejected.remedy = [*rejected.remedy, ". If your network inspects TLS, run this from another one"]
            return rejected
        if isinstance(error, ssl.SSLError):
            return Rejected("NotTls" if error.reason == "WRONG_VERSION_NUMBER" else "Refused", error.reason)
        detail = getattr(error, "strerror", "") or error
        if is_connected:
            return Rejected("NoResponse", detail)
        # The function has another proxy or none, and this machine's could read the token.
        needs_proxy = self._scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(
            self._host
        )
        without = "without this machine's proxy, through which the token is not sent: " if needs_proxy else ""
        return Rejected("Unreachable", f"{without}{detail}")


def project_path(project: str) -> str:
    """The project's path or number is one segment: https://docs.gitlab.com/api/rest/#namespaced-paths"""
    return f"/projects/{quote(project.strip('/'), safe='')}"
