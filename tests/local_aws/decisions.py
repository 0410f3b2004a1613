"""Which principal asked for which action on which resource, and whether it was allowed.

A test reads this to say that a policy grants what is used and nothing else.
"""

from __future__ import annotations

import threading
from typing import Any

_lock = threading.Lock()
_decisions: list[dict[str, Any]] = []


def record(principal: str, action: str, resource: str, allowed: bool) -> None:
    with _lock:
        _decisions.append({"principal": principal, "action": action, "resource": resource, "allowed": allowed})


def recorded() -> list[dict[str, Any]]:
    with _lock:
        return list(_decisions)


def forget() -> None:
    with _lock:
        _decisions.clear()
