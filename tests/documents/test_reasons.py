"""The README's tables of failures quote what the function says.

Where a reason holds a name, the README has an ellipsis: what stands between two of them is looked
for in the source.
"""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What AWS says, and the function passes on.
OF_AWS = {
    "kms:Decrypt on resource",
    "RepositoryDoesNotExistException",
    # https://github.com/aws-samples/aws-security-reference-architecture-examples/issues/310
    "OperationNotAllowedException: CreateRepository request is not allowed because there is no existing repository"
    " in this AWS account or AWS Organization",
}


@cache
def source():
    """The source's texts as they are printed: a line that ends in a backslash goes on in the next."""
    text = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.rs")))
    return re.sub(r"\s+", " ", re.sub(r"\\\n\s*", "", text))


def quoted():
    """The pieces of the reasons in the first column of a table that begins with them."""
    readme = (ROOT / "README.md").read_text()
    for table in readme.split("\n| The reason says |")[1:]:
        for row in table.split("\n\n")[0].splitlines()[2:]:
            for double, single in re.findall(r"``(.+?)``|`([^`]+)`", row.split(" | ")[0]):
                for piece in re.split(r"…|<[a-z]+>", double or single):
                    piece = piece.strip(" ;:,()")
                    if " " in piece and len(piece) > 11:
                        yield piece


def test_there_are_reasons_to_look_for():
    assert len(set(quoted())) > 50


@pytest.mark.parametrize("piece", sorted(set(quoted()) - OF_AWS))
def test_every_reason_in_the_readme_is_in_the_code(piece):
    assert piece in source()
