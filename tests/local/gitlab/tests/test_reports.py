"""Statuses, deployments, environments, merge requests, notes, tags and events, as far as `tests/rules` does not show
them: several users, later pushes, protection and limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.conftest import Api, Person, Target

NAME = "cfn-gitops/dev/shop"
PROTECTED = "You are not allowed to create this tag as it is protected."
TAG = "deploy/dev/shop/0123456789abcdef"
TAG_PATH = "/repository/tags/deploy%2Fdev%2Fshop%2F0123456789abcdef"


@pytest.fixture
def sha(person: Person) -> str:
    return person.pushes()


@pytest.fixture
def developer(gitlab: LocalGitLab, project: HeldProject) -> Api:
    return Api(gitlab, project.path, gitlab.add_token("a developer", role="developer").value)


def post(api: Api, path: str, **body: Any) -> dict[str, Any]:
    answer = api.ask("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def report(api: Api, sha: str, state: str, **more: Any) -> int:
    """The ID of the status that is created or updated."""
    return int(post(api, f"/statuses/{sha}", **{"state": state, "name": NAME, "ref": "main", **more})["id"])


# --- statuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["pending", "running", "success", "failed", "canceled", "skipped"])
def test_each_state_can_be_the_first(api: Api, sha: str, state: str) -> None:
    made = post(api, f"/statuses/{sha}", state=state, name=NAME, ref="main")
    assert (made["status"], made["started_at"] is not None, made["finished_at"] is not None) == (
        state, state == "running", state in ("success", "failed", "canceled"))


def test_statuses_of_other_users_retry_each_other(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                  sha: str) -> None:
    stale = report(api, sha, "running")
    other = Api(gitlab, project.path, gitlab.add_token("a bot").value)
    assert report(other, sha, "running") != stale
    # It remains retried, and the other one becomes retried: then no status of this name is current.
    assert report(api, sha, "success") == stale
    assert project.status_states(sha) == {}
    first = report(api, sha, "running")
    rotated = gitlab.add_token("rotated", user=gitlab.instance.tokens[0].user)
    assert report(Api(gitlab, project.path, rotated.value), sha, "success") == first
    assert project.status_states(sha) == {NAME: "success"}


def test_status_of_a_branch_and_tag_of_one_name_is_500(api: Api, sha: str) -> None:
    post(api, "/repository/tags?tag_name=main&ref=main")
    answer = api.ask("POST", f"/statuses/{sha}", json={"state": "running", "name": NAME, "ref": "main"})
    assert answer.status_code == 500


def test_ref_need_not_exist_and_defaults_to_a_branch(api: Api, sha: str, person: Person) -> None:
    assert post(api, f"/statuses/{sha}", state="running", ref="gone")["ref"] == "gone"
    # The default is that of the newest pipeline.
    assert post(api, f"/statuses/{sha}", state="running", name="other")["ref"] == "gone"
    alone = person.pushes("HEAD:refs/heads/next")
    assert person.push(":refs/heads/next").returncode == 0
    rejected = api.ask("POST", f"/statuses/{alone}", json={"state": "running"})
    assert (rejected.status_code, rejected.json()) == (404, {"message": "404 References for commit Not Found"})


def test_status_older_than_the_protection_is_not_updated(api: Api, project: HeldProject, sha: str) -> None:
    project.unprotect("main")
    first = report(api, sha, "running")
    project.protect("main")
    assert report(api, sha, "success") != first
    assert project.status_states(sha) == {NAME: "success"}


# --- deployments and environments ------------------------------------------------------------------


def deploy(api: Api, sha: str, **more: Any) -> dict[str, Any]:
    return post(api, "/deployments", **{"environment": "dev", "sha": sha, "ref": sha, "tag": False,
                                        "status": "running", **more})


@pytest.mark.parametrize(("name", "slug", "tier"), [
    ("dev", "dev", "development"), ("prd", "prd", "production"), ("review/a", None, "development"),
    ("X", None, "other"), ("a" * 30, None, "other")])
def test_environment_has_a_slug_and_a_tier(api: Api, sha: str, name: str, slug: str | None, tier: str) -> None:
    deploy(api, sha, environment=name)
    [made] = api.listed("/environments", name=name)
    assert (made["name"], made["external_url"], made["state"], made["tier"]) == (name, None, "available", tier)
    assert len(made["slug"]) <= 24 and (slug is None or made["slug"] == slug)


@pytest.mark.parametrize(("name", "error"), [
    ("a" * 256, "is too long (maximum is 255 characters)"),
    ("a:b", "can contain only letters"), ("/a", "cannot start or end with '/'")])
def test_invalid_environment_name_is_400(api: Api, sha: str, name: str, error: str) -> None:
    answer = api.ask("POST", "/deployments", json={"environment": name, "sha": sha, "ref": sha, "tag": False,
                                                   "status": "running"})
    assert answer.status_code == 400 and any(error in each for each in answer.json()["message"]["name"])


@pytest.mark.parametrize(("url", "shown", "errors"), [
    ("https://" + "x" * 247, "https://" + "x" * 247, None), ("", None, None), (None, None, None),
    ("ftp://example.com", "ftp://example.com", None),
    ("https://" + "x" * 248, None, ["is too long (maximum is 255 characters)"]),
    ("javascript:alert(1)", None, ["javascript scheme is not allowed"])])
def test_environment_url_is_checked(api: Api, sha: str, url: str | None, shown: str | None,
                                    errors: list[str] | None) -> None:
    environment = deploy(api, sha)["environment"]["id"]
    answer = api.ask("PUT", f"/environments/{environment}", json={"external_url": url})
    assert answer.json() == {"message": {"external_url": errors}} if errors else answer.json()["external_url"] == shown
    assert deploy(api, sha)["environment"]["external_url"] == shown


def test_only_a_stopped_environment_is_deleted(api: Api, project: HeldProject, sha: str) -> None:
    number = deploy(api, sha)["environment"]["id"]
    assert api.ask("DELETE", f"/environments/{number}").status_code == 403
    stopped = api.ask("POST", f"/environments/{number}/stop", json={"force": True})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert api.ask("DELETE", f"/environments/{number}").status_code == 204
    assert (project.environment("dev"), project.deployments()) == (None, [])


# --- merge requests, notes and threads ---------------------------------------------------------------


def test_merge_request_has_its_branchs_commits_until_closed(api: Api, project: HeldProject, person: Person,
                                                            sha: str) -> None:
    def iids(commit: str) -> list[int]:
        return [each["iid"] for each in api.listed(f"/repository/commits/{commit}/merge_requests")]

    first = person.pushes("HEAD:refs/heads/feature")
    given = {"title": "a", "source_branch": "feature", "target_branch": "main"}
    assert post(api, "/merge_requests", **given)["sha"] == first
    later = person.pushes("HEAD:refs/heads/feature")
    assert (iids(first), iids(later), iids(sha)) == ([1], [1], [])
    asked = "/merge_requests/1?include_diverged_commits_count=true"
    assert api.ask("GET", asked).json()["diverged_commits_count"] == 0
    assert "diverged_commits_count" not in api.ask("GET", "/merge_requests/1").json()
    person.pushes("HEAD:refs/heads/main")
    assert api.ask("GET", asked).json()["diverged_commits_count"] == 1
    closed = api.ask("PUT", "/merge_requests/1", json={"state_event": "close"})
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert iids(person.pushes("HEAD:refs/heads/feature")) == []
    assert api.ask("POST", "/merge_requests", json={**given, "source_branch": "none"}).status_code == 400


def test_only_author_or_maintainer_may_change_a_note(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str,
                                                     person: Person) -> None:
    person.pushes("HEAD:refs/heads/feature")
    project.merge_request("feature")
    author, other = (Api(gitlab, project.path, gitlab.add_token(name, role="reporter").value) for name in ("a", "b"))
    threads = f"/repository/commits/{sha}/discussions"
    thread = post(author, threads, body="one")
    for path in (f"/merge_requests/1/notes/{post(author, '/merge_requests/1/notes', body='one')['id']}",
                 f"{threads}/{thread['id']}/notes/{thread['notes'][0]['id']}"):
        for caller, status in ((other, 403), (author, 200), (api, 200)):
            assert caller.ask("PUT", path, json={"body": "two"}).status_code == status
        for caller, status in ((other, 403), (author, 204), (api, 404)):
            assert caller.ask("DELETE", path).status_code == status
    assert api.listed(threads) == []


def test_note_is_limited_and_has_no_quick_action(api: Api, gitlab: LocalGitLab, project: HeldProject, sha: str,
                                                 person: Person) -> None:
    person.pushes("HEAD:refs/heads/feature")
    project.merge_request("feature")
    notes = "/merge_requests/1/notes"
    post(api, notes, body="x" * 1_000_000)
    post(api, notes, body="a /close within a line\n```\n/close\n```\n`/merge`")
    assert "too long" in api.ask("POST", notes, json={"body": "x" * 1_000_001}).json()["message"]
    assert api.ask("POST", notes, json={"body": " "}).status_code == 400
    assert gitlab.complaints == []
    assert api.ask("POST", notes, json={"body": "text\n/close"}).status_code == 500
    assert gitlab.complaints.pop().endswith("a fault of this server's own")


# --- tags, events and ranges ------------------------------------------------------------------------


def create(api: Api, name: str, ref: str = "main") -> tuple[int, Any]:
    made = api.ask("POST", "/repository/tags", params={"tag_name": name, "ref": ref})
    return made.status_code, made.json()["target"] if made.status_code == 201 else made.json()["message"]


def events(api: Api, **query: str) -> list[tuple[str, str | None, str | None, int | None]]:
    pushes = [each["push_data"] for each in api.listed("/events", action="pushed", **query)]
    return [(each["action"], each["ref"], each["commit_to"], each["ref_count"]) for each in pushes]


def test_created_tag_is_shown_mirrored_and_an_event(gitlab: LocalGitLab, api: Api, person: Person,
                                                    target: Target) -> None:
    api.created(target.with_login(), enabled=True, only_protected_branches=True)
    commit = person.pushes("HEAD:main")
    assert create(api, TAG, commit) == (201, commit)
    assert (create(api, TAG), create(api, "v2", "none")) == (
        (400, f"Tag {TAG} already exists"), (400, "Target none is invalid"))
    gitlab.wait_until_quiet()
    assert target.references()[f"refs/tags/{TAG}"] == commit
    assert api.ask("DELETE", TAG_PATH).status_code == 204
    assert events(api) == [
        ("removed", TAG, None, None), ("created", TAG, commit, None), ("created", "main", commit, None)]
    assert events(api, after="2999-12-31") == [] != events(api, after="2000-01-01")
    person.push(*(f"HEAD:refs/tags/{name}" for name in "defg"))
    assert events(api)[0] == ("created", None, None, 4)
    # A page is short, although others follow.
    assert events(api, per_page="2", page="2") == events(api)[1:2]


def test_protected_tag_is_for_those_that_a_rule_admits(gitlab: LocalGitLab, project: HeldProject, api: Api,
                                                       person: Person, developer: Api) -> None:
    person.pushes("HEAD:main")
    project.protect_tags("deploy/*")
    token = str(developer.session.headers["PRIVATE-TOKEN"])

    def push(what: str, token: str = token) -> str:
        return person.push(what, token=token).stderr

    assert create(developer, TAG) == (400, PROTECTED)
    refused = push(f"HEAD:refs/tags/{TAG}")
    assert f"GitLab: {PROTECTED}" in refused and "pre-receive hook declined" in refused
    assert create(api, TAG)[0] == 201 and api.ask("GET", TAG_PATH).json()["protected"] is True
    person.commit()
    assert "Protected tags cannot be updated." in push(f"+HEAD:refs/tags/{TAG}", gitlab.token)
    assert "using the web interface" in push(f":refs/tags/{TAG}", gitlab.token)
    assert developer.ask("DELETE", TAG_PATH).status_code == 403
    # One rule that admits a user is enough, also beside "No one". A tag without a rule is for Developers.
    project.protect_tags("*/dev/*", levels=(30,))
    project.protect_tags("deploy/*/shop/*", levels=(0,))
    assert push(f"HEAD:refs/tags/{TAG}s") == "" == push("HEAD:refs/tags/v1") == push("+HEAD~1:refs/tags/v1")
    assert [[level["access_level"] for level in rule["create_access_levels"]]
            for rule in api.listed("/protected_tags")] == [[40], [30], [0]]


def test_job_creates_a_release_with_its_tag(gitlab: LocalGitLab, project: HeldProject, api: Api, person: Person,
                                            developer: Api) -> None:
    person.pushes("HEAD:main")
    project.protect_tags("deploy/*")
    job = gitlab.add_token("a job", scopes=("job",), user=gitlab.user("Ann", username="ann"))
    release = {"tag_name": TAG, "ref": "main"}
    path = TAG_PATH.replace("/repository/tags", "/releases")

    def ask(method: str, path: str, **more: Any) -> int:
        headers = {"PRIVATE-TOKEN": "", "JOB-TOKEN": job.value}
        return api.ask(method, path, headers=headers, **more).status_code

    assert developer.ask("POST", "/releases", json=release).json() == {"message": PROTECTED}
    assert api.ask("GET", path).json() == {"message": "404 Not Found"}
    assert ask("POST", "/repository/tags", params=release) == 403
    assert ask("POST", "/releases", json=release) == 201
    assert api.ask("GET", path).json()["tag_name"] == TAG == api.ask("GET", TAG_PATH).json()["release"]["tag_name"]
    assert api.listed("/events", action="pushed")[0]["author_id"] == job.user.id
    assert ask("DELETE", path) == 200
    assert api.ask("GET", TAG_PATH).json()["release"] is None


def test_members_are_shown_with_their_level(gitlab: LocalGitLab, project: HeldProject, api: Api) -> None:
    ann = gitlab.add_token("t", user=gitlab.user("Ann", username="ann"), projects=(project.path,)).user
    shown = api.session.get(f"{gitlab.url}/api/v4/users/{ann.id}").json()
    assert (shown["username"], shown["bot"]) == ("ann", False)
    assert api.session.get(f"{gitlab.url}/api/v4/users/7").json() == {"message": "404 User Not Found"}
    assert api.ask("GET", f"/members/all/{ann.id}").json()["access_level"] == 40
    assert api.ask("GET", f"/members/all/{gitlab.user('none').id}").json() == {"message": "404 Not found"}


def test_range_lists_commits_and_none_if_unknown(gitlab: LocalGitLab, api: Api, person: Person) -> None:
    first, second, third = (person.pushes("HEAD:main") for _ in range(3))

    def ids(ref: str, **query: int) -> list[str]:
        return [each["id"] for each in api.listed("/repository/commits", ref_name=ref, **query)]

    assert ids(f"{first}..main") == [third, second] and ids("main") == [third, second, first]
    assert ids(f"{first}..{third}", per_page=1, page=2) == [second]
    gitlab.settings.proxy_drops_paging_headers = False
    full = api.ask("GET", "/repository/commits", params={"per_page": 3})
    assert full.headers["X-Next-Page"] == "2" and "X-Total" not in full.headers
    for refs in (["main", first], [second, first]):
        assert api.ask("GET", "/repository/merge_base", params={"refs[]": refs}).json()["id"] == first
