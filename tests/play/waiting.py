"""How the actions of `steps` and `pipelines` wait for a state."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Pace:
    """How often a state is read, and for how long. `make try` reads less often, because AWS limits
    requests."""

    interval: float = 0.1
    seconds: float = 60
    stack_seconds: float = 300
    # SAM's own interval is five seconds.
    sam_interval: float = 0.5


PACE = Pace()


# The awaited conditions, each with its start: the latest last. `make run` prints it.
UNDER_WAY: list[tuple[str, float]] = []


@contextmanager
def under_way(until: str) -> Iterator[None]:
    """Within the block, the caller waits until this is true."""
    entry = until, time.monotonic()
    UNDER_WAY.append(entry)
    try:
        yield
    finally:
        UNDER_WAY.remove(entry)


class NotInTime(Exception):
    """A condition did not become true in time."""


def eventually(look: Callable[[], Any], what: str, seconds: float = 0) -> Any:
    """Polls `look` until it returns a value, and returns that. A long wait polls less often, because polls
    cost processor time."""
    limit, began = seconds or PACE.seconds, time.monotonic()
    with under_way(what):
        while not (found := look()):
            waited = time.monotonic() - began
            if waited > limit:
                raise NotInTime(f"{what}: not within {limit:.0f} s")
            time.sleep(max(PACE.interval, waited / 20))
    return found
