"""A GitLab project of the user, for `make try`."""

from __future__ import annotations

import fnmatch
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from cli.shell import terminal
from tests.play.local import ApiClient, ApiProject

MAINTAINER = 40
# Of a connection and of each wait for bytes, and of a request as a whole.
_TIMEOUT_SECONDS, _REQUEST_SECONDS = 60, 120
_MAX_BYTES = 20_000_000
_SHOWN_CHARACTERS = 300


class GitLabError(Exception):
    """GitLab rejected a request."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Answer:
    status_code: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def request(session: requests.Session, method: str, url: str, **more: Any) -> Answer:
    """GitLab's response with any status. Raises `GitLabError` if it does not end: a server may send a byte at
    a time, and
    `timeout` limits each wait only."""
    ended: list[Answer | Exception] = []

    def perform() -> None:
        try:
            with session.request(
                method, url, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True, **more
            ) as answer:
                content = bytearray()
                for part in answer.iter_content(65_536):
                    content += part
                    if len(content) > _MAX_BYTES:
                        raise GitLabError(f"GitLab's response to {method} has more than {_MAX_BYTES:,} bytes")
            ended.append(Answer(answer.status_code, answer.headers, content.decode(errors="replace")))
        except Exception as error:  # it is raised below
            ended.append(error)

    # A thread that hangs does not keep the program from its end.
    thread = threading.Thread(target=perform, daemon=True)
    thread.start()
    thread.join(_REQUEST_SECONDS)
    if not ended:
        raise GitLabError(f"GitLab's response to {method} did not end within {_REQUEST_SECONDS} s")
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]


class RemoteGitLab(ApiClient):
    """A GitLab with an access token. The token is only sent to this address, in a header, without
    redirects."""

    # `git` and `requests` trust the CAs of the machine.
    ca_certificate: str | None = None

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        terminal.hide([token])
        self._session = requests.Session()
        self._session.headers["PRIVATE-TOKEN"] = token

    def project(self, path: str, default_branch: str = "") -> RemoteProject:
        return RemoteProject(self, path)

    def send(self, method: str, path: str, **more: Any) -> Answer:
        answer = request(self._session, method, f"{self.url}/api/v4{path}", **more)
        if answer.status_code >= 300:
            raise GitLabError(
                f"GitLab answered {method} {path} with {answer.status_code}: "
                f"{terminal.shortened(answer.text, _SHOWN_CHARACTERS)}",
                answer.status_code,
            )
        return answer


class RemoteProject(ApiProject):
    def level(self) -> int:
        """The access level of the token's user in the project; 0 for none."""
        permissions = self._gitlab.read(self.api).get("permissions", {})
        return max(((access or {}).get("access_level", 0) for access in permissions.values()), default=0)

    def problems(self, branches: tuple[str, ...]) -> list[str]:
        """Why the acts cannot use this project, this token and these branches."""
        found = []
        token = self._gitlab.read("/personal_access_tokens/self")
        if "api" not in token.get("scopes", []):
            found.append("the token lacks the scope api")
        shown = self._gitlab.read(self.api)
        if self.level() < MAINTAINER:
            found.append(f"the token's user is not a Maintainer of {self.path}")
        if shown.get("empty_repo"):
            found.append(
                f"{self.path} has no commit. GitLab would take the first branch of this run for its default "
                "branch, which cannot be deleted. Push a first commit, for example a README"
            )
        if "disabled" in (shown.get("builds_access_level"), shown.get("environments_access_level")):
            found.append(
                f"CI/CD or environments are switched off in {self.path}, so no deployment would appear"
            )
        if found:
            return found
        if self.mirrors():
            found.append(
                f"{self.path} has a push mirror, which would push the branches of this run elsewhere"
            )
        rules = [
            name for name in self.protected() if any(fnmatch.fnmatchcase(branch, name) for branch in branches)
        ]
        if rules:
            found.append(
                f"{self.path} protects {', '.join(rules)}, which also matches the branches of this run"
            )
        return found

    # --- branches -------------------------------------------------------------------------

    def protect(self, *names: str) -> None:
        for name in names:
            # A run pushes unrelated histories to its branches, as a mirror may.
            self._gitlab.send(
                "POST",
                f"{self.api}/protected_branches",
                json={"name": name, "push_access_level": MAINTAINER, "allow_force_push": True},
            )

    def branches_matching(self, regex: str) -> list[str]:
        return [each["name"] for each in self._gitlab.pages(f"{self.api}/repository/branches", regex=regex)]

    def shows_lfs_size(self) -> bool:
        statistics = self._gitlab.read(self.api, statistics="true").get("statistics", {})
        return "lfs_objects_size" in statistics

    # --- access tokens of the project ---------------------------------------------------------

    def revoke_access_tokens(self, name: str) -> None:
        """Revokes the active ones with this name. Raises `GitLabError` unless all are revoked."""
        for token in self._access_tokens():
            if token["active"] and token["name"] == name:
                revoked = self._gitlab.send("DELETE", f"{self.api}/access_tokens/{token['id']}")
                if revoked.status_code != 204:
                    raise GitLabError(
                        f"GitLab answered {revoked.status_code}: token {token['name']} may be active"
                    )

    def _access_tokens(self) -> list[dict[str, Any]]:
        try:
            return self._gitlab.pages(f"{self.api}/access_tokens", state="active")
        except GitLabError as error:
            # An edition without access tokens of projects denies the list to a Maintainer too.
            if error.status not in (401, 403, 404) or self.level() < MAINTAINER:
                raise
            return []

    def delete_environment(self, name: str) -> None:
        """GitLab deletes only environments that are stopped: https://docs.gitlab.com/api/environments/."""
        for found in [each for each in self.environments(name=name) if each.name == name]:
            self._gitlab.send("POST", f"{self.api}/environments/{found.id}/stop", json={"force": True})
            self._gitlab.send("DELETE", f"{self.api}/environments/{found.id}")
