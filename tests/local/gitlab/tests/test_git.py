"""git over HTTP, and the real push of a mirror. `tests/rules` and the tests of `tests/fake-aws` show GitLab's
rules."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.conftest import PASSWORD, USER, Api, Person, Target, git
from tests.witnesses.gitlab import OPERATIONS

URL = "https://user:password@git.example.com/v1/repos/target"


@pytest.mark.parametrize(
    ("settings", "protected", "pushed"),
    [
        (
            {"only_protected_branches": True},
            ["main", "release/*"],
            {"heads/main", "heads/release/1.0", "tags/v1"},
        ),
        (
            {"only_protected_branches": False},
            ["main"],
            {"heads/main", "heads/release/1.0", "heads/feature", "tags/v1"},
        ),
    ],
)
def test_settings_choose_the_branches(
    api: Api,
    project: HeldProject,
    person: Person,
    target: Target,
    settings: dict[str, Any],
    protected: list[str],
    pushed: set[str],
) -> None:
    project.protect(*protected)
    mirror = api.created(target.with_login(), enabled=True, **settings)
    commit = person.pushes(
        "HEAD", "HEAD:refs/heads/release/1.0", "HEAD:refs/heads/feature", "HEAD:refs/tags/v1"
    )
    api.until(mirror, "finished")
    assert target.references() == {f"refs/{name}": commit for name in pushed}


def test_encoded_login_is_sent_undecoded_and_a_retry_can_succeed(
    api: Api, person: Person, target: Target
) -> None:
    encoded = PASSWORD.replace("+", "%2B").replace("=", "%3D")
    mirror = api.created(target.with_login(password=encoded), enabled=True)
    person.pushes()
    retrying = api.until(mirror, "to_retry")
    assert "Authentication failed" in retrying["last_error"] and retrying["last_update_at"] is None
    assert encoded not in retrying["last_error"] and USER not in retrying["last_error"]
    assert set(target.asked) == {None, (USER, encoded)}
    target.logins.add((USER, encoded))
    shown = api.until(mirror, "finished")
    assert shown["last_error"] is None
    assert shown["last_successful_update_at"] == shown["last_update_at"] > shown["last_update_started_at"]


def test_more_branches_than_fit_into_one_push_all_arrive(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes("HEAD", *(f"HEAD:refs/heads/b{number}" for number in range(25)))
    api.until(mirror, "finished")
    assert len(target.references()) == 26


def test_removed_branch_is_removed_if_merged_into_default_branch(
    api: Api, person: Person, target: Target, gitlab: LocalGitLab
) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes("HEAD", "HEAD:refs/heads/merged", "HEAD:refs/tags/v1")
    person.commit()
    person.push("HEAD:refs/heads/unmerged")
    gitlab.wait_until_quiet()
    assert set(target.references()) == {
        "refs/heads/main",
        "refs/heads/merged",
        "refs/heads/unmerged",
        "refs/tags/v1",
    }
    person.push(":refs/heads/merged", ":refs/heads/unmerged", ":refs/tags/v1")
    gitlab.wait_until_quiet()
    assert api.get(mirror)["update_status"] == "finished"
    # Its commit would be lost.
    assert set(target.references()) == {"refs/heads/main", "refs/heads/unmerged"}


@pytest.mark.parametrize("keeps", [False, True])
def test_diverged_branch_is_overwritten_or_kept_and_reported(
    api: Api, person: Person, target: Target, gitlab: LocalGitLab, keeps: bool
) -> None:
    mirror = api.created(target.with_login(), enabled=True, keep_divergent_refs=keeps)
    first = person.pushes()
    gitlab.wait_until_quiet()
    tree = git("rev-parse", f"{first}^{{tree}}", at=target.directory).stdout.strip()
    theirs = git("commit-tree", tree, "-p", first, "-m", "theirs", at=target.directory).stdout.strip()
    git("update-ref", "refs/heads/main", theirs, at=target.directory)
    ours = person.pushes("HEAD", "HEAD:refs/heads/other")
    gitlab.wait_until_quiet()
    shown = api.get(mirror)
    assert target.references() == {"refs/heads/main": theirs if keeps else ours, "refs/heads/other": ours}
    if keeps:
        assert shown["update_status"] == "failed"
        assert shown["last_error"] == (
            "Some refs have diverged and have not been updated on the remote:\n\nrefs/heads/main"
        )
        assert shown["last_update_at"] > shown["last_successful_update_at"]
    else:
        assert shown["update_status"] == "finished"


def test_the_password_is_in_no_processs_arguments_or_environment(
    api: Api,
    person: Person,
    target: Target,
    gitlab: LocalGitLab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, traced = tmp_path / "said", tmp_path / "traced"
    shim = tmp_path / "bin/git"
    shim.parent.mkdir()
    # git traces every program that it starts.
    shim.write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$*"; env; }} >> {said}\n'
        f'GIT_TRACE={traced} exec {shutil.which("git")} "$@"\n'
    )
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes()
    api.until(mirror, "finished")
    text = said.read_text() + traced.read_text()
    assert "ls-remote --refs mirror" in text and f"remote-http mirror {target.url}" in text
    assert not [line for line in text.splitlines() if PASSWORD in line or quote(PASSWORD, safe="") in line]


def test_protected_branch_rejects_a_force_push_unless_allowed(project: HeldProject, person: Person) -> None:
    project.protect("review/*")
    person.pushes("HEAD:refs/heads/review/a", "HEAD:refs/heads/other")
    person.pushes("HEAD:refs/heads/review/a")
    rejected = person.push("+HEAD~1:refs/heads/review/a")
    assert rejected.returncode != 0 and "not allowed to force push" in rejected.stderr
    project.unprotect("review/*")
    project.protect("review/*", force=True)
    assert person.push("+HEAD~1:refs/heads/review/a").returncode == 0


def test_who_pushes_needs_a_token_the_role_and_a_scope(gitlab: LocalGitLab, person: Person) -> None:
    person.commit()
    for token, said in (
        ("glpat-nobodys", "Authentication failed"),
        (gitlab.add_token("r", role="reporter").value, "403"),
        (gitlab.add_token("s", scope="read_repository").value, "403"),
    ):
        rejected = person.push(token=token)
        assert rejected.returncode != 0 and said in rejected.stderr
    developer = gitlab.add_token("d", role="developer").value
    assert person.push(token=developer).returncode == 0


@pytest.mark.parametrize(
    ("method", "path", "given", "fault"),
    [
        ("POST", "/remote_mirrors", {"json": {"url": URL, "username": "u"}}, "'username' was unexpected"),
        (
            "POST",
            "/remote_mirrors",
            {"json": {"url": URL, "enabled": "true"}},
            "enabled: 'true' is not of type",
        ),
        ("PUT", "/remote_mirrors/1", {"json": {"url": URL}}, "'url' was unexpected"),
        ("POST", "/remote_mirrors/1/sync", {"json": {"force": True}}, "'force' was unexpected"),
        ("POST", "/statuses/1", {"json": {"state": "error"}}, "state: 'error' is not one of"),
        (
            "GET",
            "/remote_mirrors",
            {"params": {"search": "a"}},
            "query: Additional properties are not allowed ('search' was unexpected)",
        ),
    ],
)
def test_request_outside_the_description_is_a_complaint(
    gitlab: LocalGitLab, api: Api, method: str, path: str, given: dict[str, Any], fault: str
) -> None:
    api.ask(method, path, **given)
    [complaint] = gitlab.complaints
    assert fault in complaint
    gitlab.complaints.clear()


def test_every_described_request_is_answered(api: Api, gitlab: LocalGitLab) -> None:
    for operation in OPERATIONS.values():
        method, _, template = operation["request"].partition(" ")
        path = template.replace("projects/{}", f"projects/{api.project}", 1).replace("{}", "999")
        answer = api.session.request(method, f"{gitlab.url}/api/v4/{path}", timeout=20)
        assert not answer.content or answer.json() != {"error": "404 Not Found"}, f"{method} {path}"
    assert gitlab.complaints == []
