"""Commit statuses of several users and pipelines, and protected branches. `tests/rules` has the other rules."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person

NAME = "cfn-gitops/dev/shop"


@pytest.fixture
def sha(person: Person) -> str:
    return person.pushes()


def post(api: Api, sha: str, state: str, **more: Any) -> requests.Response:
    return api.ask("POST", f"/statuses/{sha}", json={"state": state, "name": NAME, "ref": "main", **more})


def posted(api: Api, sha: str, state: str, **more: Any) -> dict[str, Any]:
    answer = post(api, sha, state, **more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(api: Api, sha: str, **query: Any) -> list[tuple[str, str]]:
    return [(each["name"], each["status"]) for each in api.listed(f"/repository/commits/{sha}/statuses", **query)]


@pytest.mark.parametrize("state", ["pending", "running", "success", "failed", "canceled", "skipped"])
def test_each_state_can_be_the_first(api: Api, sha: str, state: str) -> None:
    made = posted(api, sha, state, description="d", target_url="https://example.com/x")
    assert (made["status"], made["sha"], made["ref"], made["name"]) == (state, sha, "main", NAME)
    assert (made["description"], made["target_url"], made["allow_failure"]) == ("d", "https://example.com/x", False)
    assert (made["started_at"] is not None) == (state == "running")
    assert (made["finished_at"] is not None) == (state in ("success", "failed", "canceled"))


def test_other_user_creates_a_status_and_retries_the_old(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                         sha: str) -> None:
    bot = gitlab.add_token("a bot", user=gitlab.user("a bot", is_bot=True))
    stale = posted(api, sha, "running")
    theirs = posted(Api(gitlab, project.path, bot.value), sha, "running")
    assert theirs["id"] != stale["id"] and theirs["author"]["username"].startswith("project_")
    assert [each["id"] for each in api.listed(f"/repository/commits/{sha}/statuses")] == [theirs["id"]]


def test_retried_running_status_of_the_user_is_updated(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                       sha: str) -> None:
    stale = posted(api, sha, "running")
    posted(Api(gitlab, project.path, gitlab.add_token("a bot").value), sha, "running")
    # It remains retried, and the bot's becomes retried: then no status of this name is current.
    assert posted(api, sha, "success")["id"] == stale["id"]
    assert listed(api, sha) == []
    posted(api, sha, "success")
    assert listed(api, sha) == [(NAME, "success")]


def test_rotated_token_of_the_same_user_updates_the_status(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                           sha: str) -> None:
    user = next(token.user for token in gitlab.instance.tokens)
    rotated = gitlab.add_token("rotated", user=user)
    first = posted(api, sha, "running")
    assert posted(Api(gitlab, project.path, rotated.value), sha, "success")["id"] == first["id"]


def test_external_pipeline_is_created_once_per_sha_and_ref(api: Api, sha: str, project: HeldProject,
                                                           person: Person) -> None:
    posted(api, sha, "running")
    posted(api, sha, "pending", name=f"{NAME}/approval")
    [pipeline] = project.pipelines(sha)
    assert (pipeline.source, pipeline.ref, pipeline.iid) == ("external", "main", 1)
    posted(api, person.pushes(), "running")
    assert [each.iid for each in project.pipelines()] == [1, 2]


def test_ref_need_not_exist_and_defaults_to_a_branch(api: Api, sha: str) -> None:
    assert posted(api, sha, "running", ref="gone")["ref"] == "gone"
    assert posted(api, sha, "running", ref=None, name="other")["ref"] == "gone"  # the newest pipeline's


def test_commit_of_no_branch_needs_a_ref(api: Api, sha: str, person: Person) -> None:
    alone = person.pushes("HEAD:refs/heads/next")
    assert person.push(":refs/heads/next").returncode == 0
    rejected = post(api, alone, "running", ref=None)
    assert (rejected.status_code, rejected.json()) == (404, {"message": "404 References for commit Not Found"})
    assert posted(api, alone, "running")["ref"] == "main"


def test_protected_ref_needs_push_or_merge_rights(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                  sha: str) -> None:
    developer = Api(gitlab, project.path, gitlab.add_token("d", role="developer").value)
    assert project.protected_branches == ["main"]
    rejected = post(developer, sha, "running")
    assert (rejected.status_code, rejected.json()) == (403, {"message": "403 Forbidden"})
    assert [(each.source, each.statuses) for each in project.pipelines(sha)] == [("external", [])]
    project.protect("main", updates_by="developer")
    posted(developer, sha, "running")
    project.protect("main", updates_by=None)
    assert post(api, sha, "running").status_code == 403
    posted(api, sha, "running", ref="next")


def test_status_older_than_the_protection_is_not_updated(api: Api, project: HeldProject, sha: str) -> None:
    project.unprotect("main")
    first = posted(api, sha, "running")
    project.protect("main")
    assert posted(api, sha, "success")["id"] != first["id"]
    assert project.status_states(sha) == {NAME: "success"}


def test_disabled_ci_allows_statuses(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    project.features.builds = "disabled"
    posted(api, sha, "running")
    project.features.builds, project.features.visibility = "private", "public"
    posted(api, sha, "success")
    outsider = Api(gitlab, project.path, gitlab.add_token("s", projects=("another/project",)).value)
    assert outsider.ask("GET", f"/repository/commits/{sha}/statuses").status_code == 403


def test_archived_project_rejects_statuses(api: Api, project: HeldProject, sha: str) -> None:
    project.archive()
    assert post(api, sha, "running").status_code == 403
    assert listed(api, sha) == []


@pytest.mark.parametrize(("states", "expected"), [
    (["success", "success"], "success"), (["success", "failed"], "failed"), (["running", "failed"], "running"),
    (["pending"], "pending"), (["success", "pending"], "running"), (["canceled", "success"], "canceled"),
    (["canceled", "failed"], "failed"), (["skipped"], "skipped")])
def test_pipeline_state_is_computed_from_its_statuses(api: Api, sha: str, states: list[str], expected: str) -> None:
    for number, state in enumerate(states):
        posted(api, sha, state, name=str(number))
    shown = api.ask("GET", f"/repository/commits/{sha}").json()
    assert (shown["status"], shown["last_pipeline"]["status"]) == (expected, expected)
