"""Compares the size of the repository with tools/checks/brake.toml, and fails if something is larger.

    python -m tools.checks.brake          # the table, and the difference of each row
    python -m tools.checks.brake --write  # lowers the figures after a removal: commit them with it

An area is measured in words (`\\w+`) outside of comments, so that neither a formatter nor a joined line
changes it. Words in comments and in Python's documentation strings are printed and have no limit, except in
`cli`, where these strings are the help text. In pages, every word counts. Files that a program writes are
left out: brake.toml names each of them.

A list is measured by its entries. The operations of AWS are those that the fault tests record, so
tests/policies/test_recorded_calls.py compares their number.

--write raises no figure. CONTRIBUTING.md states when a person may.
"""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tools.checks.structure import INLINE_TESTS, NOT_CODE, TEST_FILE

ROOT = Path(__file__).parents[2]
FIGURES = "tools/checks/brake.toml"
# The first prefix of a path decides. Everything else belongs to the tools: the Makefile, settings, CI.
AREAS = {
    "src/": "product",
    "crates/": "product",
    "tests/faults/": "fault suites",
    "tests/support/": "fault suites",
    "tests/scenarios/": "fault suites",
    "tests/fake-aws/": "emulators",
    "tests/local/": "emulators",
    "tests/": "other tests",
    "cli/": "cli",
    "template.yaml": "templates",
    "templates/": "templates",
    "events/": "templates",
    "examples/": "templates",
    "samconfig.toml": "templates",
    "docs/": "docs",
    "": "tools",
}
# A parser in C, if it is installed. The tags of CloudFormation are left out.
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# Of these, `#` begins a comment.
_WITH_HASHES = {".yaml", ".yml", ".toml", ".sh", ".cfg", ""}
_HASH = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_WORD = re.compile(r"\w+")


class Words(NamedTuple):
    counted: int
    in_comments: int


def area_of(path: str) -> str:
    if path.endswith(".md") and "/" not in path:
        return "docs"
    area = next(area for prefix, area in AREAS.items() if path.startswith(prefix))
    return "unit tests" if area == "product" and TEST_FILE.search(path) else area


def parts(path: str, text: str) -> Iterator[tuple[str, str]]:
    """The areas of a file, with their text: a file of the product may end with its unit tests."""
    area = area_of(path)
    if area == "product" and path.endswith(".rs"):
        yield "unit tests", "".join(found[0] for found in INLINE_TESTS.finditer(text))
        text = INLINE_TESTS.sub("", text)
    yield area, text


def words_of(path: str, text: str) -> Words:
    kind = Path(path).suffix
    if kind == ".rs":
        code = NOT_CODE.sub(lambda found: "" if found[0].startswith("//") else found[0], text)
    elif kind == ".py":
        code = _python_without_comments(text, has_help=path.startswith("cli/"))
    else:
        code = _HASH.sub("", text) if kind in _WITH_HASHES else text
    counted = len(_WORD.findall(code))
    return Words(counted, len(_WORD.findall(text)) - counted)


def _python_without_comments(text: str, has_help: bool) -> str:
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            number, column = token.start
            lines[number - 1] = lines[number - 1][:column] + "\n"
    if has_help:
        return "".join(lines)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            string = node.body[0]
            for number in range(string.lineno - 1, string.end_lineno or 0):
                lines[number] = "\n"
    return "".join(lines)


def is_generated(path: str, generated: Iterable[str]) -> bool:
    return any(path.startswith(one) if one.endswith("/") else path == one for one in generated)


def areas(root: Path, files: list[str], generated: list[str]) -> dict[str, Words]:
    """The words of each area. Files that are not text, such as pictures, have none."""
    counted: Counter[str] = Counter()
    in_comments: Counter[str] = Counter()
    for file in files:
        if is_generated(file, generated):
            continue
        try:
            text = (root / file).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for area, part in parts(file, text):
            found = words_of(file, part)
            counted[area] += found.counted
            in_comments[area] += found.in_comments
    names = dict.fromkeys([*AREAS.values(), "unit tests"])
    return {name: Words(counted[name], in_comments[name]) for name in names}


def _lines(root: Path, path: str, pattern: str, between: tuple[str, str] = ("", "")) -> int:
    """The matches of a pattern in a file of Rust or Python, after one text and before the next other."""
    text = (root / path).read_text()
    if between[0]:
        text = text.partition(between[0])[2].partition(between[1])[0]
    return len(re.findall(pattern, text, re.MULTILINE))


