"""The schedule of a rotation: the rules of RotateSecret, and the dates that follow from them.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ministack.services import eventbridge

_RATE = re.compile(r"rate\((\d+) (hours?|days?)\)")
# "You can rotate a secret as often as every four hours. The maximum rotation period is 999 days."
_LEAST_HOURS, _MOST_DAYS = 4, 999
# "AutomaticallyAfterDays: Valid Range: Minimum value of 1. Maximum value of 1000."
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
_MOST_AFTER_DAYS = 1000


class Invalid(ValueError):
    """Rules that Secrets Manager rejects."""


def check(rules: dict[str, Any]) -> None:
    days, expression, duration = (rules.get(key) for key in ("AutomaticallyAfterDays", "ScheduleExpression", "Duration"))
    # "You can set the rotation schedule in RotationRules with AutomaticallyAfterDays or ScheduleExpression, but not
    # both."
    if (days is None) == (expression is None):
        raise Invalid("RotationRules takes either AutomaticallyAfterDays or ScheduleExpression.")
    if days is not None and not 1 <= _whole(days) <= _MOST_AFTER_DAYS:
        raise Invalid(f"AutomaticallyAfterDays must be between 1 and {_MOST_AFTER_DAYS}.")
    first_hour, hours_between = _window(rules)
    if duration is None:
        return
    if not re.fullmatch(r"[1-9]\d?h", str(duration)):
        raise Invalid("Duration must be a number of hours, for example 3h.")
    # "For a rotation schedule in hours, confirm that the rotation window is less than or equal to the number of hours
    # between rotations. For a rotation schedule in days, confirm that the start hour plus the window duration is less
    # than or equal to 24 hours."
    if int(duration[:-1]) > min(hours_between, 24 - first_hour):
        raise Invalid(f"Duration {duration} extends into the next rotation window or the next day.")


def next_window(rules: dict[str, Any], since: float) -> tuple[float, float]:
    """The opening and the closing of the first rotation window after `since`, in seconds since the epoch.

    "By default, the rotation window closes after one hour for a rotation schedule in hours, and at the end of the day
    for a rotation schedule in days."
    """
    at, expression = datetime.fromtimestamp(since, UTC), rules.get("ScheduleExpression")
    number, unit = _rate(rules)
    if unit == "hours":
        opens = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=number)
        closes = opens + timedelta(hours=1)
    elif unit == "days":
        opens = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=number)
        closes = opens + timedelta(days=1)
    else:
        found = eventbridge._cron_next_fire(_cron(str(expression)), at)
        if found is None:
            raise Invalid(f"{expression} never comes.")
        opens = found
        in_hours = len(_cron(str(expression))[1]) > 1
        closes = opens + timedelta(hours=1) if in_hours else opens.replace(hour=0) + timedelta(days=1)
    if rules.get("Duration"):
        closes = opens + timedelta(hours=int(rules["Duration"][:-1]))
    # The dates in AWS's examples end with a day's last second.
    return opens.timestamp(), (closes - timedelta(seconds=1)).timestamp()


def shown(rules: dict[str, Any], now: float) -> dict[str, Any]:
    """In the form of DescribeSecret: AutomaticallyAfterDays "is calculated from the rotation schedule"."""
    number, unit = _rate(rules)
    if unit == "days":
        days = number
    elif unit == "hours":
        days = -(-number // 24)
    else:
        first = next_window(rules, now)[0]
        days = max(1, round((next_window(rules, first)[0] - first) / 86400))
    return {**rules, "AutomaticallyAfterDays": days}


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise Invalid(f"{value} is not a number of days.") from None


def _rate(rules: dict[str, Any]) -> tuple[int, str]:
    """A number of hours or days; (0, "") for a cron expression."""
    if rules.get("AutomaticallyAfterDays") is not None and rules.get("ScheduleExpression") is None:
        return _whole(rules["AutomaticallyAfterDays"]), "days"
    found = _RATE.fullmatch(str(rules.get("ScheduleExpression")))
    return (int(found[1]), found[2].rstrip("s") + "s") if found else (0, "")


def _window(rules: dict[str, Any]) -> tuple[int, int]:
    """The hour at which the window opens, and the number of hours between two windows."""
    number, unit = _rate(rules)
    if unit == "hours":
        if not _LEAST_HOURS <= number <= _MOST_DAYS * 24:
            raise Invalid(f"A secret is rotated every {_LEAST_HOURS} hours at most.")
        return 0, number
    if unit == "days":
        if not 1 <= number <= _MOST_AFTER_DAYS or ("ScheduleExpression" in rules and number > _MOST_DAYS):
            raise Invalid(f"The maximum rotation period is {_MOST_DAYS} days.")
        return 0, 24
    hours = sorted(_cron(str(rules.get("ScheduleExpression")))[1])
    between = [later - earlier for earlier, later in zip(hours, [*hours[1:], hours[0] + 24], strict=True)]
    if min(between) < _LEAST_HOURS:
        raise Invalid(f"A secret is rotated every {_LEAST_HOURS} hours at most.")
    return (hours[0], 24) if len(hours) == 1 else (0, min(between))


def _cron(expression: str) -> Any:
    """cron(Minutes Hours Day-of-month Month Day-of-week Year): "Secrets Manager rotation windows always start on the
    hour", and the year is always `*`."""
    fields = eventbridge._parse_cron_fields(expression)
    words = expression.removeprefix("cron(").removesuffix(")").split()
    if fields is None or len(words) != 6:
        raise Invalid(f"{expression} is no schedule expression.")
    if words[0] != "0" or words[5] != "*":
        raise Invalid(f"In {expression} the minutes must be 0 and the year *.")
    return fields
