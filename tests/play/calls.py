"""Calls of AWS and GitLab from a table: each has its operation, its parameters and the expected answer.

tests/rules/README.md describes the form. tests/rules plays the rules of the emulators, and tools/trial the
assumptions."""

import contextlib
import re
from collections.abc import Callable
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError
from jmespath.exceptions import JMESPathTypeError

HEADERS = ("x-page", "x-per-page", "x-next-page", "x-prev-page", "x-total", "x-total-pages")
DEFAULT_STATUS = {"GET": 200, "PUT": 200, "POST": 201, "DELETE": 204}
PLACEHOLDER = r"\$([A-Za-z_]+)(?:\.(\d+))?"


class Calls:
    """The values that the answers had, by name. No answer replaces those that are given."""

    def __init__(
        self,
        given: dict[str, list[Any]],
        client: Callable[[str], Any],
        gitlab: Callable[[str, str, Any], Any],
        defaults: dict[str, str] | None = None,
    ) -> None:
        # `gitlab` sends a method, a path and a body. `defaults` are parameters of each operation that knows
        # them.
        self.seen, self._own = given, set(given)
        self._client, self._gitlab, self._defaults = client, gitlab, defaults or {}

    def ask(self, operation: str, parameters: Any) -> dict[str, Any]:
        """The answer. AWS's `error` is `None` after a success."""
        if is_of_gitlab(operation):
            method, _, path = operation.partition(" ")
            return self._ask_gitlab(method, path, parameters)
        service, name = operation.split(":")
        client = self._client(service)
        shape = client.meta.service_model.operation_model(name).input_shape
        defaults = {
            key: self.filled(value) for key, value in self._defaults.items() if shape and key in shape.members
        }
        try:
            found = self.send(client, name, defaults | (parameters or {}))
        except ClientError as error:
            answer = error.response
            return {
                "error": answer["Error"]["Code"],
                "message": answer["Error"]["Message"],
                "http": answer["ResponseMetadata"]["HTTPStatusCode"],
            }
        found.pop("ResponseMetadata", None)
        # Most responses of IAM have one member, which has the others.
        only = next(iter(found.values())) if len(found) == 1 else None
        return {"error": None, **(only if isinstance(only, dict) else found)}

    def send(self, client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return dict(getattr(client, xform_name(operation))(**parameters))

    def _ask_gitlab(self, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = self._gitlab(method, path, body)
        found = answer.json() if answer.text else {}
        shown = {"list": found, "count": len(found)} if isinstance(found, list) else found
        return {**shown, "http": answer.status_code, **{name: answer.headers.get(name) for name in HEADERS}}

    def wanted(self, operation: str, expected: Any) -> dict[str, Any]:
        """The expected members of the answer."""
        filled = self.filled(expected)
        if is_of_gitlab(operation):
            default = 204 if operation.endswith("/sync") else DEFAULT_STATUS[operation.split(" ")[0]]
            return {"http": default, **({"list": filled} if isinstance(filled, list) else filled or {})}
        return {"error": filled} if isinstance(filled, str) else {"error": None, **(filled or {})}

    def filled(self, value: Any) -> Any:
        """Replaces `$name` by the first value of this name, and `$id.2` by the second different `id`."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if not isinstance(value, str):
            return value
        if whole := re.fullmatch(PLACEHOLDER, value):
            return self._value(whole)
        return re.sub(PLACEHOLDER, lambda found: str(self._value(found)), value)

    def _value(self, found: re.Match[str]) -> Any:
        return self.seen[found[1]][int(found[2] or 1) - 1]

    def remember(self, found: dict[str, Any], prefix: str = "") -> None:
        """The values of the answer."""
        for name, value in ((prefix + name, value) for name, value in found.items()):
            if isinstance(value, list) and value and isinstance(value[0], dict):
                value = value[0]
            if isinstance(value, dict):
                self.remember(value, f"{name}_")
            elif name not in self._own and value not in self.seen.setdefault(name, []):
                self.seen[name].append(value)


def is_of_gitlab(operation: str) -> bool:
    """Whether it is a method and a path."""
    return operation.split(" ")[0] in DEFAULT_STATUS


def member(found: dict[str, Any], expression: str) -> Any:
    """A member of an answer, or the result of a JMESPath expression. `None` without it, even if a function
    needs it."""
    if expression in found or re.fullmatch(r"[\w-]+", expression):
        return found.get(expression)
    with contextlib.suppress(JMESPathTypeError):
        return jmespath.search(expression, found)
    return None


def matches(wanted: Any, found: Any, is_whole: bool = False) -> bool:
    """The outermost mapping, and mappings in lists, name only some members. Others are whole."""
    if wanted is None:
        return found in (None, [], {})
    if isinstance(wanted, dict) and isinstance(found, dict):
        return (not is_whole or wanted.keys() == found.keys()) and all(
            matches(value, found.get(name) if is_whole else member(found, name), is_whole=True)
            for name, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        if all(isinstance(each, str) for each in wanted):
            return sorted(wanted) == sorted(found, key=str)
        return len(wanted) == len(found) and all(map(matches, wanted, found))
    if isinstance(wanted, str):
        return _text_matches(wanted, found)
    return bool(wanted == found)


def _text_matches(wanted: str, found: Any) -> bool:
    if wanted[:1] == "!":
        return found is not None and str(found) != wanted[1:]
    if wanted[:1] == "~":
        return found is not None and re.fullmatch(wanted[1:], str(found), re.DOTALL) is not None
    return bool(wanted == found)
