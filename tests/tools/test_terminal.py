"""Texts of others in the output of the scripts: they neither control the terminal, nor forge a line, nor show a secret."""

import ast
import html
import io
import json
import os
import re
import sys
import threading
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote, unquote

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.deployment.steps import PushRefused
from tests.tools.conftest import ROOT, FakeAccount
from tests.tools.test_console import run_program

import console
import deploy
import doctor
import leave
import stack_failures
import terminal
import try_run
import undeploy
import upgrade
from try_cleanup import Cleanup
from try_gitlab import GitLabError, RemoteGitLab
from try_report import Report

# A title, a cleared screen, a line that is written over, a forged line, colours of C1, directions of text, line ends.
HOSTILE = ("a\x1b]0;pwn\x07\x1b[2J\x1b[1A\rok      forged\nok      forged\x0bok\x0cok\t\x08\x7f\x9b31m\x90\x9d0;pwn\x9c\x85ok\u061c\u200b"
           "\u200e\u200f\u2028ok\u2029ok\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ud800\U000e0041z")


def assert_harmless(output: str) -> None:
    assert "\\x1b]0;pwn" in output, output
    assert [each for each in output if not each.isprintable() and each != "\n"] == []
    assert not [line for line in output.split("\n") if line.strip().startswith("ok ")]


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F),
                                  *range(0x2060, 0x2070), 0xD800, 0xDFFF, 0xFEFF, 0xFFF9, 0xE0001, 0xE007F])
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


def test_terminal_without_unicode_gets_escapes() -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "ascii")
    terminal.write("é €", to=stream)
    assert written.getvalue() == b"\\xe9 \\u20ac\n"


