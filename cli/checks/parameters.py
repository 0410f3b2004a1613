"""An environment's parameters and tags in samconfig.toml: the mistakes that neither sam nor CloudFormation
reports before it creates something."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cli.checks.rows import Once, Row
from cli.environment.samconfig import FILE, Settings
from cli.shell.findings import Finding, Found, NotChecked, Sound
from cli.shell.spelling import did_you_mean


def setting_rows(settings: Settings, document: dict[str, Any], values: Once) -> list[Row]:
    name = (settings.file or FILE).name
    subject, tags = f"{name}: parameters", f"{name}: tags and ResourceTags"
    if settings.file is None:
        absent = NotChecked(
            subject,
            "there is no such file in this folder, so the other rows take the parameters of the stack, and "
            "the template's defaults",
            "Run this in the folder of your samconfig.toml",
        )
        return [Row("parameters", subject, lambda: [absent])]
    return [
        Row(
            "parameters",
            subject,
            lambda: _wrong_parameters(settings, name, document["Parameters"]) or [Sound(subject)],
        ),
        Row("tags", tags, lambda: [_tags(settings, tags, values.get())]),
    ]


def _wrong_parameters(settings: Settings, file: str, known: dict[str, Any]) -> list[Finding]:
    """sam passes only the parameters that the template has, and drops the others without a word."""
    names, found = [name for name, _ in settings.pairs("parameter_overrides")], list[Finding]()
    for name in dict.fromkeys(names):
        place = f"{file}: {name}"
        if names.count(name) > 1:
            found.append(
                Found(place, "it is there twice, and sam takes the last value", "Remove one of the lines")
            )
        if name not in known:
            found.append(
                Found(
                    place,
                    "the template has no such parameter, so sam ignores it" + did_you_mean(name, known),
                    "Correct the name, or remove the line",
                )
            )
    return found


def _tags(settings: Settings, subject: str, values: dict[str, str]) -> Finding:
    """The stack's tags, compared with those of everything that the function creates. `CreatedBy` may
    differ."""
    resource_tags = values.get("ResourceTags", "")
    if not values.get("ProjectID"):
        return Sound(subject)
    # No tag has one, but CloudFormation returns it for each letter beyond ASCII.
    if "?" in resource_tags and settings.parameters.get("ResourceTags") != resource_tags:
        return NotChecked(
            subject,
            "CloudFormation does not return the stack's ResourceTags as it is",
            "Write ResourceTags in this file",
        )
    tags = settings.pairs("tags")
    if twice := _twice(tags):
        return Found(subject, f"tags has {twice} twice, and sam takes the last value", "Remove one of them")
    of_stack = {key: value for key, value in tags if key != "CreatedBy"}
    shown = json.dumps(of_stack, ensure_ascii=False) if of_stack else ""
    remedy = f'For those of the stack, write: """ResourceTags=\'{shown}\'"""'
    try:
        # Of JSON's types, only an object becomes a tuple.
        pairs = json.loads(resource_tags or "{}", object_pairs_hook=tuple)
    except json.JSONDecodeError as error:
        return Found(subject, f"ResourceTags is not JSON (line {error.lineno}, column {error.colno})", remedy)
    except (RecursionError, ValueError):
        pairs = None
    if not isinstance(pairs, tuple) or not all(isinstance(value, str) for _, value in pairs):
        return Found(subject, "ResourceTags is not a JSON object of texts", remedy)
    if twice := _twice(pairs):
        return Found(subject, f"ResourceTags has {twice} twice", "Remove one of them")
    of_resources = {key: value for key, value in pairs if key != "CreatedBy"}
    different = sorted(
        key for key in {*of_stack, *of_resources} if of_stack.get(key) != of_resources.get(key)
    )
    return (
        Found(
            subject,
            f"tags and ResourceTags differ in {', '.join(different)}. The secrets and stacks that the"
            " function creates do not have those of the stack",
            f"Set both to the same tags. {remedy}",
        )
        if different
        else Sound(subject)
    )


def _twice(pairs: Sequence[tuple[str, str]]) -> str:
    """The names that are there more than once. Empty if there are none."""
    keys = [key for key, _ in pairs]
    return ", ".join(sorted({key for key in keys if keys.count(key) > 1}))
