"""The output of `make run`, its checks, and its end at Ctrl-C."""

import json
import os
import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cli.shell import ending
from cli.shell.output import BOLD, DIM, styled
from cli.shell.terminal import shown, write_shown

WIDTH = 96
CYAN = "36"
# A reader takes a longer silence for a hang.
SILENCE_SECONDS = 8.0


class NotShown(Exception):
    """A step did not have the expected result."""


_printed: list[str] = []
_last_output = time.monotonic()


def write(text: str, style: str = "") -> None:
    """Writes one line: see `terminal.write`."""
    _show((text, style))


def _show(*parts: tuple[str, str]) -> None:
    """Writes one line of texts with their styles, which are its only control characters."""
    global _last_output
    _last_output = time.monotonic()
    _printed.append("".join(text for text, _ in parts))
    write_shown("".join(styled(shown(text), style) for text, style in parts) + "\n")


def printed() -> str:
    """The output so far, without the spaces and line breaks that split a long text."""
    return "".join("".join(_printed).split())


def require(condition: bool, failure: str) -> None:
    if not condition:
        raise NotShown(failure)


def note(text: str, indent: int = 4, style: str = "") -> None:
    for line in wrapped(" " * indent, text, " " * (indent + 2)):
        write(line, style)


def gitlab_note(text: str) -> None:
    """Writes the lines of a note that GitLab shows, as Markdown."""
    for line in text.splitlines():
        if line and not line.startswith("<!--"):
            # A link's address has no place to be wrapped at.
            note(re.sub(r"\]\((https?://[^/]+/)[^)]+\)", r"](\1…)", line), indent=14)


def reason(lead: str, text: str, style: str = "") -> None:
    """Writes the first line of an output or an error behind `lead`, and the others below it, with a bar."""
    first, *others = text.split("\n")
    write(f"{lead}{first}", style)
    for line in others:
        write(f"      | {line}")


def heading(number: int, count: int, title: str, reason: str) -> None:
    write("")
    write(f"{number} of {count}: {title}", BOLD)
    note(reason, indent=3, style=DIM)


def wrapped(lead: str, text: str, next_lead: str = "") -> list[str]:
    """The text behind `lead`, as lines of at most WIDTH characters."""
    return textwrap.wrap(
        shown(text),
        WIDTH,
        initial_indent=lead,
        subsequent_indent=next_lead or " " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead]


def summary(acts: list[tuple[int, float, str]]) -> None:
    """Prints a table of the acts, with the time and the proof of each."""
    write("")
    write(f"   {'Act':>3}  {'Took':>6}  Proved", BOLD)
    for number, seconds, proved in acts:
        for line in wrapped(f"   {number:>3}  {seconds:4.1f} s  ", proved):
            write(line)


def warnings(log: str) -> list[str]:
    """The lines of a function's log that are warnings or errors, or that are not JSON, as after a crash."""

    def level(line: str) -> str:
        try:
            return str(json.loads(line).get("level", "INFO"))
        except (ValueError, AttributeError):
            return "" if not line.startswith(("START ", "END ", "REPORT ")) else "INFO"

    return [line for line in log.splitlines() if line.strip() and level(line) in ("WARN", "ERROR", "")]


def table(rows: list[tuple[str, str]]) -> None:
    width = max(len(shown(left)) for left, _ in rows)
    for left, right in rows:
        for line in wrapped(f"    {shown(left):<{width}}  ", right):
            write(line)


class Progress:
    """Prints the steps of one operation, each with the time since its start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def show(self, step: str, text: str) -> None:
        clock, name = f"    {time.monotonic() - self._started:4.1f} s  ", f"{shown(step):<9} "
        first, *others = wrapped(clock + name, text)
        _show((clock, DIM), (name, CYAN), (first.removeprefix(clock + name), ""))
        for line in others:
            write(line)


class Heartbeat:
    """Within the block, prints the last of `waits` after each `seconds` without output: the condition that
    ends the wait, and the time since its start."""

    def __init__(self, waits: list[tuple[str, float]], seconds: float = SILENCE_SECONDS) -> None:
        self._waits, self._seconds, self._ended = waits, seconds, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(max(0.05, _last_output + self._seconds - time.monotonic())):
            for until, since in self._waits[-1:]:
                if (now := time.monotonic()) - _last_output >= self._seconds:
                    note(f"... waiting until {until} ({now - since:.0f} s)", style=DIM)


@contextmanager
def ending_at_interrupt(sentence: str) -> Iterator[None]:
    """At an interrupt, leaves the block, prints the sentence and ends with status 130."""

    def interrupt(*_: object) -> None:
        # A second one would interrupt the end, and servers would report the connections that it closes.
        for each in ending.SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        # It remains until the end. Python would report there that it is not closed.
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)  # noqa: SIM115
        raise KeyboardInterrupt

    before = ending.handle(interrupt)
    try:
        yield
    except KeyboardInterrupt:
        write("")
        write(sentence)
        sys.exit(130)
    ending.restore(before)


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    more = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items()}
    return {kind: names for kind, names in more.items() if names}
