"""Looks at the rows of docs/project/assumptions.yaml that have an observer, each once in a run of `make try`."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from tests.play import waiting
from tools.run.console import note
from tools.trial import observers
from tools.trial.acts import TryStory
from tools.trial.observers import LOOKS_AFTER, OBSERVERS, NotSeen, World

for _module in pkgutil.iter_modules(observers.__path__, f"{observers.__name__}."):
    importlib.import_module(_module.name)

# The moments after the acts of these names. A run looks at `approval` within an act, and at `end` before the deletion.
MOMENTS = {"deploy": "deploy", "push": "push", "reject": "build", "rotate": "rotation", "password": "update",
           "roll back": "failed-update"}


# An observer that waits longer for a state has not seen its row.
_WAIT_SECONDS, _WAIT_LOOKS = 60, 60


@contextmanager
def _short_waits() -> Iterator[None]:
    seconds = waiting.PACE.seconds
    waiting.PACE.seconds = max(_WAIT_SECONDS, _WAIT_LOOKS * waiting.PACE.interval)
    try:
        yield
    finally:
        waiting.PACE.seconds = seconds


class Observing:
    def __init__(self, story: TryStory) -> None:
        self._story, self._looked = story, set[str]()
        self._world = World(story, story.source.project)  # type: ignore[arg-type]

    def at(self, moment: str) -> None:
        """Calls the observers of this moment."""
        for name, after in LOOKS_AFTER.items():
            if after == moment:
                self.look(name)

    def look(self, name: str) -> None:
        """A row without an observer is seen by the acts. An observer that fails does not fail the run."""
        if name in self._looked or name not in OBSERVERS:
            return
        self._looked.add(name)
        calls, seen = self._story.aws.calls, self._story.seen
        before = len(calls)
        try:
            with _short_waits():
                found = OBSERVERS[name](self._world)
        except Exception as error:  # noqa: BLE001: the others have to look
            seen.not_seen(name, str(error) if isinstance(error, NotSeen) else f"{type(error).__name__}: {error}")
            note(f"{name}: not seen: {error}")
            return
        if not found:
            seen.not_seen(name, "the run did not show it")
            return
        seen.add(name, found.held, found.evidence)
        note(f"{name}: {'held' if found.held else 'not held'}: {found.evidence}")
        if found.recorded is not None:
            seen.recorded[name] = self._recorded(found.recorded, calls[before:])

    def _recorded(self, response: Any, calls: list[str]) -> dict[str, Any]:
        """The response with its source, as tests/fixtures has recorded ones."""
        return {"source": sorted(set(calls)) or ["git or GitLab"], "region": self._story.aws.region,
                "date": date.today().isoformat(), "response": response}
