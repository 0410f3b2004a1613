"""The pages of docs/reference/ that are made from the templates and the Makefile."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import reference  # noqa: E402


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_is_as_its_source_gives_it(name):
    differs = (reference.REFERENCE / name).read_text() != reference.PAGES[name]()
    assert not differs, "run `python scripts/reference.py --write`"


def test_page_of_parameters_has_every_parameter_and_output():
    page = (reference.REFERENCE / "template-parameters.md").read_text()
    for template in [ROOT / "template.yaml", *(ROOT / "templates").glob("*.yaml")]:
        section = page.split(f"\n## {template.relative_to(ROOT)}\n")[1].split("\n## ")[0]
        content = reference.loaded(template)
        for name in [*content.get("Parameters", {}), *content.get("Outputs", {})]:
            assert f"\n| `{name}` | " in section, (template.name, name)


@pytest.mark.parametrize(("text", "expected"), [
    ("Empty for user-<EnvID>-*.", "Empty for `user-<EnvID>-*`."),
    ("one of a|b", "one of a\\|b"),
    ("with * and ? for\n  any", "with \\* and ? for any"),
    ("type <stack name>, or `make <x> *`", "type &lt;stack name>, or `make <x> *`"),
])
def test_text_in_a_cell_stays_text(text, expected):
    assert reference.cell(text) == expected


@pytest.mark.parametrize(("parameter", "expected"), [
    ({"AllowedValues": [5, 10]}, "Allowed: `5`, `10`."),
    ({"MinValue": 0, "MaxValue": 9}, "Allowed: 0 to 9."),
    ({"ConstraintDescription": "a name", "MaxLength": 9}, "Allowed: a name."),
    ({"MaxLength": 9}, "At most 9 characters."),
    ({}, ""),
])
def test_limits_of_a_parameter_are_a_sentence(parameter, expected):
    assert reference.limits_of(parameter) == expected
