"""The number of changes whose events have not been sent yet.

A push returns before its events are sent, as on AWS. A test that continues at once and creates a rule for such events
would receive one that is older than the rule.
"""

from __future__ import annotations

import threading

_lock = threading.Lock()
_changes = 0


def begin() -> None:
    """Called before the change returns."""
    _add(1)


def end() -> None:
    """Called after its last event was sent."""
    _add(-1)


def _add(number: int) -> None:
    global _changes
    with _lock:
        _changes += number


def count() -> int:
    with _lock:
        return _changes
