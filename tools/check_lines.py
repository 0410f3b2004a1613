"""Counts the lines of the tracked files by area, and fails if an area has more than tools/figures.toml allows.

    python tools/check_lines.py            # the table, and a failure for each area above its limit
    python tools/check_lines.py --write    # sets each limit to the present lines and 0.5 % more

The 0.5 % let small commits pass. A commit that raises a limit gives the reason. Every tracked file is in exactly one
area, except for lock files and lists of hashes, which are in none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "tools/figures.toml"
HEAD = """\
# [lines]: the most lines of each area. `python tools/check_lines.py --write` sets them.
# [function]: limits of the built function. `.ci/run` fails if the package is more than 10 % larger, or if an instruction
# count is more than 20 % higher. `python tools/check_figures.py --write` sets them.
# docs/project/benchmarks.md describes these figures and their variation.
"""
# A file is in the first area whose pattern matches the beginning of its path.
AREAS = {
    "product": r"(src|crates/cfn-custom-resource/src)/(?!(.*/)?(tests/|(\w+_)?tests\.rs))",
    "unit_tests": r"(src|crates/cfn-custom-resource/src)/",
    "emulators": r"tests/(fake-aws|support|local)/",
    "rust_tests": r"tests/(fuzz/|scenarios/|.*\.rs$)",
    "python_tests": r"tests/",
    "tools": r"(tools|\.ci)/|Makefile$",
    "templates": r"(templates|docs/schemas|examples|events)/|template\.yaml$",
    "docs": r"(docs|\.github|\.gitlab)/|.*\.md$",
    "other": r"",
}
NOT_COUNTED = r"(.*/)?(Cargo\.lock|package-lock\.json|requirements[\w/]*\.txt)$"
# `mod tests { … }` in a file of the product is a unit test. rustfmt puts its last brace into the first column.
INLINE_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
# The project's targets. A missed one does not fail.
TARGETS = {"lines in total": 160_000, "lines of the product": 33_000, "lines of the emulators": 39_000,
           "lines of Rust and Python tests": 47_000, "lines of template.yaml": 3_000, "parameters of template.yaml": 42}


def tracked_files(root: Path = ROOT) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [path for path in listed.split("\0") if (root / path).is_file()]


def area_of(path: str) -> str | None:
    """`None` for a lock file or a list of hashes."""
    if re.match(NOT_COUNTED, path):
        return None
    return next(area for area, pattern in AREAS.items() if re.match(pattern, path))


def count(files: Iterable[str], root: Path = ROOT) -> dict[str, int]:
    lines = dict.fromkeys([*AREAS, "total"], 0)
    for path in files:
        if area := area_of(path):
            text = (root / path).read_text()
            inline = "".join(INLINE_TESTS.findall(text)).count("\n") if area == "product" else 0
            lines[area] += text.count("\n") - inline
            lines["unit_tests"] += inline
            lines["total"] += text.count("\n")
    return lines


def measure_targets(lines: dict[str, int]) -> dict[str, int]:
    template = (ROOT / "template.yaml").read_text()
    # Up to the next key without indentation.
    parameters = re.split(r"^\w", template.partition("\nParameters:\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return dict(zip(TARGETS, (
        lines["total"], lines["product"], lines["emulators"], lines["rust_tests"] + lines["python_tests"],
        template.count("\n"), len(re.findall(r"^  \w+:", parameters, re.MULTILINE))),
        strict=True))


def read(file: Path) -> dict[str, dict]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


def write(section: str, values: dict[str, int], file: Path) -> None:
    """Sets values of one section, and keeps all others."""
    figures = read(file)
    figures[section] = figures.get(section, {}) | values
    parts = ["\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())])
             for name, entries in sorted(figures.items())]
    file.write_text("\n\n".join([HEAD.rstrip("\n"), *parts]) + "\n")


def main() -> int:
    lines = count(tracked_files())
    if "--write" in sys.argv[1:]:
        write("lines", {area: now + now // 200 for area, now in lines.items()}, FIGURES)
    limits = read(FIGURES)["lines"]
    print(f"{'lines':>9} {'limit':>9}")
    for area, now in lines.items():
        print(f"{now:9,} {limits[area]:9,}  {area.replace('_', ' ')}")
    for what, value in measure_targets(lines).items():
        print(f"{value:9,} {what} (target: at most {TARGETS[what]:,})")
    faults = [f"{area.replace('_', ' ')}: {now:,} lines, but tools/figures.toml allows {limits[area]:,}. Remove lines, "
              "or raise the limit with `python tools/check_lines.py --write`, and give the reason in the commit."
              for area, now in lines.items() if now > limits[area]]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
