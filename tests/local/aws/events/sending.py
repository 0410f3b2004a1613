"""Events that a service sends to the default bus, and the number of changes whose events have not been sent
yet. Tests trigger scheduled rules.

A push returns before its events are sent, as on AWS. A test that continues at once and creates a rule for
such events would receive one that is older than the rule.
"""

import contextvars
import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge

_log = logging.getLogger("events")
_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="events")
_lock = threading.Lock()
_changes = 0


def send(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Sends an event of the request's account and region. A failing target of a rule must not affect the
    service."""
    try:
        eventbridge._dispatch_event(
            {
                "EventId": str(uuid.uuid4()),
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
                "EventBusName": "default",
                "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "Resources": resources,
                "Account": get_account_id(),
                "Region": get_region(),
            }
        )
    except Exception:
        _log.exception("an event of %s was not sent: %s", source, detail)


def send_later(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """A rule's target may be slow, and the change does not wait for it. One thread sends all events in
    order."""
    _sender.submit(contextvars.copy_context().run, send, source, detail_type, detail, resources)


@contextmanager
def pending() -> Iterator[None]:
    """A change, which is pending until the events that it sends later have been sent."""
    _add(1)
    try:
        yield
    finally:
        _sender.submit(_add, -1)


def _add(number: int) -> None:
    global _changes
    with _lock:
        _changes += number


def count_pending() -> int:
    with _lock:
        return _changes


def fire(rule: str) -> bool:
    """Fires a scheduled rule of the default bus, as if it were due. Returns whether it was enabled and had a
    target."""
    key = eventbridge._rule_key(rule, "default")
    held = eventbridge._rules.get(key)
    if held is None or not held.get("ScheduleExpression"):
        raise ValueError(f"there is no scheduled rule {rule}")
    if held.get("State") != "ENABLED" or not eventbridge._targets.get(key):
        return False
    state = (get_account_id(), get_region(), key)
    eventbridge._rule_last_fired[state] = 0.0
    eventbridge._tick_scheduled_rules()
    fired: bool = eventbridge._rule_last_fired[state] > 0
    return fired
