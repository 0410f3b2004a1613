"""The lists of the pages of docs/reference/ for each resource."""

import re
from pathlib import Path

_REFERENCE = Path(__file__).parents[2] / "docs/reference"
_PAGES = {"Custom::MirrorCredential": "mirror-credential.md", "Custom::GitOpsPipeline": "gitops-pipeline.md"}


def _page(type_name: str) -> str:
    return (_REFERENCE / _PAGES[type_name]).read_text()


def properties(type_name: str) -> list[str]:
    """The paths of the properties: a member of an object as `Object.Member`, of a list's objects as
    `List[].Member`."""
    return re.findall(r"^### `([^`]+)`$", _page(type_name), re.MULTILINE)


def attributes(type_name: str) -> list[str]:
    """The names in the first column of the table of attributes."""
    table = _page(type_name).split("| Attribute |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row) if name != "Ref"]


def example(type_name: str) -> str:
    """The template at the beginning of the page."""
    return re.findall(r"^```yaml\n(.*?)^```", _page(type_name), re.DOTALL | re.MULTILINE)[0]
