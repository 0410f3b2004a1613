"""Texts of others in the output of the subcommands: they neither control the terminal, nor forge a line, nor
show a secret."""

import ast
import html
import io
import json
import re
import sys
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote, unquote

import pytest
from botocore.exceptions import ClientError

from cli.commands import leave
from cli.environment.account import Environment
from cli.environment.stack_deletion import delete_stack
from cli.shell import terminal
from cli.shell.failure import Failure
from cli.shell.output import Output
from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack, identity, run_program

# A title, a cleared screen, a line that is written over, a forged line, colours of C1, directions of text,
# line ends.
HOSTILE = (
    "a\x1b]0;pwn\x07\x1b[2J\x1b[1A\rok      forged\nok     "
    " forged\x0bok\x0cok\t\x08\x7f\x9b31m\x90\x9d0;pwn\x9c\x85ok\u061c\u200b"
    "\u200e\u200f\u2028ok\u2029ok\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ud800\U000e0041z"
)


def assert_harmless(output: str) -> None:
    assert "\\x1b]0;pwn" in output, output
    assert [each for each in output if not each.isprintable() and each != "\n"] == []
    assert not [line for line in output.split("\n") if line.strip().startswith("ok ")]


@pytest.mark.parametrize(
    "code",
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xD800,
        0xDFFF,
        0xFEFF,
        0xFFF9,
        0xE0001,
        0xE007F,
    ],
)
def test_character_that_is_not_printable_is_an_escape(code: int) -> None:
    shown = terminal.visible(f"a{chr(code)}b")
    assert shown[1] == "\\" and shown.isprintable() and shown.encode()


def test_printable_text_is_unchanged() -> None:
    text = "Ünïcode, 日本語, \\n, ok 🎉"
    assert terminal.visible(text) == text


def test_each_text_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write("one", HOSTILE, "")
    terminal.write("three", to=sys.stderr, end="")
    captured = capsys.readouterr()
    assert_harmless(captured.out)
    assert captured.out.count("\n") == 3 and captured.err == "three"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "\\xe9 \\u20ac\n"), ("latin-1", "é \\u20ac\n"), ("cp1252", "é €\n"), ("utf-16", "é €\n")],
)
def test_terminal_without_unicode_gets_escapes(encoding: str, shown: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding)
    terminal.write("é €", to=stream)
    assert written.getvalue().decode(encoding) == shown


def events(**more: Any) -> MagicMock:
    """A client with an event of a stack that failed with a hostile reason."""
    event = {
        "EventId": "1",
        "StackId": "id",
        "LogicalResourceId": "User",
        "ResourceType": HOSTILE,
        "PhysicalResourceId": "x",
        "ResourceStatus": "DELETE_FAILED",
        "ResourceStatusReason": HOSTILE,
        "Timestamp": datetime.now(UTC),
        **more,
    }
    client = MagicMock()
    pages = client.get_paginator.return_value.paginate
    pages.return_value = MagicMock(build_full_result=lambda: {"StackEvents": [event]})
    pages.return_value.__iter__.side_effect = lambda: iter(
        [{"StackEvents": [event], "Summaries": [], "OperationEvents": []}]
    )
    client.describe_stacks.return_value = {"Stacks": [{"StackId": "id", "StackStatus": "DELETE_FAILED"}]}
    client.describe_stack_events.side_effect = lambda **_: {
        "StackEvents": [event | {"PhysicalResourceId": "id", **client.delete_stack.call_args.kwargs}]
    }
    return client


def test_reasons_of_a_stack_are_harmless(
    account: FakeAccount, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    client, output = events(), Output()
    with pytest.raises(Failure) as raised:
        delete_stack(SimpleNamespace(client=lambda _: client), "a", "id", output)
    output.failure(raised.value)
    assert_harmless(capsys.readouterr().err)
    assert output.changes.done == []
    account.known["cfnstack-dev-a"] = {"StackName": "cfnstack-dev-a", "StackStatus": "DELETE_FAILED"}
    account.session.client.return_value = client
    assert_harmless(run("failures", "cfnstack-dev-a").out)


def test_reason_that_leaves_a_stack_is_harmless(
    account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "A", "Message": HOSTILE}}, "DescribeStacks")

    account.known["cfn-gitops-dev"] = environment_stack()
    monkeypatch.setattr(leave, "function_of", lambda *_: "arn")
    monkeypatch.setattr(leave, "rows_of", lambda *_: {})
    monkeypatch.setattr(Environment, "importers", lambda *_: ["a"])
    monkeypatch.setattr(leave, "Leaving", denied)
    ended = run("leave", "--yes")
    assert ended.status == 3
    assert_harmless(ended.out)


def test_findings_are_harmless(account: FakeAccount, run: Run) -> None:
    account.known["cfn-gitops-dev"] = environment_stack() | identity("dev")
    client = account.session.client.return_value
    reason = {"Problem": HOSTILE, "Remedy": HOSTILE, "Code": HOSTILE}
    result = {"Format": 2, "EnvID": "dev", "Checks": [{"Subject": HOSTILE, **reason}], "NotChecked": [reason]}
    for arguments in (["doctor"], ["doctor", "--json"]):
        client.invoke.return_value = {"Payload": io.BytesIO(json.dumps(result).encode())}
        ended = run(*arguments)
        assert ended.status == 1
        # JSON has its own escapes.
        assert_harmless(ended.out.replace("\\u001b]0;pwn", "\\x1b]0;pwn"))


