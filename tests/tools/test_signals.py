"""Signals in the scripts of the tools: each ends with one line and status 130, and deletes what it has put
for a moment."""

import os
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.shell.ending import entry
from tests.cli.conftest import FakeAccount
from tests.cli.test_ending import Closed, by_each, handlers, sends  # noqa: F401 - a fixture
from tests.tools.conftest import ROOT
from tools.run import console, deploy
from tools.trial import run as try_run
from tools.trial.cleanup import Cleanup


@by_each
def test_signal_during_deploy_is_one_line_and_status_130(
    by: signal.Signals,
    account: FakeAccount,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(account, "stack", sends(by))
    monkeypatch.setattr(sys, "argv", ["deploy.py"])
    assert deploy.main() == 130
    assert re.fullmatch(r"\nInterrupted\. .+\n", capsys.readouterr().err)


@by_each
def test_signal_in_an_act_deletes_everything(
    by: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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
    options = SimpleNamespace(
        names=try_run.names_of("trya1b2c"), observes=False, account=SimpleNamespace(region="a"), project="a/b"
    )
    main = entry("A sentence")(
        lambda: try_run.run(
            options,
            source,
            SimpleNamespace(
                seen=SimpleNamespace(  # type: ignore[arg-type]
                    count=lambda _: 0
                )
            ),
            tmp_path,
        )
    )
    assert main() == 1
    assert cleaned == ["all"] and [report.failures for report in reports] == [["interrupted"]]


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
    assert entry("A sentence")(main)() == 130
    assert faults == ["a step: ZeroDivisionError: division by zero"]


def test_every_script_that_changes_something_handles_signals() -> None:
    changing = ("run/deploy", "run/run", "run/shell", "trial/run")
    assert all("\n@entry(" in (ROOT / f"tools/{name}.py").read_text() for name in changing)
