"""`make bench`: compares this function with alternatives in one run. It writes docs/project/benchmarks.md with its
figures, and the table of the goals.

Needs the requirements of `make build`. Without valgrind, the instructions are not counted.
"""

import sys

from tools.bench import callgrind, contenders, goals, harness_program, plot, report
from tools.bench.host import ROOT, Harness, event
from tools.bench.measuring import Measured, measure

DOCUMENT = ROOT / "docs/project/benchmarks.md"
GOALS = ROOT / "docs/project/decisions/2026-11-22-benchmark-goals.md"
FIGURES = ROOT / "docs/project/benchmarks"


def tell(line: str) -> None:
    print(line, flush=True)


def count_instructions(measured: Measured, harness: Harness) -> None:
    """For the two functions in Rust: counting an interpreter takes minutes."""
    create = [event("Create", 1)]
    for contender in measured.contenders:
        if contender.name in (goals.OURS, goals.FLOOR):
            for what, events, scheme in (("start to first poll", [], "http"), ("and first answer, HTTP", create, "http"),
                                         ("and first answer, TLS", create, "https")):
                measured.instructions[contender.name, what] = callgrind.instructions(
                    contender.program, harness, events, scheme)


def main() -> int:
    machine = report.machine()
    tell("Building and installing what is measured; the first time this takes minutes.")
    program = harness_program.built()
    found = contenders.all_contenders()
    with_boto3 = contenders.crhelper_with_boto3()
    tell(f"Measuring {', '.join(contender.name for contender in found)}, one after another in each round.")
    with Harness(program) as harness:
        measured = measure(found, harness, tell)
        if callgrind.valgrind():
            count_instructions(measured, harness)
    written = report.text(measured, with_boto3, machine)
    gain, verdicts = report.gain(measured), report.verdicts(measured)
    tell(f"{gain}\n\n{verdicts}\n\n{written}")
    report.write(DOCUMENT, "the gain", gain)
    report.write(DOCUMENT, "the tables", written)
    report.write(GOALS, "the goals", verdicts)
    plot.draw(measured, FIGURES)
    tell(f"Written to {DOCUMENT.relative_to(ROOT)}, {FIGURES.relative_to(ROOT)} and {GOALS.relative_to(ROOT)}.")
    # A missed goal is only reported. tools/checks/figures.py checks for growth.
    return 0


if __name__ == "__main__":
    sys.exit(main())
