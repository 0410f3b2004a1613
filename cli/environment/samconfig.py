"""An environment's settings in samconfig.toml.

sam reads parameters and tags in several forms. This reads one of them, that of the release: a list of texts
`Name=value`. tests/cli/test_samconfig.py compares it with sam's own reader.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.shell.command import sam
from cli.shell.failure import WrongUse
from cli.shell.spelling import did_you_mean

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib  # type: ignore[import-not-found, no-redef]

FILE = Path("samconfig.toml")
# As template.yaml has it.
_ENV_ID = re.compile("[a-z][a-z0-9]{0,9}")
# sam reads more of each: escapes, several pairs in a text, and `ParameterKey=Name,ParameterValue=value` at
# any place of it.
_FORMS = {
    "parameter_overrides": re.compile(
        r"""(?![\s\S]*ParameterKey=)([A-Za-z0-9]+)=(?:([^\s"'\\]+)|"([^"\\]*)"|'([^'\\]*)')"""
    ),
    # sam splits a text with more than one equals sign at its spaces.
    "tags": re.compile(r"""([^="'\\]+)=([^="'\\]*)|([^\s="'\\]+)="([^\s"'\\]*)\""""),
}
_REMEDIES = {
    "parameter_overrides": (
        """Write it as a list of texts "Name=value". An empty value, and one with a space, has quotation """
        """marks of its own: 'Name="two words"'"""
    ),
    "tags": (
        """Write it as a list of texts "Key=value". A value with an equals sign has quotation marks """
        """of its own, and no space: 'Key="a=b"'"""
    ),
}


@dataclass
class Settings:
    """The settings of `sam deploy` in an environment's table. One in another form ends only what needs it."""

    table: str
    given: dict[str, Any]
    # `None` without a file: then the environment has its default names.
    file: Path | None = None
    # The table of its environment, if it is a project's.
    environment: str = ""

    @property
    def stack_name(self) -> str:
        return self.text("stack_name")

    @cached_property
    def env_id(self) -> str:
        if value := dict(self.pairs("parameter_overrides", "EnvID")).get("EnvID"):
            return value
        raise WrongUse(
            f"{self.file}: parameter_overrides of [{self.table}.deploy.parameters] lacks EnvID",
            f'Add it, as in parameter_overrides = ["EnvID={self.table}"]',
        )

    @cached_property
    def parameters(self) -> dict[str, str]:
        return dict(self.pairs("parameter_overrides"))

    @property
    def remedy(self) -> str:
        """For a stack that is not the environment's."""
        return (
            f"Correct stack_name, or EnvID, in the table {self.table} of {self.file}"
            if self.file
            else f"Name another EnvID with --env, or run this in the folder of your {FILE}"
        )

    @property
    def deployment(self) -> str:
        """The end of a remedy that deploys the environment."""
        deploy = sam("deploy", "--config-env", self.table)
        return f": {deploy}" if self.file else f" in the folder of your {FILE}"

    def text(self, name: str) -> str:
        """Empty if it does not exist."""
        value = self.given.get(name, "")
        if not isinstance(value, str):
            raise self._unread(name, f'Write it as a text: {name} = "…"')
        return value

    def pairs(self, name: str, part: str = "") -> list[tuple[str, str]]:
        """Each name of a list with its value, even if it is there twice. With `part`, only those that may be
        of this name."""
        texts, found = self.given.get(name, []), []
        if not isinstance(texts, list):
            raise self._unread(name, _REMEDIES[name])
        for text in texts:
            pair = _FORMS[name].fullmatch(text) if isinstance(text, str) else None
            if pair:
                key, value = (each for each in pair.groups() if each is not None)
                found.append((key, value))
            elif part in str(text) or not isinstance(text, str) or text.startswith("file://"):
                is_empty = name == "parameter_overrides" and re.fullmatch("[A-Za-z0-9]+=", str(text))
                raise self._unread(
                    f"{str(text)[:60]} in {name}",
                    f"Write it as '{text}\"\"'" if is_empty else _REMEDIES[name],
                )
        return found

    def _unread(self, what: str, remedy: str) -> WrongUse:
        return WrongUse(
            f"{self.file}: {what} of [{self.table}.deploy.parameters] is not read by this command", remedy
        )


def read(name: str, file: Path = FILE, region: str = "") -> Settings:
    """The table of an environment, by default `dev`. Without the file of the current folder, the user names
    EnvID and region: a variable may have that of another environment."""
    # Not equal, but the same: the user named no file.
    if file is FILE and not os.path.lexists(file):
        if other := next(filter(os.path.lexists, ("samconfig.yaml", "samconfig.yml")), ""):
            raise WrongUse(
                f"there is no {file} in {Path.cwd()}, but {other}, and this command reads {file} only",
                f"Write its settings in the form of the release's {file}",
            )
        if not name or not region:
            raise _missing(file)
        if not _ENV_ID.fullmatch(name):
            raise WrongUse(f"there is no {file} in {Path.cwd()}, and {name} is not an EnvID", "Correct --env")
        return Settings(name, {"stack_name": f"cfn-gitops-{name}", "parameter_overrides": [f"EnvID={name}"]})
    tables, templates = _tables(file)
    name = name or "dev"
    environments = sorted(each for each, path in templates.items() if path.name.startswith("template"))
    if name not in environments:
        raise WrongUse(
            f"the table {name} of {file} is not an environment: it deploys {templates[name]}"
            if name in tables
            else f"{file} has no environment {name}" + did_you_mean(name, environments),
            (
                f"Name one of its environments: {', '.join(environments)}"
                if environments
                else "It has none: copy that of the release"
            ),
        )
    return _checked(Settings(name, tables[name], file), f"cfn-gitops-{name}")


def project(name: str, environment: Settings) -> Settings:
    """The table of a further project of this environment."""
    if not environment.file:
        raise WrongUse("--project needs a table", f"Run this in the folder of your {FILE}")
    tables, templates = _tables(environment.file)
    projects = sorted(each for each, path in templates.items() if path.name.startswith("project"))
    if name not in projects:
        raise WrongUse(
            f"{environment.file} has no project {name}" + did_you_mean(name, projects),
            f"Name a table whose template_file is a project-….yaml: {', '.join(projects) or 'there is none'}",
        )
    settings = _checked(
        Settings(name, tables[name], environment.file, environment.table),
        f"project-{environment.env_id}-shop",
    )
    if settings.env_id == environment.env_id:
        return settings
    raise WrongUse(
        f"the project {name} is of the environment {settings.env_id}, not {environment.env_id}",
        "Name the table of its environment with --env",
    )


def _checked(settings: Settings, stack_name: str) -> Settings:
    """The settings of a table that has a usable name, and a `stack_name` such as this one."""
    name, file = settings.table, settings.file
    if not re.fullmatch(r"[\w-]+", name):
        # A command in a remedy has it as it is.
        raise WrongUse(
            f"{file}: the name of table [{name}] is not letters, digits, _ and - alone", "Rename the table"
        )
    if settings.stack_name:
        return settings
    raise WrongUse(
        f"{file}: [{name}.global.parameters] lacks stack_name", f'Add it, as in stack_name = "{stack_name}"'
    )


def _tables(file: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """The tables, and the templates that they deploy."""
    tables = {each: _deployment(table) for each, table in contents(file).items() if isinstance(table, dict)}
    return tables, {
        each: Path(str(given.get("template_file", "template.yaml"))) for each, given in tables.items()
    }


def _deployment(table: dict[str, Any]) -> dict[str, Any]:
    """As in sam, the parameters of the command replace those of all commands."""
    found = [member(table, command, "parameters") for command in ("global", "deploy")]
    return {key: value for each in found if isinstance(each, dict) for key, value in each.items()}


def contents(file: Path) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        raise _missing(file) from None
    except UnicodeDecodeError as error:
        *lines, last = error.object[: error.start].split(b"\n")
        raise WrongUse(
            f"{file} is not read: it is not UTF-8 (at line {len(lines) + 1}, column {len(last) + 1})",
            "Save it as UTF-8",
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WrongUse(f"{file} is not read: {reason}", "Correct it, or copy that of the release") from error


def _missing(file: Path) -> WrongUse:
    return WrongUse(
        f"there is no {file} in {Path.cwd()}",
        f"Run this in the folder of your {FILE}, name the file with --config-file, or name --env and"
        " --region",
    )


def member(table: Any, *path: str) -> Any:
    """The member of a table in tables. `None` if it does not exist."""
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table
