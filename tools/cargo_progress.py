"""Runs cargo, and shows its progress as one line that counts: `make run`.

    python tools/cargo_progress.py cargo build --locked --bin cfn-gitops

On a terminal, the line changes in place. Otherwise it is printed every 20 seconds. Cargo's other output, such as
errors, is printed unchanged. This needs no package: `make run` installs them at the same time.
"""

import os
import re
import select
import subprocess
import sys
import time
from typing import TextIO

INTERVAL_SECONDS = 20.0
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STATUS = re.compile(r" {2,}(Adding|Building|Compiling|Dirty|Downloaded|Downloading|Finished|Fresh|Locking|Updating) ")
_COUNT = re.compile(r"Building \[.*\] (\d+)/(\d+)")


class Count:
    """Cargo's progress so far, in one line."""

    def __init__(self, output: TextIO) -> None:
        self._output, self._in_place = output, output.isatty()
        self._began = self._printed = time.monotonic()
        self._downloaded, self._compiled, self._doing = 0, 0, ""

    def read(self, line: str) -> None:
        """Counts a line of cargo's progress. Prints any other line."""
        plain = _ESCAPES.sub("", line).rstrip()
        status = _STATUS.match(plain)
        if not status:
            if plain:
                self._clear()
                self._output.write(f"{line}\n")
        elif status[1] == "Downloaded":
            # The last line is a sum: "Downloaded 150 crates (12.3MB) in 2.10s".
            self._downloaded += " crates (" not in plain
            self._doing = f"Downloading the function's crates: {self._downloaded}"
        elif status[1] == "Compiling":
            self._compiled += 1
        elif (count := _COUNT.search(plain)) and self._compiled:
            self._doing = f"Compiling the function: {count[1]} of {count[2]} parts"

    def show(self) -> None:
        now = time.monotonic()
        if not self._doing or (not self._in_place and now - self._printed < INTERVAL_SECONDS):
            return
        self._printed = now
        self._clear()
        self._output.write(f"{self._doing}, {now - self._began:.0f} s" + ("" if self._in_place else "\n"))
        self._output.flush()

    def end(self, succeeded: bool) -> None:
        self._clear()
        if self._compiled and succeeded:
            crates = "1 crate" if self._compiled == 1 else f"{self._compiled} crates"
            self._output.write(f"The function is compiled: {crates} in {time.monotonic() - self._began:.0f} s.\n")
        self._output.flush()

    def _clear(self) -> None:
        if self._in_place:
            self._output.write("\r\x1b[K")


def main(command: list[str]) -> int:
    # The progress has the number of all parts. With a pipe, cargo would not write it.
    environment = os.environ | {"CARGO_TERM_PROGRESS_WHEN": "always", "CARGO_TERM_PROGRESS_WIDTH": "80"}
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        environment["CARGO_TERM_COLOR"] = "always"
    count, rest = Count(sys.stdout), b""
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as cargo:
        assert cargo.stderr
        while True:
            if select.select([cargo.stderr], [], [], 1)[0]:
                read = os.read(cargo.stderr.fileno(), 65536)
                if not read:
                    break
                *lines, rest = re.split(rb"[\r\n]", rest + read)
                for line in lines:
                    count.read(line.decode(errors="replace"))
            count.show()
    count.read(rest.decode(errors="replace"))
    count.end(cargo.returncode == 0)
    return cargo.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