def _properties(schema: object) -> int:
    """The properties of a JSON schema, at every depth."""
    if isinstance(schema, dict):
        own = schema.get("properties")
        found = len(own) if isinstance(own, dict) else 0
        return found + sum(_properties(part) for key, part in schema.items() if key != "attributes")
    return sum(map(_properties, schema)) if isinstance(schema, list) else 0


def _parameters(root: Path) -> int:
    templates = [root / "template.yaml", *sorted((root / "templates").glob("*.yaml"))]
    read = [yaml.load(template.read_text(), LOADER) for template in templates]
    return sum(len(template.get("Parameters", {})) for template in read)


LISTS: dict[str, Callable[[Path], int]] = {
    "commands": lambda root: _lines(root, "cli/main.py", r'^    "\w+",$', ("COMMANDS = (", ")")),
    "questions": lambda root: len(list((root / "docs/schemas").glob("answer-*.json"))),
    "properties": lambda root: sum(
        _properties(json.loads(file.read_text())) for file in (root / "docs/schemas").glob("custom-*.json")
    ),
    "parameters": _parameters,
    "reason codes": lambda root: _lines(root, "src/common/reason_codes.rs", r'^    \w+ \d{3} "'),
    "metrics": lambda root: len(json.loads((root / "docs/metrics.json").read_text())["metrics"]),
    "endpoints of GitLab": lambda root: _lines(
        root, "src/clients/gitlab/api/endpoints.rs", r'^    (?:status_)?endpoint\("', ("ENDPOINTS", "];")
    ),
    "settings of worlds": lambda root: _lines(
        root, "tests/support/src/worlds.rs", r"^    setting\(", ("SETTINGS", "];")
    ),
    "pages": lambda root: len(list((root / "docs").rglob("*.md"))),
}
# Its number is known after the fault tests.
RECORDED = "operations of AWS"


def read_figures(root: Path) -> dict:
    return tomllib.loads((root / FIGURES).read_text())


def tracked(root: Path) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return sorted(filter(None, done.stdout.split("\0")))


def excess(found: dict[str, int], figures: dict[str, int]) -> list[str]:
    """The rows above their figures. A row without a figure is one of them."""
    return [
        f"{name}: {count:,} is above the figure {figures.get(name, 0):,}"
        for name, count in found.items()
        if count > figures.get(name, 0)
    ]


def lowered(text: str, found: dict[str, int]) -> str:
    """The text of brake.toml, with the figure of each row that has become smaller."""
    for name, count in found.items():
        written = re.compile(rf'^("?{re.escape(name)}"? = )(\d+)$', re.MULTILINE)
        text = written.sub(lambda row, count=count: f"{row[1]}{min(count, int(row[2]))}", text)
    return text


def main(root: Path = ROOT) -> int:
    figures = read_figures(root)
    files = tracked(root)
    gone = [one for one in figures["generated"] if not any(is_generated(file, [one]) for file in files)]
    words = areas(root, files, figures["generated"])
    counted = {name: found.counted for name, found in words.items()}
    lists = {name: count(root) for name, count in LISTS.items()}
    print(
        f"{'words outside of comments':25} {'found':>9} {'figure':>9} {'difference':>10} {'in comments':>12}"
    )
    for name, found in words.items():
        figure = figures["words"].get(name, 0)
        print(
            f"{name:25} {found.counted:9,} {figure:9,} {found.counted - figure:+10,} {found.in_comments:12,}"
        )
    total, limit = sum(counted.values()), sum(figures["words"].values())
    print(f"{'everything':25} {total:9,} {limit:9,} {total - limit:+10,}")
    print(f"\n{'entries of lists':25} {'found':>9} {'figure':>9} {'difference':>10}")
    for name, count in lists.items():
        figure = figures["lists"].get(name, 0)
        print(f"{name:25} {count:9,} {figure:9,} {count - figure:+10,}")
    print(f"{RECORDED:25} {'':9} {figures['lists'][RECORDED]:9,}")
    if any(count < (figures["words"] | figures["lists"])[name] for name, count in (counted | lists).items()):
        print("Something is smaller than its figure: write it with --write, in the commit that removed it.")
    if "--write" in sys.argv[1:]:
        file = root / FIGURES
        file.write_text(lowered(file.read_text(), counted | lists))
        figures = read_figures(root)
    faults = excess(counted, figures["words"]) + excess(lists, figures["lists"])
    faults += [f"{FIGURES} names {one}, which does not exist" for one in gone]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
