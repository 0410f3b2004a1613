"""The remote mirrors API: accepted and rejected requests, and its messages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import PASSWORD, USER, Api, Person, Target, login_of

URL = "https://somebody:something@git.example.com/v1/repos/target"
TOO_MANY = "Maximum number of push mirrors (10) exceeded for this project."
EXCLUSIVE = "only_protected_branches, mirror_branch_regex are mutually exclusive"


def test_created_mirror_is_shown_with_its_login_masked(api: Api) -> None:
    answer = api.create(URL)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown == {
        "id": shown["id"], "enabled": False, "url": "https://*****:*****@git.example.com/v1/repos/target",
        "update_status": "none", "last_update_at": None, "last_update_started_at": None,
        "last_successful_update_at": None, "last_error": None, "only_protected_branches": False,
        "keep_divergent_refs": False, "auth_method": "password", "host_keys": [], "mirror_branch_regex": None}
    assert api.get(shown["id"]) == shown
    assert api.ask("GET", "/remote_mirrors").json() == [shown]


def test_a_form_is_as_good_as_json(api: Api) -> None:
    answer = api.ask("POST", "/remote_mirrors", data={"url": URL, "only_protected_branches": "true"})
    assert (answer.status_code, answer.json()["only_protected_branches"]) == (201, True)


def test_project_is_found_by_id_and_by_encoded_path_only(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    assert api.ask("GET", "/remote_mirrors").status_code == 200
    api.project = str(project.id)
    assert api.ask("GET", "/remote_mirrors").status_code == 200
    api.project = project.path
    missed = api.ask("GET", "/remote_mirrors")
    assert (missed.status_code, missed.json()) == (404, {"error": "404 Not Found"})
    api.project = "999"
    missed = api.ask("GET", "/remote_mirrors")
    assert (missed.status_code, missed.json()) == (404, {"message": "404 Project Not Found"})


def test_update_changes_named_settings_and_never_the_url(api: Api, gitlab: LocalGitLab, person: Person) -> None:
    person.pushes()
    mirror = api.created(URL, keep_divergent_refs=True)
    changed = api.update(mirror, enabled=True, only_protected_branches=True)
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in ("enabled", "only_protected_branches", "keep_divergent_refs")} == {
        "enabled": True, "only_protected_branches": True, "keep_divergent_refs": True}
    assert api.update(mirror, url="https://elsewhere.example.com/x").status_code == 200
    assert api.get(mirror)["url"] == "https://*****:*****@git.example.com/v1/repos/target"
    # GitLab's description does not know it there.
    assert gitlab.complaints and "'url' was unexpected" in gitlab.complaints[0]
    gitlab.complaints.clear()


def test_protected_branches_and_branch_regex_replace_each_other(api: Api) -> None:
    mirror = api.created(URL, only_protected_branches=True)
    shown = api.update(mirror, mirror_branch_regex="^main$").json()
    assert (shown["only_protected_branches"], shown["mirror_branch_regex"]) == (False, "^main$")
    shown = api.update(mirror, only_protected_branches=True).json()
    assert (shown["only_protected_branches"], shown["mirror_branch_regex"]) == (True, None)


@pytest.mark.parametrize("protected", [True, False])
def test_branch_regex_and_protected_only_are_exclusive(api: Api, protected: bool) -> None:
    mirror = api.created(URL)
    both = {"only_protected_branches": protected, "mirror_branch_regex": "^main$"}
    for rejected in (api.create(f"{URL}-2", **both), api.update(mirror, **both)):
        assert (rejected.status_code, rejected.json()) == (400, {"error": EXCLUSIVE})


def test_branch_regex_without_premium_is_dropped_silently(api: Api, gitlab: LocalGitLab) -> None:
    gitlab.settings.premium = False
    assert "mirror_branch_regex" not in api.create(URL, mirror_branch_regex="^main$").json()


@pytest.mark.parametrize(("sent", "expected"), [
    ({}, {"error": "url is missing"}),
    ({"url": ""}, {"message": {"url": ["can't be blank"]}}),
    ({"url": "ftp://a:b@example.com"},
     {"message": {"url": ["is blocked: Only allowed schemes are http, https, ssh, git"]}}),
    ({"url": "https://$user:b@example.com"},
     {"message": {"url": ["is blocked: Username needs to start with an alphanumeric character"]}}),
    ({"url": "https://u:pass/word@example.com/r"}, {"message": {"url": ["is blocked: URI is invalid"]}}),
    ({"url": "https://u:pass#word@example.com/r"}, {"message": {"url": ["is blocked: URI is invalid"]}}),
    ({"url": "https://u:pass?word@example.com/r"}, {"message": {"url": ["is blocked: URI is invalid"]}}),
    ({"url": URL, "auth_method": "kerberos"}, {"error": "auth_method does not have a valid value"}),
    ({"url": URL, "only_protected_branches": None}, {"message": {"only_protected_branches": ["can't be blank"]}}),
])
def test_invalid_mirror_is_rejected_with_the_reason(api: Api, gitlab: LocalGitLab, sent: dict[str, Any],
                                                 expected: dict[str, Any]) -> None:
    rejected = api.ask("POST", "/remote_mirrors", json=sent)
    assert (rejected.status_code, rejected.json()) == (400, expected)
    assert api.ask("GET", "/remote_mirrors").json() == []
    gitlab.complaints.clear()


def test_invalid_boolean_in_a_form_is_rejected(api: Api, gitlab: LocalGitLab) -> None:
    rejected = api.ask("POST", "/remote_mirrors", data={"url": URL, "enabled": "perhaps"})
    assert (rejected.status_code, rejected.json()) == (400, {"error": "enabled is invalid"})
    assert gitlab.complaints.pop() and not gitlab.complaints


def test_gits_url_contains_the_encoded_login(api: Api, project: HeldProject) -> None:
    api.created("https://me@work:a+b=%2F@c@git.example.com/r")
    [mirror] = project.mirrors()
    assert login_of(mirror) == ("me@work", "a+b=%2F@c")
    assert project.leads_to(mirror) == "https://me%40work:a%2Bb%3D%252F%40c@git.example.com/r"


def test_second_mirror_to_same_url_is_rejected_for_any_login(api: Api, gitlab: LocalGitLab) -> None:
    api.created(URL)
    rejected = api.create(URL.replace("somebody:something", "else:other"))
    assert (rejected.status_code, rejected.json()) == (400, {"message": {"url": ["has already been taken"]}})
    api.created(f"{URL}/")
    gitlab.settings.urls_are_unique = False
    api.created(URL)


def test_a_project_is_not_mirrored_to_itself(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    for url in (project.url, f"{project.url.removesuffix('.git')}/"):
        rejected = api.create(url.replace("://", "://a:b@"))
        assert (rejected.status_code, rejected.json()) == (400, {
            "message": {"base": ["You cannot mirror a repository to itself."]}})


def test_the_same_url_in_another_project_is_another_matter(api: Api, gitlab: LocalGitLab) -> None:
    api.created(URL)
    assert Api(gitlab, gitlab.project("another/project").path).create(URL).status_code == 201


def test_ten_mirrors_may_be_enabled_and_any_number_be_there(api: Api, project: HeldProject) -> None:
    enabled = [api.created(f"{URL}-{number}", enabled=True) for number in range(10)]
    rejected = api.create(f"{URL}-11", enabled=True)
    assert (rejected.status_code, rejected.json()) == (400, {"message": {"base": [TOO_MANY]}})
    eleventh = api.created(f"{URL}-11")
    rejected = api.update(eleventh, enabled=True)
    assert (rejected.status_code, rejected.json()) == (400, {"message": {"base": [TOO_MANY]}})
    # Enabled mirrors can still be changed.
    assert api.update(enabled[0], enabled=True, keep_divergent_refs=True).status_code == 200
    # ... also if there are more of them, created before the limit.
    late = project.mirror(eleventh)
    assert late
    late.enabled = True
    assert api.update(eleventh, enabled=True).status_code == 200
    api.update(eleventh, enabled=False)
    api.update(enabled[0], enabled=False)
    assert api.update(eleventh, enabled=True).status_code == 200


def test_older_version_has_no_limit_of_mirrors(api: Api, gitlab: LocalGitLab) -> None:
    gitlab.settings.max_enabled_mirrors = None
    for number in range(12):
        api.created(f"{URL}-{number}", enabled=True)


def test_deleted_mirror_is_404(api: Api) -> None:
    mirror = api.created(URL)
    deleted = api.ask("DELETE", f"/remote_mirrors/{mirror}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/sync")):
        missed = api.ask(method, f"/remote_mirrors/{mirror}{path}")
        assert (missed.status_code, missed.json()) == (404, {"message": "404 Not found"})


def test_a_disabled_mirror_is_not_synced(api: Api, person: Person) -> None:
    person.pushes()
    assert api.sync(api.created(URL)).status_code == 400


def test_list_is_paginated(api: Api) -> None:
    made = [api.created(f"{URL}-{number}") for number in range(45)]
    first = api.ask("GET", "/remote_mirrors")
    assert [each["id"] for each in first.json()] == made[:20]
    assert {name: first.headers[name] for name in ("x-page", "x-per-page", "x-next-page", "x-prev-page", "x-total",
                                                   "x-total-pages")} == {
        "x-page": "1", "x-per-page": "20", "x-next-page": "2", "x-prev-page": "", "x-total": "45", "x-total-pages": "3"}
    seen = list(first.json())
    following = first.links.get("next")
    while following:
        page = api.session.get(following["url"], timeout=20)
        seen += page.json()
        following = page.links.get("next")
    assert [each["id"] for each in seen] == made
    last = api.ask("GET", "/remote_mirrors?per_page=30&page=2")
    assert [each["id"] for each in last.json()] == made[30:]
    assert (last.headers["x-next-page"], last.headers["x-prev-page"]) == ("", "1")
    assert len(api.ask("GET", "/remote_mirrors?per_page=1000").json()) == 45


def test_protected_branches_are_listed_for_permitted_users(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    project.protect("main", "release/*")
    assert [each["name"] for each in api.ask("GET", "/protected_branches").json()] == ["main", "release/*"]
    reporter = gitlab.add_token("a reporter", role="reporter")
    rejected = Api(gitlab, project.path, reporter.value).ask("GET", "/protected_branches")
    assert (rejected.status_code, rejected.json()) == (403, {"message": "403 Forbidden"})


def test_inherited_protected_branches_are_marked(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    project.protect("main")
    project.protect_by_group("release/*")

    def listed() -> list[tuple[str, object]]:
        return [(each["name"], each.get("inherited")) for each in api.ask("GET", "/protected_branches").json()]

    assert listed() == [("main", False), ("release/*", True)]
    gitlab.settings.premium = False
    assert listed() == [("main", None), ("release/*", None)]


def test_protected_branches_are_listed_up_to_a_hundred(api: Api, project: HeldProject) -> None:
    project.protect(*(f"b{number}" for number in range(101)))
    listed = api.ask("GET", "/protected_branches?per_page=100")
    assert (len(listed.json()), listed.headers["x-next-page"]) == (100, "")


def test_branches_are_listed_by_regex(api: Api, person: Person) -> None:
    def names(regex: str) -> list[str]:
        listed = api.ask("GET", "/repository/branches", params={"regex": regex, "per_page": 1})
        return [each["name"] for each in listed.json()]

    assert names(".") == []
    person.pushes("HEAD", "HEAD:refs/heads/env-dev")
    assert (names("^env-"), names("ma"), names("^prd$")) == (["env-dev"], ["main"], [])


def test_project_shows_statistics_to_reporters(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    project.store_lfs_objects(7)
    assert "statistics" not in api.ask("GET").json()
    assert api.ask("GET", "?statistics=true").json()["statistics"]["lfs_objects_size"] == 7
    guest = gitlab.add_token("a guest", role="guest")
    assert "statistics" not in Api(gitlab, project.path, guest.value).ask("GET", "?statistics=true").json()


def test_project_shows_emptiness_default_branch_and_access(api: Api, gitlab: LocalGitLab, project: HeldProject,
                                                           person: Person) -> None:
    shown = api.ask("GET").json()
    assert (shown["id"], shown["path_with_namespace"], shown["empty_repo"], shown["default_branch"]) == (
        project.id, "platform/live/infra", True, "main")
    assert shown["permissions"]["project_access"]["access_level"] == 40
    person.pushes()
    groups = gitlab.add_token("a developer", role="developer", through_group=True)
    shown = Api(gitlab, project.path, groups.value).ask("GET").json()
    assert (shown["empty_repo"], shown["default_branch"]) == (False, "main")
    assert shown["permissions"]["project_access"] is None
    assert shown["permissions"]["group_access"]["access_level"] == 30


def test_times_are_written_in_utc_with_milliseconds(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes()
    shown = api.until(mirror, "finished")
    for name in ("last_update_at", "last_update_started_at", "last_successful_update_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown[name])


def test_manual_mirror_is_listed_like_any_other(api: Api, project: HeldProject, target: Target) -> None:
    made = project.make_mirror(target.with_login())
    assert api.get(made.id)["url"] == target.url.replace("://", "://*****:*****@")
    assert [login_of(mirror) for mirror in project.mirrors()] == [(USER, PASSWORD)]
