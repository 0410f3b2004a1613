"""The rows of `check` about samconfig.toml, without AWS. sam's own parser confirms what they state about it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from click import BadParameter
from samcli.cli.types import CfnParameterOverridesType, CfnTags
from samcli.commands.deploy.deploy_context import DeployContext

from cli.checks import template as templates
from cli.checks.parameters import SettingsFile, parameter_checks, setting_checks, tag_checks, wrong_value
from cli.commands.check import next_values
from cli.environment import samconfig
from cli.environment.account import Account, Environment
from cli.shell.ending import Failure
from cli.shell.output import Finding
from tests.cli.scene import ROOT, SETTINGS, Folder, with_line


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def environment_of(folder: Folder) -> Environment:
    account = Account(MagicMock(region_name="eu-central-1"), "111122223333", "arn:aws:iam::111122223333:user/operator")
    return Environment(samconfig.read("dev", file=folder.config), account)


def checked(folder: Folder, content: str) -> list[Finding]:
    folder.write(content)
    environment = environment_of(folder)
    given, document = SettingsFile(environment, folder.config), templates.read(folder.path)
    return [*setting_checks(given), *parameter_checks(given, document),
            *tag_checks(given, next_values(environment, document, None), document)]


def test_sound_settings_have_no_finding(folder: Folder) -> None:
    for content in (SETTINGS, with_line("'ProjectID=\"\"'"), (ROOT / "samconfig.toml").read_text()):
        assert {each.result for each in checked(folder, content)} == {"sound"}


SETTINGS_FAULTS = [
    (with_line('"ProjectId=infra"'), "line 9", "the template has no parameter ProjectId, so sam ignores it. Did you mean ProjectID?"),
    (with_line('"EnvID=dev"'), "line 9", "EnvID is there a second time"),
    (with_line('"ProjectID="'), "line 9", "ProjectID is empty without quotation marks"),
    (SETTINGS.replace("CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"), "line 5", "the capabilities lack CAPABILITY_NAMED_IAM"),
    (SETTINGS.replace("resolve_s3 = true\n", ""), "[dev]", "there is neither resolve_s3 nor s3_bucket"),
]


@pytest.mark.parametrize(("content", "place", "problem"), SETTINGS_FAULTS, ids=[problem[:30] for _, _, problem in SETTINGS_FAULTS])
def test_wrong_line_of_samconfig_is_found(folder: Folder, content: str, place: str, problem: str) -> None:
    found = [each for each in checked(folder, content) if each.result == "found"]
    rows = [each for each in found if each.text.startswith(problem)]
    assert [each.subject for each in rows] == [f"samconfig.toml, {place}"], found
    assert all(each.remedy for each in rows)


def test_space_outside_of_quotation_marks_ends_the_command(folder: Folder) -> None:
    with pytest.raises(Failure, match="samconfig.toml, line 9: dev is outside of quotation marks, so sam ignores it"):
        checked(folder, with_line('"BuildSecretNames=build dev"'))
    with pytest.raises(Failure, match="samconfig.toml, line 9: a has no value. Write it as in 'EnvID=dev'"):
        checked(folder, with_line('"a"'))


def test_line_is_not_that_of_a_tag(folder: Folder) -> None:
    content = with_line('"ProjectId=shop"').replace("resolve_s3 = true", 'resolve_s3 = true\ntags = "ProjectId=shop"')
    [found, of_tags] = [each for each in checked(folder, content) if each.result == "found"]
    assert (found.subject, of_tags.subject) == ("samconfig.toml, line 10", "samconfig.toml, line 7")


def test_all_parameters_in_one_text_have_its_line(folder: Folder) -> None:
    """As `sam deploy --guided` saves them."""
    content = SETTINGS.split("parameter_overrides")[0] + "parameter_overrides = 'EnvID=\"dev\" EnvID=\"dev\" VpcIPv6=\"true\"'\n"
    found = [each for each in checked(folder, content) if each.result == "found"]
    assert [each.subject for each in found] == ["samconfig.toml, line 7"] * 2


def test_sam_drops_what_the_rows_report() -> None:
    def read(*texts: str) -> dict[str, str]:
        return CfnParameterOverridesType().convert(list(texts), None, None)

    assert read("VpcIpv6=true", "VpcIpv6=false") == {"VpcIpv6": "false"}
    with pytest.raises(BadParameter, match="ProjectID= is not a valid format"):
        read("ProjectID=")
    assert read("BuildSecretNames=build dev") == {"BuildSecretNames": "build"}
    assert read("EnvID=dev ProjectID= VpcIpv6=true") == {"EnvID": "dev", "VpcIpv6": "true"}
    merged = DeployContext.merge_parameters({"Parameters": {"ProjectID": {"Type": "String"}}}, {"ProjectId": "infra"})
    assert merged == [{"ParameterKey": "ProjectID", "UsePreviousValue": True}]


def test_deployed_value_of_a_parameter_counts(folder: Folder) -> None:
    """sam keeps the value of a parameter that no line names."""
    environment, document = environment_of(folder), templates.read(folder.path)
    stack = {"Parameters": [{"ParameterKey": name, "ParameterValue": "deployed"} for name in ("EnvID", "GitLabProject", "Removed")]}
    found = next_values(environment, document, stack)
    assert (found["EnvID"], found["GitLabProject"], found["ProjectID"]) == ("dev", "deployed", "infra") and "Removed" not in found


def test_settings_of_another_form_are_not_checked(folder: Folder) -> None:
    [found] = [each for each in checked(folder, SETTINGS.replace('"CAPABILITY_NAMED_IAM"', "true")) if each.result != "sound"]
    assert (found.subject, found.result) == ("samconfig.toml, line 5: capabilities", "not checked")


@pytest.mark.parametrize(("name", "value", "reason"), [
    ("ProjectID", "my_project", "my_project is not valid: at most 20 letters, digits and hyphens, no hyphen first, or empty"),
    ("VpcIpv6", "yes", "yes is not one of true, false"), ("RotationDays", "1001", "1001 is not between 0 and 1000"),
    ("RotationDays", "often", "often is not a number"), ("EnvID", "development", "it has 11 characters, and may have at most 10"),
])
def test_value_that_cloudformation_would_reject(name: str, value: str, reason: str) -> None:
    assert wrong_value(value, templates.read(ROOT)["Parameters"][name]) == reason


def test_every_default_is_a_value_that_the_template_accepts() -> None:
    document = templates.read(ROOT)
    for name, about in document["Parameters"].items():
        assert wrong_value(str(about.get("Default", "")), about) == "", name


@pytest.mark.parametrize(("content", "reason"), [
    ("Resources: {}", "is not a template with Parameters and Resources"), ("- a: [", "its YAML is not valid"),
])
def test_file_that_is_no_template_is_a_failure(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "template.yaml").write_text(content)
    with pytest.raises(Failure, match=reason):
        templates.read(tmp_path)


def test_line_is_that_of_the_environments_own_table() -> None:
    content = (ROOT / "samconfig.toml").read_text()
    tables = tomllib.loads(content)
    for name in (name for name in tables if name != "version"):
        [line] = samconfig.lines_of(content, name, r"EnvID=")
        assert f"EnvID={name}" in content.split("\n")[line - 1]
    assert samconfig.lines_of('dev.deploy.parameters.parameter_overrides = ["EnvID=dev"]', "dev", "EnvID=") == []


PAGE = (ROOT / "docs/how-to/tags.md").read_text()
[TAGS, RESOURCE_TAGS] = (re.search(rf"^ *(\S*{name}.*)$", re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1], re.MULTILINE)[1]
                         for name in ("tags", "ResourceTags"))


def with_tags(tags: str, line: str = "") -> str:
    return (with_line(line.removesuffix(",")) if line else SETTINGS).replace("resolve_s3 = true", f"resolve_s3 = true\n{tags}")


def test_notation_of_the_page_is_what_sam_and_check_read(folder: Folder) -> None:
    content = with_tags(TAGS, RESOURCE_TAGS)
    table = tomllib.loads(content)["dev"]["deploy"]["parameters"]
    of_stack, given = CfnTags().convert(table["tags"], None, None), CfnParameterOverridesType().convert(
        table["parameter_overrides"], None, None)
    assert {"CreatedBy": of_stack["CreatedBy"], **json.loads(given["ResourceTags"])} == of_stack
    [shipped] = re.findall(r'^# *"""(ResourceTags=.*)""",$', (ROOT / "samconfig.toml").read_text(), re.MULTILINE)
    assert json.loads(CfnParameterOverridesType().convert([shipped], None, None)["ResourceTags"]).items() <= of_stack.items()
    assert len(of_stack) == 4 and any(" " in value for value in of_stack.values()) and not "".join(of_stack).isascii()
    assert {each.result for each in checked(folder, content)} == {"sound"}


@pytest.mark.parametrize(("content", "problem", "remedy"), [
    (with_tags(TAGS), "tags and ResourceTags differ in CostCenter, Owner, 部門.", RESOURCE_TAGS.removesuffix(",")),
    (with_tags("", RESOURCE_TAGS), "tags and ResourceTags differ in CostCenter, Owner, 部門.", "ResourceTags=''"),
    (with_tags(TAGS, """\'\'\'ResourceTags='{"CostCenter": "42"}\'\'\'\'"""), "tags and ResourceTags differ in Owner, 部門.", ""),
    (with_tags("", """\'\'\'ResourceTags='{"a": "1", "a": "2"}\'\'\'\'"""), "ResourceTags has a twice", "Remove one"),
    (with_tags('tags = "Owner=Team A CostCenter=42"'), "sam ignores A, because a tag ends at a space", "quotation marks"),
    (with_tags("tags = 'Owner=\"A, B\"'"), "tags and ResourceTags differ in Owner", "not possible in ResourceTags: "),
    (with_tags("tags = ['a=1']", """\'ResourceTags={"a":"1"}\'"""), "ResourceTags is not JSON (line 1, column 2)", """='{"a": "1"}'"""),
], ids=lambda value: value[:25])
def test_different_tags_are_found(folder: Folder, content: str, problem: str, remedy: str) -> None:
    found = [each for each in checked(folder, content) if each.result == "found" and "is not valid" not in each.text]
    assert len(found) == 1 and found[0].text.startswith(problem) and remedy in found[0].remedy, found


