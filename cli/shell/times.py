"""Times as people and programs read them."""

from __future__ import annotations

from datetime import datetime, timezone


def age(since: datetime | None, at: datetime) -> str:
    """In one unit, as kubectl does: 45s, 12m, 3h, 5d."""
    if since is None:
        return "?"
    seconds = max(0, int((at - since).total_seconds()))
    for unit, length, limit in (("s", 1, 60), ("m", 60, 60 * 60), ("h", 60 * 60, 48 * 60 * 60)):
        if seconds < limit:
            return f"{seconds // length}{unit}"
    return f"{seconds // 86_400}d"


def read_time(text: str) -> datetime | None:
    """A time of an answer, in UTC. Python 3.9 reads neither its Z nor every fraction of a second."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc) if text else None