OUTPUTS: dict[str, Callable[[], None]] = {
    "write": lambda: console.write(HOSTILE), "note": lambda: console.note(HOSTILE),
    "heading": lambda: console.heading(1, 2, HOSTILE, HOSTILE), "reason": lambda: console.reason("FAILED: ", HOSTILE),
    "summary": lambda: console.summary([(1, 1.0, HOSTILE)]), "table": lambda: console.table([(HOSTILE, HOSTILE)]),
    "progress": lambda: console.Progress().show(HOSTILE, HOSTILE),
    "failures": lambda: stack_failures.show(HOSTILE, [HOSTILE], sys.stdout),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_of_the_console_is_harmless(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    OUTPUTS[name]()
    assert_harmless(capsys.readouterr().out)


def events(**more: Any) -> MagicMock:
    """A client with an event of a stack that failed with a hostile reason."""
    event = {"EventId": "1", "StackId": "id", "LogicalResourceId": "User", "ResourceType": HOSTILE, "PhysicalResourceId": "x",
             "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": HOSTILE, "Timestamp": datetime.now(timezone.utc), **more}
    client = MagicMock()
    pages = client.get_paginator.return_value.paginate
    pages.return_value = MagicMock(build_full_result=lambda: {"StackEvents": [event]})
    pages.return_value.__iter__.side_effect = lambda: iter([{"StackEvents": [event], "Summaries": [], "OperationEvents": []}])
    client.get_waiter.return_value.wait.side_effect = WaiterError("stack", HOSTILE, {})
    return client


def test_reasons_of_a_stack_are_harmless(account: FakeAccount, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    client = events()
    assert undeploy.delete_stack(SimpleNamespace(client=lambda _: client), "a") is False
    assert_harmless(capsys.readouterr().err)
    account.known["a"] = {"StackName": "a", "StackStatus": "DELETE_FAILED"}
    account.session.client.return_value = client
    monkeypatch.setattr(sys, "argv", ["stack_failures.py", "a"])
    stack_failures.main()
    assert_harmless(capsys.readouterr().out)


def test_reason_that_leaves_a_stack_is_harmless(account: FakeAccount, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    def denied(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "A", "Message": HOSTILE}}, "DescribeStacks")

    account.known["cfn-gitops-dev"] = {"StackName": "cfn-gitops-dev"}
    monkeypatch.setattr(sys, "argv", ["leave.py", "--apply"])
    monkeypatch.setattr(leave, "function_of", lambda *_: "arn")
    monkeypatch.setattr(leave, "users", lambda *_: ["a"])
    monkeypatch.setattr(leave, "Leaving", denied)
    assert leave.main() == 1
    assert_harmless(capsys.readouterr().out)


def test_findings_and_outputs_are_harmless(account: FakeAccount, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["doctor.py"])
    outputs = [{"OutputKey": "ServiceToken", "OutputValue": "arn"}, {"OutputKey": "RenderingVersion", "OutputValue": "2"}]
    owner = "arn:aws:cloudformation:eu-central-1:111122223333:stack/project/1"
    child = {"StackName": "gitops-dev-a", "StackId": "2", "Tags": [{"Key": "cfn-gitops:stack-id", "Value": owner}],
             "Outputs": [{"OutputKey": "PipelineName", "OutputValue": HOSTILE}]}
    account.known |= {
        "cfn-gitops-dev": {"StackName": "cfn-gitops-dev", "StackId": "1", "StackStatus": "CREATE_COMPLETE", "Outputs": outputs},
        "gitops-dev-a": child,
        "project": {"StackName": "project", "StackId": owner, "Parameters": [{"ParameterKey": "RenderingSerial"}]}}
    client = account.session.client.return_value
    client.exceptions.PipelineNotFoundException = KeyError
    client.get_paginator.return_value.paginate.return_value = [
        {"Rules": [], "pipelineExecutionSummaries": [{"status": "InProgress", "pipelineExecutionId": HOSTILE}]}]
    reason = {"Problem": HOSTILE, "Remedy": HOSTILE, "Code": HOSTILE}
    result = {"Doctor": {"Checks": [{"Subject": HOSTILE, **reason}], "NotChecked": [reason]}}
    client.invoke.return_value = {"Payload": io.BytesIO(json.dumps(result).encode())}
    assert doctor.main() == 1
    shown = capsys.readouterr().out
    assert_harmless(shown.replace("ok      stack", "").replace("ok      function", ""))
    monkeypatch.setattr(sys, "argv", ["upgrade.py"])
    assert upgrade.main() == 1
    assert_harmless(capsys.readouterr().out)


def test_errors_of_a_run_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: Any) -> None:
        raise OSError(HOSTILE)

    Cleanup._step(SimpleNamespace(faults=[]), HOSTILE, fails)  # type: ignore[arg-type]
    step = SimpleNamespace(act=SimpleNamespace(title="A title", reason="A reason", run=fails), name="")
    report = MagicMock()
    assert not try_run.perform(None, (1, 1), step, report)  # type: ignore[arg-type]
    assert_harmless(capsys.readouterr().out)
    story = SimpleNamespace(seen=SimpleNamespace(rows=lambda: [("row", "held", HOSTILE)], count=lambda _: 1))
    lines = Report(SimpleNamespace(region="a"), None, story, failures=[HOSTILE]).lines()  # type: ignore[arg-type]
    assert_harmless("\n".join(lines))


@pytest.mark.parametrize("ends", ["sys.exit(text)", "raise ValueError(text)"])
def test_last_error_of_a_script_is_harmless(ends: str) -> None:
    ran = run_program(f"import program\n@program.entry('')\ndef main():\n    text = {HOSTILE!r}\n    {ends}\nmain()")
    assert ran.returncode == 1 and ran.stdout == ""
    # The lines of a traceback are indented. So one that an exception's text forges is not at the beginning.
    assert_harmless(ran.stderr.replace("\n  ok ", "\n  | ok "))


def test_output_of_sam_is_harmless_and_immediate(account: FakeAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    """A stand-in for sam, which writes a hostile reason and a prompt, and reads the answer."""
    program, seen = tmp_path / "sam", tmp_path / "seen"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdout.reconfigure(encoding='utf-8')\n"
                       f"print({HOSTILE.replace(chr(0xD800), '')!r})\nprint('50 %\\r100 %', file=sys.stderr)\n"
                       f"print('Deploy? ', end='', flush=True)\nopen({str(seen)!r}).read()\nsys.exit(3)\n")
    program.chmod(0o755)
    os.mkfifo(seen)
    written, end = [], terminal.write_shown

    def write(text: str, *given: Any) -> None:
        end(text, *given)
        written.append(text)
        if "".join(written).endswith("Deploy? "):
            seen.write_text("y")

    monkeypatch.setattr(terminal, "write_shown", write)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "argv", ["deploy.py"])
    account.known["cfn-gitops-dev"] = {"StackName": "cfn-gitops-dev", "StackStatus": "CREATE_COMPLETE"}
    account.session.client.return_value = MagicMock()
    monkeypatch.setattr(deploy.stack_failures, "StackFailures", MagicMock(return_value=MagicMock(lines=list)))
    assert deploy.main() == 3
    output = capsys.readouterr().out
    assert "\n50 %\n100 %\nDeploy? " in output
    assert_harmless(output.replace("\nok      forged", "\n| ok"))


