"""Merge requests of a commit, their notes, and the threads and comments on commits."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person


@pytest.fixture
def sha(person: Person) -> str:
    """The head of the branch `feature`, one commit before `main`."""
    person.pushes()
    return person.pushes("HEAD:refs/heads/feature")


def iids(api: Api, sha: str, **query: Any) -> list[int]:
    return [each["iid"] for each in api.listed(f"/repository/commits/{sha}/merge_requests", **query)]


def note(api: Api, iid: int, body: str) -> requests.Response:
    return api.ask("POST", f"/merge_requests/{iid}/notes", json={"body": body})


def noted(api: Api, iid: int, body: str) -> dict[str, Any]:
    answer = note(api, iid, body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def edit(api: Api, iid: int, number: int, body: str) -> requests.Response:
    return api.ask("PUT", f"/merge_requests/{iid}/notes/{number}", json={"body": body})


def test_merge_request_has_only_the_commits_of_its_branch(api: Api, project: HeldProject, sha: str) -> None:
    made = project.merge_request("feature")
    assert (made.commits, iids(api, sha)) == ([sha], [made.iid])
    assert iids(api, "main") == []
    [shown] = api.listed(f"/repository/commits/{sha}/merge_requests")
    assert (shown["source_branch"], shown["target_branch"], shown["state"], shown["sha"]) == (
        "feature", "main", "opened", sha)


def test_merge_request_of_the_api_has_later_pushes_until_closed(api: Api, person: Person, sha: str) -> None:
    given = {"title": "a", "source_branch": "feature", "target_branch": "main"}
    made = api.ask("POST", "/merge_requests", json=given)
    assert made.status_code == 201 and made.json()["sha"] == sha
    later = person.pushes("HEAD:refs/heads/feature")
    assert iids(api, sha) == iids(api, later) == [1]
    closed = api.ask("PUT", "/merge_requests/1", json={"state_event": "close"})
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert iids(api, person.pushes("HEAD:refs/heads/feature")) == []
    assert api.ask("POST", "/merge_requests", json={**given, "source_branch": "none"}).status_code == 400


def test_note_is_deleted_by_its_author(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    merge_request = project.merge_request("feature")
    other = Api(gitlab, project.path, gitlab.add_token("other", role="reporter").value)
    thread = api.ask("POST", f"/repository/commits/{sha}/discussions", json={"body": "two"}).json()
    threads = f"/repository/commits/{sha}/discussions"
    for path, gone in ((f"/merge_requests/1/notes/{noted(api, 1, 'one')['id']}", {"message": "404 Not found"}),
                       (f"{threads}/{thread['id']}/notes/{thread['notes'][0]['id']}",
                        {"message": "404 Discussion Not Found"})):
        assert other.ask("DELETE", path).status_code == 403
        deleted = api.ask("DELETE", path)
        assert (deleted.status_code, deleted.text) == (204, "")
        assert (api.ask("DELETE", path).status_code, api.ask("DELETE", path).json()) == (404, gone)
    assert merge_request.notes == [] and api.listed(threads) == []


def test_merge_request_shows_commits_behind_if_asked(api: Api, project: HeldProject, person: Person, sha: str) -> None:
    project.merge_request("feature")
    assert "diverged_commits_count" not in api.ask("GET", "/merge_requests/1").json()
    asked = "/merge_requests/1?include_diverged_commits_count=true"
    own = api.ask("GET", asked).json()
    assert own["diverged_commits_count"] == 0 and own["source_project_id"] == own["target_project_id"]
    person.pushes("HEAD:refs/heads/main")
    assert api.ask("GET", asked).json()["diverged_commits_count"] == 1


def test_only_author_or_maintainer_may_edit_a_note(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                   sha: str) -> None:
    project.merge_request("feature")
    author, other = (Api(gitlab, project.path, gitlab.add_token(name, role="reporter").value) for name in ("a", "b"))
    made = noted(author, 1, "one")
    rejected = edit(other, 1, made["id"], "two")
    assert (rejected.status_code, rejected.json()) == (403, {"message": "403 Forbidden"})
    assert edit(author, 1, made["id"], "three").status_code == 200
    assert edit(api, 1, made["id"], "four").json()["author"]["name"] == "a"


def test_guest_sees_no_merge_request_of_a_private_project(gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    project.merge_request("feature")
    guest = Api(gitlab, project.path, gitlab.add_token("g", role="guest").value)
    assert note(guest, 1, "x").json() == {"message": "404 Not found"}
    assert guest.ask("GET", f"/repository/commits/{sha}/merge_requests").status_code == 403
    project.features.visibility = "public"
    assert note(guest, 1, "x").status_code == 201


def test_body_of_a_note_is_required_and_limited(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    project.merge_request("feature")
    made = noted(api, 1, "x" * 1_000_000)
    assert "too long" in note(api, 1, "x" * 1_000_001).json()["message"]
    assert edit(api, 1, made["id"], "").json() == {"error": "body is empty"}
    assert api.ask("PUT", f"/merge_requests/1/notes/{made['id']}", json={}).json()["body"] == made["body"]
    assert note(api, 1, " ").status_code == 400
    assert api.ask("POST", "/merge_requests/1/notes", json={}).json() == {"error": "body is missing"}
    assert len(gitlab.complaints) == 1
    gitlab.complaints.clear()


def test_quick_action_in_a_note_is_a_complaint(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    project.merge_request("feature")
    noted(api, 1, "a /close within a line\n```\n/close\n```\n`/merge`")
    assert gitlab.complaints == []
    assert note(api, 1, "text\n/close").status_code == 500
    assert gitlab.complaints.pop().endswith("a fault of this server's own")


def test_only_author_or_maintainer_may_edit_a_thread(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                     sha: str) -> None:
    path = f"/repository/commits/{sha}/discussions"
    made = api.ask("POST", path, json={"body": "one"}).json()
    developer = Api(gitlab, project.path, gitlab.add_token("d", role="developer").value)
    number = made["notes"][0]["id"]
    assert developer.ask("PUT", f"{path}/{made['id']}/notes/{number}", json={"body": "2"}).status_code == 403


def test_commit_is_found_by_sha_short_sha_and_branch(api: Api, sha: str) -> None:
    for name in (sha, sha[:12], "feature"):
        shown = api.ask("GET", f"/repository/commits/{name}").json()
        assert (shown["id"], shown["status"], shown["last_pipeline"]) == (sha, None, None)
    assert len(shown["parent_ids"]) == 1 and shown["author_email"] == "a@example.com"
    missing = api.ask("GET", f"/repository/commits/{'0' * 40}")
    assert (missing.status_code, missing.json()) == (404, {"message": "404 Commit Not Found"})


def test_commit_of_a_deleted_branch_is_still_found(api: Api, sha: str, person: Person) -> None:
    assert person.push(":refs/heads/feature").returncode == 0
    assert api.ask("GET", f"/repository/commits/{sha}").status_code == 200
    assert api.ask("GET", "/repository/commits/feature").status_code == 404


def test_commit_needs_no_token_in_a_public_project(gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    anonymous, path = Api(gitlab, project.path, ""), f"/repository/commits/{sha}"
    assert anonymous.ask("GET", path).json() == {"message": "404 Project Not Found"}
    project.features.visibility = "public"
    assert anonymous.ask("GET", path).status_code == 200
    assert anonymous.ask("GET", f"{path}/statuses").status_code == 401
