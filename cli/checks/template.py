"""The template beside samconfig.toml: its parameters, and the names of its resources in an environment."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from cli.environment import yaml_template
from cli.shell.failure import WrongUse

NAME = "template.yaml"
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:]+)\}")


def is_of_release() -> bool:
    """Whether this is the file beside the template, and not the one of a clone."""
    return (Path(sys.argv[0]).parent / NAME).is_file()


def folder(config_file: Path) -> Path:
    """The release folder, or in a clone that of samconfig.toml, which may be kept elsewhere."""
    return Path(sys.argv[0]).parent if is_of_release() else config_file.parent


def read(folder: Path, name: str = NAME) -> dict[str, Any]:
    """Raises `WrongUse` if there is no template."""
    file = folder / name
    try:
        document = yaml_template.parsed(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise WrongUse(
            f"{file} is not read: {reason}", f"Run the cfn-gitops beside the release's {NAME}"
        ) from error
    except yaml_template.Unreadable as error:
        raise WrongUse(f"{file} is not read: {error}", "Copy that of the release") from error
    parts = ("Parameters", "Resources")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), dict) for part in parts):
        raise WrongUse(f"{file} is not a template with Parameters and Resources", "Copy that of the release")
    return document


def defaults(document: dict[str, Any]) -> dict[str, str]:
    """Of the parameters that have one."""
    return {
        name: str(about["Default"])
        for name, about in document["Parameters"].items()
        if isinstance(about, dict) and "Default" in about
    }


def resources(document: dict[str, Any], values: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Those that the next deployment certainly has: without a condition, or with that of the first
    project."""
    conditions = (None, "HasProject") if values.get("ProjectID") else (None,)
    return {
        logical_id: about
        for logical_id, about in document["Resources"].items()
        if isinstance(about, dict) and about.get("Condition") in conditions
    }


def names(document: dict[str, Any], kind: str, member: str, values: dict[str, str]) -> list[str]:
    """The names of the resources of a type, as far as they have one of parameters and pseudo parameters."""
    given = [
        (about.get("Properties") or {}).get(member)
        for about in resources(document, values).values()
        if about.get("Type") == kind
    ]
    filled = [
        _VARIABLE.sub(lambda found: values.get(found[1], found[0]), str(name["Fn::Sub"]))
        for name in given
        if isinstance(name, dict) and "Fn::Sub" in name
    ]
    return [name for name in filled if "${" not in name]
