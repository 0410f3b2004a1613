"""Tags, the rules that protect them, their events, and the people who create them."""

from __future__ import annotations

from typing import Any

import pytest

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person, Target

PROTECTED = "You are not allowed to create this tag as it is protected."
TAG = "deploy/dev/shop/0123456789abcdef"
PATH = "/repository/tags/deploy%2Fdev%2Fshop%2F0123456789abcdef"


def create(api: Api, name: str, ref: str = "main", **more: str) -> tuple[int, Any]:
    made = api.ask("POST", "/repository/tags", params={"tag_name": name, "ref": ref, **more})
    return made.status_code, made.json()["target"] if made.status_code == 201 else made.json()["message"]


def events(api: Api, **query: str) -> list[tuple[str, str | None, str | None, int | None]]:
    pushes = [each["push_data"] for each in api.listed("/events", action="pushed", **query)]
    return [(each["action"], each["ref"], each["commit_to"], each["ref_count"]) for each in pushes
            if each["ref_type"] == "tag"]


@pytest.fixture
def developer(gitlab: LocalGitLab, project: HeldProject) -> Api:
    return Api(gitlab, project.path, gitlab.add_token("a developer", role="developer").value)


def test_created_tag_is_shown_mirrored_and_an_event(gitlab: LocalGitLab, api: Api, person: Person,
                                                    target: Target) -> None:
    api.created(target.with_login(), enabled=True, only_protected_branches=True)
    commit = person.pushes("HEAD:main")
    assert create(api, TAG, commit) == (201, commit)
    status, annotated = create(api, "v1", message="Release")
    shown = api.ask("GET", "/repository/tags/v1").json()
    assert status == 201 and (shown["target"], shown["commit"]["id"], shown["message"]) == (annotated, commit, "Release")
    assert annotated != commit and events(api) == [("created", "v1", annotated, None), ("created", TAG, commit, None)]
    assert create(api, "v1") == (400, "Tag v1 already exists")
    assert create(api, "v2", "none") == (400, "Target none is invalid")
    assert api.ask("GET", "/repository/tags/v2").json() == {"message": "404 Tag Not Found"}
    gitlab.wait_until_quiet()
    assert target.references()[f"refs/tags/{TAG}"] == commit
    assert api.ask("DELETE", PATH).status_code == 204
    assert events(api)[0] == ("removed", TAG, None, None)
    assert events(api, after="2999-12-31") == [] != events(api, after="2000-01-01")


def test_protected_tag_is_for_those_that_a_rule_admits(gitlab: LocalGitLab, project: HeldProject, api: Api,
                                                       person: Person, developer: Api) -> None:
    person.pushes("HEAD:main")
    project.protect_tags("deploy/*")
    token = developer.session.headers["PRIVATE-TOKEN"]

    def push(what: str, token: str | bytes = token) -> str:
        return person.push(what, token=str(token)).stderr

    assert create(developer, TAG) == (400, PROTECTED)
    refused = push(f"HEAD:refs/tags/{TAG}")
    assert f"GitLab: {PROTECTED}" in refused and "pre-receive hook declined" in refused
    assert events(api) == []
    assert create(api, TAG)[0] == 201 and api.ask("GET", PATH).json()["protected"] is True
    person.commit()
    assert "Protected tags cannot be updated." in push(f"+HEAD:refs/tags/{TAG}", gitlab.token)
    assert "using the web interface" in push(f":refs/tags/{TAG}", gitlab.token)
    assert developer.ask("DELETE", PATH).status_code == 403
    # One rule that admits a user is enough, also beside "No one". A tag without a rule is for Developers.
    project.protect_tags("*/dev/*", levels=(30,))
    project.protect_tags("deploy/*/shop/*", levels=(0,))
    assert push(f"HEAD:refs/tags/{TAG}s") == "" == push("HEAD:refs/tags/v1") == push("+HEAD~1:refs/tags/v1")
    project.protect_tags("none/*", levels=(), group_id=7)
    project.protect_tags("one/*", levels=(), user_id=gitlab.instance.tokens[-1].user.id)
    assert create(developer, "none/a") == (400, PROTECTED) and create(developer, "one/a")[0] == 201


def test_rules_and_deploy_keys_are_for_maintainers(project: HeldProject, api: Api, developer: Api) -> None:
    project.protect_tags("deploy/*", levels=(40, 0))
    project.protect_tags("deploy/*", levels=(), deploy_key_id=3)
    project.add_deploy_key(can_push=True)
    (rule,) = api.listed("/protected_tags")
    assert [(each["access_level"], each.get("deploy_key_id")) for each in rule["create_access_levels"]] == [
        (40, None), (0, None), (40, 3)]
    assert [each["can_push"] for each in api.listed("/deploy_keys")] == [True]
    assert {developer.ask("GET", f"/{path}").status_code for path in ("protected_tags", "deploy_keys")} == {403}
    project.pull_from_an_upstream()
    assert api.ask("GET").json()["mirror"] is True


def test_push_of_many_tags_is_one_event(project: HeldProject, api: Api, person: Person) -> None:
    person.pushes("HEAD:main", "HEAD:refs/tags/a", "HEAD:refs/tags/b", "HEAD:refs/tags/c")
    assert [each[1] for each in events(api)] == ["c", "b", "a"]
    person.push(*(f"HEAD:refs/tags/{name}" for name in "defg"), ":refs/tags/a")
    assert set(events(api)[:2]) == {("created", None, None, 4), ("removed", "a", None, None)}


def test_users_members_and_mergers_are_shown(gitlab: LocalGitLab, project: HeldProject, api: Api) -> None:
    ann = gitlab.add_token("t", user=gitlab.user("Ann", username="ann"), projects=(project.path,)).user
    ann.public_email = "ann@example.com"
    bot = gitlab.user("bot", is_bot=True)
    users = api.session.get(f"{gitlab.url}/api/v4/users/{ann.id}").json()
    assert (users["username"], users["bot"], users["public_email"]) == ("ann", False, "ann@example.com")
    assert api.session.get(f"{gitlab.url}/api/v4/users/{bot.id}").json()["bot"] is True
    assert api.session.get(f"{gitlab.url}/api/v4/users/7").json() == {"message": "404 User Not Found"}
    ann.is_blocked = True
    member = api.ask("GET", f"/members/all/{ann.id}").json()
    assert (member["access_level"], member["state"]) == (40, "blocked")
    assert api.ask("GET", f"/members/all/{bot.id}").json() == {"message": "404 Not found"}


def test_range_lists_commits_and_none_if_unknown(project: HeldProject, api: Api, person: Person,
                                                 gitlab: LocalGitLab) -> None:
    first, second, third = (person.pushes("HEAD:main") for _ in range(3))

    def ids(ref: str, **query: int) -> list[str]:
        return [each["id"] for each in api.listed("/repository/commits", ref_name=ref, **query)]

    assert ids(f"{first}..main") == [third, second] and ids("main") == [third, second, first]
    assert ids(f"{first}..{third}", per_page=1, page=2) == [second]
    full = api.ask("GET", "/repository/commits", params={"per_page": 3})
    assert full.headers["X-Next-Page"] == "2" and "X-Total" not in full.headers
    assert ids(f"{'0' * 40}..main") == [] == ids("none")
    project.merge_request("main", commits=[third], state="merged", merge_user=gitlab.person)
    (request,) = api.listed(f"/repository/commits/{third}/merge_requests")
    assert request["merge_user"]["id"] == gitlab.person.id
