"""Checks whether the built function has grown: its package, and the instructions until its first responses.

    python scripts/check_figures.py            # fails if a figure is too far above figures.toml
    python scripts/check_figures.py --write    # writes figures.toml: commit it with the change that explains it

valgrind counts the instructions, because times depend more on the machine than on the function. Without valgrind the
instructions are not checked, and the script reports that.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "bench"))

import callgrind  # noqa: E402
import harness_program  # noqa: E402
from check_lines import FIGURES, read, write  # noqa: E402
from contenders import BOOTSTRAP, zipped  # noqa: E402
from host import Harness, Program, event  # noqa: E402


@dataclass(frozen=True)
class Figure:
    name: str
    what: str
    # The relative growth above the checked-in figure that fails.
    tolerance: float


PACKAGE = Figure("package_bytes", "zipped package, in bytes", 0.10)
START = Figure("start_instructions", "instructions until the first poll", 0.20)
CREATE_HTTP = Figure("create_instructions", "the same with a first Create, AWS over HTTP", 0.20)
CREATE_HTTPS = Figure("create_tls_instructions", "the same with a first Create, AWS over TLS", 0.20)
FIGURES_IN_ORDER = (PACKAGE, START, CREATE_HTTP, CREATE_HTTPS)


def compare(measured: dict[str, int], checked_in: dict[str, int]) -> tuple[list[str], list[str]]:
    """The comparison of each figure with the checked-in one as lines of text, and the faults."""
    lines, faults = [], []
    for figure in FIGURES_IN_ORDER:
        if figure.name not in measured:
            continue
        now, then = measured[figure.name], checked_in.get(figure.name)
        if then is None:
            faults.append(f"{figure.name} is missing: python scripts/check_figures.py --write")
            continue
        change = now / then - 1
        lines.append(f"{now:>12,} {then:>12,} {change:+7.1%}  {figure.what} (at most {figure.tolerance:+.0%})")
        if change > figure.tolerance:
            faults.append(f"{figure.what}: {now:,} instead of {then:,} are {change:+.1%}, more than "
                          f"{figure.tolerance:+.0%}. If the change is worth it, give the reason in its commit, and "
                          "write the figure: python scripts/check_figures.py --write")
        elif change < -figure.tolerance:
            lines.append(" " * 36 + "improved: python scripts/check_figures.py --write makes it the limit")
    return lines, faults


def measure(bootstrap: Path, with_instructions: bool = True) -> dict[str, int]:
    measured = {PACKAGE.name: zipped([bootstrap], bootstrap.parent)}
    if not with_instructions:
        return measured
    if callgrind.valgrind() is None:
        print("valgrind is not installed here, so the instructions are not checked", file=sys.stderr)
        return measured
    program = Program((str(bootstrap),))
    with Harness(harness_program.built()) as harness:
        for figure, events, scheme in ((START, [], "http"), (CREATE_HTTP, [event("Create", 1)], "http"),
                                       (CREATE_HTTPS, [event("Create", 1)], "https")):
            measured[figure.name] = callgrind.instructions(program, harness, events, scheme)
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the figures instead of checking them")
    parser.add_argument("--bootstrap", type=Path, default=BOOTSTRAP)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--package-alone", action="store_true", help="count no instructions")
    given = parser.parse_args()
    measured = measure(given.bootstrap, not given.package_alone)
    if given.write:
        write("function", measured, given.figures)
    print(f"{'now':>12} {'checked in':>12}")
    lines, faults = compare(measured, read(given.figures)["function"])
    print("\n".join(lines))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
