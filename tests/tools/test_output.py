"""Texts of others in the output of the tools: they neither control the terminal, nor forge a line, nor show a
secret."""

import os
import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from cli.shell import terminal
from tests.cli.conftest import FakeAccount
from tests.cli.test_terminal import (
    FORMS,
    HOSTILE,
    PASSWORD,
    PHRASE,
    TOKEN,
    assert_harmless,
    decoded,
    outputs,
    parts,
)
from tests.play.steps import PushRefused
from tests.tools.conftest import ROOT
from tools.run import console, deploy
from tools.trial import run as try_run
from tools.trial.cleanup import Cleanup
from tools.trial.gitlab import GitLabError, RemoteGitLab
from tools.trial.report import Report

OUTPUTS: dict[str, Callable[[], None]] = {
    "write": lambda: console.write(HOSTILE),
    "note": lambda: console.note(HOSTILE),
    "heading": lambda: console.heading(1, 2, HOSTILE, HOSTILE),
    "reason": lambda: console.reason("FAILED: ", HOSTILE),
    "summary": lambda: console.summary([(1, 1.0, HOSTILE)]),
    "table": lambda: console.table([(HOSTILE, HOSTILE)]),
    "progress": lambda: console.Progress().show(HOSTILE, HOSTILE),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_of_the_console_is_harmless(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    OUTPUTS[name]()
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


def test_output_of_sam_is_harmless_and_immediate(
    account: FakeAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for sam, which writes a hostile reason and a prompt, and reads the answer."""
    program, seen = tmp_path / "sam", tmp_path / "seen"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdout.reconfigure(encoding='utf-8')\n"
        f"print({HOSTILE.replace(chr(0xD800), '')!r}, flush=True)\nprint('50 %\\r100 %', file=sys.stderr)\n"
        f"print('Deploy? ', end='', flush=True)\nopen({str(seen)!r}).read()\nsys.exit(3)\n"
    )
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
    monkeypatch.setattr(deploy, "StackFailures", MagicMock(return_value=MagicMock(lines=list)))
    assert deploy.main() == 3
    output = capsys.readouterr().out
    assert "\n50 %\n100 %\nDeploy? " in output
    assert_harmless(output.replace("\nok      forged", "\n| ok"))


# The other folders show the repository's own texts, and outputs of its own tests and compilers.
SCRIPTS = {
    str(path.relative_to(ROOT / "tools")): path
    for folder in ("run", "trial")
    for path in sorted((ROOT / "tools" / folder).rglob("*.py"))
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_write_through_the_terminal_alone(name: str) -> None:
    path = SCRIPTS[name]
    # The `warnings` of `run` are lines of a log.
    own = {"run/console.py": ["write_shown", "write_shown"], "run/run.py": ["warnings", "warnings"]}
    assert sorted(outputs(path)) == sorted(own.get(name, []))
    if "\nif __name__ == " in (text := path.read_text()):
        assert re.search(r'\n@entry\(".+"\)\ndef main\(\) -> int:\n', text)


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, PHRASE])
@pytest.mark.parametrize("form", FORMS)
def test_no_part_of_a_secret_is_in_a_note(
    form: str, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "_SECRETS", [{secret}])
    console.note(f"before: {FORMS[form](secret)} after")
    output = capsys.readouterr().out
    assert output.count("before: ") == output.count(" after\n") == 1
    assert [part for part in parts(secret) if part in decoded(output)] == []


@pytest.mark.parametrize("token", ["glpat-Qm9vLWZh Rt7xZ2kQw9L", "a\tb", "a\nb", "a\u00a0b", " ", ""])
def test_token_with_white_space_is_rejected(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", token)
    monkeypatch.setattr(try_run.getpass, "getpass", lambda _: token)
    with pytest.raises(
        SystemExit,
        match="^the GitLab token is empty or has white space within. Set GITLAB_TOKEN to the token alone$",
    ):
        try_run.gitlab_of_the_user()
    monkeypatch.setenv("GITLAB_TOKEN", f" {TOKEN}\n")
    assert try_run.gitlab_of_the_user().token == TOKEN


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A page that repeats the request's headers, as a proxy does."""
        content = f"{'x' * self.server.padding}{self.headers['PRIVATE-TOKEN']} {self.headers['PRIVATE-TOKEN']}".encode()  # noqa: E501
        self.send_response(502)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("padding", [0, 255, 270, 293])
def test_answer_that_repeats_the_token_shows_no_part_of_it(
    padding: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.padding = padding  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    gitlab = RemoteGitLab(f"http://127.0.0.1:{server.server_port}", TOKEN)
    with pytest.raises(GitLabError, match="GitLab answered GET /user with 502: ") as raised:
        gitlab.read("/user")
    server.shutdown()
    server.server_close()
    # git repeats its address, and its output is in a list at the end.
    refused = PushRefused(
        f"fatal: unable to access 'https://oauth2:{TOKEN}@gitlab.example.com/a.git'\nremote: {TOKEN[:20]}"
    )

    def fails() -> None:
        raise raised.value

    loop = SimpleNamespace(passwords={PASSWORD})
    seen = SimpleNamespace(
        rows=lambda: [("row", "held", f"{PASSWORD} {TOKEN}")], count=lambda _: 0, recorded={}
    )
    story = SimpleNamespace(seen=seen, loop=loop, second_loop=loop, names=SimpleNamespace(first="tryabcde"))
    source = SimpleNamespace(gitlab=gitlab, project=SimpleNamespace(path="platform/shop"))
    report = Report(
        SimpleNamespace(account_id="123456789012", region="a"),
        source,
        story,  # type: ignore[arg-type]
        failures=[str(raised.value), str(refused), "at platform/sh…, 12345678901…"],
    )
    step = SimpleNamespace(
        act=SimpleNamespace(title="A title", reason="A reason", run=lambda _: fails()), name=""
    )
    Cleanup._step(SimpleNamespace(faults=report.left), "token", fails)  # type: ignore[arg-type]
    try_run.perform(None, (1, 1), step, report)  # type: ignore[arg-type]
    monkeypatch.setattr("tools.trial.report.ROOT", tmp_path)
    (tmp_path / "Cargo.toml").write_text((ROOT / "Cargo.toml").read_text())
    terminal.hide(loop.passwords)
    report.print()
    output, written = capsys.readouterr().out, (tmp_path / "try-tryabcde.md").read_text()
    for text in (str(raised.value), output, written):
        assert [part for secret in (TOKEN, PASSWORD) for part in parts(secret) if part in text] == []
    assert output.count("with 502: ") == 5 and "GitLab answered GET /user with 502" in written
    assert "at <project>…, <account>…" in written
