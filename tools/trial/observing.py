"""Looks at the rows of docs/project/assumptions.yaml that have an observer or a table, each once in a run of
`make try`."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

from tests.play import waiting
from tools.run.console import note
from tools.trial import observers, table
from tools.trial.acts import TryStory
from tools.trial.observers import OBSERVERS, Found, NotSeen, Seen, World, looked

for _module in pkgutil.iter_modules(observers.__path__, f"{observers.__name__}."):
    importlib.import_module(_module.name)

# An observer that waits longer for a state has not seen its row.
_WAIT_SECONDS, _WAIT_LOOKS = 60, 60


def observed() -> set[str]:
    """The assumptions that are looked at."""
    return table.all_rows().union(*OBSERVERS)


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
        self._story = story
        self._world = World(story, story.source.project)  # type: ignore[arg-type]

    def look(self) -> None:
        """Calls the observers and plays the tables. One that fails does not fail the run."""
        for names, observer in OBSERVERS.items():
            self._look(partial(looked, names, partial(observer, self._world)))
        for play in table.tables():
            self._look(partial(table.played, self._world, play))

    def _look(self, look: Callable[[], dict[str, Found]]) -> None:
        calls, seen = self._story.aws.calls, self._story.seen
        before = len(calls)
        with _short_waits():
            results = look()
        for name, found in results.items():
            if isinstance(found, Seen):
                seen.add(name, found.held, found.evidence)
                note(f"{name}: {'held' if found.held else 'not held'}: {found.evidence}")
                if found.recorded is not None:
                    seen.recorded[name] = self._recorded(
                        found.recorded, [found.call] if found.call else calls[before:]
                    )
                continue
            reason = (
                f"{type(found).__name__}: {found}"
                if found and not isinstance(found, NotSeen)
                else str(found or "")
            )
            seen.not_seen(name, reason or "the run did not show it")
            note(f"{name}: not seen: {reason}")

    def _recorded(self, response: Any, calls: list[str]) -> dict[str, Any]:
        """The response with its source, as tests/fixtures has recorded ones."""
        return {
            "source": sorted(set(calls)) or ["git or GitLab"],
            "region": self._story.aws.region,
            "date": date.today().isoformat(),
            "response": response,
        }
