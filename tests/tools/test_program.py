"""Signals: each script ends with one line and status 130, and deletes what it has put for a moment."""

import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.conftest import ROOT, FakeAccount
from tests.tools.test_console import run_program
from tests.tools.test_leave import FakeAws

import console
import deploy
import doctor
import invoke
import leave
import program
import stack_failures
import try_run
import undeploy
import upgrade
from try_cleanup import Cleanup

SCRIPTS = [deploy, doctor, leave, stack_failures, undeploy, upgrade]
SIGNALS = pytest.mark.parametrize("by", program.SIGNALS, ids=lambda by: by.name)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A signal that no script handles fails the test instead of ending it."""
    def unhandled(number: int, _: Any) -> None:
        raise AssertionError(f"{signal.Signals(number).name} is not handled")

    before = {each: signal.signal(each, unhandled) for each in program.SIGNALS}
    yield
    assert [signal.getsignal(each) for each in program.SIGNALS] == [unhandled] * 3
    for each, handler in before.items():
        signal.signal(each, handler)


def sends(by: signal.Signals, then: Callable[..., Any] = lambda *_, **__: None) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:
        os.kill(os.getpid(), by)
        return then(*given, **more)

    return call


@SIGNALS
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_signal_is_one_line_and_status_130(script: Any, by: signal.Signals, account: FakeAccount, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stack", "stacks"):
        monkeypatch.setattr(account, name, sends(by))
    monkeypatch.setattr(sys, "argv", ["script.py"])
    assert script.main() == 130
    assert re.fullmatch(r"\nInterrupted\. .+\n", capsys.readouterr().err)


@SIGNALS
def test_signal_during_a_deletion_or_an_update_is_one_line(by: signal.Signals, account: FakeAccount,
                                                           monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stack_id = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-dev/1"
    account.known["cfn-gitops-dev"] = {"StackName": "cfn-gitops-dev", "StackId": stack_id, "StackStatus": "CREATE_COMPLETE", "Outputs": [
        {"OutputKey": "RenderingVersion", "OutputValue": "1"}], "Parameters": [{"ParameterKey": "RenderingSerial"}]}
    account.session.client.return_value.get_waiter.return_value.wait = sends(by)
    monkeypatch.setenv("CONFIRM", "cfn-gitops-dev")
    monkeypatch.setattr(sys, "argv", ["undeploy.py"])
    assert undeploy.main() == 130
    account.known["gitops-dev-a"] = {"StackName": "gitops-dev-a", "StackId": "2", "Tags": [
        {"Key": "cfn-gitops:stack-id", "Value": stack_id}], "Outputs": [{"OutputKey": "PipelineName", "OutputValue": "a"}]}
    client = account.session.client.return_value
    client.exceptions.PipelineNotFoundException, client.get_paginator.return_value.paginate.return_value = KeyError, []
    monkeypatch.setattr(sys, "argv", ["upgrade.py"])
    assert upgrade.main() == 130
    assert capsys.readouterr().err.count("Interrupted. CloudFormation goes on with a") == 2


@pytest.fixture
def aws(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An environment whose template is too large for a request."""
    fake = FakeAws(account)
    monkeypatch.setattr(leave, "_INLINE_LIMIT", 1)
    fake.stacks["cfn-gitops-prd"]["User"] = {"Type": "AWS::IAM::User"}
    fake.code = {"S3Bucket": "code", "S3Key": "function.zip"}
    monkeypatch.setattr(leave.undeploy, "delete_stack", lambda *_: fake.calls.append("delete the stack") or True)
    monkeypatch.setattr(sys, "argv", ["leave.py", "--config-env", "prd", "--apply"])
    return fake


