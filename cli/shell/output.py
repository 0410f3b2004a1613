"""The output of a subcommand: text for people, or with --json one document for programs."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cli.shell.ending import explained
from cli.shell.failure import Failure, NotLooked, status_of
from cli.shell.terminal import shown, without_secrets, write, write_shown

BOLD, DIM, GREEN, RED, YELLOW = "1", "2", "32", "31", "33"


@dataclass
class Finding:
    """The result of one check, which is one of the classes below. Each has another meaning of `text`."""

    subject: str
    text: str = ""
    remedy: str = ""
    code: str = ""
    # That of its row in `check`, for --ignore.
    key: str = ""
    # The result, its colour, and the name of `text` in the document.
    result: ClassVar[str]
    style: ClassVar[str]
    member: ClassVar[str]

    @staticmethod
    def of(subject: str, problem: str = "", remedy: str = "", code: str = "") -> Finding:
        """Sound without a problem."""
        return Found(subject, problem, remedy, code) if problem else Sound(subject, remedy)

    def members(self) -> dict[str, str]:
        given = {self.member: self.text, "remedy": self.remedy, "code": self.code, "key": self.key}
        return {
            "subject": self.subject,
            "result": self.result,
            **{name: value for name, value in given.items() if value},
        }


class Found(Finding):
    result, style, member = "found", RED, "problem"


class Sound(Finding):
    result, style, member = "sound", GREEN, ""

    def __init__(self, subject: str, remedy: str = "") -> None:
        super().__init__(subject, remedy=remedy)


class Held(Finding):
    """A person has disabled it. This is wanted, and not a problem."""

    result, style, member = "held", YELLOW, "held"


class NotLookedAt(Finding):
    """The function has no right to look at it. This is wanted, so it is neither sound nor found."""

    result, style, member = "not looked at", DIM, "reason"


@dataclass
class NotChecked(Finding):
    """The reason is an obstacle, and proves nothing about the subject."""

    # Whether this machine should be able to look, so that the exit status is 3.
    is_failure: bool = False
    result, style, member = "not checked", YELLOW, "reason"

    @classmethod
    def because(cls, subject: str, error: Exception) -> NotChecked:
        """Of an error of AWS or of this machine. Raises any other one, which is a defect."""
        failure = error if isinstance(error, Failure) else explained(error)
        if failure is None:
            raise error
        return cls(subject, failure.problem, failure.remedy, is_failure=True)


@dataclass
class Output:
    as_json: bool = False
    document: dict[str, Any] = field(default_factory=dict)
    # The changes so far, and whether the first one has begun.
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    # How many of these were only not read.
    unread: int = 0
    has_begun: bool = False
    # The change that goes on or is incomplete now, and the sentence after an interrupt if it is a whole one.
    ongoing: str = ""
    interrupted: str = ""

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
        self.done.append(change)
        self.document["done"] = self.done
        self.write_progress(f"ok      {change}")

    def record_left(self, reason: str) -> None:
        """Of a change that is not made."""
        self.left.append(reason)
        self.write_progress(f"LEFT    {reason}")

    def record_unread(self, name: str, error: Exception) -> None:
        """Of a change that is not made because of an error of AWS or of this machine. Raises any other one,
        which is a defect."""
        failure = error if isinstance(error, Failure) else explained(error)
        if failure is None:
            raise error
        self.unread += failure.status == NotLooked.status
        self.record_left(f"{name}: {failure}")

    def status_of_left(self) -> int:
        return status_of(len(self.left) > (0 if self.has_begun else self.unread), self.left)

    def after_interrupt(self) -> str:
        if not self.has_begun:
            return "Nothing was changed"
        if self.interrupted:
            return self.interrupted
        done = f"Done: {'; '.join(self.done)}" if self.done else ""
        return ". ".join(filter(None, (done, self.ongoing, "Run this again for the rest")))

    def place(self, account: str, region: str, environment: str, chosen_by: str) -> None:
        self.document |= {"account": account, "region": region, "environment": environment}
        self.write(f"Account {account}, region {region}, environment {environment}{chosen_by}", style=BOLD)

    def findings(self, findings: Sequence[Finding]) -> int:
        """Writes each, and returns the exit status."""
        self.document["checks"] = [finding.members() for finding in findings]
        for finding in findings if not self.as_json else ():
            label = "FOUND" if isinstance(finding, Found) else finding.result
            key = f"  [{finding.key}]" if finding.key and not isinstance(finding, Sound) else ""
            write_shown(styled(f"{label:14} ", finding.style) + shown(finding.subject) + key + "\n")
            remedy = " - ".join(filter(None, (finding.remedy, finding.code)))
            for line in filter(None, (finding.text, remedy)):
                write(f"{'':15}  {line}")
        results = [finding.result for finding in findings]
        counts = {
            kind.result: results.count(kind.result)
            for kind in (Found, Sound, Held, NotLookedAt, NotChecked)
            if kind in (Found, Sound, NotChecked) or kind.result in results
        }
        self.document["counts"] = counts
        self.write(
            f"{len(findings)} checks: " + ", ".join(f"{count} {result}" for result, count in counts.items()),
            style=BOLD,
        )
        return status_of(
            counts[Found.result], any(isinstance(each, NotChecked) and each.is_failure for each in findings)
        )

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
        return Failure.status if self.has_begun and failure.status == NotLooked.status else failure.status

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