@pytest.mark.parametrize(
    "method", ["write", "write_progress", "table", "place", "record_change", "record_left"]
)
def test_each_way_to_write_a_text_is_harmless(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"table": ([HOSTILE], [[HOSTILE]]), "place": (HOSTILE,) * 4}.get(method, (HOSTILE,))
    getattr(Output(), method)(*given)
    assert_harmless(capsys.readouterr().out.removeprefix("ok      ").removeprefix("LEFT    "))


@pytest.mark.parametrize("ends", ["sys.exit(text)", "raise ValueError(text)"])
def test_last_error_of_a_script_is_harmless(ends: str) -> None:
    ran = run_program(
        f"from cli.shell import ending\n@ending.entry('')\ndef main():\n    text = {HOSTILE!r}\n   "
        f" {ends}\nmain()"
    )
    assert ran.returncode == 1 and ran.stdout == ""
    # The lines of a traceback are indented. So one that an exception's text forges is not at the beginning.
    assert_harmless(ran.stderr.replace("\n  ok ", "\n  | ok "))


def outputs(path: Path) -> list[str]:
    """The expressions that write past `terminal.write`."""
    written = {
        "print",
        "pprint",
        "sys.stdout.write",
        "sys.stderr.write",
        "sys.stdout.buffer",
        "sys.stderr.buffer",
        "os.write",
        "logging",
        "warnings",
        "sys.__stdout__",
        "sys.__stderr__",
        "write_shown",
    }
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Name, ast.Attribute, ast.alias))
    ]
    return [
        text
        for node in nodes
        if (text := node.name if isinstance(node, ast.alias) else ast.unparse(node)) in written
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.stem)
def test_subcommands_write_through_the_terminal_alone(path: Path) -> None:
    # Before the modules are loaded, there is only a text of its own.
    own = {
        "terminal": ["write_shown", "write_shown", "print"],
        "__main__": ["sys.stderr.write"],
        "output": ["write_shown"] * 4,
        "findings": ["write_shown"] * 2,
        "main": ["write_shown"] * 2,
    }
    assert sorted(outputs(path)) == sorted(own.get(path.stem, []))


TOKEN = "glpat-Qm9vLWZh_Rt7xZ2kQw9L"
PASSWORD = "k+9Zr=%41x&q4Vb2LmNq8Ws0=="
PHRASE = "k9Zr 41xq 4Vb2 LmNq8Ws0"


def parts(secret: str) -> set[str]:
    return {secret[at : at + 6] for at in range(len(secret) - 5)}


FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "address": lambda text: f"https://oauth2:{text}@gitlab.example.com/a.git",
    "quoted": lambda text: quote(text, safe=""),
    "percent": lambda text: "".join(f"%{ord(each):02x}" for each in text),
    "HTML": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "JSON": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "cut at its end": lambda text: text[:17],
    "cut at its beginning": lambda text: text[-12:],
    "middle": lambda text: text[9:18],
    **{
        f"Base64 of {user}": lambda text, user=user: b64encode(f"{user}{text}".encode()).decode()
        for user in ("oauth2:", "developer:", "a:", "", "gitlab-ci-token:")
    },
    "Base64 for addresses": lambda text: urlsafe_b64encode(f"oauth2:{text}:~~".encode()).decode(),
    "cut Base64": lambda text: b64encode(f"oauth2:{text}".encode()).decode()[:30],
}


def decoded(text: str) -> str:
    """With the Base64 and the escapes of the text."""
    found = [html.unescape(unquote(text)), text.encode().decode("unicode_escape")]
    for word in re.findall(r"[\w+/-]{6,}", text):
        for start in range(4):
            word_ = word[start:].translate(str.maketrans("-_", "+/"))
            found.append(b64decode(word_[: len(word_) // 4 * 4]).decode("latin-1"))
    return "\n".join([text, *found])


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, PHRASE])
@pytest.mark.parametrize("form", FORMS)
def test_no_part_of_a_secret_is_shown_in_any_form(
    form: str, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "_SECRETS", [{secret}])
    text = f"before: {FORMS[form](secret)} after"
    assert any(part in decoded(text) for part in parts(secret))
    terminal.write(text)
    output = capsys.readouterr().out
    assert output.count("before: ") == output.count(" after\n") == 1
    assert [part for part in parts(secret) if part in decoded(output)] == []
    for limit in range(1, len(text)):
        assert [part for part in parts(secret) if part in decoded(terminal.shortened(text, limit))] == []
    assert terminal.shortened("a" * 10, 10) == "a" * 10 and terminal.shortened("a" * 11, 10) == "a" * 9 + "…"


def test_text_without_a_secret_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets: set[str] = set()
    monkeypatch.setattr(terminal, "_SECRETS", [secrets])
    text = f"100%, a%20b, \\u0041, &amp; glpat-, {b64encode(b'a user: a password').decode()}, {TOKEN[:5]}"
    assert terminal.without_secrets(text) == text
    # A shorter word is neither a token nor a password.
    secrets |= {TOKEN, "", "user"}
    assert terminal.without_secrets(text).replace("<secret>", "glpat-") == text


def test_only_the_beginning_of_a_long_text_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_SECRETS", [{TOKEN}])
    searched: list[int] = []
    monkeypatch.setattr(
        terminal,
        "without_secrets",
        lambda text, search=terminal.without_secrets: (searched.append(len(text)), search(text))[1],
    )
    assert terminal.shortened("a" * 20_000_000, 300) == "a" * 299 + "…"
    assert searched[0] <= 20_000
    # Their secrets leave less of it than the limit.
    for number in range(len(TOKEN)):
        shown = terminal.shortened("." * number + TOKEN * 1000, 300)
        assert shown.endswith("…") and [part for part in parts(TOKEN) if part in shown] == []
