"""How many instructions a function executes, counted by valgrind: the same on a busy machine as on an idle one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from host import Harness, Program

# For each of apt-get's two commands: a network that does not answer must not hold up the checks.
_APT_GET_SECONDS = 120


def valgrind() -> str | None:
    """Where it is. On Debian it is installed, where that is allowed."""
    found = shutil.which("valgrind")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "valgrind"]):
                subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                               timeout=_APT_GET_SECONDS)
        found = shutil.which("valgrind")
    return found


def instructions(program: Program, harness: Harness, events: list[dict], scheme: str = "http") -> int:
    """Executed from the start of the process until it has answered these and asks for another event."""
    with tempfile.TemporaryDirectory() as directory:
        return profile(program, harness, events, scheme, Path(directory) / "profile")


def profile(program: Program, harness: Harness, events: list[dict], scheme: str, file: Path) -> int:
    """The same, with callgrind's own file left for `callgrind_annotate`."""
    tool = valgrind()
    if tool is None:
        raise FileNotFoundError("valgrind")
    # Valgrind runs one thread at a time: fairly, so that which one does the work is no matter of luck.
    under = Program((tool, "--tool=callgrind", "--quiet", "--fair-sched=try", f"--callgrind-out-file={file}",
                     *program.command), program.directory, program.environment)
    # It writes its file when the process ends by a signal that can be seen.
    harness.run(under, events, scheme, ending=signal.SIGTERM)
    total = re.search(r"^(?:summary|totals): (\d+)", file.read_text(), re.MULTILINE)
    if total is None:
        raise ValueError(f"no total in {file}")
    return int(total[1])
