"""The API and git's endpoint, as far as `tests/rules` does not show them: tokens, pages, logins of URLs, protected
branches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.local.gitlab import HeldProject, LocalGitLab, conformity, mirror_urls
from tests.local.gitlab.conftest import Api, Person, login_of

URL = "https://user:password@git.example.com/v1/repos/target"


def test_gits_url_contains_the_encoded_login(api: Api, project: HeldProject) -> None:
    api.created("https://me@work:a+b=%2F@c@git.example.com/r")
    [mirror] = project.mirrors()
    assert login_of(mirror) == ("me@work", "a+b=%2F@c")
    assert mirror_urls.put_together(mirror.url, mirror.credentials) == (
        "https://me%40work:a%2Bb%3D%252F%40c@git.example.com/r")


def test_a_project_is_not_mirrored_to_itself(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    for url in (project.url, f"{project.url.removesuffix('.git')}/"):
        rejected = api.create(url.replace("://", "://a:b@"))
        assert (rejected.status_code, rejected.json()) == (400, {
            "message": {"base": ["You cannot mirror a repository to itself."]}})
    api.created(URL)
    # The same URL in another project is allowed.
    assert Api(gitlab, gitlab.project("another/project").path).create(URL).status_code == 201


def test_gitlab_in_maintenance_redirects_what_is_not_json(api: Api, gitlab: LocalGitLab) -> None:
    mirror = api.created(URL)
    gitlab.settings.read_only = True
    redirected = api.ask("DELETE", f"/remote_mirrors/{mirror}", allow_redirects=False)
    assert (redirected.status_code, redirected.headers["Location"]) == (301, f"{gitlab.url}/")
    rejected = api.ask("DELETE", f"/remote_mirrors/{mirror}", headers={"Content-Type": "application/json"})
    assert rejected.status_code == 403 and "read-only instance" in rejected.json()["message"]
    assert api.get(mirror)["id"] == mirror


def test_links_lead_through_all_pages(api: Api, gitlab: LocalGitLab) -> None:
    gitlab.settings.proxy_drops_paging_headers = False
    made = [api.created(f"{URL}-{number}") for number in range(45)]
    first = api.ask("GET", "/remote_mirrors")
    seen = list(first.json())
    following = first.links.get("next")
    while following:
        page = api.session.get(following["url"], timeout=20)
        seen += page.json()
        following = page.links.get("next")
    assert [each["id"] for each in seen] == made


def test_token_shows_its_expiry_and_ends_with_it(gitlab: LocalGitLab, project: HeldProject) -> None:
    today = datetime.now(UTC).date()
    # Two days: midnight may pass during the test.
    for more, error in (({}, None), ({"expires_at": date(2999, 12, 31)}, None),
                        ({"expires_at": today + timedelta(days=2)}, None), ({"expires_at": today}, "Token is expired"),
                        ({"revoked": True}, "Token was revoked")):
        given: dict[str, Any] = more
        token = gitlab.add_token("t", **given)
        answer = Api(gitlab, project.path, token.value).own_token()
        if error:
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
            assert answer.json()["error_description"].startswith(error)
        else:
            expires = given.get("expires_at")
            assert answer.json()["expires_at"] == (expires and expires.isoformat())
            assert (answer.json()["name"], answer.json()["user_id"]) == ("t", token.user.id)


def test_who_pushes_needs_a_token_the_role_and_a_scope(gitlab: LocalGitLab, person: Person) -> None:
    person.commit()
    for token, said in (("glpat-nobodys", "Authentication failed"),
                        (gitlab.add_token("r", role="reporter").value, "403"),
                        (gitlab.add_token("s", scopes=("read_repository",)).value, "403"),
                        (gitlab.add_token("e", projects=("another/project",)).value, "not found")):
        rejected = person.push(token=token)
        assert rejected.returncode != 0 and said in rejected.stderr
    developer = gitlab.add_token("d", role="developer", scopes=("write_repository",)).value
    assert person.push(token=developer).returncode == 0


def test_maintainer_protects_and_unprotects_branches(gitlab: LocalGitLab, project: HeldProject, api: Api) -> None:
    made = api.ask("POST", "/protected_branches", json={"name": "release/*", "allow_force_push": True})
    assert (made.status_code, made.json()["name"], made.json()["allow_force_push"]) == (201, "release/*", True)
    again = api.ask("POST", "/protected_branches", json={"name": "release/*"})
    assert (again.status_code, again.json()) == (409, {"message": "Protected branch 'release/*' already exists"})
    developer = Api(gitlab, project.path, gitlab.add_token("a developer", role="developer").value)
    for caller, status in ((developer, 403), (api, 204), (api, 404)):
        assert caller.ask("DELETE", "/protected_branches/release%2F*").status_code == status
    assert project.protected_branches == []


@pytest.mark.parametrize(("method", "path", "given", "fault"), [
    ("POST", "/remote_mirrors", {"json": {"url": URL, "username": "u"}}, "'username' was unexpected"),
    ("POST", "/remote_mirrors", {"json": {"url": URL, "enabled": "true"}}, "enabled: 'true' is not of type"),
    ("PUT", "/remote_mirrors/1", {"json": {"url": URL}}, "'url' was unexpected"),
    ("POST", "/remote_mirrors/1/sync", {"json": {"force": True}}, "'force' was unexpected"),
    ("POST", "/statuses/1", {"json": {"state": "error"}}, "state: 'error' is not one of"),
    ("GET", "/remote_mirrors", {"params": {"search": "a"}}, "query: search is not described"),
    ("POST", "/remote_mirrors", {"data": {"url": URL}}, None),
])
def test_request_outside_the_description_is_a_complaint(gitlab: LocalGitLab, api: Api, method: str, path: str,
                                                        given: dict[str, Any], fault: str | None) -> None:
    answer = api.ask(method, path, **given)
    if fault:
        [complaint] = gitlab.complaints
        assert fault in complaint
        gitlab.complaints.clear()
    else:
        # Forms are not implemented.
        assert answer.status_code == 400


def test_every_described_request_is_answered(api: Api, gitlab: LocalGitLab, project: HeldProject) -> None:
    for template, operations in conformity.REQUESTS.items():
        path = template.replace("projects/{}", f"projects/{project.id}", 1).replace("{}", "999")
        for method in operations:
            answer = api.session.request(method, f"{gitlab.url}/api/v4/{path}", timeout=20)
            assert not answer.content or answer.json() != {"error": "404 Not Found"}, f"{method} {path}"
    assert gitlab.complaints == []
