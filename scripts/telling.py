"""How `make run` tells what it does, and stops where that is not as it should be."""

from __future__ import annotations

import textwrap
import time

WIDTH = 96


class NotShown(Exception):
    """Something is not as it should be."""


_printed: list[str] = []


def say(text: str) -> None:
    _printed.append(text)
    print(text, flush=True)


def has_said(text: str) -> bool:
    """Whether this was printed, at the end of one line and the beginning of the next as well."""
    return text in "".join("".join(_printed).split())


def require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotShown(otherwise)


def tell(text: str, indent: int = 4) -> None:
    say(textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                      break_long_words=False, break_on_hyphens=False))


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
