"""The table of samconfig.toml for an environment, compared with what sam reads."""

import json
import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import tomlkit
from samcli.commands.deploy.command import cli as sam_deploy

from cli.environment import samconfig
from cli.environment.samconfig import Settings
from cli.environment.yaml_template import parsed
from cli.shell.failure import WrongUse
from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack
from tests.deployment.pages import blocks

TABLES = {
    name: table
    for name, table in tomllib.loads((ROOT / "samconfig.toml").read_text()).items()
    if name != "version"
}
# The options of `sam deploy` that read samconfig.toml, and those compared here. All of them would read a
# template too.
SAM = click.Command(
    "deploy",
    params=[
        each
        for each in sam_deploy.params
        if each.name
        in ("config_env", "config_file", None, "parameter_overrides", "tags", "profile", "region")
    ],
)
PAGE = (ROOT / "docs/how-to/tags.md").read_text()


def of_sam(folder: Path, name: str, value: Any) -> Any:
    """As `sam deploy` reads it."""
    document = {"version": 0.1, "dev": {"deploy": {"parameters": {name: value}}}}
    (folder / "samconfig.toml").write_text(tomlkit.dumps(document))
    given = ["--config-file", str(folder / "samconfig.toml"), "--config-env", "dev"]
    return SAM.make_context("deploy", given).params[name]


def of_cli(name: str, value: Any) -> dict[str, str] | None:
    """`None` if it has another form."""
    try:
        return dict(Settings("dev", {name: value}, samconfig.FILE).pairs(name))
    except WrongUse:
        return None


def test_samconfig_has_a_table_for_each_environment_and_no_default() -> None:
    # Without --config-env, sam uses the table `default`. An update of another environment would replace all
    # resources.
    assert sorted(TABLES) == ["dev", "prd"]
    for name, table in TABLES.items():
        assert table["global"]["parameters"]["stack_name"] == f"cfn-gitops-{name}"
    # A later release has the same file: a parameter in it would change every environment that has another
    # value.
    assert samconfig.read("dev", ROOT / "samconfig.toml").parameters == {"EnvID": "dev"}
    assert str(TABLES["dev"]).replace("dev", "prd") == str(TABLES["prd"])
    # `sam deploy` otherwise skips an upload if the key exists. It compares no content.
    assert TABLES["dev"]["deploy"]["parameters"]["force_upload"] is True


def shown_with_a_certificate() -> list[str]:
    """The line of docs/how-to/connect-gitlab.md."""
    [block] = [
        block for block in blocks(ROOT / "docs/how-to/connect-gitlab.md", "toml") if "CERTIFICATE" in block
    ]
    return list(tomllib.loads(f"lines = [\n{block}]")["lines"])


