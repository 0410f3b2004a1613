"""The cron expression and time zone of a DeploymentWindow rule.

https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html

"Cron expressions are comprised of 6 required fields and one optional field": seconds, minutes, hours, day of
month, month, day of week, year. Seconds are "N/A": the window is open in each whole minute that the other
fields match. (?)
"""

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ministack.services import eventbridge


class Malformed(ValueError):
    """The rule's configuration is not valid."""


@dataclass(frozen=True)
class Window:
    fields: (
        Any  # as MiniStack parses EventBridge's expressions, which have the same fields without the seconds
    )
    zone: tzinfo

    def is_open(self, at: float) -> bool:
        minutes, hours, days, months, weekdays, years = self.fields[:6]
        local = datetime.fromtimestamp(at, self.zone)
        return (
            local.minute in minutes
            and local.hour in hours
            and local.month in months
            and (years is None or local.year in years)
            and eventbridge._dom_matches(days, local)
            and eventbridge._dow_matches(weekdays, local)
        )


def parse(configuration: dict[str, str]) -> Window:
    return Window(_fields(configuration["Cron"]), _zone(configuration.get("TimeZone", "UTC")))


def _fields(cron: str) -> Any:
    words = cron.upper().split()
    if len(words) == 6:
        words.append("*")
    if len(words) != 7 or not re.fullmatch(r"[\d*,/-]+", words[0]):
        raise Malformed(
            f"Cron '{cron}' does not have the fields seconds, minutes, hours, day of month, month, day of "
            "week and, optionally, year"
        )
    # Quartz, which has this syntax, requires ? in exactly one of the two fields. (?)
    fields = eventbridge._parse_cron_fields(f"cron({' '.join(words[1:])})")
    if fields is None or (words[3] == "?") == (words[5] == "?"):
        raise Malformed(f"Cron '{cron}' is not valid: one of day of month and day of week must be ?")
    for values, most in ((fields[0], 59), (fields[1], 23), (fields[3], 12)):
        if not values or max(values) > most:
            raise Malformed(f"Cron '{cron}' has a value out of range")
    return fields


def _zone(name: str) -> tzinfo:
    """Of the page's forms, only "Region/City" and the abbreviations of the IANA database."""
    if name in available_timezones():
        return ZoneInfo(name)
    raise Malformed(f"TimeZone '{name}' is not known")
