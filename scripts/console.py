"""How `make run` tells what it does, and stops where that is not as it should be."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time

WIDTH = 96
BOLD, DIM, GREEN, RED = "1", "2", "32", "31"


class NotShown(Exception):
    """Something is not as it should be."""


_printed: list[str] = []


def in_colour() -> bool:
    """Colours are for people who look at a terminal and have not asked for none: https://no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, style: str = "") -> None:
    _printed.append(text)
    print(f"\033[{style}m{text}\033[0m" if style and in_colour() else text, flush=True)


def has_said(text: str) -> bool:
    """Whether this was printed, at the end of one line and the beginning of the next as well."""
    return text in "".join("".join(_printed).split())


def require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotShown(otherwise)


def tell(text: str, indent: int = 4, style: str = "") -> None:
    say(textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                      break_long_words=False, break_on_hyphens=False), style)


def summary(acts: list[tuple[int, float, str]]) -> None:
    """A table at the end: which act, how long it took, what it proved."""
    say(f"\n   {'Act':>3}  {'Took':>6}  Proved", BOLD)
    for number, seconds, proved in acts:
        lead = f"   {number:>3}  {seconds:4.1f} s  "
        say(textwrap.fill(proved, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                          break_long_words=False, break_on_hyphens=False))


def of_note(log: str) -> list[str]:
    """The lines of a function's log that are warnings or errors, and those that are no JSON: a crash's."""
    def level(line: str) -> str:
        try:
            return str(json.loads(line).get("level", "INFO"))
        except (ValueError, AttributeError):
            return "" if not line.startswith(("START ", "END ", "REPORT ")) else "INFO"

    return [line for line in log.splitlines() if line.strip() and level(line) in ("WARN", "ERROR", "")]


def table(rows: list[tuple[str, str]]) -> None:
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        say(f"    {left:<{width}}  {right}")


class Steps:
    """Steps of one thing that takes its course, each with the time since it began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, step: str, text: str) -> None:
        lead = f"    {time.monotonic() - self._began:4.1f} s  {step:<9} "
        say(textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                          break_long_words=False, break_on_hyphens=False))


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    more = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items()}
    return {kind: names for kind, names in more.items() if names}
