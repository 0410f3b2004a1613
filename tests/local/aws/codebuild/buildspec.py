"""Parses and validates a build specification.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")


class Malformed(Exception):
    """CodeBuild's YAML_FILE_ERROR."""


@dataclass
class Artifacts:
    files: list[str]
    base: str


@dataclass
class Buildspec:
    commands: dict[str, list[str]]  # by phase
    artifacts: Artifacts | None


def read(text: str) -> Buildspec:
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise Malformed(f"YAML_FILE_ERROR: {fault}") from None
    if not isinstance(given, dict):
        raise Malformed("YAML_FILE_ERROR: the build specification is not a mapping")
    if str(given.get("version")) != "0.2":
        raise Malformed("YAML_FILE_ERROR: version must be 0.2 in this local CodeBuild")
    _known(given, {"version", "phases", "artifacts"}, "the build specification")
    phases = _mapping(given, "phases")
    _known(phases, set(PHASES), "phases")
    artifacts = _mapping(given, "artifacts")
    return Buildspec({name: _commands(name, phases.get(name) or {}) for name in PHASES},
                     _artifacts(artifacts) if artifacts else None)


def _known(given: dict, known: set[str], where: str) -> None:
    unknown = sorted(str(key) for key in given.keys() - known)
    if unknown:
        raise Malformed(f"YAML_FILE_ERROR: {where}: unknown, or not part of this local CodeBuild: "
                        f"{', '.join(unknown)}")


def _mapping(given: dict, key: str) -> dict[str, Any]:
    value = given.get(key) or {}
    if not isinstance(value, dict):
        raise Malformed(f"YAML_FILE_ERROR: {key} is not a mapping")
    return value


def _strings(given: dict, key: str) -> list[str]:
    value = given.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, (str, int, float)) for each in value):
        # An unquoted colon in a command makes it a mapping.
        raise Malformed(f"YAML_FILE_ERROR: expected {key} to be a list of strings")
    return [str(each) for each in value]


def _commands(name: str, given: Any) -> list[str]:
    if not isinstance(given, dict):
        raise Malformed(f"YAML_FILE_ERROR: the phase {name} is not a mapping")
    _known(given, {"commands"}, f"phases.{name}")
    return _strings(given, "commands")


def _artifacts(given: dict[str, Any]) -> Artifacts:
    _known(given, {"files", "base-directory"}, "artifacts")
    if not given.get("files"):
        raise Malformed("YAML_FILE_ERROR: artifacts need files")
    return Artifacts(_strings(given, "files"), str(given.get("base-directory") or "."))


def collect(artifacts: Artifacts, source: Path) -> dict[str, bytes]:
    """The files by their names in the artifact. A location is a file, the files of a directory (`directory/*`), or all
    files below it (`directory/**/*`)."""
    base = source / artifacts.base
    return {path.relative_to(base).as_posix(): path.read_bytes()
            for pattern in artifacts.files for path in sorted(_matching(base, pattern))}


def _matching(base: Path, pattern: str) -> list[Path]:
    pattern = pattern.removeprefix("./")
    if pattern.startswith("/"):
        return []
    if not any(letter in pattern for letter in "*?["):
        path = base / pattern
        return [path] if path.is_file() else []
    return [path for path in base.rglob("*") if path.is_file() and _covers(pattern, path.relative_to(base).as_posix())]


def _covers(pattern: str, name: str) -> bool:
    """`**` matches any number of directories. `*` and `?` match within one."""
    expression = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]*\]|[^*?\[]+|\[", pattern):
        expression += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part) or (
            part if part.startswith("[") and len(part) > 1 else re.escape(part))
    return re.fullmatch(expression, name) is not None
