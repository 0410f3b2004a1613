"""The arguments that all subcommands have, and the first line."""

import errno
import importlib
import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from cli import main
from cli.environment.questions import InvalidQuestion, NoAnswer
from cli.main import COMMANDS
from cli.shell import terminal
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.findings import Finding, Found, Held, NotChecked, NotLookedAt, Sound, write_findings
from cli.shell.output import Output
from tests.cli.answering import Answering, projects
from tests.cli.aws_server import Machine
from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack
from tests.cli.test_machine import OPTIONS, aws, machine  # noqa: F401 - fixtures


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_options_their_defaults_and_an_example(
    command: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    module: Any = importlib.import_module(f"cli.commands.{command}")
    ended = run(command, "--help")
    assert (ended.status, ended.err) == (0, "")
    for expected in (
        module.__doc__.split("\n")[0],
        "--env NAME",
        "(default: dev, or CFN_GITOPS_ENV,",
        "--profile NAME",
        "--region NAME",
        "--json",
        *module.EXAMPLES,
    ):
        assert expected in ended.out
    assert all(example.startswith(f"cfn-gitops {command} ") for example in module.EXAMPLES)
    assert f"\n    {command} " in run("--help").out
    monkeypatch.setenv("COLUMNS", "50")
    lines = run(command, "--help").out.split("\n")
    assert [line for line in lines if len(line) > 50 and line[:2] != "  " and "usage: " not in line] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_first_line_names_account_region_and_environment(command: str, machine: Machine, run: Run) -> None:
    place = "Account 111122223333, region eu-central-1, environment prd"
    assert run(command, "--env", "prd", *OPTIONS.get(command, [])).out.split("\n")[0] == place
    document = json.loads(run(command, "--env", "prd", "--json", *OPTIONS.get(command, [])).out)
    assert (document["account"], document["region"], document["environment"]) == (
        "111122223333",
        "eu-central-1",
        "prd",
    )
    machine.set(CFN_GITOPS_ENV="prd")
    options = OPTIONS.get(command, [])
    for given in (options, [each for each in options if each != "--yes"]):
        ended = run(command, *given)
        if "--yes" in given or command in ("leave", "undeploy"):
            assert (ended.status, ended.out) == (2, "") and "Name the environment with --env" in ended.err
        else:
            assert ended.out.split("\n")[0] == f"{place} (CFN_GITOPS_ENV)"
    machine.set(CFN_GITOPS_ENV="dve")
    assert run(command, *options).err.startswith("CFN_GITOPS_ENV is dve")
    assert "environment dev\n" in run(command, "--env", "dev", *OPTIONS.get(command, [])).out


def test_missing_stack_is_named_with_its_place(
    account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = run("failures")
    assert (ended.status, ended.err) == (
        1,
        "stack cfn-gitops-dev does not exist in account 111122223333, region eu-central-1. If that is the "
        "wrong place, name another one with --profile or --region. Otherwise check and deploy it: "
        "cfn-gitops check --env dev && sam deploy --config-env dev\n",
    )
    # sam does not read it.
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert run("failures").err.endswith(" && sam deploy --region eu-central-1 --config-env dev\n")


def test_options_come_before_the_settings_of_samconfig(
    account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch, folder: Any
) -> None:
    given: list[tuple[str, str]] = []
    monkeypatch.setattr(main, "connect", lambda *selected: (given.append(selected), account)[1])
    run("undeploy")
    path = folder / "samconfig.toml"
    path.write_text(
        path.read_text().replace(
            'stack_name = "cfn-gitops-dev"', 'stack_name = "a"\nprofile = "work"\nregion = "eu-west-1"'
        )
    )
    run("undeploy")
    run("undeploy", "--profile", "other", "--region", "eu-west-2")
    assert given == [("", ""), ("work", "eu-west-1"), ("other", "eu-west-2")]


def test_another_file_is_read_and_named(account: FakeAccount, run: Run, folder: Any) -> None:
    (folder / "other.toml").write_text("[test.global.parameters]\nstack_name = 'a'\n")
    ended = run("doctor", "--env", "test", "--config-file", "other.toml")
    assert ended.status == 2 and ended.err.startswith(
        "other.toml: parameter_overrides of [test.deploy.parameters] lacks EnvID. "
    )


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version_is_one_line(option: str, run: Run) -> None:
    ended = run(option)
    assert ended.status == 0 and ended.out.startswith("cfn-gitops ") and ended.out.count("\n") == 1


def test_help_needs_no_docstring() -> None:
    """PYTHONOPTIMIZE=2 removes them."""
    ran = subprocess.run(
        [sys.executable, "-OO", "-m", "cli", "undeploy", "--help"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (
        ran.returncode == 0
        and "docs/reference/commands.md" in ran.stdout
        and "cfn-gitops undeploy --env dev --delete-bucket --yes" in ran.stdout
    )


def rejected(code: str) -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        *(
            (rejected(code), 3)
            for code in (
                "AccessDenied",
                "Throttling",
                "ExpiredToken",
                "InvalidClientTokenId",
                "SignatureDoesNotMatch",
                "RequestTimeTooSkewed",
                "InternalFailure",
                "ValidationError",
                "403",
            )
        ),
        *(
            (error, 3)
            for error in (
                exceptions.NoCredentialsError(),
                exceptions.SSOTokenLoadError(error_msg="a"),
                exceptions.MissingDependencyException(msg="a"),
                exceptions.EndpointConnectionError(endpoint_url="https://a"),
                exceptions.ReadTimeoutError(endpoint_url="https://a"),
                exceptions.SSLError(endpoint_url="https://a", error="a"),
                exceptions.ProxyConnectionError(proxy_url="http://a"),
                exceptions.HTTPClientError(error="a"),
                exceptions.ParamValidationError(report="a"),
                ResponseParserError("a"),
                OSError(28, "No space left on device"),
                NotLooked("a", "b"),
                NoAnswer("a", "b"),
            )
        ),
        *(
            (error, 2)
            for error in (
                exceptions.ProfileNotFound(profile="work"),
                exceptions.ConfigParseError(path="a"),
                exceptions.NoRegionError(),
                exceptions.InvalidRegionError(region_name="a b"),
                exceptions.InvalidConfigError(error_msg="a"),
                exceptions.EndpointConnectionError(endpoint_url="https://sts.eu-centrall-1.amazonaws.com"),
                WrongUse("a", "b"),
                InvalidQuestion("a", "b"),
            )
        ),
        (Failure("a", "b"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_status_is_that_of_the_error(
    error: BaseException, status: int, account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(_: Any, given: Any, output: Output) -> int:
        output.changes.has_begun = has_begun
        raise error

    monkeypatch.setattr("cli.commands.undeploy.run", ran)
    has_begun = False
    assert run("undeploy").status == status
    # Then the command has failed.
    has_begun = True
    assert run("undeploy").status == (1 if status == 3 else status)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([Sound("a"), Held("a"), NotLookedAt("a")], 0),
        ([Sound("a"), NotChecked("a", "only a deployment shows it")], 0),
        ([Sound("a"), NotChecked.because("a", rejected("Throttling"))], 3),
        ([Found("a"), NotChecked.because("a", Failure("b", "c"))], 1),
    ],
)
def test_finding_goes_before_a_failed_look(findings: list[Finding], status: int) -> None:
    assert write_findings(findings, Output()) == status


class Failing(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"]], ids=str)
def test_full_disk_is_a_failure_and_a_closed_pipe_is_not(
    arguments: list[str], answering: Answering, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, status, said in (
        (
            errno.ENOSPC,
            1,
            "the output was not written: No space left on device. Correct the cause, and run this again\n",
        ),
        (errno.EPIPE, 0, ""),
    ):
        terminal._LOST.clear()
        answering.responses["Invoke"] = projects()
        monkeypatch.setattr(sys, "stdout", Failing(number))
        ended = run(*arguments)
        assert (ended.status, ended.err) == (status, said)


def test_program_in_a_remedy_is_quoted(
    monkeypatch: pytest.MonkeyPatch, account: FakeAccount, run: Run
) -> None:
    monkeypatch.setattr(sys, "argv", ["a b;touch pwn/cfn-gitops"])
    account.known["cfn-gitops-dev"] = environment_stack() | {"Outputs": [], "StackStatus": "CREATE_FAILED"}
    assert "nothing to keep: 'a b;touch pwn/cfn-gitops' undeploy --env dev\n" in run("leave").err
