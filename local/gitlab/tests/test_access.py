"""Access: tokens, and settings of an administrator. `tests/rules` has scopes and roles."""

from __future__ import annotations

from typing import Any

import pytest

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person, Target

UNAUTHORIZED = {"message": "401 Unauthorized"}


def asked(gitlab: LocalGitLab, project: HeldProject, token: str, method: str = "GET", **more: Any) -> tuple[int, Any]:
    answer = Api(gitlab, project.path, token).ask(method, "/remote_mirrors", **more)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("state", "description"), [
    ("revoked", "Token was revoked. You have to re-authorize from the user."),
    ("expired", "Token is expired. You can either do re-authorization or token refresh.")])
def test_expired_token_is_reported_as_expired(gitlab: LocalGitLab, project: HeldProject, state: str,
                                            description: str) -> None:
    token = gitlab.add_token("gone", **{state: True})
    assert asked(gitlab, project, token.value) == (401, {"error": "invalid_token", "error_description": description})


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
