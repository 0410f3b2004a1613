import sys
from pathlib import Path

# The scripts of tools/, for the tests that import them.
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
