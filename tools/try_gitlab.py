"""A GitLab project of the user, for `make try`: the part of `tests.local.gitlab.HeldProject` that the acts use, by the API."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

import requests

MAINTAINER = 40
_TIMEOUT_SECONDS = 60
_PAGE = 100


class GitLabError(Exception):
    """GitLab rejected a request."""


@dataclass
class RemoteMirror:
    id: int
    url: str  # without the login, which GitLab masks
    enabled: bool
    only_protected_branches: bool
    update_status: str
    last_error: str | None


@dataclass
class RemoteNote:
    body: str


@dataclass
class RemoteMergeRequest:
    iid: int
    project: RemoteProject

    @property
    def notes(self) -> list[RemoteNote]:
        return self.project.merge_request_notes(self.iid)


@dataclass
class RemoteDeployment:
    sha: str
    status: str


class RemoteGitLab:
    """A GitLab with an access token. The token is only sent to this address, in a header, without redirects."""

    # `git` and `requests` trust the CAs of the machine.
    ca_certificate: str | None = None

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        self._session = requests.Session()
        self._session.headers["PRIVATE-TOKEN"] = token

    def project(self, path: str, default_branch: str = "") -> RemoteProject:
        return RemoteProject(self, path)

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}/api/v4{path}", timeout=_TIMEOUT_SECONDS,
                                       allow_redirects=False, **more)
        if answer.status_code >= 300:
            raise GitLabError(f"GitLab answered {method} {path} with {answer.status_code}: {answer.text[:300]}")
        return answer

    def read(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, params=query).json()

    def pages(self, path: str, **query: Any) -> list[Any]:
        found: list[Any] = []
        for number in count(1):
            answer = self.send("GET", path, params={**query, "page": number, "per_page": _PAGE})
            found += answer.json()
            # A proxy may remove the header, and GitLab returns short pages although others follow.
            if len(answer.json()) < _PAGE and not answer.headers.get("X-Next-Page"):
                break
        return found


class RemoteProject:
    def __init__(self, gitlab: RemoteGitLab, path: str) -> None:
        self._gitlab, self.path = gitlab, path
        self.api = f"/projects/{quote(path, safe='')}"

    @property
    def url(self) -> str:
        """The address to which developers push."""
        return f"{self._gitlab.url}/{self.path}.git"

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
            found.append(f"{self.path} has no commit. GitLab would take the first branch of this run for its default "
                         "branch, which cannot be deleted. Push a first commit, for example a README")
        if "disabled" in (shown.get("builds_access_level"), shown.get("environments_access_level")):
            found.append(f"CI/CD or environments are switched off in {self.path}, so no deployment would appear")
        if found:
            return found
        if self.mirrors():
            found.append(f"{self.path} has a push mirror, which would push the branches of this run elsewhere")
        rules = [name for name in self.protected() if any(fnmatch.fnmatchcase(branch, name) for branch in branches)]
        if rules:
            found.append(f"{self.path} protects {', '.join(rules)}, which also matches the branches of this run")
        return found

    # --- branches -------------------------------------------------------------------------

    def protect(self, *names: str) -> None:
        for name in names:
            # A run pushes unrelated histories to its branches, as a mirror may.
            self._gitlab.send("POST", f"{self.api}/protected_branches", json={
                "name": name, "push_access_level": MAINTAINER, "allow_force_push": True})

    def unprotect(self, name: str) -> None:
        self._gitlab.send("DELETE", f"{self.api}/protected_branches/{quote(name, safe='')}")

    def protected(self) -> list[str]:
        return [each["name"] for each in self._gitlab.pages(f"{self.api}/protected_branches")]

    def branches_matching(self, regex: str) -> list[str]:
        return [each["name"] for each in self._gitlab.read(f"{self.api}/repository/branches", regex=regex)]

    def shows_lfs_size(self) -> bool:
        statistics = self._gitlab.read(self.api, statistics="true").get("statistics", {})
        return "lfs_objects_size" in statistics

    # --- mirrors -------------------------------------------------------------------------

    def mirrors(self) -> list[RemoteMirror]:
        return [RemoteMirror(each["id"], _without_login(each["url"]), each["enabled"], each["only_protected_branches"],
                             each["update_status"], each["last_error"])
                for each in self._gitlab.pages(f"{self.api}/remote_mirrors")]

    def delete_mirror(self, mirror_id: int) -> None:
        self._gitlab.send("DELETE", f"{self.api}/remote_mirrors/{mirror_id}")

    # --- what an approval by a tag reads ------------------------------------------------------

    def make_tag(self, name: str, commit: str) -> None:
        """As GitLab's form does."""
        self._gitlab.send("POST", f"{self.api}/repository/tags", params={"tag_name": name, "ref": commit})

    def tag_events(self, name: str) -> list[dict[str, Any]]:
        """The pushes of the tag among the latest ones of the project."""
        pushes = self._gitlab.read(f"{self.api}/events", action="pushed", per_page=_PAGE)
        return [each for each in pushes if each["push_data"]["ref_type"] == "tag" and each["push_data"]["ref"] == name]

    def own_user(self) -> int:
        """The number of the token's user."""
        return int(self._gitlab.read("/personal_access_tokens/self")["user_id"])

    def unreadable_for_approvals(self, user: int) -> list[str]:
        """The members that GitLab does not show of the token's user. Raises `GitLabError` if it denies a request."""
        self._gitlab.read(f"{self.api}/protected_tags")
        self._gitlab.read(f"{self.api}/deploy_keys")
        shown, member = self._gitlab.read(f"/users/{user}"), self._gitlab.read(f"{self.api}/members/all/{user}")
        return [*({"id", "username", "state", "bot", "public_email"} - shown.keys()),
                *({"id", "state", "access_level"} - member.keys())]

    def commits_between(self, start: str, end: str) -> list[str]:
        return [each["id"] for each in self._gitlab.pages(f"{self.api}/repository/commits", ref_name=f"{start}..{end}")]

    # --- what cfn-gitops reports -----------------------------------------------------------

    def status_states(self, sha: str) -> dict[str, str]:
        """The current state of each status of the commit, by its name."""
        return {each["name"]: each["status"]
                for each in self._gitlab.pages(f"{self.api}/repository/commits/{sha}/statuses")}

    def commit_notes(self, sha: str) -> list[RemoteNote]:
        return [RemoteNote(note["body"]) for each in self._gitlab.pages(
            f"{self.api}/repository/commits/{sha}/discussions") for note in each["notes"]]

    def merge_request(self, source_branch: str, target_branch: str) -> RemoteMergeRequest:
        made = self._gitlab.send("POST", f"{self.api}/merge_requests", json={
            "title": source_branch, "source_branch": source_branch, "target_branch": target_branch})
        return RemoteMergeRequest(made.json()["iid"], self)

    def merge_request_notes(self, iid: int) -> list[RemoteNote]:
        """Without those that GitLab itself writes, for example about pushes."""
        listed = self._gitlab.pages(f"{self.api}/merge_requests/{iid}/notes")
        return [RemoteNote(each["body"]) for each in listed if not each["system"]]

    def close_merge_request(self, merge_request: RemoteMergeRequest) -> None:
        self._gitlab.send("PUT", f"{self.api}/merge_requests/{merge_request.iid}", json={"state_event": "close"})

    def deployments(self, environment: str) -> list[RemoteDeployment]:
        return [RemoteDeployment(each["sha"], each["status"])
                for each in self._gitlab.pages(f"{self.api}/deployments", environment=environment)]

    def delete_environment(self, name: str) -> None:
        """GitLab deletes only environments that are stopped: https://docs.gitlab.com/api/environments/."""
        for found in self._gitlab.pages(f"{self.api}/environments", name=name):
            self._gitlab.send("POST", f"{self.api}/environments/{found['id']}/stop", json={"force": True})
            self._gitlab.send("DELETE", f"{self.api}/environments/{found['id']}")


def _without_login(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
