"""Transitions of deployments, lists and environments. `tests/rules` has the other rules."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import Api, Person


@pytest.fixture
def sha(person: Person) -> str:
    return person.pushes()


def deploy(api: Api, sha: str, status: str = "running", **more: Any) -> requests.Response:
    return api.ask("POST", "/deployments", json={"environment": "dev", "sha": sha, "ref": "main", "tag": False,
                                                 "status": status, **more})


def deployed(api: Api, sha: str, status: str = "running", **more: Any) -> dict[str, Any]:
    answer = deploy(api, sha, status, **more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def finish(api: Api, deployment: dict[str, Any], status: str) -> requests.Response:
    return api.ask("PUT", f"/deployments/{deployment['id']}", json={"status": status})


def cannot(event: str) -> dict[str, Any]:
    return {"message": {"status": [f'cannot transition via "{event}"']}}


def test_sha_is_a_valid_ref_when_the_branch_is_gone(api: Api, sha: str, person: Person) -> None:
    assert person.push("HEAD:refs/heads/next").returncode == 0
    assert person.push(":refs/heads/next").returncode == 0
    assert deploy(api, sha, ref="next").status_code == 400
    assert deployed(api, sha, ref=sha)["ref"] == sha


def test_update_ends_a_deployment_and_can_change_its_end(api: Api, sha: str) -> None:
    made = deployed(api, sha)
    assert finish(api, made, "running").json() == cannot("run")
    for status in ("failed", "success", "canceled"):
        answer = finish(api, made, status)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    again = finish(api, made, "canceled")
    assert (again.status_code, again.json()) == (400, cannot("cancel"))
    assert finish(api, made, "running").json() == cannot("run")


@pytest.mark.parametrize("feature", ["builds", "environments"])
def test_disabled_feature_forbids_deployments(api: Api, project: HeldProject, sha: str, feature: str) -> None:
    made = deployed(api, sha)
    setattr(project.features, feature, "disabled")
    for answer in (deploy(api, sha), finish(api, made, "success"), api.ask("GET", "/deployments"),
                   api.ask("GET", "/environments"),
                   api.ask("PUT", f"/environments/{made['environment']['id']}", json={"external_url": None})):
        assert (answer.status_code, answer.json()) == (403, {"message": "403 Forbidden"})
    shown = api.ask("GET").json()
    assert shown[f"{feature}_access_level"] == "disabled"
    setattr(project.features, feature, "private")
    assert finish(api, made, "success").status_code == 200


@pytest.mark.parametrize(("name", "slug", "tier"), [
    ("dev", "dev", "development"), ("prd", "prd", "production"), ("review/a", None, "development"),
    ("X", None, "other"), ("a" * 30, None, "other")])
def test_environment_has_a_slug_and_a_tier(api: Api, sha: str, name: str, slug: str | None, tier: str) -> None:
    deployed(api, sha, environment=name)
    [made] = api.listed("/environments", name=name)
    assert (made["name"], made["external_url"], made["state"], made["tier"]) == (name, None, "available", tier)
    assert len(made["slug"]) <= 24 and (slug is None or made["slug"] == slug)


@pytest.mark.parametrize(("name", "error"), [
    ("a" * 256, "is too long (maximum is 255 characters)"),
    ("a:b", "can contain only letters"), ("/a", "cannot start or end with '/'")])
def test_invalid_environment_name_is_400(api: Api, sha: str, name: str, error: str) -> None:
    answer = deploy(api, sha, environment=name)
    assert answer.status_code == 400 and any(error in each for each in answer.json()["message"]["name"])


@pytest.mark.parametrize(("url", "shown", "errors"), [
    ("https://" + "x" * 247, "https://" + "x" * 247, None), ("", None, None), (None, None, None),
    ("ftp://example.com", "ftp://example.com", None),
    ("https://" + "x" * 248, None, ["is too long (maximum is 255 characters)"]),
    ("javascript:alert(1)", None, ["javascript scheme is not allowed"])])
def test_environment_url_is_checked(api: Api, sha: str, url: str | None, shown: str | None,
                                    errors: list[str] | None) -> None:
    environment = deployed(api, sha)["environment"]["id"]
    answer = api.ask("PUT", f"/environments/{environment}", json={"external_url": url})
    assert answer.status_code == (400 if errors else 200)
    assert answer.json() == {"message": {"external_url": errors}} if errors else answer.json()["external_url"] == shown
    assert deployed(api, sha)["environment"]["external_url"] == shown


def test_environment_slug_cannot_be_given(api: Api, gitlab: LocalGitLab) -> None:
    given = api.ask("PUT", "/environments/1", json={"slug": "s"})
    assert given.json() == {"error": "slug is automatically generated and cannot be changed"}
    gitlab.complaints.clear()
    assert api.ask("PUT", "/environments/1", json={"external_url": None}).json() == {"message": "404 Not found"}


def test_only_a_stopped_environment_is_deleted(api: Api, project: HeldProject, sha: str) -> None:
    number = deployed(api, sha)["environment"]["id"]
    assert api.ask("DELETE", f"/environments/{number}").status_code == 403
    stopped = api.ask("POST", f"/environments/{number}/stop", json={"force": True})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert api.ask("DELETE", f"/environments/{number}").status_code == 204
    assert (project.environment("dev"), project.deployments()) == (None, [])
