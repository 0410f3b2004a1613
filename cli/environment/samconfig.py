"""An environment's settings in samconfig.toml."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.shell.failure import WrongUse
from cli.shell.spelling import did_you_mean

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib  # type: ignore[import-not-found, no-redef]

FILE = Path("samconfig.toml")
# `[dev.deploy.parameters]`, and the first part of it.
_HEADER = re.compile(r"""\s*\[\s*["']?([A-Za-z0-9_-]+)["']?\s*(?:\.[^=]*)?\]\s*(?:#.*)?$""")


@dataclass
class Settings:
    """One environment's table of samconfig.toml."""

    table: str
    stack_name: str
    parameters: dict[str, str]
    # As sam reads them. Empty if the file has none.
    profile: str = ""
    region: str = ""

    @property
    def env_id(self) -> str:
        return self.parameters["EnvID"]


def read(table_name: str, more: list[str] | None = None, file: Path = FILE) -> Settings:
    """The table of an environment: its parameter_overrides, overridden by `more` (Name=value)."""
    content = contents(file)
    tables = {name: table for name, table in content.items() if isinstance(table, dict)}
    if table_name not in tables:
        raise WrongUse(f"{file} has no environment {table_name}" + did_you_mean(table_name, tables),
                       f"Name one of its tables: {', '.join(sorted(tables))}" if tables else
                       "It has none: copy that of the release")
    table = tables[table_name]
    name = setting(table, "stack_name")
    if not name:
        raise WrongUse(f"{file}: [{table_name}.global.parameters] lacks stack_name",
                      f'Add it, as in stack_name = "cfn-gitops-{table_name}"')
    parameters = parameter_overrides(table, file) | pairs(more or [])
    if not parameters.get("EnvID"):
        raise WrongUse(f"{file}: parameter_overrides of [{table_name}.deploy.parameters] lacks EnvID",
                      f'Add it, as in parameter_overrides = ["EnvID={table_name}"]')
    return Settings(table_name, name, parameters, setting(table, "profile"), setting(table, "region"))


def contents(file: Path) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        raise WrongUse(f"there is no {file} in {Path.cwd()}", "Run this in the folder of your samconfig.toml, or name the "
                      "file: --config-file") from None
    except UnicodeDecodeError as error:
        *lines, last = error.object[:error.start].split(b"\n")
        raise WrongUse(f"{file} is not read: it is not UTF-8 (at line {len(lines) + 1}, column {len(last) + 1})",
                      "Save it as UTF-8") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WrongUse(f"{file} is not read: {reason}", "Correct it, or copy that of the release") from error


def setting(table: dict[str, Any], name: str) -> str:
    """A setting of `sam deploy`, for all commands or for this one. Empty if it does not exist, or is not a text."""
    found = [member(table, command, "parameters", name) for command in ("deploy", "global")]
    return next((value for value in found if isinstance(value, str) and value), "")


def member(table: Any, *path: str) -> Any:
    """The member of a table in tables. `None` if it does not exist."""
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def parameter_overrides(table: dict[str, Any], file: Path = FILE) -> dict[str, str]:
    """A list of parameters, or one text with all of them, as `sam deploy --guided` saves it."""
    return dict(override_pairs(table, file))


def override_pairs(table: dict[str, Any], file: Path = FILE) -> list[tuple[str, str]]:
    """The name and the value of each, even if a name is there twice."""
    found: list[tuple[str, str]] = []
    try:
        for text in override_texts(table):
            words = shlex.split(text)
            if wrong := [word for word in words if "=" not in word]:
                raise _not_a_pair(wrong[0], is_first=wrong[0] is words[0], place=f"{file}{_line_of(text, file)}")
            found += [(name, value) for name, _, value in (word.partition("=") for word in words)]
    except (AttributeError, TypeError, ValueError) as error:
        raise WrongUse(f"{file}: parameter_overrides is not a list of texts Name=value: {error}",
                      'Write it as in parameter_overrides = ["EnvID=dev"]') from error
    return found


def _not_a_pair(word: str, is_first: bool, place: str) -> Failure:
    if is_first:
        return WrongUse(f"{place}: {word} has no value", "Write it as in 'EnvID=dev'")
    return WrongUse(f"{place}: {word} is outside of quotation marks, so sam ignores it",
                   "Quote a value with a space or a line break, as in 'Name=\"two words\"'")


def _line_of(text: str, file: Path) -> str:
    """The line on which the text begins. Empty if TOML's escapes hide it."""
    begins = re.compile("""["']""" + re.escape(text.split("\n")[0]))
    lines = file.read_text("utf-8").split("\n") if file.is_file() else []
    return next((f", line {number}" for number, line in enumerate(lines, 1) if begins.search(line)), "")


def override_texts(table: dict[str, Any]) -> list[str]:
    given = member(table, "deploy", "parameters", "parameter_overrides") or []
    return [given] if isinstance(given, str) else given


def lines_of(content: str, table_name: str, pattern: str) -> list[int]:
    """The numbers of the lines in an environment's tables that match. Empty if the file writes them in another form of
    TOML, such as one line."""
    is_own, found = False, []
    for number, line in enumerate(content.split("\n"), 1):
        if header := _HEADER.match(line):
            is_own = header[1] == table_name
        elif is_own and not line.lstrip().startswith("#") and re.search(pattern, line):
            found.append(number)
    return found


def pairs(given: list[str]) -> dict[str, str]:
    wrong = [pair for pair in given if "=" not in pair]
    if wrong:
        raise WrongUse(f"parameters must be Name=value pairs, not {' '.join(wrong)}", "Correct them")
    return dict(pair.split("=", 1) for pair in given)
