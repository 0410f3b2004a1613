"""Parses and validates a build specification.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

PHASES = ("install", "pre_build", "build", "post_build")


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


# An unquoted colon in a command makes it a mapping.
_PHASE = _object([], commands={"type": "array", "items": {"type": ["string", "number"]}})
_LOCATIONS = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_REPORT = _object(
    ["files"],
    **{"files": _LOCATIONS, "base-directory": {"type": "string"}, "file-format": {"type": "string"}},
)
# Other members are not part of this local CodeBuild.
_SPECIFICATION = Draft202012Validator(
    _object(
        ["version"],
        version={"enum": [0.2, "0.2"]},
        phases=_object([], **dict.fromkeys(PHASES, _PHASE)),
        reports={"type": "object", "additionalProperties": _REPORT},
        artifacts=_object(["files"], **{"files": _LOCATIONS, "base-directory": {"type": "string"}}),
    )
)


class Malformed(Exception):
    """CodeBuild's YAML_FILE_ERROR."""


@dataclass
class Buildspec:
    commands: dict[str, list[str]]  # by phase
    reports: dict[str, Any]  # by the name or the ARN of their group
    artifacts: dict[str, Any] | None


def read(text: str) -> Buildspec:
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise Malformed(f"YAML_FILE_ERROR: {fault}") from None
    for fault in _SPECIFICATION.iter_errors(given):
        raise Malformed(f"YAML_FILE_ERROR: {'/'.join(map(str, fault.absolute_path))}: {fault.message}")
    phases = given.get("phases", {})
    return Buildspec(
        {name: [str(each) for each in phases.get(name, {}).get("commands", [])] for name in PHASES},
        given.get("reports", {}),
        given.get("artifacts"),
    )


def collect(artifacts: dict[str, Any], source: Path) -> dict[str, bytes]:
    """The files by their names in the artifact. A location is a file, the files of a directory
    (`directory/*`), or all files below it (`directory/**/*`)."""
    base = source / artifacts.get("base-directory", ".")
    return {
        path.relative_to(base).as_posix(): path.read_bytes()
        for pattern in artifacts["files"]
        for path in sorted(base.glob(pattern))
        if path.is_file()
    }
