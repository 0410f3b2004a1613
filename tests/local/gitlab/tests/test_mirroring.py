"""From a push to a mirror's run: targets, times and logins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.conftest import PASSWORD, USER, Api, Person, Target, git


def test_push_is_mirrored_with_the_login_of_the_url(api: Api, person: Person, target: Target,
                                                    gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    commit = person.pushes()
    shown = api.until(mirror, "finished")
    assert target.references() == {"refs/heads/main": commit}
    assert set(target.asked) == {None, (USER, PASSWORD)}  # git's first request has no login
    assert shown["last_error"] is None
    assert shown["last_successful_update_at"] == shown["last_update_at"] > shown["last_update_started_at"]
    assert [(run.mirror_id, run.succeeded) for run in gitlab.recorded_runs] == [(mirror, True)]


@pytest.mark.parametrize(("settings", "protected", "pushed"), [
    ({"only_protected_branches": True}, ["main", "release/*"], {"heads/main", "heads/release/1.0", "tags/v1"}),
    # With no branch protected, or none that the regular expression matches, all of them are mirrored.
    ({"only_protected_branches": True}, [], {"heads/main", "heads/release/1.0", "heads/feature", "tags/v1"}),
    ({"mirror_branch_regex": "^other$"}, [], {"heads/main", "heads/release/1.0", "heads/feature", "tags/v1"}),
    ({"mirror_branch_regex": "^(main|feat.*)$"}, [], {"heads/main", "heads/feature", "tags/v1"}),
])
def test_settings_choose_the_branches(api: Api, project: HeldProject, person: Person, target: Target,
                                      gitlab: LocalGitLab, settings: dict[str, Any], protected: list[str],
                                      pushed: set[str]) -> None:
    gitlab.settings.protects_the_default_branch = False
    project.protect(*protected)
    # The protection by a group does not count.
    project.protect_by_group("feature")
    mirror = api.created(target.with_login(), enabled=True, **settings)
    commit = person.pushes("HEAD", "HEAD:refs/heads/release/1.0", "HEAD:refs/heads/feature", "HEAD:refs/tags/v1")
    api.until(mirror, "finished")
    assert target.references() == {f"refs/{name}": commit for name in pushed}


@pytest.mark.parametrize("ended", ["disabled", "deleted"])
def test_running_push_survives_its_mirrors_end(api: Api, person: Person, target: Target, gitlab: LocalGitLab,
                                               ended: str) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    with gitlab.runs_held():
        commit = person.pushes()
        api.until(mirror, "started")
        if ended == "deleted":
            assert api.ask("DELETE", f"/remote_mirrors/{mirror}").status_code == 204
        else:
            assert api.update(mirror, enabled=False).json()["enabled"] is False
    gitlab.wait_until_quiet()
    assert target.references() == {"refs/heads/main": commit}


@pytest.mark.parametrize("kind", ["protected", "unprotected"])
def test_a_sync_soon_after_a_run_is_put_off(api: Api, person: Person, target: Target, gitlab: LocalGitLab,
                                            kind: str) -> None:
    setattr(gitlab.settings, f"{kind}_delay", 1.5)
    mirror = api.created(target.with_login() + "/", enabled=True, only_protected_branches=kind == "protected")
    person.pushes()
    api.until(mirror, "finished")
    for _ in range(3):
        assert api.sync(mirror).status_code == 204
    gitlab.wait_until_quiet()
    # Three were ordered. The first of them that ran did the others' work.
    first, second = gitlab.recorded_runs
    assert second.started - first.started >= 1.5


def test_encoded_login_is_sent_undecoded_and_a_retry_can_succeed(api: Api, person: Person, target: Target) -> None:
    encoded = PASSWORD.replace("+", "%2B").replace("=", "%3D")
    mirror = api.created(target.with_login(password=encoded), enabled=True)
    person.pushes()
    api.until(mirror, "to_retry")
    assert set(target.asked) == {None, (USER, encoded)}
    target.logins.add((USER, encoded))
    assert api.until(mirror, "finished")["last_error"] is None


def test_more_branches_than_fit_into_one_push_all_arrive(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes("HEAD", *(f"HEAD:refs/heads/b{number}" for number in range(25)))
    api.until(mirror, "finished")
    assert len(target.references()) == 26


def test_removed_branch_is_removed_if_merged_into_default_branch(api: Api, person: Person, target: Target,
                                                                 gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes("HEAD", "HEAD:refs/heads/merged", "HEAD:refs/tags/v1")
    person.commit()
    person.push("HEAD:refs/heads/unmerged")
    gitlab.wait_until_quiet()
    assert set(target.references()) == {"refs/heads/main", "refs/heads/merged", "refs/heads/unmerged", "refs/tags/v1"}
    person.push(":refs/heads/merged", ":refs/heads/unmerged", ":refs/tags/v1")
    gitlab.wait_until_quiet()
    assert api.get(mirror)["update_status"] == "finished"
    # Its commit would be lost.
    assert set(target.references()) == {"refs/heads/main", "refs/heads/unmerged"}


@pytest.mark.parametrize("keeps", [False, True])
def test_diverged_branch_is_overwritten_or_kept_and_reported(api: Api, person: Person, target: Target,
                                                             gitlab: LocalGitLab, keeps: bool) -> None:
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
        assert shown["last_error"] == ("Some refs have diverged and have not been updated on the remote:\n\n"
                                       "refs/heads/main")
        assert shown["last_update_at"] > shown["last_successful_update_at"]
    else:
        assert shown["update_status"] == "finished"


def test_wrong_login_is_tried_four_times_then_failed(api: Api, person: Person, target: Target,
                                                     gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(password="wrong"), enabled=True)
    person.pushes()
    retrying = api.until(mirror, "to_retry")
    assert "Authentication failed" in retrying["last_error"]
    assert retrying["last_update_at"] is None
    failed = api.until(mirror, "failed")
    assert len(gitlab.recorded_runs) == 4
    assert failed["last_update_at"] is not None and failed["last_successful_update_at"] is None
    assert "wrong" not in failed["last_error"] and USER not in failed["last_error"]


def test_a_push_during_a_run_is_mirrored_by_the_next_one(api: Api, person: Person, target: Target,
                                                         gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    with gitlab.runs_held():
        person.pushes()
        assert api.until(mirror, "started")["last_update_started_at"]
        assert api.sync(mirror).status_code == 204  # while it runs, this does nothing
        second = person.pushes()
    gitlab.wait_until_quiet()
    assert target.references() == {"refs/heads/main": second}
    assert len(gitlab.recorded_runs) == 2


def test_silent_mode_pushes_nothing_and_shows_mirrors_disabled(api: Api, person: Person, target: Target,
                                                               gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    gitlab.settings.silent_mode = True
    person.pushes()
    gitlab.wait_until_quiet()
    assert api.get(mirror)["enabled"] is False
    rejected = api.sync(mirror)
    assert (rejected.status_code, rejected.json()) == (400, {
        "message": "Cannot proceed with the push mirroring. Please verify your mirror configuration."})
    assert target.asked == []
    gitlab.settings.silent_mode = False
    assert api.get(mirror)["enabled"] is True
    api.sync(mirror)
    api.until(mirror, "finished")


def test_empty_repository_pushes_nothing_and_finishes(api: Api, target: Target, gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    assert api.sync(mirror).status_code == 204
    api.until(mirror, "finished")
    assert target.references() == {}


def test_the_password_is_in_no_processs_arguments_or_environment(
        api: Api, person: Person, target: Target, gitlab: LocalGitLab, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    said, traced = tmp_path / "said", tmp_path / "traced"
    shim = tmp_path / "bin/git"
    shim.parent.mkdir()
    # git traces every program that it starts.
    shim.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$*"; env; }} >> {said}\n'
                    f'GIT_TRACE={traced} exec {shutil.which("git")} "$@"\n')
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
    project.protect("review/*", force=True)
    assert person.push("+HEAD~1:refs/heads/review/a").returncode == 0
