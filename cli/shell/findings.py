"""The results of checks, and the exit status that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cli.shell.ending import explained
from cli.shell.failure import status_of
from cli.shell.output import BOLD, DIM, GREEN, RED, YELLOW, Output, styled
from cli.shell.terminal import shown, write, write_shown


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
        failure = explained(error)
        if failure is None:
            raise error
        return cls(subject, failure.problem, failure.remedy, is_failure=True)


def write_findings(findings: Sequence[Finding], output: Output) -> int:
    """Writes each, and returns the exit status."""
    output.document["checks"] = [finding.members() for finding in findings]
    for finding in findings if not output.as_json else ():
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
    output.document["counts"] = counts
    output.write(
        f"{len(findings)} checks: " + ", ".join(f"{count} {result}" for result, count in counts.items()),
        style=BOLD,
    )
    return status_of(
        counts[Found.result], any(isinstance(each, NotChecked) and each.is_failure for each in findings)
    )
