"""`make bench`: this function beside what others would write, side by side in one run, into docs/benchmarks.md.

Needs what `make build` needs. The rows of Node need Node and what its runtime client is built with; instructions need
valgrind. What is not there is left out, and that is said.
"""

from __future__ import annotations

import sys

import callgrind
import contenders
import goals
import harness_program
import plot
import report
from host import ROOT, Harness, event
from measuring import Measured, measure

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks" / "beside.svg"


def tell(line: str) -> None:
    print(line, flush=True)


def count_instructions(measured: Measured, harness: Harness) -> None:
    """Of the two that are written in Rust: an interpreter's would be counted for minutes."""
    create = [event("Create", 1)]
    for contender in measured.contenders:
        if contender.name in (goals.OURS, goals.FLOOR):
            for what, events, scheme in (("start to first poll", [], "http"), ("and first answer, HTTP", create, "http"),
                                         ("and first answer, TLS", create, "https")):
                measured.instructions[contender.name, what] = callgrind.instructions(
                    contender.program, harness, events, scheme)


def main() -> int:
    machine = report.machine()
    left_out: list[str] = []
    tell("Building and installing what is measured; the first time this takes minutes.")
    program = harness_program.built()
    found = contenders.available(left_out.append)
    with_boto3 = contenders.crhelper_with_boto3()
    for line in left_out:
        tell(line)
    tell(f"Measuring {', '.join(contender.name for contender in found)}, one after another in each round.")
    with Harness(program) as harness:
        measured = measure(found, harness, tell)
        if callgrind.valgrind():
            count_instructions(measured, harness)
    written = report.text(measured, with_boto3, machine, left_out)
    tell(written)
    report.write(DOCUMENT, written)
    plot.draw(measured, PLOT)
    tell(f"Written to {DOCUMENT.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}.")
    # A goal that is missed is a figure like the others: what must not grow is held by scripts/check_figures.py.
    return 0


if __name__ == "__main__":
    sys.exit(main())
