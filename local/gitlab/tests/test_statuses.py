"""Commit statuses: lookup of an existing status, transitions, saved values and permissions."""

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


def cannot(event: str, state: str) -> dict[str, str]:
    return {"message": f'Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via '
                       f'"{event}")'}


def listed(api: Api, sha: str, **query: Any) -> list[tuple[str, str]]:
    return [(each["name"], each["status"]) for each in api.listed(f"/repository/commits/{sha}/statuses", **query)]


@pytest.mark.parametrize("state", ["pending", "running", "success", "failed", "canceled", "skipped"])
def test_each_state_can_be_the_first(api: Api, sha: str, state: str) -> None:
    made = posted(api, sha, state, description="d", target_url="https://example.com/x")
    assert (made["status"], made["sha"], made["ref"], made["name"]) == (state, sha, "main", NAME)
    assert (made["description"], made["target_url"], made["allow_failure"]) == ("d", "https://example.com/x", False)
    assert (made["started_at"] is not None) == (state == "running")
    assert (made["finished_at"] is not None) == (state in ("success", "failed", "canceled"))


@pytest.mark.parametrize("state", ["success", "failed", "canceled"])
def test_running_status_is_updated_to_its_end(api: Api, sha: str, state: str) -> None:
    first = posted(api, sha, "running", description="begins", target_url="https://example.com/x")
    last = posted(api, sha, state, description="ends")
    assert (last["id"], last["pipeline_id"], last["status"]) == (first["id"], first["pipeline_id"], state)
    assert (last["description"], last["target_url"]) == ("ends", "https://example.com/x")
    assert listed(api, sha, all="true") == [(NAME, state)]


@pytest.mark.parametrize(("earlier", "state", "event"), [
    ("running", "pending", "enqueue"), ("running", "running", "run"), ("pending", "pending", "enqueue"),
    ("running", "skipped", "skip")])
def test_impossible_transition_is_400_and_saves_nothing(api: Api, sha: str, earlier: str, state: str,
                                                        event: str) -> None:
    posted(api, sha, earlier, description="first")
    rejected = post(api, sha, state, description="second", target_url="https://example.com/second")
    assert (rejected.status_code, rejected.json()) == (400, cannot(event, earlier))
    [held] = api.listed(f"/repository/commits/{sha}/statuses", all="true")
    assert (held["status"], held["description"], held["target_url"]) == (earlier, "first", None)


def test_pending_status_may_run(api: Api, sha: str) -> None:
    assert posted(api, sha, "pending")["id"] == posted(api, sha, "running")["id"]


def test_repeated_final_state_creates_a_status_retries_the_old(api: Api, sha: str, project: HeldProject) -> None:
    first, second = posted(api, sha, "success"), posted(api, sha, "success")
    assert first["id"] != second["id"] and first["pipeline_id"] == second["pipeline_id"]
    assert [each["id"] for each in api.listed(f"/repository/commits/{sha}/statuses")] == [second["id"]]
    assert listed(api, sha, all="true") == [(NAME, "success")] * 2
    assert [status.is_retried for status in project.statuses(sha, with_retried=True)] == [True, False]


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


def test_other_name_and_other_ref_are_other_statuses(api: Api, sha: str, person: Person) -> None:
    assert person.push("HEAD:refs/heads/next").returncode == 0
    ids = {posted(api, sha, "running")["id"], posted(api, sha, "running", name=f"{NAME}/approval")["id"],
           posted(api, sha, "running", ref="next")["id"]}
    assert len(ids) == 3
    assert len(listed(api, sha)) == 3
    assert listed(api, sha, ref="next") == listed(api, sha, name=NAME, ref="next") == [(NAME, "running")]
    assert listed(api, sha, name=f"{NAME}/approval") == [(f"{NAME}/approval", "running")]


