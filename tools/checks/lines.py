"""Prints the lines of the tracked files by area. No figure is a limit: a file is as large as its idea.

    python -m tools.checks.lines

Every tracked file is in exactly one area, except for lock files and lists of hashes, which are in none.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "tools/checks/figures.toml"
HEAD = """\
# [function]: limits of the built function. `.ci/run` fails if the package is more than 10 % larger, or if an instruction
# count is more than 20 % higher. `python -m tools.checks.figures --write` sets them.
# docs/project/benchmarks.md describes these figures and their variation.
"""
# A file is in the first area whose pattern matches the beginning of its path.
AREAS = {
    "product": r"(src|crates/cfn-custom-resource/src)/(?!(.*/)?(tests/|(\w+_)?tests\.rs))",
    "unit_tests": r"(src|crates/cfn-custom-resource/src)/",
    "emulators": r"tests/(fake-aws|support|local)/",
    "rust_tests": r"tests/(fuzz/|scenarios/|.*\.rs$)",
    "python_tests": r"tests/",
    "cli": r"cli/",
    "tools": r"(tools|\.ci)/|Makefile$",
    "templates": r"(templates|docs/schemas|examples|events)/|template\.yaml$",
    "docs": r"(docs|\.github|\.gitlab)/|.*\.md$",
    "other": r"",
}
NOT_COUNTED = r"(.*/)?(Cargo\.lock|package-lock\.json|requirements[\w/]*\.txt)$"
# `mod tests { … }` in a file of the product is a unit test. rustfmt puts its last brace into the first column.
INLINE_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)


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


def read(file: Path) -> dict[str, dict]:
    return tomllib.loads(file.read_text()) if file.exists() else {}


def write(section: str, values: dict[str, int], file: Path) -> None:
    """Sets values of one section, and keeps all others."""
    figures = read(file)
    figures[section] = figures.get(section, {}) | values
    parts = ["\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())])
             for name, entries in sorted(figures.items())]
    file.write_text("\n\n".join([HEAD.rstrip("\n"), *parts]) + "\n")


def main() -> None:
    lines = count(tracked_files())
    for area, now in lines.items():
        print(f"{now:9,}  {area.replace('_', ' ')}")
    tests = lines["unit_tests"] + lines["rust_tests"] + lines["python_tests"]
    for what, elsewhere in (("tests", tests), ("emulators", lines["emulators"])):
        print(f"{elsewhere / lines['product']:9.2f}  lines of {what} for each line of the product")


if __name__ == "__main__":
    main()
