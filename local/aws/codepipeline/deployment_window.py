"""The cron expression and time zone of a DeploymentWindow rule.

https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html

"Cron expressions are comprised of 6 required fields and one optional field": seconds, minutes, hours, day of month,
month, day of week, year. Seconds are "N/A": the window is open in each whole minute that the other fields match. (?)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ministack.services import eventbridge

_OFFSET = re.compile(r"UTC(?:([+-])(\d\d):(\d\d))?")
# The abbreviations of the page's table of time zones that the IANA database lacks: those of Java's ZoneId.SHORT_IDS.
_ABBREVIATIONS = {
    "ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}


class Malformed(ValueError):
    """The rule's configuration is not valid."""


@dataclass(frozen=True)
class Window:
    fields: Any  # as MiniStack parses EventBridge's expressions, which have the same fields without the seconds
    zone: tzinfo

    def is_open(self, at: float) -> bool:
        minutes, hours, days, months, weekdays, years = self.fields[:6]
        local = datetime.fromtimestamp(at, self.zone)
        return (local.minute in minutes and local.hour in hours and local.month in months
                and (years is None or local.year in years)
                and eventbridge._dom_matches(days, local) and eventbridge._dow_matches(weekdays, local))


def parse(configuration: dict[str, str]) -> Window:
    return Window(_fields(configuration["Cron"]), _zone(configuration.get("TimeZone", "UTC")))


def _fields(cron: str) -> Any:
    words = cron.upper().split()
    if len(words) == 6:
        words.append("*")
    if len(words) != 7 or not re.fullmatch(r"[\d*,/-]+", words[0]):
        raise Malformed(f"Cron '{cron}' does not have the fields seconds, minutes, hours, day of month, month, day of "
                        "week and, optionally, year")
    # Quartz, which has this syntax, requires ? in exactly one of the two fields. (?)
    fields = eventbridge._parse_cron_fields(f"cron({' '.join(words[1:])})")
    if fields is None or (words[3] == "?") == (words[5] == "?"):
        raise Malformed(f"Cron '{cron}' is not valid: one of day of month and day of week must be ?")
    for values, most in ((fields[0], 59), (fields[1], 23), (fields[3], 12)):
        if not values or max(values) > most:
            raise Malformed(f"Cron '{cron}' has a value out of range")
    return fields


def _zone(name: str) -> tzinfo:
    """"Region/City", "UTC optionally followed by an offset", or "a 3 to 5 character abbreviation"."""
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups(default="0")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    if name in _ABBREVIATIONS:
        return ZoneInfo(_ABBREVIATIONS[name])
    if name in available_timezones() and ("/" in name or re.fullmatch(r"[A-Z]{3,5}", name)):
        return ZoneInfo(name)
    raise Malformed(f"TimeZone '{name}' is not known")
