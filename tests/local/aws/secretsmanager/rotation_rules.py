"""The schedule of a rotation: the rules of RotateSecret, and the dates that follow from them. Schedule expressions and
durations are not implemented.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


def next_window(rules: dict[str, Any], since: float) -> tuple[float, float]:
    """The opening and the closing of the first rotation window after `since`, in seconds since the epoch.

    "By default, the rotation window closes ... at the end of the day for a rotation schedule in days."
    """
    day = datetime.fromtimestamp(since, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    opens = day + timedelta(days=rules["AutomaticallyAfterDays"])
    # The dates in AWS's examples end with a day's last second.
    return opens.timestamp(), (opens + timedelta(days=1, seconds=-1)).timestamp()
