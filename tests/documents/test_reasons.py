"""The runbook's tables of failures quote the reasons that the built function contains.

The runbook has an ellipsis for each name in a reason. The test looks for the text between two of them in the built file,
which contains every message of the function and no comment or test.
"""

import json
import os
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOTSTRAP = Path(os.environ.get("CFN_GITOPS_BINARY", ROOT / "target/lambda/cfn-gitops/bootstrap"))

# AWS's texts, which the function passes on.
OF_AWS = {
    "kms:Decrypt on resource",
    "RepositoryDoesNotExistException",
    # https://github.com/aws-samples/aws-security-reference-architecture-examples/issues/310
    "OperationNotAllowedException: CreateRepository request is not allowed because there is no existing repository"
    " in this AWS account or AWS Organization",
}
# A reason about properties is `<path>: <message>`.
PROPERTY = re.compile(r"([A-Z][A-Za-z]+): ")


@cache
def function():
    assert BOOTSTRAP.exists(), "`make build` comes first"
    return BOOTSTRAP.read_bytes()


@cache
def properties():
    """The properties of both resources, by the schemas that are generated from the function."""
    return {name for path in (ROOT / "schemas").glob("*.json") for name in json.loads(path.read_text())["properties"]}


def quoted():
    """The pieces of the reasons in the first column of a table that begins with them."""
    runbook = (ROOT / "docs/runbook/README.md").read_text()
    for table in runbook.split("\n| The reason says |")[1:]:
        for row in table.split("\n\n")[0].splitlines()[2:]:
            for double, single in re.findall(r"``(.+?)``|`([^`]+)`", row.split(" | ")[0]):
                for piece in re.split(r"…|<[a-z]+>", double or single):
                    piece = piece.strip(" ;:,()")
                    if " " in piece and len(piece) > 11:
                        yield piece


def test_runbook_quotes_more_than_fifty_texts():
    assert len(set(quoted())) > 50


@pytest.mark.parametrize("piece", sorted(set(quoted()) - OF_AWS))
def test_every_reason_in_the_runbook_is_in_the_function(piece):
    path = PROPERTY.match(piece)
    if path:
        assert path[1] in properties()
        piece = piece[path.end():]
    is_in_the_function = piece.encode() in function()  # a failed `in` would print the whole function
    assert is_in_the_function, "if the message is new, run `make build`"
