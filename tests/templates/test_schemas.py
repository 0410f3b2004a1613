"""Templates with a mistake are rejected before a deployment, and the schemas agree with the decoders.

`tests/schemas` generates `docs/schemas/` from the tables of properties, and checks the decoders with
examples. This module checks the schemas with the same examples.
"""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.templates import reference_pages
from tests.templates.linting import linted

ROOT = Path(__file__).parents[2]
MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))
assert MISTAKES
SCHEMAS = {
    schema["typeName"]: schema
    for schema in (
        json.loads(file.read_text()) for file in sorted((ROOT / "docs/schemas").glob("custom-*.json"))
    )
}
# In the table: decoding rejects the value, and a schema cannot express the rule.
UNSEEN = "does not see it"

# Messages of cfn-lint about an example, one of each form. Messages of the others have at least the property's
# name.
MESSAGES = {
    "a rollback of a change set": (
        "Deploy.OnFailure: must be Fail with Deploy.ActionMode CHANGE_SET: the change set that was approved"
        " is gone after its execution"
    ),
    "an image without a repository": (
        "ImageSource: must have RepositoryName, or RepositoryArn and RoleArn for another account's"
    ),
    "one repository instead of a list": "RepositoryNames: 'infra' is not of type 'array'",
    "a mirror without a repository": "Mirrors[0].RepositoryName: is required",
    "mirrors without GitLab": "Mirrors needs GitLab",
    "no user": "UserName: is required",
    "a source with a name and a role": "Source.RepositoryArn: is required with RoleArn",
    "a project without its group": (
        "Mirrors[0].GitLabProject: must be a project's number or its full path (group/project)"
    ),
    "a timeout that is too short": "Build.TimeoutInMinutes: must be a whole number from 5 to 2160",
    "a capability that is not known": (
        "Deploy.Capabilities[0]: must be one of CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND"
    ),
    "a word that is not known": "ForeignCredentials: must be one of Refuse, Delete",
    "a variable that is always set": (
        "Build.EnvironmentVariables.EnvID: must be the name of an environment variable: letters, digits and"
        " `_`, and neither EnvID nor AccountId, which are always set, nor a name that begins with CODEBUILD_,"
        " which CodeBuild reserves"
    ),
}


def repaired(text):
    """The template with each line replaced by its `# instead:` comment."""
    lines = []
    for line in text.splitlines():
        mistake = re.fullmatch(r"(\s*)(.*?)# instead:(.*)", line)
        if not mistake:
            lines.append(line)
        elif mistake[3].strip():
            lines.append(mistake[1] + mistake[3].strip())
    return "\n".join(lines) + "\n"


def examples():
    found = []
    for name, schema in SCHEMAS.items():
        file = ROOT / "tests/schemas" / (name.replace("::", "-").lower() + ".json")
        for example in json.loads(file.read_text()):
            found.append(pytest.param(schema, example, id=f"{name}: {example['name']}"))
    return found


assert MESSAGES.keys() <= {parameter.values[1]["name"] for parameter in examples()}


@pytest.fixture(scope="module")
def findings():
    return linted(*MISTAKES)


@pytest.fixture(scope="module")
def after_repair(tmp_path_factory):
    directory = tmp_path_factory.mktemp("repaired")
    templates = []
    for mistake in MISTAKES:
        templates.append(directory / mistake.name)
        templates[-1].write_text(repaired(mistake.read_text()))
    return linted(*templates)


@pytest.fixture(scope="module")
def table_of_rejections(tmp_path_factory):
    """cfn-lint's findings for the table: each example is a resource of one template."""
    resources, named = {}, {}
    for n, parameter in enumerate(examples()):
        schema, example = parameter.values
        resources[f"Example{n}"] = {"Type": schema["typeName"], "Properties": example["properties"]}
        named[f"Example{n}"] = (schema["typeName"], example["name"])
    template = tmp_path_factory.mktemp("table") / "table.json"
    template.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}))
    found = {name: [] for name in named.values()}
    for rule, message, place in linted(template)["table.json"]:
        if rule == "E9001":
            found[named[place[1]]].append(message)
    return found


def is_rejected(example):
    return bool(example.get("faults")) and example.get("schema") != UNSEEN


@pytest.mark.parametrize("template", MISTAKES, ids=lambda template: template.stem)
def test_mistake_in_a_template_is_rejected_at_its_place(template, findings):
    expected = [
        tuple(line[2:].split(" ", 1)) for line in template.read_text().splitlines() if line.startswith("# E")
    ]
    assert expected
    assert [(rule, message) for rule, message, _ in findings[template.name]] == expected


@pytest.mark.parametrize("template", MISTAKES, ids=lambda template: template.stem)
def test_the_same_template_without_the_mistake_is_accepted(template, after_repair):
    assert after_repair[template.name] == []


@pytest.mark.parametrize(("schema", "example"), examples())
def test_schema_and_decoder_agree(schema, example):
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(example["properties"]))
    assert bool(errors) == is_rejected(example), errors


