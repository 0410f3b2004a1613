"""An environment's settings in samconfig.toml, compared with the template that they are for.

sam passes only the parameters that the template has, and drops the others without a word.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from cli.checks.rows import Once, Row
from cli.checks.template import attempt
from cli.environment import samconfig
from cli.environment.account import Environment
from cli.shell.failure import Failure
from cli.shell.output import Finding, Found, Sound
from cli.shell.spelling import did_you_mean

_CAPABILITY = "CAPABILITY_NAMED_IAM"


class SettingsFile:
    """The tables of one environment, with the lines of its settings."""

    def __init__(self, environment: Environment, file: Path) -> None:
        self.file, self.table_name = file, environment.settings.table
        self._content = file.read_text("utf-8")
        self.table: Any = samconfig.contents(file)[self.table_name]

    def get(self, name: str) -> Any:
        """A setting of `sam deploy`, for this command or for all. `None` if it does not exist."""
        found = [samconfig.member(self.table, command, "parameters", name) for command in ("deploy", "global")]
        return next((value for value in found if value is not None), None)

    def place(self, name: str) -> str:
        """The place of a setting, for example `samconfig.toml, line 25`."""
        return self._shown(self._lines(name)[:1])

    def parameter_place(self, name: str, which: int = 0) -> str:
        """That of a parameter, or of its second value. Tags may have the same name."""
        begin = self._lines("parameter_overrides")[:1]
        return self._shown([line for line in self._lines(name) if begin and line >= begin[0]][:which + 1])

    def _lines(self, name: str) -> list[int]:
        return samconfig.lines_of(self._content, self.table_name, rf"(?<![A-Za-z0-9_]){re.escape(name)}[\"']?\s*=")

    def _shown(self, lines: list[int]) -> str:
        return f"{self.file.name}, line {lines[-1]}" if lines else f"{self.file.name}, [{self.table_name}]"


def setting_rows(settings: SettingsFile, document: dict[str, Any], values: Once) -> list[Row]:
    name = settings.file.name
    return [Row("settings", f"{name}: settings of sam deploy", lambda: setting_checks(settings)),
            Row("parameters", f"{name}: parameters", lambda: parameter_checks(settings, document)),
            Row("tags", f"{name}: tags and ResourceTags", lambda: tag_checks(settings, values.get(), document))]


def setting_checks(settings: SettingsFile) -> list[Finding]:
    """The settings of `sam deploy` that the template needs."""
    found: list[Finding] = []
    unread: list[Finding] = []
    for has in attempt(f"{settings.place('capabilities')}: capabilities", lambda: _has_capability(settings), unread):
        if not has:
            found.append(Found(settings.place("capabilities"), f"the capabilities lack {_CAPABILITY}, without which CloudFormation "
                               "rejects roles with names", f'Write: capabilities = "{_CAPABILITY}"'))
    if not settings.get("resolve_s3") and not settings.get("s3_bucket"):
        found.append(Found(settings.place("resolve_s3"), "there is neither resolve_s3 nor s3_bucket, so sam has no bucket for the "
                           "function", "Write: resolve_s3 = true"))
    return [*found, *unread] or [Sound(f"{settings.file.name}: settings of sam deploy")]


def _has_capability(settings: SettingsFile) -> bool:
    capabilities = settings.get("capabilities") or []
    return _CAPABILITY in (capabilities.split() if isinstance(capabilities, str) else capabilities)


def parameter_checks(settings: SettingsFile, document: dict[str, Any]) -> list[Finding]:
    """Whether sam passes each parameter in the file to CloudFormation, which compares its value."""
    pairs = samconfig.override_pairs(settings.table, settings.file)
    found, seen, known = [], [], document["Parameters"]
    for name, _ in pairs:
        which = seen.count(name)
        seen.append(name)
        place = settings.parameter_place(name, which)
        if which:
            found.append(Found(place, f"{name} is there a second time, and sam takes the last value",
                               "Remove one of the lines"))
        if name not in known and not which:
            unknown = f"the template has no parameter {name}, so sam ignores it"
            found.append(Found(place, unknown + did_you_mean(name, known), "Correct the name, or remove the line"))
    for text in samconfig.override_texts(settings.table):
        # shlex reads it as empty, and sam ignores the parameter or fails.
        for name in re.findall(r"(?:^|\s)([A-Za-z0-9]+)=(?=\s|$)", text):
            found.append(Found(settings.parameter_place(name), f"{name} is empty without quotation marks, which sam does not accept",
                               f"Write: '{name}=\"\"'"))
    return found or [Sound(f"{settings.file.name}: parameters")]


def wrong_value(value: str, declared: dict[str, Any]) -> str:
    """Why CloudFormation would reject the value. Empty if it does not.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    kind = str(declared.get("Type"))
    # As CloudFormation, it compares each member of a list.
    members = [member.strip() for member in value.split(",")] if kind == "CommaDelimitedList" else [value]
    shown = value if len(value) <= 60 else f"{value[:60]}…"
    allowed = [str(each) for each in declared.get("AllowedValues", [])]
    if allowed and not set(members) <= set(allowed):
        return f"{shown or 'the empty value'} is not one of {', '.join(allowed)}" + did_you_mean(value, allowed)
    if kind == "Number":
        return _wrong_number(shown, declared)
    # Java's syntax, which Python shares for what the template uses.
    pattern = declared.get("AllowedPattern")
    if pattern and not all(re.fullmatch(pattern, member) for member in members):
        return f"{shown or 'the empty value'} is not valid: {declared.get('ConstraintDescription') or pattern}"
    if len(value) < int(declared.get("MinLength", 0)):
        return f"it has {len(value)} characters, and needs at least {declared['MinLength']}"
    if len(value) > int(declared.get("MaxLength", len(value))):
        return f"it has {len(value)} characters, and may have at most {declared['MaxLength']}"
    return ""


