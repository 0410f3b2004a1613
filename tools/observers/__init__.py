"""Observers of docs/project/assumptions.md: each compares one row with what AWS and GitLab do in `make try`.

    @observes("codecommit-trailing-slash")
    def trailing_slash(world: World) -> Seen | None: ...

An observer returns None if it could not see the row. Whatever it creates, it deletes itself, also after a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from story import Story
from try_gitlab import RemoteProject


@dataclass(frozen=True)
class Seen:
    held: bool
    evidence: str
    # The response that shows it, as JSON. The report removes secrets, accounts and names.
    recorded: Any = None


@dataclass
class World:
    """What an observer looks at."""

    story: Story
    project: RemoteProject

    def client(self, service: str) -> Any:
        return self.story.aws.client(service)


Observer = Callable[[World], Seen | None]
OBSERVERS: dict[str, Observer] = {}


def observes(name: str) -> Callable[[Observer], Observer]:
    """Registers the observer of this row."""
    def register(observer: Observer) -> Observer:
        assert name not in OBSERVERS, name
        OBSERVERS[name] = observer
        return observer

    return register
