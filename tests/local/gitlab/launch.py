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

from tests.local.gitlab import http_entry, merge_requests, mirrors
from tests.local.gitlab.certificates import Authority
from tests.local.gitlab.http_entry import Interruption, Seen
from tests.local.gitlab.mirror_runs import Run, Runs
from tests.local.gitlab.records import Deployment, Environment, MergeRequest, Note, Records, Status, User
from tests.local.gitlab.settings import Settings
from tests.local.gitlab.state import Instance, Mirror, Project, Token

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

    def protect(self, *names: str, force: bool = False) -> None:
        """Branches, or wildcards for branches, with "Allowed to force push" if `force`. The role does not matter."""
        with self._gitlab.instance.changes:
            if force:
                self._project.force_pushed_branches.update(names)
            self._project.protected_branches += [name for name in names
                                                 if name not in self._project.protected_branches]

    def unprotect(self, *names: str) -> None:
        with self._gitlab.instance.changes:
            self._project.protected_branches = [name for name in self._project.protected_branches if name not in names]

    def protect_by_group(self, *names: str) -> None:
        """Like `protect`, but by a group of the project."""
        with self._gitlab.instance.changes:
            self._project.inherited_protected_branches += names

    def protect_tags(self, *names: str, levels: tuple[int, ...] = (40,)) -> None:
        """Tags, or wildcards for tags: 30 for Developers, 40 for Maintainers, 0 for "No one"."""
        with self._gitlab.instance.changes:
            for name in names:
                self._project.protected_tags.setdefault(name, []).extend(levels)

    def store_lfs_objects(self, size: int) -> None:
        self._project.lfs_objects_size = size

    @property
    def protected_branches(self) -> list[str]:
        return list(self._project.protected_branches)

    # --- commits, deployments and merge requests ---------------------------------------------

    @property
    def records(self) -> Records:
        return self._project.records

    def merge_request(self, source_branch: str, target_branch: str | None = None) -> MergeRequest:
        """A merge request with the commits that only the source branch contains, even after later pushes."""
        return merge_requests.create(self._gitlab.instance, self._project, source_branch, source_branch,
                                     target_branch or self.default_branch, self._gitlab.person)

    def close_merge_request(self, merge_request: MergeRequest) -> None:
        merge_request.state = "closed"

    def statuses(self, sha: str) -> list[Status]:
        """The current statuses of all pipelines of the commit, in the order of their creation."""
        return [status for pipeline in self.records.pipelines if pipeline.sha == sha for status in pipeline.statuses
                if not status.is_retried]

    def status_states(self, sha: str) -> dict[str, str]:
        """The current state of each status of the commit, by its name."""
        return {status.name: status.state for status in self.statuses(sha)}

    def deployments(self, environment: str | None = None) -> list[Deployment]:
        return [each for each in self.records.deployments if environment in (None, each.environment.name)]

    def environment(self, name: str) -> Environment | None:
        return next((each for each in self.records.environments if each.name == name), None)

    def commit_notes(self, sha: str) -> list[Note]:
        """The notes of all threads of the commit."""
        return [note for each in self.records.discussions.get(sha, []) for note in each.notes]

    # --- mirrors -----------------------------------------------------------------------------

    def mirrors(self) -> list[Mirror]:
        """The mirrors as they are stored, with their logins."""
        return list(self._project.mirrors)

    def mirror(self, mirror_id: int) -> Mirror | None:
        return self._gitlab.instance.find_mirror(self._project, mirror_id)

    def make_mirror(self, url: str, **settings: Any) -> Mirror:
        """Creates a mirror as a person does, enabled by default."""
        return mirrors.create(self._gitlab.instance, self._project, {"url": url, "enabled": True, **settings})

    def delete_mirror(self, mirror_id: int) -> None:
        found = self.mirror(mirror_id)
        assert found, f"there is no mirror {mirror_id}"
        mirrors.delete(self._gitlab.instance, self._project, found)



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
        # The user who opens merge requests and runs GitLab CI. No token is theirs.
        self.person = self.user("a developer")
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

    def user(self, name: str, username: str = "") -> User:
        return self.instance.add_user(name, username)

    def add_token(self, name: str, **more: Any) -> Token:
        """See `state.Token`: `role`, `scopes`, `projects`, `expires_at`, … It gets a new user, unless `user=` is
        that of another token (`gitlab.add_token("next", user=first.user)`) or a new one (`user=gitlab.user("Ann")`)."""
        made = Token(name, **more)
        self.instance.add_token(made)
        return made

    # --- faults ----------------------------------------------------------------

    def answers_instead(self, status: int, times: int = 1, body: str = "", headers: dict[str, str] | None = None,
                        method: str = "", path: str = "") -> None:
        """Sets the API's next responses, for any request, or only for this method and for paths that contain this
        regular expression (`r"/statuses/"`)."""
        self._door.interrupt(Interruption(status, body, headers or {}, times, method, path))

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
        """The differences of requests from GitLab's OpenAPI description, and errors of this server."""
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
