"""A GitLab for each test, the target repository of its mirror, and a developer who pushes."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tests.local import git_backend
from tests.local import gitlab as local_gitlab
from tests.local.aws.testing import eventually
from tests.local.git_backend import BareRepository
from tests.local.gitlab import HeldProject, LocalGitLab

USER, PASSWORD = "mirror-at-123456789012", "pass+word=with2Zand"


@pytest.fixture
def gitlab() -> Iterator[LocalGitLab]:
    """Its runs follow each other quickly. At the end of the test it must have no complaints."""
    with local_gitlab.running(protected_delay=0.2, unprotected_delay=0.4) as running:
        yield running
    assert running.complaints == []


@pytest.fixture
def project(gitlab: LocalGitLab) -> HeldProject:
    return gitlab.project("platform/live/infra")


class Api:
    """The API of one project, with one token."""

    def __init__(self, gitlab: LocalGitLab, project: str, token: str | None = None) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["PRIVATE-TOKEN"] = gitlab.token if token is None else token
        self._projects = f"{gitlab.url}/api/v4/projects"
        self.project = project.replace("/", "%2F")

    def ask(self, method: str, path: str = "", **more: Any) -> requests.Response:
        return self.session.request(method, f"{self._projects}/{self.project}{path}", timeout=20, **more)

    def created(self, url: str, **settings: Any) -> int:
        answer = self.ask("POST", "/remote_mirrors", json={"url": url, **settings})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def get(self, mirror_id: int) -> dict[str, Any]:
        answer = self.ask("GET", f"/remote_mirrors/{mirror_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until(self, mirror_id: int, status: str) -> dict[str, Any]:
        return eventually(lambda: self.get(mirror_id), lambda shown: shown["update_status"] == status)


@pytest.fixture
def api(gitlab: LocalGitLab, project: HeldProject) -> Api:
    return Api(gitlab, project.path)


class Target(BareRepository):
    """A bare repository on another server, with a login. It counts its requests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "target.git"
        self.logins: set[tuple[str, str]] = {(USER, PASSWORD)}
        self.asked: list[tuple[str, str] | None] = []
        self.create()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def _handler(self) -> type[git_backend.Handler]:
        target = self

        class Handler(git_backend.Handler):
            def do_GET(self) -> None:
                with tempfile.TemporaryFile() as body:
                    length = git_backend.read_body(self, body)
                    login = git_backend.basic_login(self)
                    target.asked.append(login)
                    if login not in target.logins:
                        return git_backend.reject(self, HTTPStatus.UNAUTHORIZED, "", "elsewhere")
                    url = urlsplit(self.path)
                    what = unquote(url.path).removeprefix("/v1/repos/target/")
                    user = login[0] if login else ""
                    return git_backend.answer(self, target.directory, what, url.query, user, body, length)

            do_POST = do_GET

        return Handler

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1/repos/target"

    def with_login(self, user: str = USER, password: str = PASSWORD) -> str:
        """The URL with the raw login, as GitLab accepts it."""
        return f"http://{user}:{password}@{self.host}/v1/repos/target"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    made = Target(tmp_path)
    yield made
    made.close()


def git(*arguments: str, at: Path, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(at),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "NO_PROXY": "127.0.0.1",
        **git_backend.GIT_ENVIRONMENT,
        **more,
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
    return subprocess.run(
        ["git", *arguments], cwd=at, env=environment, text=True, capture_output=True, check=check
    )


class Person:
    """A developer with a working copy and a token."""

    def __init__(self, directory: Path, gitlab: LocalGitLab, project: HeldProject) -> None:
        self.directory = directory
        directory.mkdir()
        self._gitlab, self._project = gitlab, project
        git("init", "--quiet", f"--initial-branch={project.default_branch}", at=directory)

    def commit(self) -> str:
        git("commit", "--quiet", "--allow-empty", f"--message={time.time_ns()}", at=self.directory)
        return git("rev-parse", "HEAD", at=self.directory).stdout.strip()

    def push(self, *what: str, token: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Pushes these reference specifications. The token is the password, and the user name is
        arbitrary."""
        scheme, rest = self._project.url.split("://")
        url = f"{scheme}://anybody:{token or self._gitlab.token}@{rest}"
        return git("push", "--quiet", url, *(what or ("HEAD",)), at=self.directory, check=False, **more)

    def pushes(self, *what: str) -> str:
        """Commits a change and returns the commit."""
        commit = self.commit()
        pushed = self.push(*what)
        assert pushed.returncode == 0, pushed.stderr
        return commit


@pytest.fixture
def person(tmp_path: Path, gitlab: LocalGitLab, project: HeldProject) -> Person:
    return Person(tmp_path / "work", gitlab, project)
