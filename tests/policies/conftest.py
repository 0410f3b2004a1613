"""The rooms of tests/templates are used here as they are."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "templates"))
