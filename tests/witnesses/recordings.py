"""The exchanges that the Rust tests recorded: `tests/fake-aws/src/account/recorded_exchanges.rs`."""

import json
from pathlib import Path
from typing import Any


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The different exchanges of all files in a fixed order."""
    # A text may contain U+2028, at which `splitlines` splits.
    lines = {
        line for file in folder.glob("*.exchanges.jsonl") for line in file.read_text().split("\n") if line
    }
    return [json.loads(line) for line in sorted(lines)]
