"""The commands in texts select the account, region and file of the run: pasted, they must not reach another
account."""

import re

import botocore.session
import pytest
from botocore import xform_name

from cli.shell.command import aws, cfn_gitops, joined, sam, select
from tests.cli.conftest import ROOT

PLACE = "--profile 'my team' --region eu-west-1"


@pytest.fixture
def selected() -> None:
    select("aws", profile="my team", region="eu-west-1")
    for program in ("sam", "cfn-gitops"):
        select(program, profile="", config_file="own.toml")


@pytest.mark.usefixtures("selected")
def test_commands_name_profile_region_and_file() -> None:
    assert [
        aws("s3", "ls", "a;b"),
        sam("deploy", "--config-env", "dev"),
        sam("logs", "--cw-log-group", "a"),
        cfn_gitops("failures", "cfnstack-dev-infra", "--env", "dev"),
    ] == [
        f"aws {PLACE} s3 ls 'a;b'",
        "sam deploy --config-file own.toml --config-env dev",
        f"sam logs {PLACE} --cw-log-group a",
        "cfn-gitops failures cfnstack-dev-infra --env dev --config-file own.toml",
    ]


@pytest.mark.usefixtures("selected")
def test_remedy_of_an_answer_selects_the_place_and_the_table() -> None:
    see = ["See it: ", ["cfn-gitops", "failures", "dev", "--env", "dev"]]
    assert joined(see, "own") == "See it: cfn-gitops failures dev --env own --config-file own.toml"
    more = [*see, " and then, aws or ", ["aws", "s3", "ls"]]
    assert joined(more, "dev").endswith(f"own.toml` and then, aws or `aws {PLACE} s3 ls`")


def test_command_without_options_stays_as_it_is() -> None:
    assert aws("s3", "ls") == "aws s3 ls"


SOURCES = [
    path.read_text().split("#[cfg(test)]")[0]
    for path in [*(ROOT / "cli").rglob("*.py"), *(ROOT / "src").rglob("*.rs")]
    if "tests" not in path.parts and not path.stem.endswith("tests")
]
# Commands of the AWS CLI that are not operations of a service. Those of logins exist in its version 2 only.
OF_THE_CLI = {
    "logs tail",
    "sso login",
    "configure sso",
    "configure export-credentials",
    "cloudformation deploy",
    "cloudformation package",
    "cloudformation wait",
}


def test_no_text_has_a_command_that_selects_nothing() -> None:
    for text in SOURCES:
        found = re.search(r"""(?<![\w./-])aws [a-z0-9-]+[\s"\\]+[a-z0-9-]+[\s"\\f]+--""", text)
        assert not found, found


def test_every_command_exists() -> None:
    session = botocore.session.Session()
    call = re.compile(r"""\baws\(\[?\s*["']([a-z0-9-]+)["'],\s*["']([a-z0-9-]+)["']""")
    calls = {found for text in SOURCES for found in call.findall(text)}
    for service, operation in calls:
        if f"{service} {operation}" not in OF_THE_CLI:
            known = session.get_service_model(service).operation_names
            assert operation in {xform_name(each, "-") for each in known}, (service, operation)
    assert len(calls) > 30
