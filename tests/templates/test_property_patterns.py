"""A parameter that becomes a property accepts what the property accepts.

The function's formats are the source. docs/schemas/ has their patterns, and the parameter has the same one:
without the anchors, because CloudFormation compares the whole value, and with an exclusion as a lookahead.
The template's references show which parameter becomes which property. The formats themselves are tried with
tests/schemas/texts.json, in Rust.
"""

import json
import re

import pytest

from tests.templates.deployed import TEMPLATE, TEMPLATES, source

ROOT = TEMPLATES.parent
SCHEMAS = {
    schema["typeName"]: schema
    for schema in (json.loads(file.read_text()) for file in (ROOT / "docs/schemas").glob("custom-*.json"))
}
TEXTS = json.loads((ROOT / "tests/schemas/texts.json").read_text())
SOURCES = {path.stem: source(path) for path in (TEMPLATE, *sorted(TEMPLATES.glob("*.yaml")))}
# Parameters that accept less than the property, and why.
SHORTER = {
    "EnvID": 10,  # The artifact bucket's name contains it.
    "ProjectID": 20,
}  # Together with each EnvID, it has at most 30.
# Parameters with a pattern of their own, each with a text of that form.
OWN_PATTERNS = {
    "MirrorSecretKmsKeyArn": (
        "arn:aws:kms:eu-central-1:123456789012:key/mrk-1"
    ),  # A policy names the key, but no alias.
    "ResourceTags": '{"CostCenter":"42"}',
}  # It has the patterns of keys and values in one: test_shared_parameters.py.
ANY = r"^[\s\S]"


