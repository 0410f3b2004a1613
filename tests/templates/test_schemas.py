"""The custom resources of our templates fit their schemas, and the schemas agree with the decoders.

`tests/schemas` generates `docs/schemas/` from the tables of properties, and checks the decoders with
examples. This module checks the schemas with the same examples.
"""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from samcli.yamlhelper import yaml_parse

from tests.templates import reference_pages
from tests.templates.custom_resources import SCHEMAS, CustomResources
from tests.templates.deployed import TEMPLATE, TEMPLATES, translated
from tests.templates.test_settings import ROWS

ROOT = Path(__file__).parents[2]
# In the table: decoding rejects the value, and a schema cannot express the rule.
UNSEEN = "does not see it"


def examples():
    found = []
    for name, schema in SCHEMAS.items():
        file = ROOT / "tests/schemas" / (name.replace("::", "-").lower() + ".json")
        for example in json.loads(file.read_text()):
            found.append(pytest.param(schema, example, id=f"{name}: {example['name']}"))
    return found


def is_rejected(example):
    return bool(example.get("faults")) and example.get("schema") != UNSEEN


@pytest.mark.parametrize(("schema", "example"), examples())
def test_schema_and_decoder_agree(schema, example):
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(example["properties"]))
    assert bool(errors) == is_rejected(example), errors


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_reference_lists_the_attributes_of_the_resource(schema):
    assert sorted(reference_pages.attributes(schema["typeName"])) == sorted(schema["attributes"])


def creations():
    """The events that create something, except for those of other types."""
    for file in sorted([*ROOT.glob("events/*create*.json"), *ROOT.glob("tests/event_fuzz/events/*.json")]):
        if json.loads(file.read_text()).get("ResourceType") in SCHEMAS:
            yield file


@pytest.mark.parametrize("file", list(creations()), ids=lambda file: file.stem)
def test_event_properties_match_the_schemas(file):
    event = json.loads(file.read_text())
    schema = SCHEMAS[event["ResourceType"]]
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(event["ResourceProperties"]))
    assert bool(errors) == ("every-property-wrong" in file.stem), errors


# Values of required parameters.
GIVEN = {
    "EnvID": "dev",
    "ProjectID": "shop",
    "BranchName": "main",
    "DeployTemplatePath": "template.yaml",
    "GitLabProject": "platform/shop",
    "GitLabTokenSecretId": "gitlab",
}


def written():
    """Each template with a custom resource of ours, in a file or on a page."""
    files = [TEMPLATE, *TEMPLATES.glob("*.yaml"), *ROOT.glob("examples/**/*.yaml")]
    files += [*ROOT.glob("tests/deployment/templates/*.yaml"), *ROOT.glob("tools/trial/scenes/*.yaml")]
    texts = {file: [file.read_text()] for file in files}
    for page in ROOT.glob("docs/**/*.md"):
        texts[page] = re.findall(
            r"^```yaml\n(Resources:\n.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
        )
    for file, found in sorted(texts.items()):
        for n, text in enumerate(
            text for text in found if re.search(rf"Type: ({'|'.join(SCHEMAS)})\n", text)
        ):
            yield pytest.param(file, text, id=f"{file.relative_to(ROOT)} {n}")


@pytest.mark.parametrize(("file", "text"), list(written()))
def test_custom_resources_of_a_template_fit_their_schemas(file, text):
    template = translated() if file == TEMPLATE else yaml_parse(text)
    # A resource of the reader's, to which the examples of docs/reference/ refer.
    resources = {"User": {"Type": "AWS::IAM::User"}, **template["Resources"]}
    template = {"Parameters": {}, "Rules": {}, "Outputs": {}, **template, "Resources": resources}
    declared = template["Parameters"]
    required = {name: GIVEN[name] for name in declared if "Default" not in declared[name]}
    settings = [{"ProjectID": "shop", **given} for names, given, *_ in ROWS if file.stem in names] or [{}]
    for given in settings:
        stack = CustomResources(template=template, **{**required, **given})
        assert stack.of_type(*SCHEMAS)
        # The template's rules reject the others.
        if not stack.names_of_broken_rules():
            assert stack.faults() == [], given