# The scripts that show the repository's own texts, and outputs of its own tests and compilers.
OF_THE_REPOSITORY = {
    "build_site", "check_bootstrap", "check_figures", "check_lines", "check_prose", "check_structure", "dist",
    "dist_check", "pictures", "quick_create", "reference", "reference_operations", "reference_properties", "release", "run_checks",
    "sbom", "site_hooks", "site_scripts", "strip_template", "third_party_notices", "update_requirements"}
SCRIPTS = [path for path in sorted([*(ROOT / "tools").glob("*.py"), *(ROOT / "tools/observers").glob("*.py")])
           if path.stem not in OF_THE_REPOSITORY]


def outputs(path: Path) -> list[str]:
    """The expressions that write past `terminal.write`."""
    written = {"print", "pprint", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer", "sys.stderr.buffer", "os.write",
               "logging", "warnings", "sys.__stdout__", "sys.__stderr__", "write_shown"}
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Name, ast.Attribute, ast.alias))]
    return [text for node in nodes if (text := node.name if isinstance(node, ast.alias) else ast.unparse(node)) in written]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_write_through_the_terminal_alone(path: Path) -> None:
    # The `warnings` of `run` are lines of a log.
    own = {"terminal": ["write_shown", "write_shown", "print"], "console": ["write_shown", "write_shown"], "run": ["warnings", "warnings"]}
    assert sorted(outputs(path)) == sorted(own.get(path.stem, []))
    if "\nif __name__ == " in (text := path.read_text()):
        assert re.search(r'\n@entry\(".+"\)\ndef main\(\) -> int:\n', text)


TOKEN = "glpat-Qm9vLWZh_Rt7xZ2kQw9L"
PASSWORD = "k+9Zr=%41x&q4Vb2LmNq8Ws0=="
PHRASE = "k9Zr 41xq 4Vb2 LmNq8Ws0"


def parts(secret: str) -> set[str]:
    return {secret[at:at + 6] for at in range(len(secret) - 5)}


FORMS: dict[str, Callable[[str], str]] = {
    "itself": str, "address": lambda text: f"https://oauth2:{text}@gitlab.example.com/a.git", "quoted": lambda text: quote(text, safe=""),
    "percent": lambda text: "".join(f"%{ord(each):02x}" for each in text),
    "HTML": lambda text: "".join(f"&#{ord(each)};" for each in text), "JSON": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "cut at its end": lambda text: text[:17], "cut at its beginning": lambda text: text[-12:], "middle": lambda text: text[9:18],
    **{f"Base64 of {user}": lambda text, user=user: b64encode(f"{user}{text}".encode()).decode()
       for user in ("oauth2:", "developer:", "a:", "", "gitlab-ci-token:")},
    "Base64 for addresses": lambda text: urlsafe_b64encode(f"oauth2:{text}:~~".encode()).decode(),
    "cut Base64": lambda text: b64encode(f"oauth2:{text}".encode()).decode()[:30],
}