def uses(node, parameters, path):
    """The parameters that a property is, each with the path of the property."""
    if isinstance(node, list):
        for entry in node:
            yield from uses(entry, parameters, f"{path}[]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                is_list = parameters.get(value, {}).get("Type") == "CommaDelimitedList"
                yield from [(value, f"{path}[]" if is_list else path)] if value in parameters else []
            elif key == "Fn::If":
                yield from (use for branch in value[1:] for use in uses(branch, parameters, path))
            elif key == "Fn::Sub" and isinstance(value, list):  # A map as JSON.
                [(name, _)], text = (
                    json.loads(value[0]).items(),
                    re.search(r"'Ref': '(\w+)'", str(value[1]))[1],
                )
                yield from [(name.strip("${}"), f"{path}.<name>"), (text, f"{path}.<value>")]
            elif not key.startswith("Fn::"):
                yield from uses(value, parameters, f"{path}.{key}".lstrip("."))


def schema_at(type_name, path):
    found = SCHEMAS[type_name]
    for part in path.replace("[]", ".[]").split("."):
        found = found.get("else", found)  # A map, or a list of objects.
        steps = {"<name>": "propertyNames", "<value>": "additionalProperties", "[]": "items"}
        found = found[steps[part]] if part in steps else found["properties"][part]
    return found.get("else", found)


ROWS = sorted(
    {
        (template, name, path, resource["Type"])
        for template, content in SOURCES.items()
        for resource in content["Resources"].values()
        if resource["Type"] in SCHEMAS
        for name, path in uses(resource["Properties"], content["Parameters"], "")
    }
)
PATTERNS = [
    row
    for row in ROWS
    if "pattern" in (schema := schema_at(row[3], row[2])) and "minimum" not in schema or "not" in schema
]
CHOICES = [row for row in ROWS if row not in PATTERNS]
EACH_PATTERN = pytest.mark.parametrize(
    ("template", "name", "path", "kind"), PATTERNS, ids=[" ".join(row[:3]) for row in PATTERNS]
)


def allowed_pattern(schema):
    """The pattern of a whole value."""
    body = schema.get("pattern", r"^[\s\S]*$").removeprefix("^").removesuffix("$")
    return rf"(?![\s\S]*({schema['not']['pattern']})){body}" if "not" in schema else body


def fits(schema, text):
    """As the format does. In Python, `$` also matches before a newline at the end."""

    def has(pattern):
        return re.search(pattern.replace("$", r"\Z"), text) is not None

    return (
        len(text) <= schema.get("maxLength", len(text))
        and has(schema.get("pattern", ""))
        and not ("not" in schema and has(schema["not"]["pattern"]))
    )


def accepts(parameter, text):
    fitting = parameter.get("MinLength", 0) <= len(text) <= parameter.get("MaxLength", len(text))
    return fitting and re.fullmatch(parameter.get("AllowedPattern", r"[\s\S]*"), text) is not None


def is_accepted(parameter, name, schema, text):
    """Whether the parameter has to accept it. An empty one leaves the property out."""
    if text == "" and parameter.get("AllowedPattern", "").endswith(")?"):
        return True
    return fits(schema, text) and len(text) <= SHORTER.get(name, len(text))


def test_templates_and_properties_are_found():
    assert {(template, kind) for template, _, _, kind in ROWS} == {
        (template, kind) for template in ("template", "project") for kind in SCHEMAS
    }
    assert {path for _, name, path, _ in PATTERNS if name not in OWN_PATTERNS} <= TEXTS.keys() | {
        "Build.EnvironmentVariables"
    }


@EACH_PATTERN
def test_parameter_has_the_pattern_of_its_property(template, name, path, kind):
    parameter, schema = SOURCES[template]["Parameters"][name], schema_at(kind, path)
    if name in OWN_PATTERNS:
        assert fits(schema, OWN_PATTERNS[name]) and accepts(parameter, OWN_PATTERNS[name])
        return
    if schema.get("pattern") == ANY:
        assert (parameter["MinLength"], parameter.get("AllowedPattern")) == (1, None)
    else:
        pattern = allowed_pattern(schema)
        assert parameter["AllowedPattern"] in (f"({pattern})?", pattern)
        assert accepts(parameter, parameter.get("Default", "dev"))
    if parameter["Type"] == "String" and not path.endswith("<name>"):
        assert parameter.get("MaxLength") == SHORTER.get(name, schema.get("maxLength"))


@EACH_PATTERN
def test_parameter_accepts_the_texts_of_its_property(template, name, path, kind):
    parameter, schema = SOURCES[template]["Parameters"][name], schema_at(kind, path)
    texts = TEXTS.get(path, {"accepted": [], "rejected": []})
    for text in texts["accepted"] + texts["rejected"]:
        assert fits(schema, text) == (text in texts["accepted"]), text
        assert name in OWN_PATTERNS or accepts(parameter, text) == is_accepted(
            parameter, name, schema, text
        ), text


@pytest.mark.parametrize(
    ("template", "name", "path", "kind"), CHOICES, ids=[" ".join(row[:3]) for row in CHOICES]
)
def test_parameter_has_the_choices_of_its_property(template, name, path, kind):
    parameter, schema = SOURCES[template]["Parameters"][name], schema_at(kind, path)
    if "enum" in schema and path.endswith("[]"):
        assert parameter["AllowedPattern"] == f"({'|'.join(schema['enum'])})?"
    elif "enum" in schema:
        assert set(parameter["AllowedValues"]) - {""} == set(schema["enum"])
    elif parameter["Type"] == "Number":  # Zero leaves the property out.
        assert (parameter["MinValue"], parameter["MaxValue"]) == (0, schema["maximum"])
    elif "minimum" in schema:
        numbers = range(schema["minimum"], schema["maximum"] + 1)
        texts = [*map(str, range(3 * schema["maximum"])), "05", "+5", "-5", "5.5", " 5", "5\n"]
        assert [text for text in texts if accepts(parameter, text)] == list(map(str, numbers))
    else:
        assert schema["type"] == ["string", "number", "boolean"]
        assert not parameter.keys() & {"AllowedPattern", "AllowedValues", "MaxLength"}
