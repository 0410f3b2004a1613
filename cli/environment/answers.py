"""The answers of the function that only reads, by their schemas: docs/schemas/answer-*.json."""

from __future__ import annotations

import json
import re
from typing import Any

from cli.rules import RULES
from cli.shell.command import Remedy, joined
from cli.shell.terminal import shortened
from cli.shell.times import read_time

_ANSWERS = {each["title"]: each for each in RULES["answers"]}
_PARTS = {f"#/$defs/{name}": part for each in RULES["answers"] for name, part in each["$defs"].items()}
_KINDS = {bool: "boolean", dict: "object", int: "integer", list: "array", str: "string", type(None): "null"}
_MAX_TITLE = 60
# A missing list. One that was read may be empty.
MISSING = ()


class Part:
    """An object. Its attributes are the members of its schema in snake_case. A missing one is an empty text,
    `MISSING`, an object of such, or `None`."""

    def __init__(self, members: Any, schema: dict[str, Any]) -> None:
        # As --json prints them. `None` if the object is missing.
        self.members = members
        given, forms = members or {}, schema.get("anyOf", [schema])
        form = next((each for each in forms if {*each["required"]} <= {*given}), forms[-1])
        for member, kind in {**schema["properties"], **form["properties"]}.items():
            if self and member not in given and member in schema["required"] + form["required"]:
                raise ValueError(f"{member} is missing")
            setattr(self, words_of(member).replace(" ", "_"), _read(given.get(member, MISSING), kind))

    def __bool__(self) -> bool:
        return self.members is not None

    @property
    def advice(self) -> str:
        """The remedy, with the code if there is one."""
        return " - ".join(filter(None, (self.remedy, getattr(self, "code", ""))))

    @property
    def shown_commit(self) -> str:
        title = f' "{shortened(self.title, _MAX_TITLE)}"' if self.title else ""
        return f"commit {self.commit[:8]}{title}" if self.commit else "its commit is not known"

    @property
    def shown_person(self) -> str:
        return f" by {self.by}" if self.by else ""


def _read(value: Any, schema: dict[str, Any]) -> Any:
    name = schema.get("$ref", "")
    if name.endswith("/Remedy"):
        return value or Remedy()
    schema = _PARTS.get(name, schema)
    kind = schema["type"]
    if value == MISSING:
        value = {"array": value, "string": ""}.get(str(kind))
    elif _KINDS[type(value)] not in kind:
        raise TypeError(f"{value} is no {kind}")
    if name.endswith("/Time"):
        read_time(value)
    if isinstance(value, list):
        return [_read(each, schema["items"]) for each in value]
    return Part(value, schema) if kind == "object" else value


def read(name: str, text: str, table: str) -> Part:
    """Raises an error of Python if the answer has another form. `table` is that of the environment."""

    def with_text(members: dict[str, Any]) -> dict[str, Any]:
        if "Remedy" in members:
            members["Remedy"] = joined(members["Remedy"], table)
        return members

    return Part(json.loads(text, object_hook=with_text), _ANSWERS[name])


def format_of(answer: dict[str, Any]) -> Any:
    return answer.get("Format")


def missing(kind: str) -> Part:
    return Part(None, _PARTS[f"#/$defs/{kind}"])


def problem_of(problem: str, remedy: str) -> Part:
    return Part(named(problem=problem, remedy=Remedy(remedy)), _PARTS["#/$defs/Problem"])


def words_of(member: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", member).lower()


def named(**values: Any) -> dict[str, Any]:
    """By the names of members."""
    return {name.title().replace("_", ""): value for name, value in values.items()}
