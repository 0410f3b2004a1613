"""The local AWS of `make shell` with the example events that succeed there, by events/README.md."""

import io
import json
import re
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from cli.shell.failure import Failure
from tests.local.aws import LocalAws
from tests.play.steps import BOOTSTRAP
from tests.tools.conftest import ROOT
from tools.run import shell

EVENTS = ROOT / "events"
_FUNCTION = "cfn-gitops-dev"


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        shell.prepare(running)
        yield running


def documented_events() -> list[str]:
    [loop] = re.findall(
        r"^for event in (.*?); do$", (EVENTS / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return loop.replace("\\\n", " ").split()


def create_function(aws: LocalAws) -> None:
    """The built function with its role's rights. In `make shell`, it has the administrator's."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        writing.writestr(entry, BOOTSTRAP.read_bytes())
    aws.client("lambda").create_function(
        FunctionName=_FUNCTION,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Timeout=300,
        Role=f"arn:aws:iam::{aws.account_id}:role/role-dev-cfn-gitops",
        Code={"ZipFile": archive.getvalue()},
    )


def test_documented_events_succeed_in_their_order(aws: LocalAws) -> None:
    create_function(aws)
    names = documented_events()
    assert names[0] == "create"
    for name in names:
        invoked = aws.client("lambda").invoke(
            FunctionName=_FUNCTION, Payload=(EVENTS / f"{name}.json").read_bytes()
        )
        result = json.loads(invoked["Payload"].read())
        assert result.get("Status") == "SUCCESS", f"{name}: {result}"


def is_served(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def test_cargo_lambda_prints_the_response(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command of the greeting. A stand-in for cargo starts the built function instead of compiling
    it."""
    monkeypatch.setattr(shell, "_LOG", tmp_path / "log")
    cargo, program = tmp_path / "cargo", Path(sys.executable).with_name("cargo-lambda")
    cargo.write_text(f'#!/bin/sh\n[ "$1" = run ] && exec {BOOTSTRAP}\nexec cargo "$@"\n')
    cargo.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    with shell.serving(aws.environment() | {"CARGO": str(cargo)}, *where):
        while not is_served(port):
            time.sleep(0.1)
        printed = subprocess.run(
            [program, *shell.TRY[0][0].split()[1:], *where],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            timeout=600,
            check=True,
        ).stdout
    assert json.loads(printed)["Status"] == "SUCCESS" and '"message":"end"' in (tmp_path / "log").read_text()
    assert not is_served(port)
    assert (
        len(aws.client("iam").list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"])
        == 1
    )


def test_shell_sends_no_event_to_another_function(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        monkeypatch.setattr(shell, "_SERVED", other.getsockname()[:2])
        with pytest.raises(Failure, match="is in use"):
            shell.with_examples()


def test_missing_program_of_the_empty_account_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CFN_GITOPS_BINARY", __file__)
    monkeypatch.setattr(shell, "GITLAB_PROGRAM", tmp_path / "fake-aws")
    with pytest.raises(Failure, match="fake-aws is missing. Compile it: make run-function$"):
        shell.in_empty_account()


def test_commands_of_the_greeting_work(aws: LocalAws) -> None:
    environment = aws.environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for command, _ in shell.TRY[1:]:
        subprocess.run(command.split(), env=environment, stdout=subprocess.DEVNULL, check=True)


def test_shell_greets_and_a_failed_command_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "failing"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    stand_in = LocalAws()
    monkeypatch.setattr(shell, "LocalAws", lambda: nullcontext(stand_in))
    monkeypatch.setattr(shell, "prepare", lambda aws: None)
    monkeypatch.setattr(shell, "serving", lambda environment: nullcontext())
    monkeypatch.setattr(shell, "require_free_port", lambda: None)
    monkeypatch.setenv("SHELL", str(program))
    monkeypatch.setattr(shell.sys, "argv", ["shell.py"])
    assert shell.main() == 0
    greeting = capsys.readouterr().out
    assert (
        "account 123456789012, region eu-central-1" in greeting
        and "`exit` or Ctrl-D leaves the shell" in greeting
    )
    assert all(command in greeting for command, _ in shell.TRY)
    assert max(map(len, greeting.splitlines())) <= 100


def test_greeting_of_the_empty_account_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shell.greet_in_empty_account(LocalAws(), MagicMock(url="http://127.0.0.1:65535"))
    greeting = capsys.readouterr().out
    assert (
        "account 123456789012, region eu-central-1" in greeting
        and '"GitLabUrl=http://127.0.0.1:65535",' in greeting
    )
    assert max(map(len, greeting.splitlines())) <= 100
