"""The output of `make run`, and its checks."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time

WIDTH = 96
BOLD, DIM, GREEN, RED = "1", "2", "32", "31"


class NotShown(Exception):
    """A step did not have the expected result."""


_printed: list[str] = []


def in_colour() -> bool:
    """Colours are used on a terminal, unless NO_COLOR is set: https://no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(text: str, style: str = "") -> None:
    _printed.append(text)
    print(f"\033[{style}m{text}\033[0m" if style and in_colour() else text, flush=True)


def has_printed(text: str) -> bool:
    """Whether the text was printed, also if it was split between two lines."""
    return text in "".join("".join(_printed).split())


def require(condition: bool, failure: str) -> None:
    if not condition:
        raise NotShown(failure)


def note(text: str, indent: int = 4, style: str = "") -> None:
    write(textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                      break_long_words=False, break_on_hyphens=False), style)


def summary(acts: list[tuple[int, float, str]]) -> None:
    """Prints a table of the acts, with the time and the proof of each."""
    write(f"\n   {'Act':>3}  {'Took':>6}  Proved", BOLD)
    for number, seconds, proved in acts:
        lead = f"   {number:>3}  {seconds:4.1f} s  "
        write(textwrap.fill(proved, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                          break_long_words=False, break_on_hyphens=False))


def warnings(log: str) -> list[str]:
    """The lines of a function's log that are warnings or errors, or that are not JSON, as after a crash."""
    def level(line: str) -> str:
        try:
            return str(json.loads(line).get("level", "INFO"))
        except (ValueError, AttributeError):
            return "" if not line.startswith(("START ", "END ", "REPORT ")) else "INFO"

    return [line for line in log.splitlines() if line.strip() and level(line) in ("WARN", "ERROR", "")]


def table(rows: list[tuple[str, str]]) -> None:
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        write(f"    {left:<{width}}  {right}")


class Progress:
    """Prints the steps of one operation, each with the time since its start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def show(self, step: str, text: str) -> None:
        lead = f"    {time.monotonic() - self._started:4.1f} s  {step:<9} "
        write(textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                          break_long_words=False, break_on_hyphens=False))


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    more = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items()}
    return {kind: names for kind, names in more.items() if names}
