"""The errors that end a subcommand with a sentence. Below `ending`, because `machine` explains errors with
it."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """A problem and its remedy. The exit status is 1."""

    status = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}{'' if problem.endswith('?') else '.'} {remedy}")
        self.problem, self.remedy = problem, remedy


class WrongUse(Failure):
    """The exit status is 2."""

    status = 2


class NotLooked(Failure):
    """AWS, or this machine's way to it, did not let the command look. The exit status is 3, and 1 once a
    change has begun."""

    status = 3


class Interrupted(Failure):
    """The end by a signal."""

    status = 130


def status_of(found: Any, unread: Any) -> int:
    """The exit status of a list. `unread` is what this machine should be able to read."""
    return Failure.status if found else NotLooked.status if unread else 0
