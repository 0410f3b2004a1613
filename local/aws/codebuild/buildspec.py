"""Parses and validates a build specification.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_TOP = {"version", "env", "phases", "artifacts", "reports", "cache"}
_PHASE = {"commands", "finally", "runtime-versions", "on-failure"}
_ENV = {"variables", "exported-variables", "shell"}
_ARTIFACTS = {"files", "name", "discard-paths", "base-directory", "exclude-paths", "secondary-artifacts"}


class Malformed(Exception):
    """CodeBuild's YAML_FILE_ERROR."""


@dataclass
class Phase:
    commands: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)  # `finally`


@dataclass
class Artifacts:
    files: list[str]
    base: str = "."
    discard_paths: bool = False
    exclude: list[str] = field(default_factory=list)


@dataclass
class Buildspec:
    phases: dict[str, Phase]
    variables: dict[str, str]
    exported: list[str]
    artifacts: Artifacts | None
    secondary: dict[str, Artifacts]
    apart: bool = False  # version 0.1: each command has its own shell


def read(text: str) -> Buildspec:
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise Malformed(f"YAML_FILE_ERROR: {fault}") from None
    if not isinstance(given, dict):
        raise Malformed("YAML_FILE_ERROR: the build specification is not a mapping")
    if str(given.get("version")) not in {"0.1", "0.2"}:
        raise Malformed("YAML_FILE_ERROR: version must be 0.1 or 0.2")
    _known(given, _TOP, "the build specification")
    phases = _mapping(given, "phases")
    _known(phases, set(PHASES), "phases")
    env = _mapping(given, "env")
    _known(env, _ENV, "env")
    if env.get("shell", "sh") not in {"sh", "/bin/sh"}:
        raise Malformed(f"YAML_FILE_ERROR: the shell {env['shell']} is not part of this local CodeBuild")
    artifacts = _mapping(given, "artifacts")
    _known(artifacts, _ARTIFACTS, "artifacts")
    secondary = _mapping(artifacts, "secondary-artifacts")
    return Buildspec(
        phases={name: _phase(name, phases.get(name) or {}) for name in PHASES},
        variables={str(key): _scalar(key, value) for key, value in _mapping(env, "variables").items()},
        exported=_strings(env, "exported-variables"),
        artifacts=_artifacts(artifacts) if "files" in artifacts else None,
        secondary={str(name): _artifacts(value) for name, value in secondary.items()},
        apart=str(given["version"]) == "0.1")


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


def _scalar(key: str, value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise Malformed(f"YAML_FILE_ERROR: the variable {key} is not a string")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _phase(name: str, given: Any) -> Phase:
    if not isinstance(given, dict):
        raise Malformed(f"YAML_FILE_ERROR: the phase {name} is not a mapping")
    _known(given, _PHASE, f"phases.{name}")
    if given.get("on-failure", "ABORT") != "ABORT":
        raise Malformed(f"YAML_FILE_ERROR: on-failure of {name} is not part of this local CodeBuild")
    return Phase(_strings(given, "commands"), _strings(given, "finally"))


def _artifacts(given: Any) -> Artifacts:
    if not isinstance(given, dict) or not given.get("files"):
        raise Malformed("YAML_FILE_ERROR: artifacts need files")
    _known(given, _ARTIFACTS - {"secondary-artifacts"}, "artifacts")
    return Artifacts(_strings(given, "files"), str(given.get("base-directory") or "."),
                     str(given.get("discard-paths", "no")).lower() in {"yes", "true"},
                     _strings(given, "exclude-paths"))


def collect(artifacts: Artifacts, source: Path) -> dict[str, bytes]:
    """The files by their names in the artifact. A location is a file, the files of a directory (`directory/*`), or all
    files below it (`directory/**/*`). A base directory may be a pattern itself."""
    bases = ([path for path in sorted(source.glob(artifacts.base)) if path.is_dir()]
             if any(letter in artifacts.base for letter in "*?[") else [source / artifacts.base])
    found: dict[str, bytes] = {}
    for base in bases:
        for pattern in artifacts.files:
            for path in sorted(_matching(base, pattern)):
                name = path.relative_to(base).as_posix()
                if any(_covers(excluded, name) for excluded in artifacts.exclude):
                    continue
                found[path.name if artifacts.discard_paths else name] = path.read_bytes()
    return found


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
