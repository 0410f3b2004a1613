"""Counts the instructions that a function executes with valgrind: the result does not depend on the machine's
load."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

from tools.bench.host import Harness, Program

# For each of apt-get's two commands: an unreachable network must not block the checks.
_APT_GET_SECONDS = 120


def valgrind() -> str | None:
    """valgrind's path. On Debian it is installed if root runs this."""
    found = shutil.which("valgrind")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "valgrind"]):
                subprocess.run(
                    command,
                    env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    timeout=_APT_GET_SECONDS,
                )
        found = shutil.which("valgrind")
    return found


def instructions(program: Program, harness: Harness, events: list[dict], scheme: str = "http") -> int:
    """The instructions from the process's start until it has responded to these events and polls again."""
    with tempfile.NamedTemporaryFile("r") as file:
        # Valgrind runs one thread at a time: with fair scheduling, the working thread is not random.
        under = Program(
            (
                str(valgrind()),
                "--tool=callgrind",
                "--quiet",
                "--fair-sched=try",
                f"--callgrind-out-file={file.name}",
                *program.command,
            ),
            program.directory,
            program.environment,
        )
        # It writes its file when the process ends by a signal that it can handle.
        harness.run(under, events, scheme, ending=signal.SIGTERM)
        return int(re.findall(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)[0])
