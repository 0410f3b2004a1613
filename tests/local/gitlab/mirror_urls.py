"""Parses, stores, rebuilds and masks a mirror's URL, as lib/gitlab/url_sanitizer.rb does.

The user information is never decoded, and is encoded when the URL is built for git. So git sends exactly the given
characters, and a login that was percent-encoded before is sent with its percent signs.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from tests.local.gitlab.state import Credentials

# app/models/project.rb, VALID_MIRROR_PROTOCOLS; the order is the message's.
SCHEMES = ["http", "https", "ssh", "git"]
# RFC 3986, appendix B: the expression with which Addressable::URI.parse divides a URL.
_URI = re.compile(r"^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?$", re.DOTALL)
# lib/gitlab/url_sanitizer.rb, `parse_url`: everything up to the last @ is the login.
_LOGIN = re.compile(r"\A(?:(?:git|ssh|https?):)?//(?:(.+)@)?(.+)")


class Blocked(Exception):
    """lib/gitlab/http_v2/url_blocker.rb (formerly lib/gitlab/url_blocker.rb), BlockedUrlError: its message."""


class _Invalid(Exception):
    """Addressable::URI::InvalidURIError."""


def _parse(url: str) -> tuple[str, str, str]:
    """Scheme, user and host, or `_Invalid`: as Addressable::URI.parse, which finds the authority's end before
    the login. So a `/`, `#` or `?` in a password ends the authority, and the text after the user's colon is not a
    port."""
    found = _URI.match(url)
    if found is None:
        raise _Invalid
    scheme, authority = found[2] or "", found[4]
    if authority is None:
        if scheme:
            raise _Invalid
        return "", "", ""
    user = authority.rpartition("@")[0].partition(":")[0]
    host_and_port = re.sub(r"^[^\[\]]*@", "", authority)
    port = re.search(r":([^:@\[\]]*?)$", host_and_port)
    host = re.sub(r":[^:@\[\]]*?$", "", host_and_port)
    if port and port[1] and not re.fullmatch(r"\d{1,5}", port[1]):
        raise _Invalid
    if not host or re.search(r"[<>{}/\\?#@\"\s]", host):
        raise _Invalid
    return scheme, user, host


def take_apart(url: str) -> tuple[str, Credentials]:
    """The stored form of a URL (app/models/remote_mirror.rb, `url=`): the URL without its login, and the raw login. An
    invalid URL is stored unchanged, and the validation rejects it."""
    url = url.strip()
    try:
        if _parse(url)[0] not in SCHEMES:
            return url, Credentials()
    except _Invalid:
        return url, Credentials()
    found = _LOGIN.match(url)
    raw = found[1] if found else None
    if not raw:
        return url, Credentials()
    user, _, password = raw.partition(":")
    return url.replace(f"{raw}@", "", 1), Credentials(user or None, password or None)


def put_together(url: str, credentials: Credentials) -> str:
    """The URL for git (`full_url`): the login percent-encoded by `encode_percent`, which is CGI.escape with %20 for
    spaces. So `+` becomes %2B, `=` %3D and `@` %40. Gitaly does not change an http URL
    (internal/gitaly/service/remote/update_remote_mirror.go). git decodes the login before it sends it, and `+` and %2B
    give the same result (git's credential.c, `credential_from_url`). A slash at the end of the URL makes no difference
    either: git adds a missing one before it requests `info/refs` (remote-curl.c, `end_url_with_slash`).
    """
    if not credentials.user and not credentials.password:
        return url
    login = quote(credentials.user or "", safe="")
    if credentials.password:
        login += ":" + quote(credentials.password, safe="")
    return url.replace("://", f"://{login}@", 1)


def masked(url: str, credentials: Credentials) -> str | None:
    """The form in responses (app/models/concerns/safe_url.rb; `git` is not masked: app/models/remote_mirror.rb)."""
    try:
        _parse(put_together(url, credentials))
    except _Invalid:
        return None
    if not credentials.user and not credentials.password:
        return url
    user = credentials.user if credentials.user == "git" else "*****"
    return url.replace("://", f"://{user}{':*****' if credentials.password else ''}@", 1)


def check(url: str, credentials: Credentials) -> None:
    """Raises `Blocked` (UrlBlocker.validate!, with the options of app/models/remote_mirror.rb: these schemes,
    `enforce_user`, no rebinding protection). The instance allows requests to local addresses, because the repositories
    that tests mirror to are on this machine."""
    full = put_together(url, credentials)
    if re.search(r"[\r\n]", full):
        raise Blocked("URI is invalid")
    try:
        scheme, user, host = _parse(full)
    except _Invalid as invalid:
        raise Blocked("URI is invalid") from invalid
    if scheme not in SCHEMES:
        raise Blocked(f"Only allowed schemes are {', '.join(SCHEMES)}")
    if user and not user[0].isalnum():
        raise Blocked("Username needs to start with an alphanumeric character")
    if not _is_address(host) and not host[0].isalnum():
        raise Blocked("Hostname or IP address invalid")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def sanitized(text: str, credentials: Credentials) -> str:
    """A message without logins (UrlSanitizer.sanitize, with `user` and `password` as app/models/remote_mirror.rb,
    `update_error_message`, passes them)."""
    raw = f"{credentials.user or ''}:{credentials.password or ''}@"
    if len(raw) > len(":@"):
        text = text.replace(raw, "*****:*****@")
    return re.sub(r"((?:https?|ssh|git)://)[^/\s@'\"]+@", r"\1*****:*****@", text)