def _wrong_number(text: str, declared: dict[str, Any]) -> str:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return f"{text or 'the empty value'} is not a number"
    number = float(text)
    low, high = float(declared.get("MinValue", number)), float(declared.get("MaxValue", number))
    return "" if low <= number <= high else f"{text} is not between {declared.get('MinValue')} and {declared.get('MaxValue')}"


def tag_checks(settings: SettingsFile, values: dict[str, str], document: dict[str, Any]) -> list[Finding]:
    """The stack's tags, compared with those of everything that the function creates. `CreatedBy` may differ."""
    if not values.get("ProjectID") or "ResourceTags" not in values:
        return [Sound(f"{settings.file.name}: tags and ResourceTags")]
    place, unread = settings.place("tags"), list[Finding]()
    tags, resource_tags, declared = settings.get("tags") or [], values["ResourceTags"], document["Parameters"]["ResourceTags"]
    for found in attempt(f"{place}: tags and ResourceTags", lambda: _wrong_tags(tags, resource_tags, declared), unread):
        if found:
            return [Found(place, *found)]
    return unread or [Sound(f"{settings.file.name}: tags and ResourceTags")]


def _wrong_tags(tags: str | list[str], resource_tags: str, declared: dict[str, Any]) -> tuple[str, str] | None:
    """The problem and the remedy. `None` if the tags are equal."""
    # No tag has one, but CloudFormation returns it for each letter beyond ASCII.
    if "?" in resource_tags:
        raise Failure("CloudFormation does not return the stack's ResourceTags as it is", "Write ResourceTags in this file")
    words = [word for text in ([tags] if isinstance(tags, str) else tags) for word in _tag_words(text)]
    if cut := [word for word in words if "=" not in word]:
        return f"sam ignores {cut[0]}, because a tag ends at a space", "Put a value with spaces between quotation marks: Owner=\\\"Team A\\\""
    of_stack = {key: value for key, _, value in (word.partition("=") for word in words) if key != "CreatedBy"}
    try:
        pairs = json.loads(resource_tags or "{}", object_pairs_hook=list)
    except json.JSONDecodeError as error:
        return (f"ResourceTags is not JSON (line {error.lineno}, column {error.colno})",
                _remedy(of_stack or {"CostCenter": "42"}, declared))
    of_resources = {key: value for key, value in pairs if key != "CreatedBy"}
    if twice := sorted({key for key, _ in pairs if [other for other, _ in pairs].count(key) > 1}):
        return f"ResourceTags has {', '.join(twice)} twice", "Remove one of them"
    different = sorted(key for key in {*of_stack, *of_resources} if of_stack.get(key) != of_resources.get(key))
    if not different:
        return None
    return (f"tags and ResourceTags differ in {', '.join(different)}. The secrets and stacks that the function creates "
            "do not have those of the stack", f"Set both to the same tags. {_remedy(of_stack, declared)}")


def _tag_words(text: str) -> list[str]:
    """The tags of a text. With one equals sign, sam takes the text as one tag, whose value may have spaces."""
    return [text] if text.count("=") == 1 and not re.search("[\"']", text) else shlex.split(text)


def _remedy(of_stack: dict[str, str], declared: dict[str, Any]) -> str:
    """The line of parameter_overrides with the stack's tags. sam cuts any other notation at a space or at a quotation mark."""
    text = json.dumps(of_stack, ensure_ascii=False) if of_stack else ""
    if wrong := wrong_value(text, declared):
        return f"The tags of the stack are not possible in ResourceTags: {wrong}"
    return f"For those of the stack, write: \"\"\"ResourceTags='{text}'\"\"\""
