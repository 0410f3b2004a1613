"""Shared by all parts of the REST API: requests, responses, errors, parameters and pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.local.gitlab.records import User
from tests.local.gitlab.state import Instance, Project, Token

PREFIX = "/api/v4/"
# lib/api/pagination_params.rb and config/initializers/kaminari_config.rb
_PER_PAGE, _MAX_PER_PAGE = 20, 100


class Rejected(Exception):
    """An error response."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


class BadParameters(Exception):
    """Grape rejected the parameters: 400 with `error` (lib/api/api.rb, `rescue_from Grape::Exceptions::Base`)."""


class Invalid(Exception):
    """The model rejected the values: 400 with `message` (lib/api/helpers.rb, `render_validation_error!`)."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(str(errors))
        self.errors = errors


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    method: str
    path: str  # undecoded: `platform%2Finfra` is one part of it
    query: dict[str, str]
    parameters: dict[str, Any]  # of the body
    headers: Mapping[str, str]


@dataclass
class Call:
    """A request about a project that the caller may see."""

    instance: Instance
    request: Request
    token: Token
    project: Project

    @property
    def user(self) -> User:
        return self.token.user

    def page(self, listed: Sequence[dict[str, Any]], hidden: int = 0) -> Answer:
        return page(self.instance.url, self.request, listed, hidden)


def unauthorized() -> Rejected:
    """lib/api/helpers.rb, `unauthorized!`: also for known callers without the permission."""
    return Rejected(401, {"message": "401 Unauthorized"})


def forbidden() -> Rejected:
    return Rejected(403, {"message": "403 Forbidden"})


def not_found(what: str = "") -> Rejected:
    """lib/api/helpers.rb, `not_found!`."""
    return Rejected(404, {"message": " ".join(filter(None, ["404", what, "Not Found"]))})


def bad_request(reason: str) -> Rejected:
    """lib/api/helpers.rb, `bad_request!`."""
    return Rejected(400, {"message": f"400 Bad request - {reason}"})


def no_route() -> Rejected:
    """lib/api/api.rb, `route :any, '*path'`."""
    return Rejected(404, {"error": "404 Not Found"})


def no_record() -> Rejected:
    """lib/api/api.rb, `rescue_from ActiveRecord::RecordNotFound`. `not_found!` has another spelling."""
    return Rejected(404, {"message": "404 Not found"})


def time_text(seconds: float | None) -> str | None:
    """As ActiveSupport writes times in JSON: in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boolean(name: str, value: Any) -> bool | None:
    """Grape's coercion of a form's values."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("true", "t", "1", "on", "yes"):
        return True
    if text in ("false", "f", "0", "off", "no"):
        return False
    raise BadParameters(f"{name} is invalid")


def require(parameters: dict[str, Any], *names: str) -> None:
    """Grape's `requires`: one message lists all missing parameters. Unconfirmed (?): GitLab's message may also list a
    missing value as empty or not valid."""
    missing = [f"{name} is missing" for name in names if name not in parameters]
    if missing:
        raise BadParameters(", ".join(missing))


def require_text(parameters: dict[str, Any], *names: str) -> None:
    """Grape's `requires` with `allow_blank: false`."""
    require(parameters, *names)
    blank = [f"{name} is empty" for name in names if not str(parameters[name] or "").strip()]
    if blank:
        raise BadParameters(", ".join(blank))


def check_value(parameters: Mapping[str, Any], name: str, values: Sequence[str]) -> None:
    """Grape's `values`."""
    if name in parameters and parameters[name] not in values:
        raise BadParameters(f"{name} does not have a valid value")


def too_long(value: str | None, limit: int = 255) -> list[str]:
    """ActiveModel's `length: { maximum: … }`."""
    return [f"is too long (maximum is {limit} characters)"] if value and len(value) > limit else []


def raise_if(errors: dict[str, list[str]]) -> None:
    """Ignores members without errors."""
    found = {name: messages for name, messages in errors.items() if messages}
    if found:
        raise Invalid(found)


def page(url: str, request: Request, listed: Sequence[dict[str, Any]], hidden: int = 0) -> Answer:
    """lib/gitlab/pagination/offset_header_builder.rb. Of each page, the caller may not see `hidden` elements: it is short,
    although others follow."""
    number, size = _positive(request.query, "page", 1), _positive(request.query, "per_page", _PER_PAGE)
    size = min(size, _MAX_PER_PAGE)
    visible = max(size - hidden, 1)
    pages = max(1, -(-len(listed) // visible))
    following = number + 1 if number < pages else None
    before = number - 1 if 1 < number <= pages else None

    def link(to: int, relation: str) -> str:
        query = urlencode({**request.query, "page": to, "per_page": size})
        return f'<{url}{request.path}?{query}>; rel="{relation}"'

    links = [link(before, "prev")] if before else []
    links += [link(following, "next")] if following else []
    links += [link(1, "first"), link(pages, "last")]
    return Answer(200, listed[(number - 1) * visible:number * visible], {
        "X-Per-Page": str(size), "X-Page": str(number), "X-Next-Page": str(following or ""),
        "X-Prev-Page": str(before or ""), "Link": ", ".join(links), "X-Total": str(len(listed)),
        "X-Total-Pages": str(pages)})


def _positive(query: dict[str, str], name: str, default: int) -> int:
    """Grape's Integer. A value below one counts as missing (lib/gitlab/pagination/offset_pagination.rb)."""
    value = query.get(name, "")
    if value and not re.fullmatch(r"-?\d+", value):
        raise BadParameters(f"{name} is invalid")
    return max(int(value), 0) or default if value else default
