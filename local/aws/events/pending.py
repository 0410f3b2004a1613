"""How many changes there are whose events are not sent yet.

A push is answered before its events are sent, as on AWS. A test that goes on at once and makes a rule for such events
would meet one that is older than the rule.
"""

from __future__ import annotations

import threading

_lock = threading.Lock()
_changes = 0


def begin() -> None:
    """Before the change is answered."""
    _add(1)


def end() -> None:
    """When its last event has been sent."""
    _add(-1)


def _add(number: int) -> None:
    global _changes
    with _lock:
        _changes += number


def count() -> int:
    with _lock:
        return _changes
