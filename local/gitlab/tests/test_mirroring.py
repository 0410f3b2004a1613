"""From a push to a mirror's run: targets, times and logins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from local.gitlab import HeldProject, LocalGitLab
from local.gitlab.conftest import PASSWORD, USER, Api, Person, Target, git


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


def test_mirror_is_disabled_by_default_and_never_runs(api: Api, person: Person, target: Target,
                                                      gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login())
    person.pushes()
    gitlab.wait_until_quiet()
    assert (api.get(mirror)["enabled"], api.get(mirror)["update_status"]) == (False, "none")
    assert target.asked == []


def test_a_new_mirror_waits_for_a_push_or_a_sync(api: Api, person: Person, target: Target,
                                                 gitlab: LocalGitLab) -> None:
    commit = person.pushes()
    mirror = api.created(target.with_login(), enabled=True)
    gitlab.wait_until_quiet()
    assert api.get(mirror)["update_status"] == "none"
    assert api.sync(mirror).status_code == 204
    api.until(mirror, "finished")
    assert target.references() == {"refs/heads/main": commit}


def test_protected_only_mirror_keeps_branches_and_pushes_tags(api: Api, project: HeldProject, person: Person,
                                                              target: Target) -> None:
    project.protect("development", "release/*")
    mirror = api.created(target.with_login(), enabled=True, only_protected_branches=True)
    commit = person.pushes("HEAD", "HEAD:refs/heads/development", "HEAD:refs/heads/release/1.0",
                           "HEAD:refs/heads/feature", "HEAD:refs/tags/v1")
    api.until(mirror, "finished")
    # GitLab protects the default branch.
    assert target.references() == {name: commit for name in (
        "refs/heads/development", "refs/heads/main", "refs/heads/release/1.0", "refs/tags/v1")}


def test_with_no_branch_protected_all_of_them_are_mirrored(api: Api, project: HeldProject, person: Person,
                                                           target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.protects_the_default_branch = False
    mirror = api.created(target.with_login(), enabled=True, only_protected_branches=True)
    person.pushes("HEAD", "HEAD:refs/heads/feature")
    api.until(mirror, "finished")
    assert set(target.references()) == {"refs/heads/main", "refs/heads/feature"}


def test_protection_of_a_group_does_not_count_for_mirrors(api: Api, project: HeldProject, person: Person,
                                                          target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.protects_the_default_branch = False
    project.protect_by_group("main")
    mirror = api.created(target.with_login(), enabled=True, only_protected_branches=True)
    person.pushes("HEAD", "HEAD:refs/heads/feature")
    api.until(mirror, "finished")
    assert set(target.references()) == {"refs/heads/main", "refs/heads/feature"}


def test_regex_without_a_branch_pushes_every_branch(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login(), enabled=True, mirror_branch_regex="^release$")
    person.pushes("HEAD", "HEAD:refs/heads/feature")
    api.until(mirror, "finished")
    assert set(target.references()) == {"refs/heads/main", "refs/heads/feature"}


def test_killed_run_stays_started_until_a_push_after_its_lease(api: Api, project: HeldProject, person: Person,
                                                               target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.max_first_runtime = 60.0
    mirror = api.created(target.with_login(), enabled=True)
    with gitlab.runs_held():
        person.pushes()
        api.until(mirror, "started")
        project.kill_runs()
    gitlab.wait_until_quiet()
    assert (api.get(mirror)["update_status"], target.references()) == ("started", {})
    # No run is ordered while it seems to run.
    assert api.sync(mirror).status_code == 204
    assert gitlab.is_quiet()
    project.leave_started(mirror, 61.0)
    commit = person.pushes()
    assert api.until(mirror, "finished")["last_error"] is None
    assert target.references() == {"refs/heads/main": commit}


def test_push_waits_for_the_lease_of_a_killed_run(api: Api, project: HeldProject, person: Person, target: Target,
                                                  gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    project.leave_started(mirror, 10.0)
    held = project.mirror(mirror)
    assert held
    commit = person.pushes()
    assert (api.get(mirror)["update_status"], gitlab.recorded_runs) == ("started", [])
    assert not gitlab.is_quiet()
    held.abandoned_lease_ends = 0.0
    api.until(mirror, "finished")
    assert target.references() == {"refs/heads/main": commit}


def test_disabled_mirror_finishes_its_run(api: Api, person: Person, target: Target, gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    with gitlab.runs_held():
        commit = person.pushes()
        api.until(mirror, "started")
        assert api.update(mirror, enabled=False).json()["enabled"] is False
    api.until(mirror, "finished")
    assert target.references() == {"refs/heads/main": commit}


def test_a_regular_expression_chooses_branches(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login(), enabled=True, mirror_branch_regex="^(main|env-.*)$")
    person.pushes("HEAD", "HEAD:refs/heads/env-dev", "HEAD:refs/heads/my-env-dev")
    api.until(mirror, "finished")
    assert set(target.references()) == {"refs/heads/main", "refs/heads/env-dev"}


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


def test_a_retry_succeeds_when_the_login_works_by_then(api: Api, person: Person, target: Target) -> None:
    target.logins.clear()
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes()
    api.until(mirror, "to_retry")
    target.logins.add((USER, PASSWORD))
    assert api.until(mirror, "finished")["last_error"] is None


def test_percent_encoded_login_is_sent_undecoded(api: Api, person: Person, target: Target) -> None:
    encoded = PASSWORD.replace("+", "%2B").replace("=", "%3D")
    mirror = api.created(target.with_login(password=encoded), enabled=True)
    person.pushes()
    api.until(mirror, "failed")
    assert set(target.asked) == {None, (USER, encoded)}


def test_trailing_slash_leads_to_the_same_repository(api: Api, person: Person, target: Target) -> None:
    mirror = api.created(target.with_login() + "/", enabled=True)
    commit = person.pushes()
    api.until(mirror, "finished")
    assert target.references() == {"refs/heads/main": commit}


def test_a_sync_soon_after_a_run_is_put_off(api: Api, person: Person, target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.protected_delay = 1.5
    mirror = api.created(target.with_login(), enabled=True, only_protected_branches=True)
    person.pushes()
    api.until(mirror, "finished")
    for _ in range(3):
        assert api.sync(mirror).status_code == 204
    gitlab.wait_until_quiet()
    # Three were ordered. The first of them that ran did the others' work.
    first, second = gitlab.recorded_runs
    assert second.started - first.started >= gitlab.settings.protected_delay


def test_mirror_of_all_branches_waits_longer(api: Api, person: Person, target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.unprotected_delay = 1.5
    mirror = api.created(target.with_login(), enabled=True)
    person.pushes()
    api.until(mirror, "finished")
    api.sync(mirror)
    gitlab.wait_until_quiet()
    first, second = gitlab.recorded_runs
    assert second.started - first.started >= gitlab.settings.unprotected_delay


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


def test_running_sync_survives_its_mirrors_deletion(api: Api, person: Person, target: Target,
                                                              gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    with gitlab.runs_held():
        commit = person.pushes()
        api.until(mirror, "started")
        assert api.ask("DELETE", f"/remote_mirrors/{mirror}").status_code == 204
    gitlab.wait_until_quiet()
    assert target.references() == {"refs/heads/main": commit}
    assert api.ask("GET", f"/remote_mirrors/{mirror}").status_code == 404


def test_two_mirrors_run_side_by_side_with_their_own_logins(api: Api, person: Person, target: Target,
                                                            gitlab: LocalGitLab) -> None:
    target.logins.add(("another", "one"))
    both = [api.created(target.with_login(), enabled=True),
            api.created(target.with_login("another", "one") + "/", enabled=True)]
    with gitlab.runs_held():
        person.pushes()
        for mirror in both:
            api.until(mirror, "started")
    gitlab.wait_until_quiet()
    assert [api.get(mirror)["update_status"] for mirror in both] == ["finished", "finished"]
    assert {run.user for run in gitlab.recorded_runs} == {USER, "another"}


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


def test_a_project_without_a_repository_has_no_enabled_mirror(api: Api, target: Target, person: Person,
                                                              gitlab: LocalGitLab) -> None:
    gitlab.settings.empty_projects = "disabled"
    created = api.create(target.with_login(), enabled=True).json()
    assert created["enabled"] is False
    assert api.sync(created["id"]).status_code == 400
    person.pushes()
    api.until(created["id"], "finished")


def test_empty_repository_pushes_nothing_and_finishes(api: Api, target: Target, gitlab: LocalGitLab) -> None:
    mirror = api.created(target.with_login(), enabled=True)
    assert api.sync(mirror).status_code == 204
    api.until(mirror, "finished")
    assert target.references() == {}


def test_or_it_never_has_a_success(api: Api, target: Target, gitlab: LocalGitLab) -> None:
    gitlab.settings.empty_projects = "stays"
    mirror = api.created(target.with_login(), enabled=True)
    assert api.sync(mirror).status_code == 204
    gitlab.wait_until_quiet()
    shown = api.get(mirror)
    assert (shown["enabled"], shown["update_status"], shown["last_successful_update_at"]) == (True, "none", None)


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
