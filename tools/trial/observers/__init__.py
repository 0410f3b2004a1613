"""Observers of docs/project/assumptions.yaml: each compares one row with what AWS and GitLab do in `make try`.

    @observes("codecommit-trailing-slash")
    def trailing_slash(world: World) -> Seen | None: ...

An observer returns None, or raises `NotSeen` with the reason, if it could not see the row: a failed request, a missing
permission or a late effect must not look like a result. It deletes all resources that it creates, even after a failure.
`sources` has the records and the resources of several observers. `make try` calls an observer at the end, before it deletes
anything, or at the moment that the registration names:

    @observes("approval-last-status-change", after="approval")

| Moment | When |
|---|---|
| `deploy` | after the first deployment |
| `push` | after the deployment of the first push |
| `approval` | while an execution waits for its approval |
| `build` | after at least two builds |
| `rotation` | after the first rotation |
| `update` | after an update of the environment |
| `failed-update` | after an update that failed |
| `end` | before the deletion |
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tools.run.story import Story
from tools.trial.gitlab import RemoteProject


class NotSeen(Exception):
    """Why the run does not show the row."""


@dataclass(frozen=True)
class Seen:
    held: bool
    evidence: str
    # The response that shows it, as JSON. The report removes secrets, accounts and names.
    recorded: Any = None


@dataclass
class World:
    """The run that an observer looks at."""

    story: Story
    project: RemoteProject
    # Results that several observers use, by the probe.
    kept: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.story.aws.client(service)


Observer = Callable[[World], Seen | None]
OBSERVERS: dict[str, Observer] = {}
MOMENTS = ("deploy", "push", "approval", "build", "rotation", "update", "failed-update", "end")
# When each observer looks.
LOOKS_AFTER: dict[str, str] = {}


def observes(name: str, after: str = "end") -> Callable[[Observer], Observer]:
    """Registers the observer of this row, which looks at this moment."""
    def register(observer: Observer) -> Observer:
        assert name not in OBSERVERS and after in MOMENTS, (name, after)
        OBSERVERS[name], LOOKS_AFTER[name] = observer, after
        return observer

    return register