@SIGNALS
@pytest.mark.parametrize("during", ["put_object", "create_change_set", "wait", "delete_object"])
def test_signal_leaves_neither_template_nor_change_set(during: str, by: signal.Signals, aws: FakeAws,
                                                       monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    call = getattr(aws, during)
    monkeypatch.setattr(aws, during, sends(by, call))
    # A further signal of the CI host comes during the clean-up.
    delete_change_set = aws.delete_change_set
    monkeypatch.setattr(aws, "delete_change_set", lambda **given: (
        sends(signal.SIGTERM)() if aws.calls else None, delete_change_set(**given))[1])
    assert leave.main() == 130
    assert "delete code/cfn-gitops-prd/leave.template " in " ".join(aws.calls) + " " and aws.calls[-1] == "delete change set"
    assert not {"execute", "delete the stack"} & set(aws.calls)
    output = capsys.readouterr()
    assert output.err == ("\nInterrupted. CloudFormation goes on with an update or a deletion that has begun. "
                          "Run this again for the rest\n")


def test_second_run_deletes_the_template_of_a_killed_one(aws: FakeAws, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    key = "cfn-gitops-prd/leave.template"
    listed = [{"Versions": [{"Key": key, "VersionId": "a"}, {"Key": f"{key}.mine", "VersionId": "b"}]},
              {"Versions": [{"Key": key, "VersionId": "c"}], "DeleteMarkers": [{"Key": key, "VersionId": "d"}]}]
    asked: list[Any] = []
    monkeypatch.setattr(aws, "list_object_versions", lambda **given: (asked.append(given), listed)[1], raising=False)
    # The killed run has updated the stack.
    resources = {name: {**each, "DeletionPolicy": "Retain"} for name, each in aws.stacks["cfn-gitops-prd"].items()}
    del resources["Function"]["DeletionPolicy"]
    resources["Function"]["Properties"] = {"Code": aws.code}
    aws.stacks["cfn-gitops-prd"] = resources | {leave._ADDED: {"Type": leave._ADDED_TYPE}}
    assert leave.main() == 0
    assert asked == [{"Bucket": "code", "Prefix": key, "ExpectedBucketOwner": "111122223333"}]
    assert aws.calls == [f"delete code/{key} {version}" for version in "acd"] + ["delete the stack"]

    def denied(**_: Any) -> None:
        raise leave.ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectVersions")

    monkeypatch.setattr(aws, "delete_object", denied)
    assert leave.main() == 0
    assert f"may be left at s3://code/{key}: An error occurred (AccessDenied)" in capsys.readouterr().out


@SIGNALS
def test_signal_in_an_act_deletes_everything(by: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cleaned: list[str] = []

    def cleans() -> list[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        cleaned.append("all")
        return []

    monkeypatch.setattr(try_run, "Cleanup", lambda *_: SimpleNamespace(run=cleans))
    monkeypatch.setattr(try_run, "perform_all", sends(by))
    monkeypatch.setattr(try_run, "planned", lambda *_: [])
    monkeypatch.setattr(try_run, "Observing", lambda _: None)
    monkeypatch.setattr(try_run, "Stories", lambda *_: None)
    reports: list[Any] = []
    monkeypatch.setattr(try_run.Report, "print", lambda report: reports.append(report))
    source = SimpleNamespace(project=SimpleNamespace(protect=lambda *_: None), store_token=lambda: None)
    options = SimpleNamespace(names=try_run.names_of("trya1b2c"), observes=False, account=SimpleNamespace(region="a"), project="a/b")
    main = program.entry("A sentence")(lambda: try_run.run(options, source, SimpleNamespace(seen=SimpleNamespace(  # type: ignore[arg-type]
        count=lambda _: 0)), tmp_path))
    assert main() == 1
    assert cleaned == ["all"] and [report.failures for report in reports] == [["interrupted"]]


@SIGNALS
def test_signal_stops_the_function_that_invoke_has_started(by: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Any] = []
    monkeypatch.setattr(sys, "argv", ["invoke.py", str(ROOT / "events/create.json")])
    monkeypatch.setattr(invoke, "environment", dict)
    monkeypatch.setattr(invoke.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(invoke.subprocess, "Popen", lambda *_, **__: SimpleNamespace(pid=1, wait=lambda: stopped.append("waited")))
    monkeypatch.setattr(invoke, "wait_until_listening", sends(by))
    monkeypatch.setattr(invoke.os, "killpg", lambda *given: stopped.append(given))
    assert invoke.main() == 130
    assert stopped == [(1, signal.SIGTERM), "waited"]


def test_second_interrupt_by_a_person_ends_the_clean_up() -> None:
    def main() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it goes on")
        return 0

    assert program.entry("A sentence")(main)() == 130


@SIGNALS
def test_signal_in_a_block_that_fails_still_interrupts(by: signal.Signals) -> None:
    def main() -> int:
        with program.uninterrupted():
            sends(by)()
            raise ValueError("a failed clean-up")

    assert program.entry("A sentence")(main)() == 130


def test_signal_that_nohup_ignores_stays_ignored() -> None:
    ran = run_program("""
import os, signal, program
signal.signal(signal.SIGHUP, signal.SIG_IGN)
@program.entry("A sentence")
def main():
    os.kill(os.getpid(), signal.SIGHUP)
    print("goes on")
    return 0
sys.exit(main())""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "goes on\n", "")


class Closed(io.StringIO):
    """A terminal that was closed."""

    def write(self, _: str) -> int:
        raise OSError(5, "Input/output error")


def test_closed_terminal_stops_neither_the_clean_up_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", Closed())
    faults: list[str] = []
    deletes = [lambda: console.note("a stack is deleted"), lambda: 1 / 0]

    def main() -> int:
        sends(signal.SIGHUP)()
        return 0

    for each in deletes:
        Cleanup._step(SimpleNamespace(faults=faults), "a step", each)  # type: ignore[arg-type]
    assert program.entry("A sentence")(main)() == 130
    assert faults == ["a step: ZeroDivisionError: division by zero"]


def test_every_script_that_changes_something_handles_signals() -> None:
    changing = ("deploy", "invoke", "leave", "run", "shell", "try_run", "undeploy", "upgrade")
    assert all("\n@entry(" in (ROOT / f"tools/{name}.py").read_text() for name in changing)
