"""The API of mirrors and projects, as far as `tests/rules` does not show it."""

from __future__ import annotations

import re

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import PASSWORD, USER, Api, Person, Target, login_of

URL = "https://somebody:something@git.example.com/v1/repos/target"


def test_a_form_is_as_good_as_json(api: Api) -> None:
    answer = api.ask("POST", "/remote_mirrors", data={"url": URL, "only_protected_branches": "true"})
    assert (answer.status_code, answer.json()["only_protected_branches"]) == (201, True)


def test_plain_path_of_a_project_is_no_route(api: Api, project: HeldProject) -> None:
    api.project = project.path
    missed = api.ask("GET", "/remote_mirrors")
    assert (missed.status_code, missed.json()) == (404, {"error": "404 Not Found"})


def test_gits_url_contains_the_encoded_login(api: Api, project: HeldProject) -> None:
    api.created("https://me@work:a+b=%2F@c@git.example.com/r")
    [mirror] = project.mirrors()
    assert login_of(mirror) == ("me@work", "a+b=%2F@c")
    assert project.leads_to(mirror) == "https://me%40work:a%2Bb%3D%252F%40c@git.example.com/r"


def test_a_project_is_not_mirrored_to_itself(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    for url in (project.url, f"{project.url.removesuffix('.git')}/"):
        rejected = api.create(url.replace("://", "://a:b@"))
        assert (rejected.status_code, rejected.json()) == (400, {
            "message": {"base": ["You cannot mirror a repository to itself."]}})


def test_the_same_url_in_another_project_is_another_matter(api: Api, gitlab: LocalGitLab) -> None:
    api.created(URL)
    assert Api(gitlab, gitlab.project("another/project").path).create(URL).status_code == 201


def test_links_lead_through_all_pages(api: Api) -> None:
    made = [api.created(f"{URL}-{number}") for number in range(45)]
    first = api.ask("GET", "/remote_mirrors")
    seen = list(first.json())
    following = first.links.get("next")
    while following:
        page = api.session.get(following["url"], timeout=20)
        seen += page.json()
        following = page.links.get("next")
    assert [each["id"] for each in seen] == made


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
