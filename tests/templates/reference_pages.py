"""What the pages of docs/reference/ list for each resource."""

import re
from pathlib import Path

_REFERENCE = Path(__file__).parents[2] / "docs/reference"
_PAGES = {"Custom::MirrorCredential": "mirror-credential.md", "Custom::GitOpsPipeline": "gitops-pipeline.md"}


def _tables(type_name: str) -> list[str]:
    before, after = (_REFERENCE / _PAGES[type_name]).read_text().split("| Attribute |")
    return [before, after.split("\n\n")[0]]


def _names(table: str) -> list[str]:
    """The names in the first column."""
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def properties(type_name: str) -> list[str]:
    """The paths of the properties: a member of an object as `Object.Member`, of a list's objects as `List[].Member`."""
    return _names(_tables(type_name)[0])


def attributes(type_name: str) -> list[str]:
    return [name for name in _names(_tables(type_name)[1]) if name != "Ref"]
