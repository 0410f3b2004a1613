"""The function's rules that a check compares with, from the file that `cargo test --test schemas` writes."""

from __future__ import annotations

import json
import pkgutil
from typing import Any

RULES: dict[str, Any] = json.loads(pkgutil.get_data(__package__, "rules.json") or b"{}")
