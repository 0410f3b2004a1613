"""Every check of the project, one after another, and what each took: `make test`.

All of them run, whatever fails before, except those that need what failed. Afterwards the tree must be as it was:
a test that leaves a file behind, or a formatter that changes one, fails here.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass
class Step:
    what: str
    command: list[str]
    # Without its result nothing that follows makes sense.
    is_needed: bool = False


STEPS = [
    # pip waits for the network while cargo compiles.
    Step("install the tools, compile the tests",
         ["make", "-j2", ".venv/installed-requirements.txt", "test-rust-compiled"], is_needed=True),
    Step("build for provided.al2023, and check the file", ["make", "build"], is_needed=True),
    Step("rustfmt", ["make", "lint-format"]),
    Step("clippy", ["make", "lint-rust"]),
    Step("template linters", ["make", "lint-templates"]),
    Step("Rust tests", ["make", "test-rust"]),
    Step("Python tests: templates, local AWS, deployment", ["make", "test-python"]),
]


def tree() -> dict[str, str]:
    """What git says has changed, and how: also right where something had changed before."""
    listed = subprocess.run(["git", "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for entry in filter(None, listed.split("\0")):
        status, name = entry[:2], entry[3:]
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        found[name] = f"{status} {hashlib.sha256(content).hexdigest()}"
    return found


def cpu_seconds() -> float:
    """What the steps so far have computed, on all cores: comparable where the machine has other work."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    before, results, failed = tree(), [], []
    for step in STEPS:
        print(f"\n=== {step.what}", flush=True)
        began, used = time.monotonic(), cpu_seconds()
        succeeded = subprocess.run(step.command, cwd=ROOT, check=False).returncode == 0
        results.append((step.what, time.monotonic() - began, cpu_seconds() - used, succeeded))
        if not succeeded:
            failed.append(step.what)
            if step.is_needed:
                break
    after = tree()
    left = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    results.append(("the tree is as it was", 0.0, 0.0, not left))

    print("\n=== Summary")
    print("          time  processor")
    for what, seconds, processor, succeeded in results:
        print(f"{'ok    ' if succeeded else 'FAILED'} {seconds:5.0f} s {processor:8.0f} s  {what}")
    print(f"       {sum(row[1] for row in results):5.0f} s {sum(row[2] for row in results):8.0f} s  in all")
    for name in left:
        print(f"left or changed by a check: {name}", file=sys.stderr)
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
