"""Whether the built function has grown: its package, and the instructions that its start and its first answers take.

    python scripts/check_figures.py            # fails when a figure is too far above figures.toml
    python scripts/check_figures.py --write    # writes figures.toml: commit it with the change that explains it

Instructions are counted by valgrind, because a time says more about the machine than about the function. On a machine
without valgrind they are not checked, and that is said.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import callgrind  # noqa: E402
import harness_program  # noqa: E402
from contenders import BOOTSTRAP, zipped  # noqa: E402
from host import Harness, Program, event  # noqa: E402

FIGURES = ROOT / "figures.toml"
HEAD = """\
# What `make test` holds the built function against: it fails when the package is more than 10 % larger, or when an
# instruction count is more than 20 % higher. `python scripts/check_figures.py --write` writes this file.
# What is counted, and how steady it is: docs/benchmarks.md.
"""


@dataclass(frozen=True)
class Figure:
    name: str
    what: str
    # How much more than the checked-in figure is too much.
    tolerance: float


PACKAGE = Figure("package_bytes", "zipped package, in bytes", 0.10)
START = Figure("start_instructions", "instructions until the first event is asked for", 0.20)
CREATE_HTTP = Figure("create_instructions", "the same with a first Create, AWS over HTTP", 0.20)
CREATE_HTTPS = Figure("create_tls_instructions", "the same with a first Create, AWS over TLS", 0.20)
FIGURES_IN_ORDER = (PACKAGE, START, CREATE_HTTP, CREATE_HTTPS)


def compare(measured: dict[str, int], checked_in: dict[str, int]) -> tuple[list[str], list[str]]:
    """Each figure beside the checked-in one, in words, and what is too much."""
    told, faults = [], []
    for figure in FIGURES_IN_ORDER:
        if figure.name not in measured:
            continue
        now, then = measured[figure.name], checked_in.get(figure.name)
        if then is None:
            faults.append(f"{figure.name} is missing: python scripts/check_figures.py --write")
            continue
        change = now / then - 1
        told.append(f"{now:>12,} {then:>12,} {change:+7.1%}  {figure.what} (at most {figure.tolerance:+.0%})")
        if change > figure.tolerance:
            faults.append(f"{figure.what}: {now:,} instead of {then:,} are {change:+.1%}, more than "
                          f"{figure.tolerance:+.0%}. Where that is what the change is worth, say so in its commit, and "
                          "write the figure: python scripts/check_figures.py --write")
        elif change < -figure.tolerance:
            told.append(" " * 36 + "less than that: python scripts/check_figures.py --write keeps it so")
    return told, faults


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


def write(measured: dict[str, int], architecture: str, file: Path) -> None:
    figures = read(file)
    figures[architecture] = figures.get(architecture, {}) | measured
    lines = [HEAD]
    for name, values in sorted(figures.items()):
        lines += [f"[{name}]", *(f"{figure.name} = {values[figure.name]}" for figure in FIGURES_IN_ORDER
                                 if figure.name in values), ""]
    file.write_text("\n".join(lines))


def read(file: Path) -> dict[str, dict[str, int]]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the figures instead of checking them")
    parser.add_argument("--bootstrap", type=Path, default=BOOTSTRAP)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--package-alone", action="store_true", help="count no instructions")
    given = parser.parse_args()
    architecture = os.uname().machine
    measured = measure(given.bootstrap, not given.package_alone)
    if given.write:
        write(measured, architecture, given.figures)
    figures = read(given.figures)
    if architecture not in figures:
        print(f"{given.figures.name} has no figures of {architecture}, so nothing is checked", file=sys.stderr)
        return 0
    print(f"{'now':>12} {'checked in':>12}")
    told, faults = compare(measured, figures[architecture])
    print("\n".join(told))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
