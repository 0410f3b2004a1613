"""Tokens of persons and bots, the information about the token itself, and a project's visibility."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import requests

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api

FAR = date(2999, 12, 31)


def about_itself(gitlab: LocalGitLab, token: str) -> requests.Response:
    headers = {"PRIVATE-TOKEN": token} if token else {}
    return requests.get(f"{gitlab.url}/api/v4/personal_access_tokens/self", headers=headers, timeout=10,
                        proxies={"http": ""})


@pytest.mark.parametrize(("is_bot", "username"), [(False, "user"), (True, "project_")])
@pytest.mark.parametrize(("expires_at", "shown"), [(None, None), (FAR, "2999-12-31")])
def test_token_shows_its_expiry(gitlab: LocalGitLab, is_bot: bool, username: str, expires_at: date | None,
                                shown: str | None) -> None:
    token = gitlab.add_token("t", user=gitlab.user("u", is_bot=is_bot), expires_at=expires_at)
    answer = about_itself(gitlab, token.value)
    found = answer.json()
    assert (answer.status_code, found["expires_at"], found["active"], found["revoked"]) == (200, shown, True, False)
    assert (found["name"], found["scopes"], found["user_id"]) == ("t", ["api"], token.user.id)
    assert token.user.username.startswith(username)


def test_token_expires_on_its_date(gitlab: LocalGitLab, project: HeldProject) -> None:
    today = datetime.now(UTC).date()
    # Two days: midnight may pass during the test.
    expired, valid = (gitlab.add_token("t", expires_at=today + timedelta(days)).value for days in (0, 2))
    assert Api(gitlab, project.path, expired).ask("GET").json()["error"] == "invalid_token"
    assert about_itself(gitlab, expired).status_code == 401
    assert about_itself(gitlab, valid).status_code == 200


def test_blocked_user_is_403_everywhere(gitlab: LocalGitLab, project: HeldProject) -> None:
    token = gitlab.add_token("t")
    token.user.is_blocked = True
    for answer in (about_itself(gitlab, token.value), Api(gitlab, project.path, token.value).ask("GET")):
        assert (answer.status_code, answer.json()["message"]) == (
            403, "403 Forbidden - Your account has been blocked.")


def test_token_without_a_given_user_gets_a_new_one(gitlab: LocalGitLab) -> None:
    first, second = gitlab.add_token("a"), gitlab.add_token("b")
    assert first.user.id != second.user.id
    assert gitlab.add_token("c", user=first.user).user is first.user


@pytest.mark.parametrize(("visibility", "anonymous", "outsider"), [
    ("private", 404, 404), ("internal", 404, 200), ("public", 200, 200)])
def test_visibility_allows_the_callers_of_a_project(gitlab: LocalGitLab, project: HeldProject, visibility: str,
                                                    anonymous: int, outsider: int) -> None:
    project.features.visibility = visibility
    other = gitlab.add_token("s", projects=("another/project",)).value
    assert Api(gitlab, project.path, "").ask("GET").status_code == anonymous
    assert Api(gitlab, project.path, other).ask("GET").status_code == outsider
    assert Api(gitlab, project.path).ask("GET").json()["visibility"] == visibility
    assert Api(gitlab, project.path, other).ask("GET", "/deployments").status_code == outsider
