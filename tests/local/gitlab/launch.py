"""Starts and stops the local GitLab, and gives tests its projects, tokens and records."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.local.gitlab import http_entry
from tests.local.gitlab.certificates import Authority
from tests.local.gitlab.emulator import Answer, Emulator
from tests.local.gitlab.http_entry import Interruption
from tests.local.gitlab.mirror_runs import Runs
from tests.local.gitlab.project import ApiClient, ApiProject
from tests.local.gitlab.repository import Repository

# lib/gitlab/access.rb
_LEVELS = {"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}


@dataclass
class Token:
    """A personal, project or group access token. Its user has the role in all projects."""

    name: str
    user: int
    _emulator: Emulator = field(repr=False)
    role: str = "maintainer"
    scope: str = "api"
    # None for a token that does not expire (https://docs.gitlab.com/user/profile/personal_access_tokens/).
    expires_at: date | None = None
    value: str = field(default_factory=lambda: f"glpat-{secrets.token_urlsafe(15)}", repr=False)

    def store(self, is_revoked: bool = False) -> None:
        expires = self.expires_at and datetime(*self.expires_at.timetuple()[:3], tzinfo=UTC).timestamp()
        self._emulator.execute(
            "token",
            value=self.value,
            user=self.user,
            level=_LEVELS[self.role],
            scope=self.scope,
            expires=expires and int(expires),
            is_revoked=is_revoked,
        )

    def revoke(self) -> None:
        self.store(is_revoked=True)


class HeldProject(ApiProject):
    """A project, for tests that set it up and read its state."""

    def __init__(self, gitlab: LocalGitLab, path: str, repository: Repository) -> None:
        super().__init__(gitlab, path)
        self._emulator, self._repository = gitlab.emulator, repository
        self.branches, self.references = repository.branches, repository.references

    def protect(self, *names: str, force: bool = False) -> None:
        """Branches, or wildcards for branches, with "Allowed to force push" if `force`. The role does not
        matter."""
        for name in sorted(set(names) - set(self.protected())):
            self._gitlab.send(
                "POST", f"{self.api}/protected_branches", json={"name": name, "allow_force_push": force}
            )

    def environment(self, name: str) -> Any:
        """None if it does not exist."""
        return next(iter(self.environments(name=name)), None)


class LocalGitLab(ApiClient):
    """A local GitLab within the `with` block: over https with a CA of its own, or over http."""

    def __init__(
        self, tls: bool = False, protected_delay: float = 60.0, unprotected_delay: float = 300.0
    ) -> None:
        self._delays = protected_delay, unprotected_delay
        # PEM: the CA that a client of an instance over https has to trust.
        self.ca_certificate: str | None = None
        self._tls = tls
        self._projects: dict[str, HeldProject] = {}

    def __enter__(self) -> LocalGitLab:
        self._directory = Path(tempfile.mkdtemp(prefix="local-gitlab-"))
        context = None
        if self._tls:
            authority = Authority.make()
            self.ca_certificate = authority.certificate
            context = authority.server_context(self._directory)
        self.emulator = Emulator(*self._delays)
        self._door = http_entry.Door(self.emulator, {})
        self._server = http_entry.start(self._door, context)
        self.url = self.emulator.url
        self._runs = Runs(self.emulator)
        # The API's requests, in order.
        self.requests = self._door.seen
        # The differences of requests from GitLab's OpenAPI description, and errors of this server.
        self.complaints = self.emulator.complaints
        self.recorded_runs, self.wait_until_quiet = self._runs.recorded, self._runs.wait_until_quiet
        # The token of a Maintainer of every project, with the scope `api`.
        self.token = self.add_token("the maintainer").value
        # That of the tests themselves, whose user opens merge requests.
        self._own = self.add_token("a developer").value
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._runs.stop()
        self.emulator.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def send(self, method: str, path: str, **more: Any) -> Answer:
        """A request that is not recorded."""
        target = f"/api/v4{path}?{urlencode(more.get('params', {}))}".rstrip("?")
        headers = {"PRIVATE-TOKEN": self._own, "Content-Type": "application/json"}
        answer = self.emulator.call(
            method, target, headers, json.dumps(more["json"]) if "json" in more else ""
        )
        assert answer.status_code < 300, (
            f"GitLab answered {method} {path} with {answer.status_code}: {answer.text[:300]}"
        )
        return answer

    # --- projects and tokens -------------------------------------------------------------------

    def project(self, path: str, default_branch: str = "main") -> HeldProject:
        """The project with this full path. Creates it without a commit if it does not exist."""
        if path not in self._projects:
            number = self.emulator.execute("project", path=path, default_branch=default_branch)["id"]
            held = self.emulator.repositories[number] = Repository(
                number, self._directory / f"{number}.git", default_branch
            )
            self._projects[path] = HeldProject(self, path, held)
        return self._projects[path]

    def user(self) -> int:
        """The number of a new user."""
        return int(self.emulator.execute("user")["id"])

    def add_token(self, name: str, user: int | None = None, **more: Any) -> Token:
        """See `Token`: `role`, `scope`, `expires_at`. It gets a new user, unless `user=` is that of another
        token (`gitlab.add_token("next", user=first.user)`)."""
        made = Token(name, self.user() if user is None else user, self.emulator, **more)
        made.store()
        self._door.tokens[made.value] = name
        return made

    # --- faults and records --------------------------------------------------------------------

    def answers_instead(
        self,
        status: int,
        times: int = 1,
        body: str = "",
        headers: dict[str, str] | None = None,
        method: str = "",
        path: str = "",
    ) -> None:
        """Sets the API's next responses, for any request, or only for this method and for paths that contain
        this regular expression (`r"/statuses/"`)."""
        self._door.interrupt(Interruption(status, body, headers or {}, times, method, path))
