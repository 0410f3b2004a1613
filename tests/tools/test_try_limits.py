"""A GitLab without an end: `make try` fails, and its clean-up deletes in AWS first."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.local.gitlab import project as gitlab_project
from tests.local.gitlab.project import ApiClient, EndlessList
from tests.play import steps
from tests.play.steps import Login
from tools.trial import cleanup as try_cleanup
from tools.trial import gitlab as try_gitlab
from tools.trial import run as try_run
from tools.trial.gitlab import GitLabError, RemoteGitLab


class Pages(ApiClient):
    """Every page has this content and announces another one."""

    def __init__(self, content: Any) -> None:
        self.content, self.requests = content, 0

    def send(self, method: str, path: str, **more: Any) -> Any:
        self.requests += 1
        return SimpleNamespace(json=lambda: self.content, headers={"X-Next-Page": "2"})


@pytest.mark.parametrize(
    ("content", "most"),
    [
        ([], 50),
        ([1], 50),
        ([1] * 100, 50),
        ([1] * 101, 1),
        ({}, 1),
        ({"message": "x"}, 1),
        ("text", 1),
        (None, 1),
    ],
)
def test_list_without_an_end_is_an_error(content: Any, most: int) -> None:
    client = Pages(content)
    with pytest.raises(EndlessList, match="GET /projects/1/environments"):
        client.pages("/projects/1/environments")
    assert client.requests == most


def test_slow_list_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, client = iter(range(0, 100_000, 70)), Pages([1])
    monkeypatch.setattr(gitlab_project, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(EndlessList):
        client.pages("/a")
    assert client.requests == 9


class Hanging(BaseHTTPRequestHandler):
    """Sends the beginning of a response, and then its other bytes one by one, or nothing."""

    def do_GET(self) -> None:
        begins = {"/api/v4/nothing": b"", "/api/v4/head": b"HTTP/1.1 200 OK\r\n"}.get(
            self.path, b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n["
        )
        self.wfile.write(begins)
        if self.path == "/api/v4/endless":
            for _ in range(50):
                self.wfile.write(b" " * 1_000_000)
        while not self.server.ends.wait(0.02):  # type: ignore[attr-defined]
            self.wfile.write(
                b"X-A: 1\r\n"
                if self.path == "/api/v4/head"
                else b" "
                if self.path != "/api/v4/nothing"
                else b""
            )

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hanging() -> Iterator[RemoteGitLab]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    server.ends = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield RemoteGitLab(f"http://127.0.0.1:{server.server_port}", "glpat-Qm9vLWZh_Rt7xZ2kQw9L")
    server.ends.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/nothing", "/head", "/content"])
def test_response_that_does_not_end_is_an_error(
    path: str, hanging: RemoteGitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_gitlab, "_REQUEST_SECONDS", 0.3)
    with pytest.raises(GitLabError, match="did not end within 0.3 s"):
        hanging.read(path)


def test_endless_response_is_an_error(hanging: RemoteGitLab) -> None:
    with pytest.raises(GitLabError, match="more than 20,000,000 bytes"):
        hanging.read("/endless")


def test_git_and_requests_of_aws_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits: list[Any] = []
    monkeypatch.setattr(
        steps.subprocess,
        "run",
        lambda *_, timeout=None, **__: (
            limits.append(timeout),
            SimpleNamespace(stdout="", stderr="", returncode=0),
        )[1],
    )
    working, login = steps.Working(tmp_path / "work"), Login("developer", "a", "")
    working.references(login, "https://gitlab.example.com/a.git")
    working.delete(login, "https://gitlab.example.com/a.git", "refs/heads/a")
    assert len(limits) >= 2 and set(limits) == {600}
    made: dict[str, Any] = {}
    account = SimpleNamespace(
        id="1",
        region="a",
        session=SimpleNamespace(
            events=SimpleNamespace(register=lambda *_: None),
            client=lambda service, config: made.update({service: config}),
        ),
    )
    for service in ("iam", "lambda"):
        try_run.RemoteAccount(account).client(service)  # type: ignore[arg-type]
    assert (made["iam"].read_timeout, made["iam"].connect_timeout, made["lambda"].read_timeout) == (
        60,
        60,
        905,
    )


def test_marker_that_repeats_is_an_error() -> None:
    markers = iter(["a", "b"] * 10)
    iam = SimpleNamespace(
        list_service_specific_credentials=lambda **_: {
            "ServiceSpecificCredentials": [],
            "IsTruncated": True,
            "Marker": next(markers),
        }
    )
    with pytest.raises(RuntimeError, match="a second time"):
        steps.all_credentials(SimpleNamespace(client=lambda _: iam))  # type: ignore[arg-type]


def fails(*_: Any, **__: Any) -> None:
    raise EndlessList("GitLab")


def test_clean_up_deletes_in_aws_before_it_needs_gitlab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    performed: list[str] = []
    aws = SimpleNamespace(client=lambda _: SimpleNamespace())

    class Project:
        """Of a GitLab that fails each request."""

        url = "https://gitlab.example.com/a.git"

        def __getattr__(self, name: str) -> Any:
            performed.append("GitLab")
            return fails

    source = SimpleNamespace(
        project=Project(),
        secret_id="gitlab/trya1b2c",
        forget_token=lambda: performed.append("AWS: secret"),
        developer=fails,
    )
    for target, name in (
        (try_cleanup.playing, "delete_story"),
        (try_cleanup.sources, "delete_probes"),
        (try_cleanup.sources, "delete_user"),
        (try_cleanup.steps, "empty_bucket"),
    ):
        monkeypatch.setattr(target, name, lambda *_, name=name: performed.append(f"AWS: {name}"))
    monkeypatch.setattr(
        try_cleanup.steps,
        "what_is_there",
        lambda _: {"stacks": [] if "GitLab" in performed else ["story-trya1b2c-s1"]},
    )
    monkeypatch.setattr(
        try_cleanup, "Pipeline", lambda *_: SimpleNamespace(stop=lambda: performed.append("AWS: stop"))
    )
    stack = SimpleNamespace(
        exists=lambda: True,
        wait=lambda: None,
        delete=lambda: performed.append("AWS: stack"),
        name="a",
        outputs=lambda: {"SourceBucket": "a"},
    )
    monkeypatch.setattr(try_cleanup, "Stack", lambda *_: stack)
    monkeypatch.setattr(try_cleanup.Cleanup, "_undeploy", lambda *_: performed.append("AWS: undeploy"))
    faults = try_cleanup.Cleanup(aws, source, try_run.names_of("trya1b2c"), tmp_path).run()  # type: ignore[arg-type]
    first = performed.index("GitLab")
    assert not [each for each in performed[first:] if each != "GitLab"] and len(performed) > first + 5
    assert {
        "AWS: delete_story",
        "AWS: delete_probes",
        "AWS: delete_user",
        "AWS: stack",
        "AWS: undeploy",
        "AWS: secret",
        "AWS: empty_bucket",
    } <= set(performed[:first])
    assert len(faults) >= 7 and all("EndlessList: GitLab" in fault for fault in faults)


def test_clean_up_of_an_earlier_run_does_not_need_gitlab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cleanup = SimpleNamespace(in_gitlab=fails, run=list)
    monkeypatch.setattr(try_run, "Cleanup", lambda *_: cleanup)
    monkeypatch.setattr(try_run.steps, "what_is_there", lambda _: {"stacks": ["cfn-gitops-trya1b2c"]})
    monkeypatch.setattr(try_run, "is_typed", lambda _: True)
    options = SimpleNamespace(
        account=SimpleNamespace(account_id="1", region="a"),
        names=try_run.names_of("trya1b2c"),
        project="a/b",
        gitlab=SimpleNamespace(url="https://gitlab.example.com"),
    )
    assert try_run.clean(options, None, tmp_path) == 0  # type: ignore[arg-type]
    assert "- not read: GitLab\n" in capsys.readouterr().out
