"""What actions AWS has, by the list that parliament ships."""

from functools import cache

import parliament


@cache
def actions(service):
    """Every action of a service, with its prefix: `s3` gives s3:GetObject and so on."""
    return frozenset(
        f"{service}:{privilege['privilege']}"
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for privilege in entry["privileges"]
    )
