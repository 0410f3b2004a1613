"""docs/reference/actions.md names each action that the policies allow, of each identity."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.local.policies.statements import as_list
from tests.policies import scene

PAGE = Path(__file__).parents[2] / "docs/reference/actions.md"


def on_the_page():
    sections = re.split(r"^## `(.*)`$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {
        name.replace("<EnvID>", "dev"): {*re.findall(r"`([a-z0-9-]+:[A-Za-z*]+)`", text)}
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }


def in_the_policies():
    found = defaultdict(set)
    for name in ("template", "deployment", "people"):
        for policy in scene.stacks()[name].policies():
            statements = as_list(policy.document["Statement"]) if policy.side == "identity" else []
            for principal in policy.principals:
                found[principal.split("/")[-1]] |= {
                    action
                    for statement in statements
                    if statement["Effect"] == "Allow"
                    for action in as_list(statement["Action"])
                }
    return found


@pytest.mark.parametrize("name", on_the_page())
def test_page_has_the_allowed_actions_of_an_identity(name):
    assert on_the_page()[name] == in_the_policies()[name]


def test_page_has_each_identity_that_acts():
    """Except for the people who work in the repositories, which the mirror does not need."""
    absent = {name for name, actions in in_the_policies().items() if actions} - on_the_page().keys()
    assert absent == {"group-dev-power-users", "group-dev-readers"}