@pytest.mark.parametrize(("schema", "example"), examples())
def test_cfn_lint_agrees_and_names_the_property(schema, example, table_of_rejections):
    messages = table_of_rejections[(schema["typeName"], example["name"])]
    assert bool(messages) == is_rejected(example), messages
    if messages and example.get("faults"):
        property_name = re.split(r"[.\[]", example["faults"][0])[0]
        assert any(re.match(rf"{property_name}\b", message) for message in messages), messages
    assert example["name"] not in MESSAGES or MESSAGES[example["name"]] in messages


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


def test_unknown_values_and_other_custom_resources_are_accepted(tmp_path):
    """Functions whose values only CloudFormation resolves, and an empty parameter."""
    properties = {
        "ServiceToken": {"Fn::ImportValue": "token"},
        "EnvID": {"Fn::ImportValue": "env"},
        "ProjectID": {"Fn::Select": [0, {"Fn::Split": ["-", {"Ref": "AWS::StackName"}]}]},
        "ArtifactKeyArn": {"Ref": "Empty"},
        "Build": {"TimeoutInMinutes": {"Fn::ImportValue": "minutes"}},
        "Source": {"RepositoryName": "{{resolve:ssm:/repository}}"},
    }
    template = tmp_path / "unknown.json"
    template.write_text(
        json.dumps(
            {
                "AWSTemplateFormatVersion": "2010-09-09",
                "Parameters": {"Empty": {"Type": "String", "Default": ""}},
                "Resources": {
                    "Pipeline": {"Type": "Custom::GitOpsPipeline", "Properties": properties},
                    "Other": {"Type": "Custom::Other", "Properties": {"ServiceToken": "arn", "Anything": 7}},
                },
                "Outputs": {"Any": {"Value": {"Fn::GetAtt": ["Other", "Attribute"]}}},
            }
        )
    )
    assert linted(template)["unknown.json"] == []


def test_page_names_the_pinned_version_of_cfn_lint():
    """With which the tests of this module have run."""
    page = (ROOT / "docs/how-to/schemas.md").read_text()
    assert (
        f" and {metadata.version('cfn-lint')})" in page and f"and {metadata.version('cfn-lint')} read" in page
    )


@pytest.mark.parametrize(
    "command", ["cfn-lint template.yaml", "sam validate --lint --template template.yaml"]
)
def test_configuration_of_the_page_adds_the_rules(command, tmp_path):
    [configuration] = re.findall(
        r"```yaml\n(append_rules:.*?)```", (ROOT / "docs/how-to/schemas.md").read_text(), re.DOTALL
    )
    (tmp_path / ".cfnlintrc.yaml").write_text(configuration)
    [rules] = yaml.safe_load(configuration)["append_rules"]
    (tmp_path / rules).parent.symlink_to(ROOT / "docs/schemas")
    mistake = ROOT / "tests/templates/mistakes/misspelled-property.yaml"
    (tmp_path / "template.yaml").write_text(mistake.read_text())
    program, *arguments = command.split()
    environment = os.environ | {
        "HOME": str(tmp_path),
        "SAM_CLI_TELEMETRY": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    linter = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linter.returncode
    [expected] = [line[2:] for line in mistake.read_text().splitlines() if line.startswith("# E")]
    rule, message = expected.split(" ", 1)
    printed = linter.stdout + linter.stderr
    assert rule in printed and message in printed


def test_editor_with_the_settings_of_the_page_shows_a_mistake(tmp_path):
    """As the extension calls cfn-lint, in a folder without a configuration.

    https://github.com/aws-cloudformation/cfn-lint-visual-studio-code/blob/main/server/src/server/handlers/validationHandler.ts
    """
    [settings] = re.findall(r"```json\n(.*?)```", (ROOT / "docs/how-to/schemas.md").read_text(), re.DOTALL)
    program, [rules] = (json.loads(settings)[f"cfnLint.{name}"] for name in ("path", "appendRules"))
    assert program.endswith("/cfn-lint") and rules.endswith("/schemas/rules")
    linter = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            "--format",
            "json",
            "--include-checks",
            "I",
            "--append-rules",
            ROOT / "docs/schemas/rules",
            "--",
            ROOT / "tests/templates/mistakes/misspelled-property.yaml",
        ],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "E9001" in [each["Rule"]["Id"] for each in json.loads(linter.stdout)], linter.stderr


# The resources in a stack of the reader to which the examples of docs/reference/ refer.
READERS_RESOURCES = {
    "User": {"Type": "AWS::IAM::User"},
    "Policy": {
        "Type": "AWS::IAM::UserPolicy",
        "Properties": {
            "PolicyName": "push",
            "UserName": {"Ref": "User"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "codecommit:GitPush",
                        "Resource": "arn:aws:codecommit:eu-central-1:111122223333:a",
                    }
                ],
            },
        },
    },
}


@pytest.mark.parametrize("type_name", SCHEMAS)
def test_example_of_the_reference_is_accepted(type_name, tmp_path):
    template = tmp_path / "example.yaml"
    text = reference_pages.example(type_name)
    used = {name: resource for name, resource in READERS_RESOURCES.items() if re.search(rf"\b{name}\b", text)}
    added = "".join(f"  {name}: {json.dumps(resource)}\n" for name, resource in used.items())
    template.write_text(f'AWSTemplateFormatVersion: "2010-09-09"\n{text}{added}')
    assert f"Type: {type_name}" in text
    assert linted(template)["example.yaml"] == []
