"""docs/runbook/faults.md names tests that are there, and each test of a fault in tests/process."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROCESS = "tests/process"
# A fault in these files needs a row on the page with the effect that a user sees.
OF_FAULTS = ("delivery", "frozen", "killed", "limits", "runtime_api", "session_and_clock", "unreachable")
NAMED = {(file if "/" in file else f"{PROCESS}/{file}", test) for file, test in
         re.findall(r"`([\w/]+\.rs)::(\w+)`", (ROOT / "docs/runbook/faults.md").read_text())}


def test_each_named_test_is_there():
    assert len(NAMED) > 30
    assert [(file, test) for file, test in NAMED if f"fn {test}(" not in (ROOT / file).read_text()] == []


def test_each_test_of_a_fault_is_named():
    files = [f"{PROCESS}/{name}.rs" for name in OF_FAULTS]
    tests = {(file, test) for file in files for test in re.findall(r"#\[test\]\nfn (\w+)\(", (ROOT / file).read_text())}
    assert tests - NAMED == set()
