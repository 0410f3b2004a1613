"""`make invoke`: the result and the log, with a stand-in for cargo that compiles nothing, and files that are not events."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests.play.steps import BOOTSTRAP
from tests.tools.conftest import ROOT

from tools.run import invoke, shell

_CARGO_LAMBDA = Path(sys.executable).with_name("cargo-lambda")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        shell.prepare(running)
        yield running


def run(aws: LocalAws, directory: Path, event: str, *arguments: str,
        build: str = "exit 0") -> subprocess.CompletedProcess[str]:
    cargo = directory / "cargo"
    cargo.write_text(f'#!/bin/sh\ncase $1 in\nbuild) {build};;\nrun) exec {BOOTSTRAP};;\n'
                     f'lambda) export CARGO={cargo}; exec {_CARGO_LAMBDA} "$@";;\nesac\n'
                     f'PATH=${{PATH#{directory}:}} exec cargo "$@"\n')
    cargo.chmod(0o755)
    variables = aws.environment() | {"PATH": f"{directory}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "tools.run.invoke", *arguments, event], cwd=ROOT, env=variables, text=True,
                          capture_output=True, timeout=60, check=False)


def test_result_comes_first_and_readable_log_behind_it(aws: LocalAws, tmp_path: Path) -> None:
    ran = run(aws, tmp_path, "events/create.json")
    assert ran.returncode == 0, ran.stderr
    # Standard output has the result alone, for other programs.
    assert json.loads(ran.stdout)["Status"] == "SUCCESS" and '\n  "Data": {\n    "CreateDate"' in ran.stdout
    heading, title, *log = ran.stderr.splitlines()
    assert (heading, title) == ("CloudFormation would receive:", "The function's log:")
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} INFO  [^{]+$", line) for line in log), ran.stderr
    assert log[-2].endswith(" INFO  as expected, no CloudFormation listens at the event's address")
    assert "ERROR" not in ran.stderr and "MAX_CONCURRENCY" not in ran.stderr


def test_event_without_cloudformation_has_a_result(aws: LocalAws, tmp_path: Path) -> None:
    ran = run(aws, tmp_path, "events/doctor.json", "--json-log")
    assert ran.returncode == 0 and json.loads(ran.stdout)["Doctor"]["EnvID"] == "dev"
    heading, _, *log = ran.stderr.splitlines()
    assert heading == "The function's result. CloudFormation receives nothing for this event:"
    assert json.loads(log[-1])["message"] == "end"


def test_error_of_the_function_is_its_result(aws: LocalAws, tmp_path: Path) -> None:
    ran = run(aws, tmp_path, "events/unknown-event.json")
    assert ran.returncode == 1 and json.loads(ran.stdout)["errorType"] == "UnknownEvent"
    assert ran.stderr.startswith("The function failed:\n") and "code=CFG-110" in ran.stderr


def test_error_of_a_function_whose_runtime_ended_first_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    refused = 'Error: hyper_util::client::legacy::Error(Connect, ConnectError("tcp connect error", 127.0.0.1:33943))'
    invoke.show_log(f"{refused}\nError: a real one\n", as_json=True)
    assert capsys.readouterr().err.splitlines() == ["The function's log:", "Error: a real one"]


def test_failed_compilation_is_one_line(aws: LocalAws, tmp_path: Path) -> None:
    ran = run(aws, tmp_path, "events/create.json", build="echo 'error: E0308' >&2; exit 101")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == ("error: E0308\nthe function is not compiled: `cargo build` ended with status 101. "
                          "Follow its message\n")


def record(**fields: object) -> str:
    return json.dumps({"timestamp": "2026-11-27T19:00:49.779Z", "level": "ERROR", **fields})


@pytest.mark.parametrize(("line", "readable"), [
    (record(message="the response was not delivered", error="no program of this machine listens at the response address"),
     "19:00:49.779 INFO  as expected, no CloudFormation listens at the event's address"),
    # Another reason is an error.
    (record(message="the response was not delivered", error="the response address has expired", lambda_request="1"),
     "19:00:49.779 ERROR the response was not delivered error=the response address has expired"),
    (record(message="step", step="reading user a", outcome="failed"), "19:00:49.779 ERROR reading user a: failed"),
    (record(message="end", step="reading user a", status="FAILED"), "19:00:49.779 ERROR end status=FAILED"),
    ("thread 'main' panicked", "thread 'main' panicked"), ('{"EnvID": "dev"}', '{"EnvID": "dev"}'), ("[]", "[]"),
])
def test_each_record_is_one_line(line: str, readable: str) -> None:
    assert invoke.readable(line) == readable


def test_expected_error_is_the_functions_own() -> None:
    """The tool recognizes it by these texts."""
    sources = [ROOT / "crates/cfn-custom-resource/src" / name for name in ("handle_request.rs", "send_response.rs")]
    texts = "".join(source.read_text() for source in sources)
    assert all(f'"{text}"' in texts for text in invoke._NOBODY_LISTENS.values())
    fields = re.findall(r"^(\w+):", (ROOT / "docs/reference/log-fields.yaml").read_text(), re.MULTILINE)
    assert {*invoke._OF_EACH_RECORD, *invoke._NOBODY_LISTENS, "outcome"} <= set(fields)


@pytest.mark.parametrize(("given", "why"), [
    ("events/creat.json", "EVENT=events/creat.json is not a file with an event: No such file or directory. Did you mean "
     "events/create.json?"),
    ("events", "EVENT=events is not a file with an event: Is a directory."),
    ("events/README.md", "EVENT=events/README.md is not a file with an event: Expecting value"),
    ("", "EVENT is empty.")])
def test_wrong_file_lists_the_events(given: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        invoke.event_file(given)
    sentence, *listed = str(ended.value).splitlines()
    assert sentence.startswith(why) and sentence.endswith(" The examples are:")
    assert ("Did you mean" in sentence) == (given == "events/creat.json")
    assert " ".join(listed).split() == sorted(f"events/{path.name}" for path in (ROOT / "events").glob("*.json"))
