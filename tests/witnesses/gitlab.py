"""Compares requests to GitLab's API and its answers with what others define or recorded (`gitlab.yaml`).

GitLab ignores an unknown parameter. Here it is a fault, because the caller expects an effect.
"""

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import yaml
from jsonschema import Draft202012Validator

from tests.witnesses import recordings

PREFIX = "/api/v4/"
# Another GitLab may send values without a witness: in tests, these.
FUTURE = ("of the future", "uploading")
WITNESSES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "gitlab.yaml").read_text())
OPERATIONS: dict[str, dict[str, Any]] = WITNESSES["operations"] | WITNESSES["operations_of_tests"]

Schema = dict[str, Any]
# The members of an object: `?` ends the name of one that may be missing.
Members = dict[str, Any]

_KINDS: dict[str, Schema] = {
    "any": {},
    "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
    **{kind: {"type": kind} for kind in ("string", "integer", "number", "boolean", "object", "null")},
}
# In a query, every value is a text.
_KINDS_OF_QUERY: dict[str, Schema] = {
    "integer": {"pattern": r"^\d+$"},
    "boolean": {"enum": ["true", "false"]},
}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. A body is JSON, another text, or `None`."""

    method: str
    # The path with the query.
    target: str
    body: Any
    status: int
    answer: Any

    @property
    def operation(self) -> str | None:
        """`None` for a path without an operation."""
        path = self.target.partition("?")[0].removeprefix(PREFIX)
        return next(
            (name for name, pattern in _requests() if pattern.fullmatch(f"{self.method} {path}")), None
        )

    def request_faults(self) -> list[str]:
        name = self.operation
        if name is None:
            return []
        given = {
            "query": dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True)),
            "body": self.body or {},
        }
        # The server rejects a request without a required member.
        is_accepted = self.status < 300
        return [
            fault
            for part, values in given.items()
            for fault in _faults(_parameters(name, part, is_accepted), values, part)
        ]

    def answer_faults(self) -> list[str]:
        name = self.operation
        if name is None:
            return []
        if self.status >= 300:
            return _faults(_answer("error"), self.answer) if isinstance(self.answer, dict | list) else []
        answers = OPERATIONS[name]["answer"]
        if self.status not in answers:
            return [f"the status {self.status} instead of {', '.join(map(str, answers))}"]
        return _faults(_answer(answers[self.status] or "null"), self.answer)


@cache
def _requests() -> list[tuple[str, re.Pattern[str]]]:
    parts = {name: map(re.escape, one["request"].split("{}")) for name, one in OPERATIONS.items()}
    return [(name, re.compile("[^/]+".join(between))) for name, between in parts.items()]


@cache
def _parameters(operation: str, part: str, is_accepted: bool) -> Draft202012Validator:
    named = OPERATIONS[operation].get(part, {})
    members: Members = WITNESSES["parameters"][named] if isinstance(named, str) else named
    if part == "query":
        members = {
            name: _KINDS_OF_QUERY.get(kind, kind) if isinstance(kind, str) else kind
            for name, kind in members.items()
        }
    return Draft202012Validator(_object(members, is_complete=is_accepted))


@cache
def _answer(kind: str) -> Draft202012Validator:
    entities = {}
    for name in WITNESSES["entities"]:
        members = {member: _values(kind, *FUTURE) for member, kind in entity(name).items()}
        entities[name] = _object(members, is_complete=False)
    return Draft202012Validator({**_schema(kind), "$defs": entities})


def entity(name: str) -> Members:
    """The members of an entity, with those of the one that it extends."""
    members = dict(WITNESSES["entities"][name])
    extended = members.pop("extends", None)
    return {**(entity(extended) if extended else {}), **members}


def _object(members: Members, is_complete: bool) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name.rstrip("?"): _schema(kind) for name, kind in members.items()},
        "required": [name for name in members if is_complete and not name.endswith("?")],
    }


def _values(kind: Any, *more: str) -> Any:
    """The values of a member, and more of them. Another type remains."""
    values = kind if isinstance(kind, list) else WITNESSES["values"].get(kind)
    return [*values, *more] if values else kind


def _schema(kind: Any) -> Schema:
    """A list has all values. A text is a type, a list `x[]` of a type, or types `x|y`."""
    if isinstance(kind, dict):
        return kind
    if isinstance(values := _values(kind), list):
        return {"enum": values}
    if "|" in kind:
        schemas = [_schema(each) for each in kind.split("|")]
        has_types = all(schema.keys() == {"type"} for schema in schemas)
        return {"type": [schema["type"] for schema in schemas]} if has_types else {"anyOf": schemas}
    if kind.endswith("[]"):
        return {"type": "array", "items": _schema(kind[:-2])}
    if kind in WITNESSES["entities"]:
        return {"$ref": f"#/$defs/{kind}"}
    return _KINDS[kind]


def _faults(validator: Draft202012Validator, given: Any, whole: str = "answer") -> list[str]:
    return [
        f"{'.'.join(map(str, error.absolute_path)) or whole}: {error.message[:300]}"
        for error in validator.iter_errors(given)
    ]


def recorded(folder: Path) -> list[tuple[str, Exchange]]:
    """The different exchanges that the Rust tests recorded, with the names of their operations there."""
    found = []
    for record in recordings.recorded(folder):
        request, response = record["request"], record["response"]
        # `tests/support/src/secrecy.rs` adds a secret as `shown`, which other tests have to notice.
        if record["service"] == "gitlab" and "shown=" not in request["query"]:
            exchange = Exchange(
                request["method"],
                f"{request['path']}?{request['query']}",
                request["body"],
                response["status"],
                response["body"],
            )
            found.append((record["operation"].removeprefix("GitLab."), exchange))
    return found


def table() -> str:
    """The table of README.md."""
    rows = [
        f"| `{name}` | {one['witness']} | {one.get('differs', '')} |\n" for name, one in OPERATIONS.items()
    ]
    return "| Operation | Witness | Differs in |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table())
