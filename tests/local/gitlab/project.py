"""A GitLab project by GitLab's API: what `make run`, `make try` and the tests read and change."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

_PAGE = 100
# Of a list. A server, or a proxy, could announce further pages without end.
_MAX_ELEMENTS, _LIST_SECONDS = 5_000, 600


class EndlessList(Exception):
    """A list was not read to its end."""


@dataclass
class Mirror:
    """Two states of the same mirror are equal."""

    id: int
    url: str = field(compare=False)  # without the login, which GitLab masks
    enabled: bool = field(compare=False)
    only_protected_branches: bool = field(compare=False)
    keep_divergent_refs: bool = field(compare=False)
    update_status: str = field(compare=False)
    last_error: str | None = field(compare=False)


@dataclass
class MergeRequest:
    iid: int
    project: ApiProject

    @property
    def notes(self) -> list[Any]:
        """Without those that GitLab itself writes, for example about pushes."""
        return [note for note in self.project.pages(f"/merge_requests/{self.iid}/notes") if not note.system]


class ApiClient(ABC):
    """A GitLab with an access token."""

    @abstractmethod
    def send(self, method: str, path: str, **more: Any) -> Any:
        """A request with `params` or `json`, and its response, which is not an error."""

    def read(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, params=query).json()

    def pages(self, path: str, **query: Any) -> list[Any]:
        """The elements of all pages. Raises `EndlessList` rather than return a part of them."""
        found: list[Any] = []
        began = time.monotonic()
        for number in range(1, _MAX_ELEMENTS // _PAGE + 1):
            answer = self.send("GET", path, params={**query, "page": number, "per_page": _PAGE})
            elements = answer.json()
            if not isinstance(elements, list) or len(elements) > _PAGE:
                raise EndlessList(f"GitLab answered GET {path} without a list of at most {_PAGE} elements")
            found += elements
            # A proxy may remove the header, and GitLab returns short pages although others follow.
            if len(elements) < _PAGE and not answer.headers.get("X-Next-Page"):
                return found
            if time.monotonic() - began > _LIST_SECONDS:
                break
        raise EndlessList(
            f"GitLab announces more pages of GET {path} than {_MAX_ELEMENTS:,} elements need, or "
            f"they take more than {_LIST_SECONDS} s"
        )


class ApiProject:
    def __init__(self, gitlab: Any, path: str) -> None:
        self._gitlab, self.path = gitlab, path
        self.api = f"/projects/{quote(path, safe='')}"

    @property
    def url(self) -> str:
        """The address to which developers push."""
        return f"{self._gitlab.url}/{self.path}.git"

    def pages(self, path: str, **query: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(**each) for each in self._gitlab.pages(f"{self.api}{path}", **query)]

    def unprotect(self, name: str) -> None:
        self._gitlab.send("DELETE", f"{self.api}/protected_branches/{quote(name, safe='')}")

    def protected(self) -> list[str]:
        return [each.name for each in self.pages("/protected_branches")]

    # --- mirrors -------------------------------------------------------------------------

    def mirrors(self) -> list[Mirror]:
        return [self._mirror(each) for each in self._gitlab.pages(f"{self.api}/remote_mirrors")]

    @staticmethod
    def _mirror(shown: dict[str, Any]) -> Mirror:
        return Mirror(
            shown["id"],
            _without_login(shown["url"]),
            shown["enabled"],
            shown["only_protected_branches"],
            shown["keep_divergent_refs"],
            shown["update_status"],
            shown["last_error"],
        )

    def make_mirror(self, url: str, **settings: Any) -> Mirror:
        """Creates a mirror as a person does, enabled by default."""
        return self._mirror(
            self._gitlab.send(
                "POST", f"{self.api}/remote_mirrors", json={"url": url, "enabled": True, **settings}
            ).json()
        )

    def delete_mirror(self, mirror_id: int) -> None:
        self._gitlab.send("DELETE", f"{self.api}/remote_mirrors/{mirror_id}")

    # --- what cfn-gitops reports -----------------------------------------------------------

    def statuses(self, sha: str) -> list[SimpleNamespace]:
        """The current statuses of all pipelines of the commit, in the order of their creation."""
        return self.pages(f"/repository/commits/{sha}/statuses")

    def status_states(self, sha: str) -> dict[str, str]:
        return {each.name: each.status for each in self.statuses(sha)}

    def commit_notes(self, sha: str) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(**note)
            for each in self.pages(f"/repository/commits/{sha}/discussions")
            for note in each.notes
        ]

    def merge_request(self, source_branch: str, target_branch: str = "") -> MergeRequest:
        made = self._gitlab.send(
            "POST",
            f"{self.api}/merge_requests",
            json={
                "title": source_branch,
                "source_branch": source_branch,
                "target_branch": target_branch or self.default_branch,
            },
        )
        return MergeRequest(made.json()["iid"], self)

    def close_merge_request(self, merge_request: MergeRequest) -> None:
        self._gitlab.send(
            "PUT", f"{self.api}/merge_requests/{merge_request.iid}", json={"state_event": "close"}
        )

    @property
    def default_branch(self) -> str:
        return str(self._gitlab.read(self.api)["default_branch"])

    def deployments(self, environment: str) -> list[SimpleNamespace]:
        return self.pages("/deployments", environment=environment)

    def environments(self, **query: str) -> list[SimpleNamespace]:
        return self.pages("/environments", **query)


def _without_login(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
