"""Starts and stops the local GitLab, and gives tests its projects, tokens, settings and records."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.gitlab import http_entry, mirror_urls, mirrors
from local.gitlab.certificates import Authority
from local.gitlab.http_entry import Seen
from local.gitlab.mirror_runs import Run, Runs
from local.gitlab.settings import Settings
from local.gitlab.state import Instance, Mirror, Project, Token

_NEW_PROJECT_BRANCH = "main"


@dataclass
class HeldProject:
    """A project, for tests that set it up and read its state."""

    _gitlab: LocalGitLab
    _project: Project

    @property
    def id(self) -> int:
        return self._project.id

    @property
    def path(self) -> str:
        return self._project.path

    @property
    def url(self) -> str:
        """The address to which developers push."""
        return f"{self._gitlab.url}/{self.path}.git"

    @property
    def default_branch(self) -> str:
        return self._project.default_branch

    def branches(self) -> dict[str, str]:
        """The commits of its branches."""
        return self._project.branches()

    def references(self) -> dict[str, str]:
        return self._project.references()

    def protect(self, *names: str) -> None:
        """Branches, or wildcards for branches."""
        with self._gitlab.instance.changes:
            self._project.protected_branches += [name for name in names
                                                 if name not in self._project.protected_branches]

    def unprotect(self, *names: str) -> None:
        with self._gitlab.instance.changes:
            self._project.protected_branches = [name for name in self._project.protected_branches if name not in names]

    def protect_by_group(self, *names: str) -> None:
        """Like `protect`, but by a group of the project."""
        with self._gitlab.instance.changes:
            self._project.inherited_protected_branches += names

    def store_lfs_objects(self, size: int) -> None:
        self._project.lfs_objects_size = size

    def kill_runs(self) -> None:
        """See `Runs.kill`. Call it within `runs_held`."""
        self._gitlab.runs.kill(self._project)

    def leave_started(self, mirror_id: int, seconds: float) -> None:
        """Sets the mirror as if its run had started this long ago and had been killed."""
        found = self.mirror(mirror_id)
        assert found, f"there is no mirror {mirror_id}"
        with self._gitlab.instance.changes:
            began = time.time() - seconds
            found.update_status, found.last_update_started_at = "started", began
            found.abandoned_lease_ends = began + self._gitlab.instance.max_runtime(found)

    @property
    def protected_branches(self) -> list[str]:
        return list(self._project.protected_branches)

    def archive(self, archived: bool = True) -> None:
        self._project.archived = archived

    def mirrors(self) -> list[Mirror]:
        """The mirrors as they are stored, with their logins."""
        return list(self._project.mirrors)

    def mirror(self, mirror_id: int) -> Mirror | None:
        return self._gitlab.instance.find_mirror(self._project, mirror_id)

    def is_enabled(self, mirror: Mirror) -> bool:
        """Whether GitLab treats it as enabled, which depends on more than its own setting."""
        return self._gitlab.instance.is_enabled(self._project, mirror)

    def make_mirror(self, url: str, **settings: Any) -> Mirror:
        """Creates a mirror as a person does, enabled by default."""
        person = Token("a person", role="owner", is_admin=True)
        return mirrors.create(self._gitlab.instance, self._project, person, {"url": url, "enabled": True, **settings})

    def delete_mirror(self, mirror_id: int) -> None:
        found = self.mirror(mirror_id)
        assert found, f"there is no mirror {mirror_id}"
        mirrors.delete(self._gitlab.instance, self._project, found)

    def sync(self, mirror_id: int) -> None:
        """The same as "Update now"."""
        found = self.mirror(mirror_id)
        assert found, f"there is no mirror {mirror_id}"
        self._gitlab.runs.sync(self._project, found)

    def leads_to(self, mirror: Mirror) -> str:
        """The URL for git, with the encoded login."""
        return mirror_urls.put_together(mirror.url, mirror.credentials)


class LocalGitLab:
    """A local GitLab within the `with` block: over https with a CA of its own, or over http."""

    def __init__(self, tls: bool = False, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.url = ""
        # PEM: the CA that a client of an instance over https has to trust.
        self.ca_certificate: str | None = None
        # The token of a Maintainer of every project, with the scope `api`.
        self.token = ""
        self._tls = tls
        self._directory: Path | None = None
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> LocalGitLab:
        self._directory = Path(tempfile.mkdtemp(prefix="local-gitlab-"))
        self.instance = Instance(self._directory, self.settings)
        self.runs = Runs(self.instance)
        context = None
        if self._tls:
            authority = Authority.make()
            self.ca_certificate = authority.certificate
            context = authority.server_context(self._directory)
        self._door = http_entry.Door(self.instance, self.runs)
        self._server = http_entry.start(self._door, context)
        self.url = self.instance.url = self._door.url
        self.token = self.add_token("the maintainer").value
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
        self.runs.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def shut(self) -> None:
        """Closes the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # --- projects and tokens -------------------------------------------------------------------

    def project(self, path: str, default_branch: str = _NEW_PROJECT_BRANCH) -> HeldProject:
        """The project with this full path. Creates it without a commit if it does not exist."""
        found = self.instance.find_project(path) or self.instance.make_project(path, default_branch)
        return HeldProject(self, found)

    def add_token(self, name: str, **more: Any) -> Token:
        """See `state.Token`."""
        made = Token(name, **more)
        self.instance.tokens.append(made)
        return made

    # --- faults ----------------------------------------------------------------

    def answers_instead(self, status: int, times: int = 1, body: str = "",
                        headers: dict[str, str] | None = None) -> None:
        """Sets the API's next responses, for any request."""
        self._door.interrupt(status, times, body, headers)

    def limits_the_rate(self, times: int = 1, retry_after: int = 1) -> None:
        """Sets the API's next responses to those of lib/gitlab/rack_attack.rb for too many requests."""
        self._door.interrupt(429, times, "Retry later\n", {
            "RateLimit-Name": "throttle_authenticated_api", "RateLimit-Limit": "60", "RateLimit-Observed": "61",
            "RateLimit-Remaining": "0", "RateLimit-Reset": str(int(time.time()) + retry_after),
            "Retry-After": str(retry_after)})

    def runs_held(self) -> AbstractContextManager[None]:
        """Within the block, runs wait between reading the remote repository and pushing to it."""
        return self.runs.held()

    # --- records -----------------------------------------------------------------------

    @property
    def requests(self) -> list[Seen]:
        """The API's requests, in order."""
        return self._door.seen

    @property
    def complaints(self) -> list[str]:
        """The differences of requests and responses from GitLab's OpenAPI description."""
        return self._door.complaints

    @property
    def recorded_runs(self) -> list[Run]:
        return self.runs.recorded

    def is_quiet(self) -> bool:
        """Whether no mirror runs or waits for its time."""
        return self.runs.are_quiet()

    def wait_until_quiet(self, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_quiet():
            if time.monotonic() > deadline:
                raise AssertionError("mirrors still run")
            time.sleep(0.02)


@contextmanager
def running(tls: bool = False, **settings: Any) -> Iterator[LocalGitLab]:
    with LocalGitLab(tls, **settings) as gitlab:
        yield gitlab
