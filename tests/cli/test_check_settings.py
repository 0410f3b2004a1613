"""The rows of `check` about samconfig.toml and template.yaml, without AWS. sam's own parts confirm what they
state."""

from pathlib import Path
from unittest.mock import MagicMock

import pytest
from samcli.commands.deploy.deploy_context import DeployContext

from cli.checks import template as templates
from cli.checks.parameters import setting_rows
from cli.checks.rows import Once, findings
from cli.commands.check import next_values
from cli.environment import samconfig
from cli.environment.account import Account, Environment
from cli.environment.samconfig import Settings
from cli.shell.failure import Failure
from cli.shell.findings import Finding
from tests.cli.scene import ROOT, SETTINGS, Folder, with_line
from tests.cli.test_check_rows import document_of_the_release
from tests.cli.test_samconfig import OF_THE_PAGE


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def environment_of(settings: Settings) -> Environment:
    account = Account(
        MagicMock(region_name="eu-central-1"), "111122223333", "arn:aws:iam::111122223333:user/operator"
    )
    return Environment(settings, account)


def checked(settings: Settings) -> list[Finding]:
    environment, document = environment_of(settings), document_of_the_release()
    return findings(setting_rows(settings, document, Once(lambda: next_values(environment, document, None))))


def test_sound_settings_have_no_finding(folder: Folder) -> None:
    for content in (
        SETTINGS,
        SETTINGS.replace('"ProjectID=infra"', "'ProjectID=\"\"'"),
        (ROOT / "samconfig.toml").read_text(),
    ):
        folder.write(content)
        assert {each.result for each in checked(samconfig.read("dev", folder.config))} == {"sound"}


@pytest.mark.parametrize(
    ("line", "name", "problem", "remedy"),
    [
        (
            '"ProjectId=infra"',
            "ProjectId",
            "the template has no such parameter, so sam ignores it. Did you mean ProjectID?",
            "Correct the name",
        ),
        ('"EnvID=dev"', "EnvID", "it is there twice, and sam takes the last value", "Remove one"),
    ],
)
def test_wrong_parameter_is_found(line: str, name: str, problem: str, remedy: str, folder: Folder) -> None:
    folder.write(with_line(line))
    [found] = [each for each in checked(samconfig.read("dev", folder.config)) if each.result == "found"]
    assert (found.subject, found.text) == (f"samconfig.toml: {name}", problem) and found.remedy.startswith(
        remedy
    )
    merged = DeployContext.merge_parameters(
        {"Parameters": {"ProjectID": {"Type": "String"}}}, {"ProjectId": "infra"}
    )
    assert merged == [{"ParameterKey": "ProjectID", "UsePreviousValue": True}]


def test_rows_need_only_what_is_read() -> None:
    given = {"stack_name": "a", "parameter_overrides": ["EnvID=dev", "ProjectID="]}
    rows = checked(Settings("dev", given, samconfig.FILE))
    assert [(row.result, row.text, row.remedy) for row in rows] == [
        ("not checked", *texts)
        for texts in (
            (
                (
                    "samconfig.toml: ProjectID= in parameter_overrides of [dev.deploy.parameters] is not read"
                    " by this command"
                ),
                "Write it as 'ProjectID=\"\"'",
            ),
            ("the values of the parameters are not known", "See the row `parameters`"),
        )
    ]
    given |= {"parameter_overrides": ["EnvID=dev", "ProjectID=infra"], "tags": "CreatedBy=x 'Cost Group'=a"}
    [parameters, tags] = checked(Settings("dev", given, samconfig.FILE))
    assert (parameters.result, tags.result) == (
        "sound",
        "not checked",
    ) and "tags of [dev.deploy.parameters] is not read" in tags.text
    [absent] = checked(Settings("dev", given))
    assert absent.result == "not checked" and absent.text.startswith("there is no such file in this folder")