def test_external_pipeline_is_created_once_per_sha_and_ref(api: Api, sha: str, project: HeldProject,
                                                           person: Person) -> None:
    posted(api, sha, "running")
    posted(api, sha, "pending", name=f"{NAME}/approval")
    [pipeline] = project.pipelines(sha)
    assert (pipeline.source, pipeline.ref, pipeline.iid) == ("external", "main", 1)
    posted(api, person.pushes(), "running")
    assert [each.iid for each in project.pipelines()] == [1, 2]


def test_status_joins_the_newest_pipeline_of_gitlab_ci(api: Api, sha: str, project: HeldProject) -> None:
    project.run_ci(sha, "main", build="failed")
    newest = project.run_ci(sha, "main", build="success")
    assert posted(api, sha, "running")["pipeline_id"] == newest.id
    assert listed(api, sha, pipeline_id=newest.id) == [("build", "success"), (NAME, "running")]
    assert listed(api, sha, stage="external") == [(NAME, "running")]
    taken = post(api, sha, "running", name="build")
    assert (taken.status_code, taken.json()) == (400, {"message": {"name": ["has already been taken"]}})
    [status] = [each for each in newest.statuses if each.is_external]
    posted(api, sha, "success", pipeline_id=newest.id)
    assert status.id == newest.statuses[-1].id
    assert post(api, sha, "success", pipeline_id=1).status_code == 404


def test_archived_pipeline_takes_no_status(api: Api, sha: str, project: HeldProject) -> None:
    first = posted(api, sha, "running")
    [pipeline] = project.pipelines(sha)
    pipeline.is_archived = True
    rejected = post(api, sha, "success", pipeline_id=first["pipeline_id"])
    assert (rejected.status_code, rejected.json()) == (
        404, {"message": "404 Pipeline for pipeline_id, sha and ref Not Found"})
    second = posted(api, sha, "success")
    assert second["pipeline_id"] != first["pipeline_id"]
    # Each pipeline has its own status of this name, and the earlier one remains open.
    assert listed(api, sha) == [(NAME, "running"), (NAME, "success")]


def test_ref_need_not_exist_and_defaults_to_a_branch(api: Api, sha: str) -> None:
    assert posted(api, sha, "running", ref="gone")["ref"] == "gone"
    assert posted(api, sha, "running", ref=None, name="other")["ref"] == "gone"  # the newest pipeline's


def test_commit_of_no_branch_needs_a_ref(api: Api, sha: str, person: Person) -> None:
    alone = person.pushes("HEAD:refs/heads/next")
    assert person.push(":refs/heads/next").returncode == 0
    rejected = post(api, alone, "running", ref=None)
    assert (rejected.status_code, rejected.json()) == (404, {"message": "404 References for commit Not Found"})
    assert posted(api, alone, "running")["ref"] == "main"


def test_unknown_commit_is_404(api: Api, sha: str) -> None:
    missing = (404, {"message": "404 Commit Not Found"})
    for answer in (post(api, "0" * 40, "running"), api.ask("GET", f"/repository/commits/{'0' * 40}/statuses")):
        assert (answer.status_code, answer.json()) == missing


def test_branch_name_finds_the_commit_but_no_statuses(api: Api, sha: str) -> None:
    posted(api, sha, "running")
    assert listed(api, "main") == listed(api, sha[:10]) == []


def test_texts_have_at_most_255_characters(api: Api, sha: str, project: HeldProject) -> None:
    posted(api, sha, "running", description="ä" * 255, target_url="https://example.com/" + "x" * 235)
    message = "is too long (maximum is 255 characters)"
    for attribute, value, times in (("description", "d" * 256, 1), ("target_url", f"https://e.com/{'x' * 250}", 2),
                                    ("ref", "r" * 256, 1)):
        rejected = post(api, sha, "success", **{attribute: value})
        assert (rejected.status_code, rejected.json()) == (400, {"message": {attribute: [message] * times}})
    assert project.status_states(sha) == {NAME: "running"}


