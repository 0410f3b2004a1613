"""The output of a subcommand: text for people, or with --json one document for programs."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.shell.changes import Changes
from cli.shell.ending import explained
from cli.shell.failure import Failure, NotLooked
from cli.shell.terminal import shown, without_secrets, write, write_shown

BOLD, DIM, GREEN, RED, YELLOW = "1", "2", "32", "31", "33"


@dataclass
class Output:
    as_json: bool = False
    document: dict[str, Any] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def write(self, *lines: object, style: str = "") -> None:
        """The result. With --json it is in the document instead."""
        for line in lines if not self.as_json else ():
            write_shown(styled(shown(line), style) + "\n")

    def write_progress(self, *lines: object, end: str = "\n") -> None:
        """The course of a change. With --json on standard error."""
        if lines:
            write(*lines, to=sys.stderr if self.as_json else None, end=end)

    def write_waiting(self, line: str) -> None:
        """On a terminal alone, before a call that may take long."""
        if not self.as_json and sys.stderr and sys.stderr.isatty():
            write(line, to=sys.stderr)

    def record_change(self, change: str) -> None:
        self.changes.done.append(change)
        self.document["done"] = self.changes.done
        self.write_progress(f"ok      {change}")

    def record_left(self, reason: str) -> None:
        """Of a change that is not made."""
        self.changes.left.append(reason)
        self.write_progress(f"LEFT    {reason}")

    def record_unread(self, name: str, error: Exception) -> None:
        """Of a change that is not made because of an error of AWS or of this machine. Raises any other one,
        which is a defect."""
        failure = explained(error)
        if failure is None:
            raise error
        self.changes.unread += failure.status == NotLooked.status
        self.record_left(f"{name}: {failure}")

    def place(self, account: str, region: str, environment: str, chosen_by: str) -> None:
        self.document |= {"account": account, "region": region, "environment": environment}
        self.write(f"Account {account}, region {region}, environment {environment}{chosen_by}", style=BOLD)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their longest cell."""
        lines = [[shown(cell) for cell in row] for row in (heads, *rows)]
        widths = [max(width(line[column]) for line in lines) for column in range(len(heads))]
        for number, line in enumerate(lines):
            text = "  ".join(
                cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(line)
            ).rstrip()
            if not self.as_json:
                write_shown(styled(text, "" if number else BOLD) + "\n")

    def failure(self, failure: Failure) -> int:
        """Writes it, and returns the exit status."""
        if self.as_json:
            self.document["error"] = {"problem": failure.problem, "remedy": failure.remedy}
        write(failure, to=sys.stderr)
        return self.changes.status_of(failure)

    def end(self) -> None:
        if self.as_json and self.document:
            write_shown(shown_json(self.document) + "\n")


def shown_json(document: Any) -> str:
    """Without secrets in its texts, and in ASCII: without a character that changes a terminal's line."""
    return json.dumps(_shown(document), indent=2)


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _shown(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(each) for each in value]
    return without_secrets(value) if isinstance(value, str) else value


def width(text: str) -> int:
    """The columns on a terminal: an East Asian character has two, and a combining one none."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def in_colour() -> bool:
    """Colours are used on a terminal, unless NO_COLOR is set: https://no-color.org."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def styled(text: str, style: str) -> str:
    return f"\033[{style}m{text}\033[0m" if style and in_colour() else text


def answered(output: Output, question: str) -> str:
    """The answer to a question. Empty at the end of the input."""
    output.write_progress(f"{question} ", end="")
    try:
        answer = sys.stdin.readline().strip() if sys.stdin else ""
    except (OSError, ValueError):
        # A terminal that was closed, or bytes in another encoding.
        answer = ""
    output.write_progress("")
    return answer


def confirm(output: Output, question: str, expected: str, yes: bool) -> bool:
    """Requires an answer before a change, unless --yes is given. The end of the input counts as no."""
    if yes:
        return True
    answer = answered(output, question)
    if answer == expected:
        return True
    remedy = f"The expected answer was {expected}" if answer else "Without a terminal, --yes answers"
    output.failure(Failure(f"Nothing was changed: the answer is {answer or 'empty'}", remedy))
    return False