def test_deployed_value_of_a_parameter_counts() -> None:
    """sam keeps the value of a parameter that no line names."""
    environment = environment_of(Settings("dev", {"stack_name": "a", "parameter_overrides": ["EnvID=dev"]}))
    stack = {
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": "deployed"}
            for name in ("EnvID", "GitLabProject", "Removed")
        ]
    }
    found = next_values(environment, document_of_the_release(), stack)
    assert (found["EnvID"], found["GitLabProject"], found["ProjectID"]) == (
        "dev",
        "deployed",
        "",
    ) and "Removed" not in found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Resources: {}", "is not a template with Parameters and Resources"),
        ("- a: [", "its YAML is not valid"),
    ],
)
def test_file_that_is_no_template_is_a_failure(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "template.yaml").write_text(content)
    with pytest.raises(Failure, match=reason):
        templates.read(tmp_path)


def with_tags(tags: list[str], resource_tags: str, project: str = "ProjectID=infra") -> Settings:
    overrides = ["EnvID=dev", f"ResourceTags='{resource_tags}'", project]
    return Settings(
        "dev", {"stack_name": "a", "tags": tags, "parameter_overrides": overrides}, samconfig.FILE
    )


TAGS = OF_THE_PAGE["tags"]
[OF_PAGE] = [
    text.removeprefix("ResourceTags='").removesuffix("'")
    for text in OF_THE_PAGE["parameter_overrides"]
    if "Resource" in text
]


def test_tags_of_the_page_are_sound() -> None:
    assert [each.result for each in checked(with_tags(TAGS, OF_PAGE))] == ["sound", "sound"]
    # Without a first project, they need no ResourceTags.
    assert [each.result for each in checked(with_tags(TAGS, "", 'ProjectID=""'))] == ["sound", "sound"]


@pytest.mark.parametrize(
    ("tags", "resource_tags", "problem", "remedy"),
    [
        (
            TAGS,
            "",
            "tags and ResourceTags differ in Cost Group, CostCenter, 部門.",
            f"ResourceTags='{OF_PAGE}'",
        ),
        ([], OF_PAGE, "tags and ResourceTags differ in Cost Group, CostCenter, 部門.", "ResourceTags=''"),
        (
            ["a=1", "b=2"],
            '{"a": "1"}',
            "tags and ResourceTags differ in b.",
            """ResourceTags='{"a": "1", "b": "2"}'""",
        ),
        (
            ["Cost Group=x"],
            '{"Cost_Group": "x"}',
            "tags and ResourceTags differ in Cost Group, Cost_Group.",
            "Set both",
        ),
        ([], '{"a": "1", "a": "2"}', "ResourceTags has a twice", "Remove one"),
        (["a=1", "a=2"], '{"a": "2"}', "tags has a twice, and sam takes the last value", "Remove one"),
        *(
            (["a=1"], other, "ResourceTags is not a JSON object of texts", """='{"a": "1"}'""")
            for other in (
                '["a"]',
                '[["a", "1"]]',
                '"a"',
                "7",
                "null",
                "[" * 3000,
                '{"a": 1}',
                '{"a": {"b": "c"}}',
                "9" * 5000,
            )
        ),
        (["a=1"], "{a:1}", "ResourceTags is not JSON (line 1, column 2)", """='{"a": "1"}'"""),
    ],
    ids=lambda value: str(value)[:25],
)
def test_different_tags_are_found(tags: list[str], resource_tags: str, problem: str, remedy: str) -> None:
    [found] = [each for each in checked(with_tags(tags, resource_tags)) if each.result == "found"]
    assert found.text.startswith(problem) and remedy in found.remedy


def test_tags_that_cloudformation_does_not_return_are_not_checked() -> None:
    [_, row] = findings(
        setting_rows(
            with_tags(TAGS, ""),
            document_of_the_release(),
            Once(lambda: {"ProjectID": "infra", "ResourceTags": '{"??": "??"}'}),
        )
    )
    assert (row.result, row.text) == (
        "not checked",
        "CloudFormation does not return the stack's ResourceTags as it is",
    )
