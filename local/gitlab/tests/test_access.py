"""Access: tokens, scopes, roles, and settings of an administrator."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person, Target

UNAUTHORIZED = {"message": "401 Unauthorized"}
URL = "https://a:b@git.example.com/r"


def asked(gitlab: LocalGitLab, project: HeldProject, token: str, method: str = "GET", **more: Any) -> tuple[int, Any]:
    answer = Api(gitlab, project.path, token).ask(method, "/remote_mirrors", **more)
    return answer.status_code, answer.json()


def test_an_unknown_token_is_401_everywhere(gitlab: LocalGitLab, project: HeldProject) -> None:
    assert asked(gitlab, project, "glpat-nobodys") == (401, UNAUTHORIZED)
    assert Api(gitlab, project.path, "glpat-nobodys").ask("GET").status_code == 401


def test_no_token_sees_no_project(gitlab: LocalGitLab, project: HeldProject) -> None:
    assert asked(gitlab, project, "") == (404, {"message": "404 Project Not Found"})


@pytest.mark.parametrize(("state", "description"), [
    ("revoked", "Token was revoked. You have to re-authorize from the user."),
    ("expired", "Token is expired. You can either do re-authorization or token refresh.")])
def test_expired_token_is_reported_as_expired(gitlab: LocalGitLab, project: HeldProject, state: str,
                                            description: str) -> None:
    token = gitlab.add_token("gone", **{state: True})
    assert asked(gitlab, project, token.value) == (401, {"error": "invalid_token", "error_description": description})


def test_too_narrow_scope_returns_403_with_sufficient_scopes(gitlab: LocalGitLab, project: HeldProject) -> None:
    error_of = {"error": "insufficient_scope", "error_description":
               "The request requires higher privileges than provided by the access token."}
    reads = gitlab.add_token("reads", scopes=("read_api",))
    assert asked(gitlab, project, reads.value)[0] == 200
    assert asked(gitlab, project, reads.value, "POST", json={"url": URL}) == (403, {**error_of, "scope": "api"})
    pushes = gitlab.add_token("pushes", scopes=("write_repository",))
    assert asked(gitlab, project, pushes.value) == (403, {**error_of, "scope": "api read_api"})


def test_role_below_maintainer_gets_401_for_mirrors_not_project(gitlab: LocalGitLab, project: HeldProject) -> None:
    developer = gitlab.add_token("a developer", role="developer").value
    assert asked(gitlab, project, developer) == (401, UNAUTHORIZED)
    assert Api(gitlab, project.path, developer).ask("GET").json()["permissions"]["project_access"]["access_level"] == 30


def test_project_without_membership_is_404(gitlab: LocalGitLab, project: HeldProject) -> None:
    outsider = gitlab.add_token("a stranger", projects=("another/project",))
    assert asked(gitlab, project, outsider.value) == (404, {"message": "404 Project Not Found"})


def test_a_bearer_is_as_good_as_a_private_token(gitlab: LocalGitLab, project: HeldProject) -> None:
    answer = requests.get(f"{gitlab.url}/api/v4/projects/{project.id}", timeout=10, proxies={"http": ""},
                          headers={"Authorization": f"Bearer {gitlab.token}"})
    assert answer.status_code == 200


def test_disabled_mirroring_is_for_administrators_only(gitlab: LocalGitLab, project: HeldProject, person: Person,
                                                            target: Target, api: Api) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    gitlab.settings.mirror_available = False
    assert asked(gitlab, project, gitlab.token) == (401, UNAUTHORIZED)
    person.pushes()
    gitlab.wait_until_quiet()
    assert gitlab.recorded_runs == []
    administrator = Api(gitlab, project.path, gitlab.add_token("root", role="owner", is_admin=True).value)
    assert administrator.get(mirror)["enabled"] is False
    assert administrator.update(mirror, enabled=True).json()["enabled"] is True
    assert administrator.sync(mirror).status_code == 204
    administrator.until(mirror, "finished")


def test_disallowed_local_requests_reject_local_mirrors(api: Api, gitlab: LocalGitLab) -> None:
    gitlab.settings.local_requests_allowed = False
    for host, said in (("127.0.0.1", "localhost"), ("127.0.0.2", "loopback addresses"),
                       ("192.168.1.1", "the local network"), ("169.254.169.254", "the link local network")):
        assert api.create(f"http://a:b@{host}/r").json() == {
            "message": {"url": [f"is blocked: Requests to {said} are not allowed"]}}


def test_who_pushes_needs_a_token_the_role_and_a_scope(gitlab: LocalGitLab, person: Person,
                                                       project: HeldProject) -> None:
    person.commit()
    for token, said in (("glpat-nobodys", "Authentication failed"),
                        (gitlab.add_token("r", role="reporter").value, "403"),
                        (gitlab.add_token("s", scopes=("read_repository",)).value, "403"),
                        (gitlab.add_token("e", projects=("another/project",)).value, "not found")):
        rejected = person.push(token=token)
        assert rejected.returncode != 0 and said in rejected.stderr
    developer = gitlab.add_token("d", role="developer", scopes=("write_repository",)).value
    assert person.push(token=developer).returncode == 0
    project.archive()
    assert "403" in person.push("HEAD:refs/heads/more").stderr


def test_maintainer_protects_and_unprotects_branches(gitlab: LocalGitLab, project: HeldProject, api: Api) -> None:
    made = api.ask("POST", "/protected_branches", json={"name": "release/*", "allow_force_push": True})
    assert (made.status_code, made.json()["name"], made.json()["allow_force_push"]) == (201, "release/*", True)
    assert project.protected_branches == ["release/*"]
    again = api.ask("POST", "/protected_branches", json={"name": "release/*"})
    assert (again.status_code, again.json()) == (409, {"message": "Protected branch 'release/*' already exists"})
    developer = Api(gitlab, project.path, gitlab.add_token("a developer", role="developer").value)
    assert developer.ask("DELETE", "/protected_branches/release%2F*").status_code == 403
    assert api.ask("DELETE", "/protected_branches/release%2F*").status_code == 204
    assert api.ask("DELETE", "/protected_branches/release%2F*").status_code == 404
    assert project.protected_branches == []
