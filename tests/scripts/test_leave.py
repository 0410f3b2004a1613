"""The templates that `leave.py` deploys: the deployed ones with `DeletionPolicy: Retain`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.scripts.conftest import ROOT

import leave  # isort: skip

TEMPLATES = [ROOT / "template.yaml", *sorted((ROOT / "templates").glob("*.yaml"))]
READABLE = """\
Resources:

# The user
    'User': # GitLab's
      # without a path
      Type: AWS::IAM::User
      DeletionPolicy: Delete
"""
UNREADABLE = ["Resources: {}", "Resources:\n  A: { Type: AWS::IAM::User }", "Resources:\n  Fn::Transform:\n    Name: A"]


def parsed(text: str) -> Any:
    """Without the order of members."""
    return json.loads(json.dumps(yaml_parse(text)))


def retaining(template: dict[str, Any], deleted: set[str]) -> dict[str, Any]:
    resources = {name: {key: value for key, value in resource.items() if key != "DeletionPolicy"} | (
        {} if name in deleted else {"DeletionPolicy": "Retain"}) for name, resource in template["Resources"].items()}
    return {**template, "Resources": resources | {leave._ADDED: {"Type": leave._ADDED_TYPE}}}


@pytest.mark.parametrize("text", [READABLE, *(path.read_text() for path in TEMPLATES)],
                         ids=["readable", *(path.stem for path in TEMPLATES)])
def test_only_deletion_policies_are_changed(text: str) -> None:
    template = parsed(text)
    for deleted in (set(), set(list(template["Resources"])[::2])):
        of_text, of_object = leave.Template(text, deleted), leave.Template(template, deleted)
        assert parsed(of_text.text) == parsed(of_object.text) == retaining(template, deleted)
        assert of_text.policies == of_object.policies
        # A second update has nothing to change.
        assert leave.Template(of_text.text, {*deleted, leave._ADDED}).text == of_text.text


@pytest.mark.parametrize("resources", UNREADABLE)
def test_template_that_cannot_be_read_is_left(resources: str) -> None:
    with pytest.raises(leave.Left, match="Set DeletionPolicy: Retain in"):
        leave.Template(f"Description: A\n{resources}\n", set())
