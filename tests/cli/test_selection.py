"""The commands in remedies select the account, region and file of the run: pasted, they must not reach
another account."""

import ast
import json
import re
from collections.abc import Iterator

import botocore.session
import pytest
from botocore import xform_name

from cli.main import COMMANDS
from cli.shell.failure import Failure
from cli.shell.output import Found, Output
from tests.cli.conftest import ROOT, has_glued_stop

PLACE = "--profile 'my team' --region eu-west-1"
SELECTIONS = {"aws": PLACE, "sam": "--config-file own.toml", "cfn-gitops": "--config-file own.toml"}
REMEDIES = [
    (
        "Restore it: aws secretsmanager restore-secret --secret-id gitlab/infra",
        f"Restore it: aws {PLACE} secretsmanager restore-secret --secret-id gitlab/infra",
    ),
    (
        "Deploy it: sam deploy --config-env dev",
        "Deploy it: sam deploy --config-file own.toml --config-env dev",
    ),
    ("Read it: sam logs --cw-log-group a", f"Read it: sam logs {PLACE} --cw-log-group a"),
    (
        "See what failed: cfn-gitops failures cfnstack-dev-infra --env dev",
        "See what failed: cfn-gitops failures --config-file own.toml cfnstack-dev-infra --env dev",
    ),
    (
        "Restore it: aws a b --c d and then, when that is created, aws e f or aws g h",
        (
            f"Restore it: aws {PLACE} a b --c d and then, when that is created, aws {PLACE} e f or aws"
            f" {PLACE} g h"
        ),
    ),
    # The account of a run is another one.
    *[("Create it again in its account: aws codecommit create-repository --repository-name shop",) * 2],
    *[("cfn-gitops has no token, and cfn-gitops needs one of AWS. sam deploy ignores it",) * 2],
]


@pytest.mark.parametrize(("remedy", "selecting"), REMEDIES)
def test_commands_of_a_remedy_name_profile_and_region(
    remedy: str, selecting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output(selections=SELECTIONS)
    output.findings([Found("secret", "its problem is aws s3 sync", remedy)])
    output.failure(Failure("it failed", remedy))
    printed = capsys.readouterr()
    assert (
        selecting in printed.out and selecting in printed.err and "its problem is aws s3 sync" in printed.out
    )
    as_json = Output(as_json=True, selections=SELECTIONS)
    as_json.findings([Found("secret", "its problem is aws s3 sync", remedy)])
    as_json.end()
    [check] = json.loads(capsys.readouterr().out)["checks"]
    assert (check["remedy"], check["problem"]) == (selecting, "its problem is aws s3 sync")
    assert output.selecting(selecting) == selecting


def test_commands_of_what_was_not_read_name_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True, selections=SELECTIONS, document={"unread": [REMEDIES[0][0]]}).end()
    assert json.loads(capsys.readouterr().out)["unread"] == [REMEDIES[0][1]]


def test_commands_stay_as_they_are_without_options(capsys: pytest.CaptureFixture[str]) -> None:
    Output().findings([Found("secret", "it is missing", REMEDIES[0][0])])
    assert REMEDIES[0][0] in capsys.readouterr().out


def texts_of_python() -> Iterator[str]:
    for path in (ROOT / "cli").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        parts = {
            id(part)
            for node in nodes
            if isinstance(node, ast.JoinedStr)
            for part in ast.walk(node)
            if part is not node
        }
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield node.value


def texts_of_rust() -> Iterator[str]:
    for path in (ROOT / "src").rglob("*.rs"):
        if not path.stem.endswith("tests"):
            code = path.read_text().split("#[cfg(test)]")[0]
            for text in re.findall(r"""//[^\n]*|'(?:\\.|[^\\'])'|"((?:\\.|[^\\"])*)\"""", code, re.DOTALL):
                yield re.sub(r"(?<!\$)\{[^{}]*\}", "x", re.sub(r"\\\n\s*", "", text).replace('\\"', '"'))


def test_no_full_stop_is_glued_to_a_command() -> None:
    """Pasted, it would be a part of the command. One that no backticks enclose is the last one in its
    text."""
    for text in [*texts_of_python(), *texts_of_rust()]:
        assert not has_glued_stop(text), text


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


def test_every_command_in_a_text_is_found_and_exists() -> None:
    """Neither a text of this command nor one of the function has a command that is left as it is."""
    session, output = botocore.session.Session(), Output(selections=dict.fromkeys(SELECTIONS, "--profile p"))
    commands = 0
    for text in [*texts_of_python(), *texts_of_rust()]:
        # In a sentence it is AWS.
        calls = re.findall(
            r"(?<![\w./-])aws ([a-z0-9-]+) ([a-z0-9-]+)", text.replace("in its account: aws", "")
        )
        own = re.findall(
            rf"(?<![\w./-])(?:cfn-gitops (?:{'|'.join(COMMANDS)})|sam deploy|sam logs)\b[^`:(]*? --", text
        )
        assert output.selecting(text).count("--profile p") == len(calls) + len(own), text
        for service, operation in calls:
            # The function inserts the `x`.
            known = (
                ()
                if operation == "x" or f"{service} {operation}" in OF_THE_CLI
                else session.get_service_model(service).operation_names
            )
            assert not known or operation in {xform_name(each, "-") for each in known}, text
        commands += len(calls) + len(own)
    assert commands > 100
