"""The list of assumptions about AWS and GitLab: each assumption has one name and one row."""

import re
from collections import Counter
from pathlib import Path

from tests.documents.test_links import files
from tools.docs import reference
from tools.trial import assumptions

# A reference to a row in code, tests and other pages.
_REFERENCE = re.compile(r"[Aa]ssumption `([^`\n]+)`")


def references():
    """Each tracked or unignored file, with the names that it refers to."""
    for file in files("*.md", "*.py", "*.rs", "*.yaml", "*.yml", "*.toml", "*.sh"):
        if file != Path(__file__):
            yield from ((file, name) for name in _REFERENCE.findall(file.read_text()))


def test_assumption_names_are_unique_and_readable():
    names = re.findall(r"^  (\S+):$", assumptions.SOURCE.read_text(), re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert names == [*assumptions.rows()]
    assert [
        name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){1,8}", name) or len(name) > 50
    ] == []


def test_assumption_row_is_complete():
    incomplete = [
        name
        for name, row in assumptions.rows().items()
        if not all(row.values())
        or {*row} not in (must := {"claim", "if wrong"}, must | {"act"}, must | {"by hand"})
    ]
    assert incomplete == []


def test_page_has_each_row_of_each_harm():
    assert re.findall(r'^\| <a name="(.*?)"></a>', reference.assumptions(), re.MULTILINE) == [
        *assumptions.rows()
    ]


def test_reference_to_an_assumption_names_a_row():
    assert [(path, name) for path, name in references() if name not in assumptions.rows()] == []
