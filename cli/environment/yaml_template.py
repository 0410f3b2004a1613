"""Reads a template in YAML that has one meaning only, as the object that CloudFormation reads.

PyYAML alone takes the last of two equal keys, and resolves aliases. Another parser may read such a template
differently, so it is rejected. CloudFormation itself does not support aliases, merge keys and tags of types:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import re
from typing import Any

import yaml

# `!Ref A` is {"Ref": "A"}, and `!Sub A` is {"Fn::Sub": "A"}.
_WITHOUT_FN = ("Ref", "Condition")
_YAML = "tag:yaml.org,2002:"


class Unreadable(Exception):
    """Why the template is not read."""


def parsed(text: str) -> Any:
    """The template, with its functions in their long form. Keys are texts, and so is a scalar that is not a
    boolean or a number in its shortest form: `012` and `2012-10-17` stay as they are."""
    if "\ufeff" in text[1:]:
        raise Unreadable("its YAML has a byte order mark within the text")
    try:
        node = yaml.compose(text, _Plain)
        return _value(node) if node else None
    except yaml.YAMLError as error:
        raise Unreadable(f"its YAML is not valid: {' '.join(str(error).split())}") from error
    except (ValueError, OverflowError) as error:
        # PyYAML passes on those of `chr` and `int`: an escape beyond Unicode, a version of thousands of
        # digits.
        raise Unreadable(f"its YAML has an escape or a number that is too large: {error}") from error
    except RecursionError:
        raise Unreadable("its YAML is nested too deeply") from None


def require_shown(text: str) -> None:
    """Raises `Unreadable` if a text of GetTemplate may hide a line. It shows each character beyond ASCII as
    `?`, and three of them begin a line for a parser, unless they are in quotation marks:
    https://yaml.org/spec/1.1/ (5.4)"""
    try:
        quoted = sum(
            text.count("?", event.start_mark.index, event.end_mark.index)
            for event in yaml.parse(text, yaml.SafeLoader)
            if getattr(event, "style", None) in ("'", '"')
        )
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # `parsed` has the reason.
        return
    if quoted != text.count("?"):
        raise Unreadable(
            "its YAML has a question mark outside of quotation marks, which may hide another character"
        )


class _Plain(yaml.SafeLoader):
    """Reads each event once, and rejects it if another parser may read it differently."""

    def get_event(self) -> Any:
        event = super().get_event()
        _require_plain(event)
        return event


def _require_plain(event: Any) -> None:
    where = f"in line {event.start_mark.line + 1}"
    if getattr(event, "anchor", None):
        raise Unreadable(f"its YAML has an anchor or an alias {where}")
    if (tag := getattr(event, "tag", None)) and not re.fullmatch("![A-Za-z0-9]+", tag):
        raise Unreadable(f"its YAML has the tag {tag} {where}")
    if getattr(event, "version", None) or getattr(event, "tags", None):
        raise Unreadable(f"its YAML has a directive {where}")


def _value(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        found: Any = _members(node)
    elif isinstance(node, yaml.SequenceNode):
        found = [_value(each) for each in node.value]
    else:
        found = node.value if node.tag.startswith("!") else _scalar(node.tag.removeprefix(_YAML), node.value)
    if not node.tag.startswith("!"):
        return found
    name = node.tag[1:]
    if name == "GetAtt" and isinstance(found, str):
        found = found.split(".", 1)
    return {name if name in _WITHOUT_FN else f"Fn::{name}": found}


def _members(node: Any) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in node.value:
        where = f"in line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or key.tag.startswith("!"):
            raise Unreadable(f"its YAML has a key that is not a text {where}")
        if key.value == "<<":
            raise Unreadable(f"its YAML has a merge key {where}")
        if key.value in members:
            raise Unreadable(f"its YAML has the key {key.value} a second time {where}")
        members[key.value] = _value(value)
    return members


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    for number in (int, float):
        if kind == number.__name__:
            try:
                value = number(text)
            except ValueError:
                return text
            return value if str(value) == text else text
    return text