def decoded(text: str) -> str:
    """With the Base64 and the escapes of the text."""
    found = [html.unescape(unquote(text)), text.encode().decode("unicode_escape")]
    for word in re.findall(r"[\w+/-]{6,}", text):
        for start in range(4):
            word_ = word[start:].translate(str.maketrans("-_", "+/"))
            found.append(b64decode(word_[:len(word_) // 4 * 4]).decode("latin-1"))
    return "\n".join([text, *found])


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, PHRASE])
@pytest.mark.parametrize("form", FORMS)
def test_no_part_of_a_secret_is_shown_in_any_form(form: str, secret: str, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal, "_SECRETS", [{secret}])
    text = f"before: {FORMS[form](secret)} after"
    assert any(part in decoded(text) for part in parts(secret))
    terminal.write(text)
    console.note(text)
    output = capsys.readouterr().out
    assert output.count("before: ") == output.count(" after\n") == 2
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
    monkeypatch.setattr(terminal, "without_secrets", lambda text, search=terminal.without_secrets: (
        searched.append(len(text)), search(text))[1])
    assert terminal.shortened("a" * 20_000_000, 300) == "a" * 299 + "…"
    assert searched[0] <= 20_000
    # Their secrets leave less of it than the limit.
    for number in range(len(TOKEN)):
        shown = terminal.shortened("." * number + TOKEN * 1000, 300)
        assert shown.endswith("…") and [part for part in parts(TOKEN) if part in shown] == []


@pytest.mark.parametrize("token", ["glpat-Qm9vLWZh Rt7xZ2kQw9L", "a\tb", "a\nb", "a\u00a0b", " ", ""])
def test_token_with_white_space_is_rejected(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", token)
    monkeypatch.setattr(try_run.getpass, "getpass", lambda _: token)
    with pytest.raises(SystemExit, match="^the GitLab token is empty or has white space within. Set GITLAB_TOKEN to the token alone$"):
        try_run.gitlab_of_the_user()
    monkeypatch.setenv("GITLAB_TOKEN", f" {TOKEN}\n")
    assert try_run.gitlab_of_the_user().token == TOKEN


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A page that repeats the request's headers, as a proxy does."""
        content = f"{'x' * self.server.padding}{self.headers['PRIVATE-TOKEN']} {self.headers['PRIVATE-TOKEN']}".encode()
        self.send_response(502)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("padding", [0, 255, 270, 293])
def test_answer_that_repeats_the_token_shows_no_part_of_it(padding: int, capsys: pytest.CaptureFixture[str],
                                                           monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.padding = padding  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    gitlab = RemoteGitLab(f"http://127.0.0.1:{server.server_port}", TOKEN)
    with pytest.raises(GitLabError, match="GitLab answered GET /user with 502: ") as raised:
        gitlab.read("/user")
    server.shutdown()
    server.server_close()
    # git repeats its address, and its output is in a list at the end.
    refused = PushRefused(f"fatal: unable to access 'https://oauth2:{TOKEN}@gitlab.example.com/a.git'\nremote: {TOKEN[:20]}")

    def fails() -> None:
        raise raised.value

    loop = SimpleNamespace(passwords={PASSWORD})
    seen = SimpleNamespace(rows=lambda: [("row", "held", f"{PASSWORD} {TOKEN}")], count=lambda _: 0, recorded={})
    story = SimpleNamespace(seen=seen, loop=loop, second_loop=loop, names=SimpleNamespace(first="tryabcde"))
    source = SimpleNamespace(gitlab=gitlab, project=SimpleNamespace(path="platform/shop"))
    report = Report(SimpleNamespace(account_id="123456789012", region="a"), source, story,  # type: ignore[arg-type]
                    failures=[str(raised.value), str(refused), "at platform/sh…, 12345678901…"])
    step = SimpleNamespace(act=SimpleNamespace(title="A title", reason="A reason", run=lambda _: fails()), name="")
    Cleanup._step(SimpleNamespace(faults=report.left), "token", fails)  # type: ignore[arg-type]
    try_run.perform(None, (1, 1), step, report)  # type: ignore[arg-type]
    monkeypatch.setattr("try_report.ROOT", tmp_path)
    (tmp_path / "Cargo.toml").write_text((ROOT / "Cargo.toml").read_text())
    terminal.hide(loop.passwords)
    report.print()
    output, written = capsys.readouterr().out, (tmp_path / "try-tryabcde.md").read_text()
    for text in (str(raised.value), output, written):
        assert [part for secret in (TOKEN, PASSWORD) for part in parts(secret) if part in text] == []
    assert output.count("with 502: ") == 5 and "GitLab answered GET /user with 502" in written
    assert "at <project>…, <account>…" in written
