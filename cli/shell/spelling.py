"""A known word in place of a misspelled one."""

from __future__ import annotations

import difflib
from typing import Any


def did_you_mean(name: str, known: Any) -> str:
    """A question that names the closest known name. Empty if none is close."""
    words = list(known)
    # A beginning of it, such as `--del`.
    near = [word for word in words if len(name) > 2 and word.startswith(name)] or difflib.get_close_matches(
        name, words, 1
    )
    return f". Did you mean {near[0]}?" if near else ""
