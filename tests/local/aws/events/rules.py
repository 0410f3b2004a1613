"""Scheduled rules, which tests trigger."""

from __future__ import annotations

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge


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