[OF_THE_PAGE] = (tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
[SHIPPED] = re.findall(r'^# *"""(ResourceTags=.*)""",$', (ROOT / "samconfig.toml").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("parameter_overrides", ["EnvID=dev", 'ProjectID=""'], {"EnvID": "dev", "ProjectID": ""}),
        (
            "parameter_overrides",
            ["VpcSubnetIds=subnet-1,subnet-2", "BuildParameterNames=/build/dev/*", 'Text="a b"', "A=b=c"],
            {
                "VpcSubnetIds": "subnet-1,subnet-2",
                "BuildParameterNames": "/build/dev/*",
                "Text": "a b",
                "A": "b=c",
            },
        ),
        (
            "parameter_overrides",
            shown_with_a_certificate(),
            {"GitLabCaCertificate": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----"},
        ),
        (
            "parameter_overrides",
            OF_THE_PAGE["parameter_overrides"],
            {
                "EnvID": "dev",
                "ResourceTags": json.dumps(
                    {"CostCenter": "42", "Cost Group": "Team A", "部門": "基盤"}, ensure_ascii=False
                ),
            },
        ),
        ("parameter_overrides", [SHIPPED], {"ResourceTags": '{"CostCenter": "42", "Owner": "Team A"}'}),
        (
            "tags",
            OF_THE_PAGE["tags"],
            {"CreatedBy": "cfn-gitops-dev", "CostCenter": "42", "Cost Group": "Team A", "部門": "基盤"},
        ),
        ("tags", ["A=", 'Formula="a=b"'], {"A": "", "Formula": "a=b"}),
        ("parameter_overrides", [], {}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_written_form_is_what_sam_reads(
    name: str, given: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    assert of_cli(name, given) == expected and (of_sam(tmp_path, name, given) or {}) == expected


PARTS = (
    "EnvID",
    "Cost Group",
    "A",
    "b",
    "42",
    "ü",
    "部門",
    *"=== \t\n\u00a0\"\"''\\,:/{}@-",
    '\\"',
    "  ",
    "$include",
    "file://dev.yaml",
    "ParameterKey=",
    "ParameterValue=",
    "ParameterKey=EnvID,ParameterValue=dev",
)


def texts(seed: int, number: int) -> Iterator[str]:
    """Parts of parameters and tags in any order, of which each third has a name before them or another pair
    behind."""
    drawn = random.Random(seed)
    for _ in range(number):
        inner, quote = "".join(drawn.choices(PARTS, k=drawn.randrange(1, 7))), drawn.choice(("", '"', "'"))
        yield drawn.choice(
            (
                inner,
                f"{drawn.choice(('EnvID', 'A1', 'Cost Group'))}={quote}{inner}{quote}",
                f"A={quote}{inner}{quote} B=c",
            )
        )


@pytest.mark.parametrize("name", ["parameter_overrides", "tags"])
def test_no_accepted_text_is_another_one_for_sam(name: str, tmp_path: Path) -> None:
    accepted = {text: pair for text in texts(83, 4000) if (pair := of_cli(name, [text])) is not None}
    different = {text: pair for text, pair in accepted.items() if of_sam(tmp_path, name, [text]) != pair}
    assert len(accepted) > 300 and different == {}


@pytest.mark.parametrize("name", ["parameter_overrides", "tags"])
def test_no_accepted_list_is_another_one_for_sam(name: str, tmp_path: Path) -> None:
    accepted, drawn = (
        [text for text in texts(84, 4000) if of_cli(name, [text]) is not None],
        random.Random(85),
    )
    lists = [drawn.sample(accepted, drawn.randrange(2, 5)) for _ in range(400)]
    assert [each for each in lists if of_sam(tmp_path, name, each) != of_cli(name, each)] == []


NOT_READ = "of [dev.deploy.parameters] is not read by this command"


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ('"EnvID=dev"', "parameter_overrides"),
        ('["EnvID=\\"dev"]', 'EnvID="dev in parameter_overrides'),
        ("{ EnvID = 'dev' }", "parameter_overrides"),
        ('["EnvID=dev", "file://a.yaml"]', "file://a.yaml in parameter_overrides"),
        ('["EnvID=dev", 1]', "1 in parameter_overrides"),
        ('["EnvID=dev", "A=b EnvID=prd"]', "A=b EnvID=prd in parameter_overrides"),
    ],
)
def test_env_id_of_another_form_ends_each_command(
    overrides: str, problem: str, account: FakeAccount, run: Run, folder: Path
) -> None:
    (folder / "samconfig.toml").write_text(
        f"[dev.global.parameters]\nstack_name = 'a'\nparameter_overrides = {overrides}"
    )
    ended = run("undeploy")
    assert ended.status == 2 and ended.err.startswith(
        f'samconfig.toml: {problem} {NOT_READ}. Write it as a list of texts "Name=value". '
    )


def test_other_form_ends_only_what_needs_it(account: FakeAccount, run: Run, folder: Path) -> None:
    account.known["cfn-gitops-dev"] = environment_stack()
    path = folder / "samconfig.toml"
    path.write_text(
        path.read_text()
        .replace('"EnvID=dev",', '"EnvID=dev", "VpcSubnetIds=a b"', 1)
        .replace("[dev.global.parameters]", "[dev.global.parameters]\nprofile = 1\nrole_arn = ['a']")
    )
    assert (
        "profile of [dev.deploy.parameters] is not read by this command. Write it as a text"
        in run("undeploy").err
    )
    assert "type cfn-gitops-dev" in run("undeploy", "--profile", "b").out
    settings = samconfig.read("dev", path)
    with pytest.raises(WrongUse, match=r"VpcSubnetIds=a b in parameter_overrides"):
        print(settings.parameters)
    with pytest.raises(WrongUse, match="role_arn of"):
        settings.text("role_arn")


def test_option_comes_before_the_table_for_sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/cli/test_main.py has the same for the command. Without either, boto3 reads the variables."""
    places: list[dict[str, Any]] = []
    monkeypatch.setattr("boto3.setup_default_session", lambda **given: places.append(given))
    table = "[dev.deploy.parameters]\nprofile = 'table'\nregion = 'eu-west-1'\n"
    (tmp_path / "own.toml").write_text(f"version = 0.1\n{table}")
    for option, place in (
        ([], ("table", "eu-west-1")),
        (["--profile", "option", "--region", "eu-west-2"], ("option", "eu-west-2")),
    ):
        SAM.make_context(
            "deploy", ["--config-file", str(tmp_path / "own.toml"), "--config-env", "dev", *option]
        )
        assert (places[-1]["profile_name"], places[-1]["region_name"]) == place


def test_setting_of_the_command_replaces_that_of_all(tmp_path: Path) -> None:
    table = (
        "[dev.global.parameters]\nstack_name = 'a'\ntags = ['A=b']\n[dev.deploy.parameters]\nstack_name ="
        " 'b'\n"
    )
    (tmp_path / "own.toml").write_text(f"version = 0.1\n{table}")
    settings = samconfig.read("dev", tmp_path / "own.toml")
    assert (settings.stack_name, settings.pairs("tags")) == ("b", [("A", "b")])
    given = SAM.make_context("deploy", ["--config-file", str(tmp_path / "own.toml"), "--config-env", "dev"])
    assert given.params["tags"] == {"A": "b"} and given.default_map and given.default_map["stack_name"] == "b"


@pytest.mark.parametrize(
    ("given", "status", "line"),
    [
        (
            ["--env", "dev", "--region", "eu-central-1"],
            1,
            "Account 111122223333, region eu-central-1, environment dev\n",
        ),
        (
            ["--env", "tst", "--region", "eu-central-1"],
            1,
            "stack cfn-gitops-tst does not exist in .* Name another EnvID with --env, or",
        ),
        *(
            (
                given,
                2,
                (
                    "there is no samconfig.toml in /.* name the file with --config-file, or name --env and"
                    " --region"
                ),
            )
            for given in ([], ["--env", "dev"], ["--region", "eu-central-1"])
        ),
        (["--env", "dev", "--config-file", "samconfig.toml"], 2, "there is no samconfig.toml in /"),
        (["--env", "dev", "--config-file", ""], 2, "argument --config-file: it is empty"),
        *(
            (
                ["--env", name, "--region", "eu-central-1"],
                2,
                f"there is no samconfig.toml in /.*, and {name} is not an EnvID. Correct --env",
            )
            for name in ("a b", "Dev", "1dev", "d-v", "development")
        ),
    ],
)
def test_command_without_the_file_needs_the_environments_name(
    given: list[str], status: int, line: str, account: FakeAccount, run: Run, folder: Path
) -> None:
    (folder / "samconfig.toml").unlink()
    account.known["cfn-gitops-dev"] = environment_stack()
    ended = run("undeploy", *given)
    assert ended.status == status and re.search(line, ended.out + ended.err), ended


def test_env_id_without_the_file_is_that_of_the_template() -> None:
    about = parsed((ROOT / "template.yaml").read_text())["Parameters"]["EnvID"]
    assert samconfig._ENV_ID.pattern == about["AllowedPattern"].replace(
        "*", f"{{0,{about['MaxLength'] - 1}}}"
    )


def test_file_of_another_type_is_named(account: FakeAccount, run: Run, folder: Path) -> None:
    (folder / "samconfig.toml").rename(folder / "samconfig.yaml")
    for given in ([], ["--env", "dev", "--region", "eu-central-1"]):
        ended = run("status", *given)
        assert (
            ended.status == 2
            and "but samconfig.yaml, and this command reads samconfig.toml only" in ended.err
        )


def test_remedies_without_the_file_name_no_table(account: FakeAccount, run: Run, folder: Path) -> None:
    (folder / "samconfig.toml").unlink()
    ended = run("leave", "--env", "tst", "--region", "eu-central-1")
    assert (
        ended.status == 1
        and "Name another EnvID with --env, or run this in the folder of your samconfig.toml" in ended.err
    )
