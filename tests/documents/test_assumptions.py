"""The list of assumptions about AWS and GitLab: each assumption has one name and one row."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documents.test_links import ROOT, files

PAGE = ROOT / "docs/project/assumptions.md"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+){1,8}")
# A reference to a row in code, tests and other pages.
_REFERENCE = re.compile(r"[Aa]ssumption `([^`\n]+)`")


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("| `")]


def references():
    """Each tracked or unignored file, with the names that it refers to."""
    for file in files("*.md", "*.py", "*.rs", "*.yaml", "*.yml", "*.toml", "*.sh"):
        if file != Path(__file__):
            yield from ((file, name) for name in _REFERENCE.findall(file.read_text()))


@pytest.fixture(scope="module")
def names():
    return [cells[0].strip("`") for cells in rows(PAGE.read_text())]


def test_assumption_names_are_unique_and_readable(names):
    assert names
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [name for name in names if not _NAME.fullmatch(name) or len(name) > 50] == []


def test_assumption_row_is_complete():
    incomplete = [cells[0] for cells in rows(PAGE.read_text()) if len(cells) != 4 or not all(cells)]
    assert incomplete == []


def test_reference_to_an_assumption_names_a_row(names):
    assert [(path, name) for path, name in references() if name not in names] == []