def test_sole_tag_with_spaces_needs_no_quotation_marks(folder: Folder) -> None:
    for tags in ('tags = "Owner=Team A"', "tags = ['Owner=Team A', 'CostCenter=42']"):
        content = with_tags(tags, """'''ResourceTags='{"Owner": "Team A", "CostCenter": "42"}''''""")
        given = CfnTags().convert(tomllib.loads(content)["dev"]["deploy"]["parameters"]["tags"], None, None)
        assert given["Owner"] == "Team A"
        differ = [each.text for each in checked(folder, content) if each.result == "found"]
        assert ["CostCenter" in each and "Owner" not in each for each in differ] == [True] * ("CostCenter" not in given), differ


def test_tags_that_cloudformation_does_not_return_are_not_checked(folder: Folder) -> None:
    folder.write(with_tags(TAGS))
    document = templates.read(folder.path)
    values = {"ProjectID": "infra", "ResourceTags": '{"??": "??"}'}
    [row] = tag_checks(SettingsFile(environment_of(folder), folder.config), values, document)
    assert (row.result, row.text) == ("not checked", "CloudFormation does not return the stack's ResourceTags as it is")


def test_tags_without_a_first_project_need_no_resource_tags(folder: Folder) -> None:
    assert {each.result for each in checked(folder, with_tags(TAGS, "'ProjectID=\"\"'"))} == {"sound"}
