"""Parameters that several templates have: they accept the same values, and have the same descriptions.
test_settings.py has the properties that they reach."""

import json
import re

import pytest

from tests.templates.deployed import REQUIRED_OF_A_PROJECT, TEMPLATES, parameters_of_a_project, source

PROJECT = source(TEMPLATES / "project.yaml")["Parameters"]
ENVIRONMENT = parameters_of_a_project()
# The project's own words, and why.
OTHER_WORDS = {
    "EnvID": "template.yaml creates the environment",
    "ProjectID": "template.yaml's is the first, and optional",
    "BranchName": "the first project's",
    "DeployTemplatePath": "the first project's",
    "GitLabProject": "the first project's",
    "GitLabTokenSecretId": "its key is a parameter of the other template",
    "ReviewBranches": "the first project's",
    "Drift": "the first project's",
    "ApprovalTopicArn": "template.yaml gives the permission",
    "PermissionsBoundaryArn": "this template has only a user",
}
# Parameters that accept other values, and why.
OTHER_VALUES = {
    **{
        (template, name): "its policy has a size limit"
        for template in ("branch-protection", "people")
        for name in ("MirrorSecretNames", "MirrorUserNames", "RepositoryNames")
    },
    ("cross-account-image", "RepositoryName"): "it is a repository of images",
    ("pipeline", "EnvID"): "the function has checked it",
    ("pipeline", "ProjectID"): "the function has checked it",
    ("repository", "ProjectID"): "the names of pipelines' repositories are denied",
}


@pytest.mark.parametrize("name", sorted(PROJECT.keys() & ENVIRONMENT.keys()))
def test_shared_parameter_is_the_same_in_both_templates(name):
    ours, others = dict(PROJECT[name]), dict(ENVIRONMENT[name])
    words = ours.pop("Description"), others.pop("Description")
    # A stack of its own names its environment and its project.
    if name in ("EnvID", *REQUIRED_OF_A_PROJECT):
        assert "Default" not in ours
        for each in (ours, others):
            each.pop("Default", None)
            each.pop("ConstraintDescription")
    assert ours == others
    assert (words[0] != words[1]) == (name in OTHER_WORDS)


def required(parameter):
    """Its pattern without that it may be empty."""
    pattern = parameter.get("AllowedPattern", "")
    return pattern[1:-2] if pattern.startswith("(") and pattern.endswith(")?") else pattern


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.yaml")), ids=lambda path: path.stem)
def test_parameter_accepts_the_same_values_in_each_template(path):
    for name, ours in source(path)["Parameters"].items():
        for others in (PROJECT, ENVIRONMENT):
            if name in others and (path.stem, name) not in OTHER_VALUES:
                assert required(ours) == required(others[name]), name
                for key in ("MaxLength", "AllowedValues"):
                    assert ours.get(key) == others[name].get(key), (name, key)


def test_parameters_of_other_names_accept_the_same_values():
    across = {path.stem: source(path)["Parameters"] for path in TEMPLATES.glob("*.yaml")}
    for template, name, same in (
        ("cross-account-repository", "BranchNames", "BranchName"),
        ("cross-account-image", "RepositoryName", "ImageRepositoryName"),
        ("replication", "ReplicaRepositoryName", "RepositoryName"),
        ("replica", "ReplicaRepositoryName", "RepositoryName"),
    ):
        assert required(across[template][name]) == required(PROJECT[same]), (template, name)


def test_descriptions_say_what_empty_means():
    for name, parameter in PROJECT.items():
        if parameter.get("Default") == "" and not name.endswith("Serial"):
            assert "If empty" in parameter["Description"], name


SCHEMA = json.loads((TEMPLATES.parent / "docs/schemas/custom-gitopspipeline.json").read_text())["properties"]


TAG_TEXTS = [
    "",
    "42",
    "Team A",
    "a_.:/=+-@",
    "部門",
    "a\u3000b",
    "é",
    "x" * 127,
    "x" * 128,
    "x" * 255,
    "x" * 256,
    "aws:a",
    "AWS:a",
    "awsome",
    "cfn-gitops:a",
    "Cfn-GitOps:a",
    " cfn-gitops:a",
    " a",
    "a ",
    "a b",
    "a,b",
    'a"b',
    "a'b",
    "a\\b",
    "a\n",
    "a\x7f",
    "a&b",
    "a*b",
    "a{b}",
    "a;b",
    "a(b)",
    "a[b]",
    "a^b",
    "a`b",
]
TAGS = SCHEMA["Tags"]["else"]


@pytest.mark.parametrize("place", ["propertyNames", "additionalProperties"])
def test_tag_is_what_the_property_accepts(place):
    pattern, of_property = source()["Parameters"]["ResourceTags"]["AllowedPattern"], TAGS[place]
    for text in TAG_TEXTS:
        tags = json.dumps({text: "a"} if place == "propertyNames" else {"a": text}, ensure_ascii=False)
        is_accepted = (
            re.search(of_property["not"]["pattern"], text) is None
            and len(text) <= of_property["maxLength"]
            and (re.search(of_property.get("pattern", ""), text) is not None)
        )
        assert bool(re.fullmatch(pattern, tags)) == is_accepted, text


def test_resource_tags_are_one_json_object_of_at_most_40():
    pattern = source()["Parameters"]["ResourceTags"]["AllowedPattern"]
    for number in (0, 1, 40, 41):
        tags = json.dumps({f"k{n}": "v" for n in range(number)})
        assert bool(re.fullmatch(pattern, tags)) == (number in (1, 40)), number
    for text in (
        '{"a":"1",}',
        '{"a":"1"',
        '{"a":1}',
        '[{"Key":"a","Value":"1"}]',
        '{"a" "1"}',
        "a=1",
        '{"a":"1"}{"b":"2"}',
    ):
        assert not re.fullmatch(pattern, text), text
    assert re.fullmatch(pattern, "") and re.fullmatch(pattern, ' {\n"a" : "1" ,\n "b":""} ')
