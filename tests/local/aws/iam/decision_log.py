"""The log of IAM's decisions: principal, action, resource, and whether it was allowed.

Tests read it to check that a policy grants exactly the used actions.
"""

import threading
from typing import Any

_lock = threading.Lock()
_decisions: list[dict[str, Any]] = []


def record(
    principal: str, action: str, resource: str, allowed: bool, late: bool = False, session_policy: str = ""
) -> None:
    """Adds one decision.

    `late`: denied because a change of IAM has not taken effect yet (`propagation`). `session_policy`: the
    policy in an AssumeRole request, as its JSON text.
    """
    decision: dict[str, Any] = {
        "principal": principal,
        "action": action,
        "resource": resource,
        "allowed": allowed,
    }
    if late:
        decision["late"] = True
    if session_policy:
        decision["session_policy"] = session_policy
    with _lock:
        _decisions.append(decision)


def recorded() -> list[dict[str, Any]]:
    with _lock:
        return list(_decisions)


def forget() -> None:
    with _lock:
        _decisions.clear()
