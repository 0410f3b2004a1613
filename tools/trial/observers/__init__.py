"""Observers of docs/project/assumptions.yaml that look with Python, where a table cannot.

    @observes("deploy-action-permissions")
    def calls_of_the_action(world: World) -> Seen | None: ...

An observer returns None, or raises `NotSeen` with the reason, if it could not see the row: a failed request,
a missing permission or a late effect must not look like a result. An observer of several rows returns the
result of each. It deletes all resources that it creates, even after a failure. `sources` has the records and
the resources of several observers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.run.story import Story
from tools.trial.gitlab import RemoteProject


class NotSeen(Exception):
    """Why the run does not show the row."""


@dataclass(frozen=True)
class Seen:
    held: bool
    evidence: str
    # The response that shows it, as JSON, and its call if it is one of a table. The report removes secrets,
    # accounts and names.
    recorded: Any = None
    call: str = ""


Found = Seen | Exception | None


@dataclass
class World:
    """The run that an observer looks at."""

    story: Story
    project: RemoteProject

    def client(self, service: str) -> Any:
        return self.story.aws.client(service)


Observer = Callable[[World], Seen | dict[str, Found] | None]
# By the rows of each one.
OBSERVERS: dict[tuple[str, ...], Observer] = {}


def observes(*names: str) -> Callable[[Observer], Observer]:
    """Registers the observer of these rows."""

    def register(observer: Observer) -> Observer:
        OBSERVERS[names] = observer
        return observer

    return register


def looked(names: tuple[str, ...], look: Callable[[], Seen | dict[str, Found] | None]) -> dict[str, Found]:
    """The result of each row, or its exception."""
    try:
        found: Seen | dict[str, Found] | Exception | None = look()
    except Exception as error:  # the others have to look
        found = error
    return found if isinstance(found, dict) else dict.fromkeys(names, found)
