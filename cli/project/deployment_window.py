"""The property `Deploy.Window` as CodePipeline's rule has it: a cron expression and a time zone.

https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
# Sunday is 1.
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
DAYS = 8
# Their first and last value: minutes, hours, day of month, month, day of week.
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7))


class UnreadWindow(Exception):
    """The expression, or its time zone, has a form that is not read here."""


def of_stage(stage: dict[str, Any]) -> dict[str, str] | None:
    """The configuration of the stage's rule. `None` if the stage has no window."""
    rules = [rule for condition in stage.get("beforeEntry", {}).get("conditions", []) for rule in condition.get("rules", [])]
    return next((rule.get("configuration", {}) for rule in rules
                 if rule.get("ruleTypeId", {}).get("provider") == "DeploymentWindow"), None)


def next_opening(window: dict[str, str], now: datetime) -> datetime | None:
    """The time from which on it is open. `None` if it does not open within `DAYS`. Raises `UnreadWindow` if the expression has
    a form that is not read here, such as L, W, # or a year, which proves nothing."""
    try:
        zone = ZoneInfo(window.get("TimeZone", "UTC"))
        fields = [_values(text, *limits) for text, limits in zip(_words(window.get("Cron", "")), _FIELDS)]
    except (KeyError, OSError, ValueError) as error:
        raise UnreadWindow from error
    at = now.replace(second=0, microsecond=0)
    for _ in range(DAYS * 24 * 60):
        local = at.astimezone(zone)
        if all(value in field for value, field in zip(
                (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7 + 1), fields)):
            return max(at, now)
        at += timedelta(minutes=1)
    return None


def _words(cron: str) -> list[str]:
    """Minutes to day of week. Seconds have no effect, and a year other than * is not read."""
    words = cron.upper().split()
    if len(words) not in (6, 7) or words[6:] not in ([], ["*"]):
        raise ValueError(cron)
    return words[1:6]


def _values(text: str, first: int, last: int) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if not found:
            raise ValueError(text)
        begin = _number(found[1], last) if found[1] else first
        # 5/15 goes on to the last value.
        end = _number(found[2], last) if found[2] else begin if found[1] and not found[3] else last
        step = int(found[3] or 1)
        if not (first <= begin <= end <= last and step):
            raise ValueError(text)
        values |= set(range(begin, end + 1, step))
    return values


def _number(text: str, last: int) -> int:
    names = {12: _MONTHS, 7: _WEEKDAYS}.get(last, [])
    return names.index(text) + 1 if text in names else int(text)
