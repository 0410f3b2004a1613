"""The output of `make run` and the other commands: acts, waits, the end, and Ctrl-C. Without a local AWS."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.shell import ending, output
from tests.play import waiting
from tests.tools.conftest import ROOT
from tools.run import console, run
from tools.run.console import NotShown
from tools.run.page import Page
from tools.run.story import Act


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that can import the scripts."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{text}"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )


PAGE = "The statuses, notes and deployments in GitLab, by act: page.html. Open it in a browser.\n"


def fails(*_: object, **__: object) -> None:
    raise NotShown("a note is missing")


def is_interrupted(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The page of `make run`, which the former run has written. There is neither a local AWS nor a local
    GitLab."""
    aws, written = SimpleNamespace(account_id="123456789012", region="eu-central-1"), tmp_path / "page.html"
    written.write_text("former")
    monkeypatch.setattr(run, "LocalAws", lambda **_: contextlib.nullcontext(aws))
    monkeypatch.setattr(run.local_gitlab, "running", lambda **_: contextlib.nullcontext())
    story = SimpleNamespace(
        page=Page(SimpleNamespace(requests=[]), "Monday"),
        aws=aws,  # type: ignore[arg-type]
        environment=SimpleNamespace(function_name="function"),
    )
    monkeypatch.setattr(run, "LocalStory", lambda *_: story)
    monkeypatch.setattr(run.steps, "function_log", lambda *_: "")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "PAGE", written)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    # An interrupt changes both until the end of the program.
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    handlers = {each: signal.getsignal(each) for each in ending.SIGNALS}
    yield written
    for each, handler in handlers.items():
        signal.signal(each, handler)


@pytest.mark.parametrize(
    ("act", "ends", "text"), [(fails, 1, "a note is missing"), (is_interrupted, 130, "Interrupted: ")]
)
def test_page_is_written_after_a_failure_too(
    act: Callable[[object], None],
    ends: int,
    text: str,
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "ACTS", [Act("First", "A reason.", act, "works")])
    try:
        status = run.main()
    except SystemExit as ended:
        status = ended.code
    output = capsys.readouterr().out
    assert status == ends and text in output and output.endswith(f"\n\n{PAGE}")
    assert page.read_text().startswith("<!doctype html>")


def test_page_of_the_former_run_does_not_remain(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LocalAws", fails)
    with pytest.raises(NotShown):
        run.main()
    assert not page.exists()


def test_acts_are_numbered_and_the_end_names_next_steps(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = list[str]()
    monkeypatch.setattr(
        run,
        "ACTS",
        [
            Act("First", "A reason.", lambda _: waits.append(waiting.UNDER_WAY[-1][0]), "works"),
            Act("Second", "A reason.", lambda _: None, "works too"),
        ],
    )
    assert run.main() == 0
    output = capsys.readouterr().out
    assert "\n1 of 2: First\n   A reason.\n" in output and "\n2 of 2: Second\n" in output
    assert waits == ["act 1 has ended"]
    following, _, last = output.split("\nNext:\n")[1].partition("\n\n")
    assert [line.split()[:2] for line in following.splitlines()] == [
        ["make", "shell"],
        ["make", "shell"],
        ["README.md", '"Deploy'],
        ["make", "try"],
    ]
    assert last == PAGE and page.read_text().startswith("<!doctype html>")
    assert "\n## Deploy it\n" in (ROOT / "README.md").read_text() and (ROOT / "docs/how-to/try.md").exists()


def test_silence_ends_with_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.SILENCE_SECONDS < 10
    printed, written = threading.Event(), []
    monkeypatch.setattr(console, "write", lambda text, style="": (written.append(text), printed.set()))
    now = time.monotonic() + 60
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now))
    with console.Heartbeat(
        [("act 1 has ended", now - 60), ("the stack is complete", now - 20)], seconds=0.01
    ):
        assert printed.wait(600)
    assert written[0] == "    ... waiting until the stack is complete (20 s)"


def test_output_is_not_followed_by_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "note", lambda text, **_: pytest.fail(text))
    with console.Heartbeat([("act 1 has ended", 0)], seconds=3600):
        console.write("output")


def test_long_rows_and_proofs_are_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    console.table([("buckets", ", ".join(["a-bucket-with-a-rather-long-name"] * 5)), ("stacks", "nothing")])
    console.summary([(1, 0.5, "proof " * 40)])
    console.Progress().show("push", "text " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= console.WIDTH and len(lines) > 8
    assert lines[1].startswith(f"{'':13}a-bucket")


def test_time_and_name_of_a_step_are_coloured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "in_colour", lambda: True)
    console.Progress().show("push", "to GitLab")
    assert capsys.readouterr().out == "\033[2m     0.0 s  \033[0m\033[36mpush      \033[0mto GitLab\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupt_is_one_sentence_after_the_end(name: str) -> None:
    # The second one comes while it ends, and a server's thread reports a closed connection.
    ran = run_program(f"""
import os, signal, threading
from tools.run import console
with console.ending_at_interrupt("Interrupted: all is stopped."):
    try:
        os.kill(os.getpid(), signal.{name})
        signal.pause()
    finally:
        os.kill(os.getpid(), signal.{name})
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start(), thread.join()
        print("stopped")
""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "stopped\n\nInterrupted: all is stopped.\n", "")


def test_interrupt_of_the_checks_stops_them_in_one_sentence(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    # The interrupt comes with the end of the first step.
    ran = run_program(f"""
import os, pathlib, signal
from tools.checks import run as run_checks
run_checks.steps = lambda: [
    run_checks.Step("ends", ["bash", "-c", "until [ -s {pid} ]; do :; done"]),
    run_checks.Step("waits", ["bash", "-c", "echo $$ > {pid}; exec tail -f /dev/null"])]
run_checks.row = lambda result: os.kill(os.getpid(), signal.SIGINT)
run_checks.parallel_steps, run_checks.tree = lambda: 2, dict
run_checks.CALLS = run_checks.TRANSCRIPTS = pathlib.Path("{tmp_path}/none")
sys.exit(run_checks.main())
""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "\nInterrupted: all checks are stopped.\n", "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
