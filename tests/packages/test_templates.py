"""The packed templates: without comments, with the same value, and small enough for a request. Those that
retain differ in deletion policies alone."""

import json
import re
from pathlib import Path

import pytest
import yaml
from samcli.yamlhelper import yaml_parse

from tests.packages.conftest import ROOT, dist
from tools.release import retaining, strip_template

_TEMPLATES = sorted((ROOT / "templates").glob("*.yaml"))


def has_comments(text: str) -> bool:
    """Whether YAML's scanner skips something other than white space between two tokens."""
    end = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        if text[end : token.start_mark.index].strip():
            return True
        end = token.end_mark.index
    return False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# head\na: 1\n", "a: 1\n"),
        ("a: 1  # why\nb: 2\n", "a: 1\nb: 2\n"),
        ("a:\n  # one\n  # two\n\n  b: [1, 2]  # three\n# end\n", "a:\n\n  b: [1, 2]\n"),
        ("a: 'x # y'\nb: \"# z\"\nc: d#e\n", "a: 'x # y'\nb: \"# z\"\nc: d#e\n"),
        (
            "a: |\n  #!/bin/sh\n  true # kept\n# gone\nb: >-\n  # kept\n",
            "a: |\n  #!/bin/sh\n  true # kept\nb: >-\n  # kept\n",
        ),
        ("a: !Sub\n  # why\n  - x\n  - {b: c}\n", "a: !Sub\n  - x\n  - {b: c}\n"),
        ("a: [1,  # why\n  2]\n", "a: [1,\n  2]\n"),
        ("a: 1 # at the end", "a: 1"),
    ],
)
def test_stripping_removes_comments_outside_scalars(before: str, after: str) -> None:
    assert strip_template.stripped(before, "a.yaml") == after


def test_template_with_another_value_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([{"a": 1}, {"a": 2}])
    monkeypatch.setattr(strip_template, "yaml_parse", lambda text: next(values))
    with pytest.raises(SystemExit, match=r"a\.yaml does not have the same value"):
        strip_template.stripped("a: 1  # why\n", "a.yaml")


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.stem)
def test_packed_template_has_same_value_and_no_comments(packages: Path, template: Path) -> None:
    packed = (packages / "templates" / template.name).read_text()
    assert yaml_parse(packed) == yaml_parse(template.read_text())
    assert has_comments(template.read_text()) or packed == template.read_text()
    assert not has_comments(packed)
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert len(packed.encode()) <= 51_200


def test_environment_template_has_no_comments(packages: Path) -> None:
    packed = (packages / "template.yaml").read_text()
    assert not has_comments(packed)
    assert yaml_parse(packed) == yaml_parse(dist.packaged((ROOT / "template.yaml").read_text()))


def test_template_above_the_limit_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strip_template, "INLINE_LIMIT", 10_000)
    with pytest.raises(SystemExit, match=r"templates/branch-protection\.yaml has \d+ bytes"):
        dist.write_templates(tmp_path)


@pytest.mark.parametrize(
    ("name", "deleted"),
    [
        (
            "template",
            r"(Read)?Function\w*|EnvIDGuard|HealthCheck|\w+(Rule|Permission|Alarm)|Dashboard|MirrorRotation",
        ),
        ("templates/project", "MirrorRotation"),
    ],
)
def test_template_that_retains_differs_in_policies_alone(name: str, deleted: str, tmp_path: Path) -> None:
    source = (ROOT / f"{name}.yaml").read_text()
    (tmp_path / "templates").mkdir()
    for each in ("template.yaml", "templates/project.yaml"):
        (tmp_path / each).write_text((ROOT / each).read_text())
    retaining.write(tmp_path)
    text = (tmp_path / f"{name}-retain.json").read_text()
    made, wanted = json.loads(text), json.loads(json.dumps(yaml_parse(source)))
    assert made["Resources"].pop("LeavesCfnGitOps") == {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    policies = {each: about.pop("DeletionPolicy", "") for each, about in made["Resources"].items()}
    for about in wanted["Resources"].values():
        about.pop("DeletionPolicy", None)
    assert made == wanted
    assert {each for each, policy in policies.items() if not policy} == {
        each for each in policies if re.fullmatch(deleted, each)
    }
    assert set(policies.values()) == {"", "Retain"}
    assert name == "template" or len(text.encode()) <= strip_template.INLINE_LIMIT


def test_release_folder_has_the_templates_that_retain(packages: Path) -> None:
    for name, is_environment in (("template", True), ("templates/project", False)):
        source = (packages / f"{name}.yaml").read_text()
        assert (packages / f"{name}-retain.json").read_text() == retaining.retaining(source, is_environment)
