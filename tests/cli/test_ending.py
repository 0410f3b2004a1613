"""Signals: each subcommand ends with one line and status 130, and deletes what it has put for a moment."""

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.commands import leave, undeploy
from cli.main import COMMANDS
from cli.shell import ending
from tests.cli.conftest import FakeAccount, Run, environment_stack, run_program
from tests.cli.test_leave import FakeAws
from tests.cli.test_machine import OPTIONS

by_each = pytest.mark.parametrize("by", ending.SIGNALS, ids=lambda by: by.name)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A signal that no script handles fails the test instead of ending it."""

    def unhandled(number: int, _: Any) -> None:
        raise AssertionError(f"{signal.Signals(number).name} is not handled")

    before = {each: signal.signal(each, unhandled) for each in ending.SIGNALS}
    yield
    assert [signal.getsignal(each) for each in ending.SIGNALS] == [unhandled] * 3
    for each, handler in before.items():
        signal.signal(each, handler)


def sends(by: signal.Signals, then: Callable[..., Any] = lambda *_, **__: None) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:
        os.kill(os.getpid(), by)
        return then(*given, **more)

    return call


@by_each
@pytest.mark.parametrize("command", COMMANDS)
def test_signal_is_one_line_and_status_130(
    command: str, by: signal.Signals, account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stack", "stacks", "client"):
        monkeypatch.setattr(account, name, sends(by))
    ended = run(command, *OPTIONS.get(command, []))
    assert ended.status == 130 and re.fullmatch(r"\nInterrupted\. .+\n", ended.err)
    ended = run(command, *OPTIONS.get(command, []), "--json")
    assert ended.status == 130 and json.loads(ended.out)["error"]["problem"] == "Interrupted"


@by_each
def test_signal_during_a_deletion_is_one_line(by: signal.Signals, account: FakeAccount, run: Run) -> None:
    account.known["cfn-gitops-dev"] = environment_stack()
    client = account.session.client.return_value
    client.delete_stack.side_effect = lambda **_: client.configure_mock(
        **{"describe_stacks.side_effect": sends(by)}
    )
    ended = run("undeploy", "--yes")
    assert ended.status == 130
    assert (
        ended.err
        == "\nInterrupted. CloudFormation goes on with a change that has begun. Run this again for the rest\n"
    )


@by_each
def test_undeploy_interrupted_at_the_bucket_names_what_is_done(
    by: signal.Signals, account: FakeAccount, run: Run
) -> None:
    """A second run deletes the bucket alone."""
    account.known["cfn-gitops-dev"] = environment_stack()
    account.buckets.add(account.bucket_of("dev"))
    bucket = account.session.resource.return_value.Bucket.return_value
    bucket.delete.side_effect = sends(by)
    ended = run("undeploy", "--delete-bucket", "--yes")
    assert ended.status == 130
    assert ended.err == (
        "\nInterrupted. Done: stack cfn-gitops-dev is deleted. "
        f"Bucket {account.bucket_of('dev')} may have lost objects. Run this again for the rest\n"
    )
    del account.known["cfn-gitops-dev"]
    bucket.delete.side_effect = None
    ended = run("undeploy", "--delete-bucket", "--yes")
    assert ended.status == 0 and f"ok      bucket {account.bucket_of('dev')} is deleted" in ended.out


@by_each
@pytest.mark.parametrize("module", [leave, undeploy], ids=lambda module: module.__name__)
def test_signal_at_the_prompt_has_changed_nothing(
    module: Any, by: signal.Signals, account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws(account)
    monkeypatch.setattr(module, "confirm", sends(by))
    ended = run(module.__name__.rpartition(".")[2], "--env", "prd")
    assert (ended.status, ended.err, aws.calls) == (130, "\nInterrupted. Nothing was changed\n", [])


@by_each
def test_leave_interrupted_later_names_what_is_done(
    by: signal.Signals, account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run deletes the rest."""
    aws = FakeAws(account)
    for name in ("project-prd-a", "project-prd-b"):
        aws.add(name, [("MirrorCredential", "Custom::MirrorCredential")])

    def delete(_session: Any, name: str, _id: str, output: Any, _role: str) -> None:
        if name == "project-prd-b":
            sends(by)()
        output.changes.has_begun = True
        output.record_change(f"stack {name} is deleted")

    monkeypatch.setattr(leave, "delete_stack", delete)
    ended = run("leave", "--env", "prd", "--yes")
    assert (ended.status, ended.err) == (
        130,
        "\nInterrupted. Done: stack project-prd-a is deleted. Run this again for the rest\n",
    )


def test_second_interrupt_by_a_person_ends_the_clean_up() -> None:
    def main() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it goes on")
        return 0

    assert ending.entry("A sentence")(main)() == 130


@pytest.mark.parametrize(
    "runs",
    [
        "sys.exit(ending.entry('A sentence')(main)())",
        "with console.ending_at_interrupt('A sentence'): main()",
    ],
)
def test_signal_in_a_finalizer_still_interrupts(runs: str) -> None:
    ran = run_program(f"""
import os, signal, threading
from cli.shell import ending
from tools.run import console
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
def main():
    Finalized()
    threading.Event().wait()
{runs}""")
    assert ran.returncode == 130 and "A sentence" in ran.stdout + ran.stderr


def test_signal_that_nohup_ignores_stays_ignored() -> None:
    ran = run_program("""
import os, signal
from cli.shell import ending
signal.signal(signal.SIGHUP, signal.SIG_IGN)
@ending.entry("A sentence")
def main():
    os.kill(os.getpid(), signal.SIGHUP)
    print("goes on")
    return 0
sys.exit(main())""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "goes on\n", "")


def test_system_without_signals_of_unix_starts_and_is_interrupted() -> None:
    """As Windows: without these names, and without the modules of terminals and users."""
    ran = run_program("""
import boto3, http.server, os, signal, subprocess
for name in "SIGHUP SIGALRM SIGQUIT SIGPIPE SIGCHLD SIGTSTP SIGKILL setitimer alarm pthread_kill".split():
    delattr(signal, name)
for name in "getuid geteuid getgid setsid killpg fork uname chown mkfifo O_NOFOLLOW O_NONBLOCK".split():
    delattr(os, name)
sys.modules.update(dict.fromkeys(["fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"]))
from cli import main
for name in main.COMMANDS:
    try:
        main.main([name, "--help"])
    except SystemExit as end:
        assert not end.code
main.connect = lambda *_: signal.raise_signal(signal.SIGINT)
sys.exit(main.main(["undeploy"]))""")
    assert (ran.returncode, ran.stderr) == (130, "\nInterrupted. Nothing was changed\n"), ran.stderr
    assert ran.stdout.count("usage: cfn-gitops ") == len(COMMANDS)


class Closed(io.StringIO):
    """A terminal that was closed."""

    def write(self, _: str) -> int:
        raise OSError(5, "Input/output error")


def test_closed_terminal_does_not_stop_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", Closed())

    def main() -> int:
        sends(signal.SIGHUP)()
        return 0

    assert ending.entry("A sentence")(main)() == 130
