"""The properties of both resources for docs/reference/, from docs/schemas/."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.docs import reference_parameters

ROOT = Path(__file__).parents[2]
_OF_CLOUDFORMATION = {"ServiceToken", "ServiceTimeout"}
_UPDATE = "No interruption"
_TYPES = {"array": "List", "object": "Map", "integer": "Integer"}

Schema = dict[str, Any]


def schema_of(file: str) -> Schema:
    content: Schema = json.loads((ROOT / "docs/schemas" / file).read_text())
    return content


def text_of(path: str, schema: Schema) -> tuple[str, dict[str, str]]:
    """The property's effect, and the lines after it: `Default` and `Update`."""
    if "description" not in schema:
        raise SystemExit(f"{path} has no text in its table of properties")
    text, *facts = schema["description"].split("\n")
    return text, dict(fact.split(": ", 1) for fact in facts)


def leaves(schema: Schema, before: str = "", parent: str = "") -> Iterator[tuple[str, Schema, str]]:
    """Each property without members of its own: its path, its schema, and whether it is required."""
    for name, member in schema["properties"].items():
        inner = member.get("items", member)
        path = f"{before}{name}"
        if not before and name in _OF_CLOUDFORMATION:
            continue
        if "properties" in inner and name != "Tags":
            in_a_list = "[]" if "items" in member else ""
            yield from leaves(inner, f"{path}{in_a_list}.", f"{path}{in_a_list}")
        else:
            is_required = name in schema.get("required", [])
            yield path, member, _yes(parent) if is_required else "No"


def _yes(parent: str) -> str:
    if not parent:
        return "Yes"
    return f"Yes, in each of `{parent[:-2]}`" if parent.endswith("[]") else f"Yes, with `{parent}`"


def type_of(schema: Schema) -> str:
    if "if" in schema:
        items = schema["then"]["items"]
        *names, last = (f"`{name}`" for name in items["properties"])
        return f"Map, List of {', '.join(names)} and {last}, or the JSON text of either"
    if schema.get("type") == ["object", "string"]:
        return "Map, or its JSON text"
    if "items" in schema:
        return (
            "List of `Key`, `Value`"
            if "properties" in schema["items"]
            else f"List of {type_of(schema['items'])}"
        )
    if any(isinstance(value, bool) for value in schema.get("enum", [])):
        return "Boolean"
    if "minimum" in schema or any(isinstance(value, int) for value in schema.get("enum", [])):
        return "Integer"
    kind = schema.get("type", "string")
    return _TYPES.get(kind, "String") if isinstance(kind, str) else "String"


def default_of(schema: Schema, facts: dict[str, str]) -> str:
    if "default" not in schema:
        return facts.get("Default", "none")
    value = schema["default"]
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def allowed(schema: Schema) -> str:
    """The accepted values, in the words of the function's reasons. Empty if the type names them."""
    if "items" in schema:
        items = schema["items"]
        each = _tags(items) if "properties" in items else allowed(items)
        most = f"at most {schema['maxItems']}, " if "maxItems" in schema else ""
        return f"{most}each {each}" if "enum" not in items else each
    values = [value for value in schema.get("enum", []) if not isinstance(value, bool)]
    if type_of(schema) == "Boolean":
        return ""
    if values:
        numbers = [value for value in values if isinstance(value, int)]
        return ", ".join(f"`{value}`" for value in numbers or values)
    words = str(schema.get("errorMessage", ""))
    return _with_code(words.removeprefix("must be ")) if words.startswith("must be ") else ""


def _tags(schema: Schema) -> str:
    members = schema["properties"]
    return "; ".join(f"`{name}` {members[name]['errorMessage'].removeprefix('must be ')}" for name in members)


def _with_code(words: str) -> str:
    """A name with a part in angle brackets as code."""
    return words if "`" in words else re.sub(r"(\S*<[a-z]+>\S*)", r"`\1`", words)


def rules(schema: Schema, before: str = "") -> Iterator[str]:
    """The rules between properties, as the schema describes them."""
    for rule in schema.get("allOf", []):
        for path, words in _described(rule["then"], before):
            yield f"`{path}` {words}" if words.startswith("must") else words
    for name, member in sorted(schema.get("properties", {}).items()):
        inner = member.get("items", member)
        if name != "EnvironmentVariables":
            yield from rules(inner, f"{before}{name}{'[]' if 'items' in member else ''}.")


def _described(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    if "errorMessage" in schema:
        yield path.rstrip("."), schema["errorMessage"]
        return
    for name, member in schema.get("properties", {}).items():
        yield from _described(member, f"{path}{name}.")


_OWN = "Only in templates of your own"
_ONLY_THERE = f"*Parameter*: none, for [templates of your own](#{_OWN.lower().replace(' ', '-')})"


def section(path: str, schema: Schema, required: str, where: str) -> str:
    text, of_text = text_of(path, schema)
    facts = {
        "Required": required,
        "Type": type_of(schema),
        "Default": default_of(schema, of_text),
        "Update requires": of_text.get("Update", _UPDATE),
    }
    if required != "No":
        del facts["Default"]
    limits = allowed(schema)
    parts = [
        f"### `{path}`",
        text,
        *([f"Allowed: {limits}."] if limits else []),
        " · ".join([*(f"*{name}*: {value}" for name, value in facts.items()), where]),
    ]
    return "\n\n".join(parts)


def only_in_own_templates(leaves: list[tuple[str, Schema, str]], where: dict[str, str]) -> str:
    """The properties that neither a template nor an example sets, each with its first sentence."""
    firsts = {path: text_of(path, schema)[0].split(". ")[0].rstrip(".") for path, schema, _ in leaves}
    rows = (
        f"- [`{path}`](#{re.sub(r'[^a-z]', '', path.lower())}): {first}."
        for path, first in firsts.items()
        if path.replace("[]", "") not in where
    )
    intro = (
        "No template and no example of cfn-gitops sets these. Set them in a template of your own, such as a"
        " copy of\n`templates/project.yaml`:"
    )
    return "\n\n".join([f"### {_OWN}", intro, "\n".join(rows)])


def properties(file: str) -> str:
    """The sections of all properties, in the order of their table with `Tags` last, those that no template
    sets, and the rules between them."""
    schema = schema_of(file)
    found = sorted(leaves(schema), key=lambda leaf: leaf[0] == "Tags")
    between = "\n".join(f"- {rule}." for rule in dict.fromkeys(rules(schema)))
    where = reference_parameters.where_set(schema["typeName"])
    sections = (section(*leaf, where.get(leaf[0].replace("[]", ""), _ONLY_THERE)) for leaf in found)
    own = only_in_own_templates(found, where)
    return "\n\n".join([*sections, own, "### Rules between properties", between])
