"""The function's rules that a check compares with, from the file that `cargo test --test schemas` writes."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

RULES: dict[str, Any] = json.loads(resources.files(__package__).joinpath("rules.json").read_text("utf-8"))
