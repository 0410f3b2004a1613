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
from botocore.exceptions import ClientError

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


@pytest.fixture
def aws(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An environment whose template is too large for a request."""
    fake = FakeAws(account)
    monkeypatch.setattr(leave, "_INLINE_LIMIT", 1)
    fake.stacks["cfn-gitops-prd"]["User"] = {"Type": "AWS::IAM::User"}
    fake.code = {"S3Bucket": "code", "S3Key": "function.zip"}
    monkeypatch.setattr(leave, "delete_stack", lambda *_: fake.calls.append("delete the stack"))
    return fake


@by_each
@pytest.mark.parametrize(
    "during", ["put_object", "create_change_set", "describe_change_set", "delete_object"]
)
def test_signal_leaves_neither_template_nor_change_set(
    during: str, by: signal.Signals, aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = getattr(aws, during)
    monkeypatch.setattr(aws, during, sends(by, call))
    # A further signal of the CI host comes during the clean-up.
    delete_change_set = aws.delete_change_set
    monkeypatch.setattr(
        aws,
        "delete_change_set",
        lambda **given: (sends(signal.SIGTERM)() if aws.calls else None, delete_change_set(**given))[1],
    )
    ended = run("leave", "--env", "prd", "--yes")
    assert ended.status == 130
    assert (
        "delete code/cfn-gitops-prd/leave.template " in " ".join(aws.calls) + " "
        and aws.calls[-1] == "delete change set"
    )
    assert not {"execute", "delete the stack"} & set(aws.calls)
    assert ended.err == "\nInterrupted. Nothing was changed\n"


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
    by: signal.Signals, aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run continues from the deployed template."""
    monkeypatch.setattr(leave, "_INLINE_LIMIT", 100_000)
    aws.add("project-prd-shop", [("MirrorCredential", "Custom::MirrorCredential")])
    delete = leave.delete_stack
    monkeypatch.setattr(leave, "delete_stack", sends(by))
    ended = run("leave", "--env", "prd", "--yes", "project-prd-shop")
    assert (ended.status, ended.err) == (
        130,
        "\nInterrupted. Done: stack project-prd-shop retains its resources. Run this again for the rest\n",
    )
    monkeypatch.setattr(leave, "delete_stack", delete)
    aws.calls = []
    ended = run("leave", "--env", "prd", "--yes", "project-prd-shop")
    assert ended.status == 0 and "update it to keep" not in ended.out and aws.calls == ["delete the stack"]


def test_second_run_deletes_the_template_of_a_killed_one(
    aws: FakeAws, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "cfn-gitops-prd/leave.template"
    listed = [
        {"Versions": [{"Key": key, "VersionId": "a"}, {"Key": f"{key}.mine", "VersionId": "b"}]},
        {"Versions": [{"Key": key, "VersionId": "c"}], "DeleteMarkers": [{"Key": key, "VersionId": "d"}]},
    ]
    asked: list[Any] = []
    monkeypatch.setattr(
        aws, "list_object_versions", lambda **given: (asked.append(given), listed)[1], raising=False
    )
    # The killed run has updated the stack.
    resources = {
        name: {**each, "DeletionPolicy": "Retain"} for name, each in aws.stacks["cfn-gitops-prd"].items()
    }
    del resources["Function"]["DeletionPolicy"]
    resources["Function"]["Properties"] = {"Code": aws.code}
    aws.stacks["cfn-gitops-prd"] = resources | {leave._ADDED: {"Type": leave._ADDED_TYPE}}
    assert run("leave", "--env", "prd", "--yes").status == 0
    assert asked == [{"Bucket": "code", "Prefix": key, "ExpectedBucketOwner": "111122223333"}]
    assert aws.calls == [f"delete code/{key} {version}" for version in "acd"] + ["delete the stack"]

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectVersions")

    monkeypatch.setattr(aws, "delete_object", denied)
    ended = run("leave", "--env", "prd", "--yes")
    assert (
        ended.status == 0 and f"may be left at s3://code/{key}: An error occurred (AccessDenied)" in ended.out
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


@by_each
def test_signal_in_a_block_that_fails_still_interrupts(by: signal.Signals) -> None:
    def main() -> int:
        with ending.uninterrupted():
            sends(by)()
            raise ValueError("a failed clean-up")

    assert ending.entry("A sentence")(main)() == 130


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
