"""The process with GitLab's rules: `fake-aws gitlab`, written in Rust (tests/fake-aws/src/gitlab). It
receives commands as lines of JSON and answers each one with a line. git and HTTP are here."""

import json
import os
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requests.structures import CaseInsensitiveDict

from tests.local.gitlab.repository import Repository

ROOT = Path(__file__).parents[3]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug/fake-aws")
# The host of the URLs in its responses.
_HOST = "https://gitlab.example.com"


@dataclass
class Answer:
    """With the members of `requests.Response` that callers use."""

    status_code: int
    headers: CaseInsensitiveDict[str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    def content(self) -> Any:
        """Its JSON, `None` if it is empty, or its text."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError:
            return self.text


class Emulator:
    def __init__(self, protected_delay: float, unprotected_delay: float) -> None:
        assert PROGRAM.exists(), f"{PROGRAM} is missing. Run `make run-function`."
        self.url = ""
        self.complaints: list[str] = []
        self.repositories: dict[int, Repository] = {}
        self._one_at_a_time = threading.RLock()
        self._process = subprocess.Popen(
            [PROGRAM, "gitlab", str(protected_delay), str(unprotected_delay)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def execute(self, command: str, **more: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        with self._one_at_a_time:
            print(json.dumps({"do": command, **more}), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())

    def call(self, method: str, target: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """A request for the API."""
        found = self.execute("call", method=method, target=target, headers=dict(headers), body=body)
        given = CaseInsensitiveDict(
            {name: value.replace(_HOST, self.url) for name, value in found["headers"].items()}
        )
        return Answer(found["status"], given, found["body"])

    def was_pushed_to(self, repository: Repository) -> None:
        with self._one_at_a_time:
            told = self.execute("pushed", project=repository.project, **repository.content())
            repository.set_default_branch(told["default_branch"])

    def may_use_git(
        self, token: str, path: str, pushes: bool, commands: Iterable[tuple[str, str, str]]
    ) -> Any:
        return self.execute("git", token=token, path=path, pushes=pushes, commands=list(commands))

    def stop(self) -> None:
        with self._one_at_a_time:
            assert self._process.stdin
            self._process.stdin.close()
            self._process.wait()