@pytest.mark.parametrize("url", ["invalid url", "git://example.com"])
def test_target_url_without_http_is_rejected(api: Api, sha: str, url: str) -> None:
    assert post(api, sha, "running", target_url=url).json() == {
        "message": {"target_url": ["is blocked: Only allowed schemes are http, https"]}}


def test_state_is_required_and_one_of_six(api: Api, gitlab: LocalGitLab, sha: str) -> None:
    assert post(api, sha, "error").json() == {"error": "state does not have a valid value"}
    assert api.ask("POST", f"/statuses/{sha}", json={}).json()["error"].startswith("state is missing")
    assert len(gitlab.complaints) == 2
    gitlab.complaints.clear()


def test_name_defaults_to_the_context_or_default(api: Api, sha: str) -> None:
    assert api.ask("POST", f"/statuses/{sha}", json={"state": "running"}).json()["name"] == "default"
    assert api.ask("POST", f"/statuses/{sha}", json={"state": "running", "context": "c"}).json()["name"] == "c"


@pytest.mark.parametrize(("role", "reads", "creates"), [("guest", 403, 403), ("reporter", 200, 403),
                                                        ("developer", 200, 201)])
def test_roles_for_statuses(gitlab: LocalGitLab, project: HeldProject, sha: str, role: str, reads: int,
                            creates: int) -> None:
    project.unprotect("main")
    api = Api(gitlab, project.path, gitlab.add_token(role, role=role).value)
    assert api.ask("GET", f"/repository/commits/{sha}/statuses").status_code == reads
    assert post(api, sha, "running").status_code == creates


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


def test_conflict_is_409_for_the_set_number_of_posts(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                     sha: str) -> None:
    gitlab.conflict_statuses(times=1)
    rejected = post(api, sha, "running")
    assert (rejected.status_code, rejected.json()) == (
        409, {"message": "Another update to this commit status is in progress"})
    assert project.statuses(sha) == []
    posted(api, sha, "running")


def test_lock_of_the_pipeline_is_400_for_the_set_number_of_posts(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                                 sha: str) -> None:
    gitlab.lock_pipelines(times=1)
    rejected = post(api, sha, "running")
    assert (rejected.status_code, rejected.json()) == (400, {"message": "Failed to obtain a lock"})
    # The pipeline was created before.
    assert project.statuses(sha) == [] and len(project.pipelines(sha)) == 1
    posted(api, sha, "running")


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


def test_statuses_need_a_token_and_the_project(gitlab: LocalGitLab, project: HeldProject, sha: str) -> None:
    assert post(Api(gitlab, project.path, ""), sha, "running").status_code == 401
    assert post(Api(gitlab, "a/b"), sha, "running").json() == {"message": "404 Project Not Found"}


def test_pages_and_order_of_statuses(api: Api, sha: str) -> None:
    for number in range(3):
        posted(api, sha, "running", name=f"{number}")
    answer = api.ask("GET", f"/repository/commits/{sha}/statuses", params={"per_page": 2, "sort": "desc"})
    assert [each["name"] for each in answer.json()] == ["2", "1"]
    assert (answer.headers["X-Next-Page"], answer.headers["X-Total"]) == ("2", "3")
    assert api.ask("GET", f"/repository/commits/{sha}/statuses", params={"order_by": "name"}).status_code == 400


@pytest.mark.parametrize(("states", "expected"), [
    (["success", "success"], "success"), (["success", "failed"], "failed"), (["running", "failed"], "running"),
    (["pending"], "pending"), (["success", "pending"], "running"), (["canceled", "success"], "canceled"),
    (["canceled", "failed"], "failed"), (["skipped"], "skipped")])
def test_pipeline_state_is_computed_from_its_statuses(api: Api, sha: str, states: list[str], expected: str) -> None:
    for number, state in enumerate(states):
        posted(api, sha, state, name=str(number))
    shown = api.ask("GET", f"/repository/commits/{sha}").json()
    assert (shown["status"], shown["last_pipeline"]["status"]) == (expected, expected)
