"""GitLab end to end: its mirror is created, verified, moved to a new password and deleted by a stack, with real pushes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.secretsmanager.tests.rotation_scene import labels
from local.gitlab import LocalGitLab
from local.gitlab.settings import Settings
from tests.deployment import steps
from tests.deployment.mirrored_stack import BRANCH, Mirrored, Pushing, by_another_person, mirrored, wait_for
from tests.deployment.mirroring import Source, refusals
from tests.deployment.steps import Environment, Working


def test_existing_commits_are_in_codecommit_after_stack_creation(mirrored: Mirrored) -> None:
    commit = mirrored.push()
    mirrored.made()
    assert mirrored.mirrored() == {BRANCH: commit}
    [mirror] = mirrored.source.project.mirrors()
    assert [mirror.id] == mirrored.ids()
    assert (mirror.enabled, mirror.only_protected_branches, mirror.update_status) == (True, True, "finished")
    held = mirrored.login()
    assert (mirror.credentials.user, mirror.credentials.password) == (held.name, held.password)
    mirrored.push_arrives()


@pytest.mark.parametrize("its_mirror", ["finishes", "stays"])
def test_a_project_without_a_commit_is_ready_for_its_first_push(mirrored: Mirrored, gitlab: LocalGitLab,
                                                                its_mirror: str) -> None:
    gitlab.settings.empty_projects = its_mirror
    try:
        mirrored.made()
    finally:
        gitlab.settings.empty_projects = Settings().empty_projects
    mirrored.push_arrives()


def test_new_password_creates_new_mirror_and_deletes_old_ones(aws: LocalAws, mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    before, old = mirrored.ids(), mirrored.login()
    mirrored.become(RotationSerial="1")
    assert not set(mirrored.ids()) & set(before)
    assert old.status(mirrored.outputs()["CloneUrl"]) == 401
    assert steps.credential_ids(aws, f"user-dev-{mirrored.short}") == [mirrored.outputs()["CredentialId"]]
    mirrored.push_arrives()


def test_gitlab_accepting_duplicate_urls_works_the_same(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    gitlab.settings.urls_are_unique = False
    try:
        mirrored.push()
        mirrored.made()
        mirrored.become(RotationSerial="1")
        mirrored.become(RotationSerial="2")
    finally:
        gitlab.settings.urls_are_unique = True
    mirrored.push_arrives()


# claim: rotation-moves-the-mirror-and-no-push-meanwhile-is-lost
def test_rotation_moves_the_mirror_and_no_push_meanwhile_is_lost(aws: LocalAws, mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    secrets = aws.client("secretsmanager")
    function = aws.client("cloudformation").describe_stacks(StackName="cfn-gitops-dev")["Stacks"][0]["Outputs"]
    token = next(output["OutputValue"] for output in function if output["OutputKey"] == "ServiceToken")
    # Attaching a schedule tests the function and issues nothing.
    before, old = mirrored.ids(), mirrored.login()
    secrets.rotate_secret(SecretId=mirrored.secret, RotationLambdaARN=token, RotateImmediately=False,
                          RotationRules={"AutomaticallyAfterDays": 30})
    assert aws.rotated(mirrored.secret)["events"][-1] == "TestRotationSucceeded"
    assert (mirrored.ids(), mirrored.login()) == (before, old)

    for _ in range(3):
        before, old = mirrored.ids(), mirrored.login()
        with Pushing(mirrored.push) as pushing:
            secrets.rotate_secret(SecretId=mirrored.secret)
            run = aws.rotated(mirrored.secret)
        assert run["events"][-1] == "RotationSucceeded", run
        assert not set(mirrored.ids()) & set(before)
        assert mirrored.login().credential_id != old.credential_id
        assert old.status(mirrored.outputs()["CloneUrl"]) == 401
        mirrored.gitlab.wait_until_quiet()
        assert mirrored.mirrored()[BRANCH] == pushing.commits[-1] and len(pushing.commits) > 1
        stages = secrets.describe_secret(SecretId=mirrored.secret)["VersionIdsToStages"].values()
        assert not any("AWSPENDING" in stage for stage in stages)
    assert refusals(mirrored.gitlab, mirrored.source.project.path) == []
    mirrored.push_arrives()


def test_rotation_during_gitlab_outage_stays_pending_and_resumes(aws: LocalAws, environment: Environment,
                                                                 mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    mirrored.push()
    mirrored.made()
    secrets, functions = aws.client("secretsmanager"), aws.client("lambda")
    function = functions.get_function_configuration(FunctionName=environment.function_name)
    secrets.rotate_secret(SecretId=mirrored.secret, RotationLambdaARN=function["FunctionArn"], RotateImmediately=False,
                          RotationRules={"AutomaticallyAfterDays": 30})
    aws.rotated(mirrored.secret)
    before, old = mirrored.ids(), mirrored.login()
    # A rotation step waits for GitLab for half of the function's timeout.
    functions.update_function_configuration(FunctionName=environment.function_name, Timeout=30)
    gitlab.answers_instead(503, times=10_000, body="down")
    try:
        token = secrets.rotate_secret(SecretId=mirrored.secret)["VersionId"]
        failed = aws.rotated(mirrored.secret, seconds=180)
    finally:
        gitlab.answers_instead(503, times=0)
        functions.update_function_configuration(FunctionName=environment.function_name, Timeout=function["Timeout"])
    assert failed["events"][-1] == "RotationFailed" and "The rotation stays pending" in failed["reason"], failed
    assert labels(aws, mirrored.secret)[token] == ["AWSPENDING"]
    assert (mirrored.ids(), mirrored.login()) == (before, old)
    mirrored.push_arrives()
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="A previous rotation isn't complete"):
        secrets.rotate_secret(SecretId=mirrored.secret, RotationRules={"AutomaticallyAfterDays": 60})
    again = aws.days_later(mirrored.secret, 0)
    assert again and again["token"] == token
    resumed = aws.rotated(mirrored.secret)
    assert resumed["events"][-1] == "RotationSucceeded", resumed
    assert "AWSCURRENT" in labels(aws, mirrored.secret)[token]
    assert not set(mirrored.ids()) & set(before)
    assert old.status(mirrored.outputs()["CloneUrl"]) == 401
    secrets.rotate_secret(SecretId=mirrored.secret, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 60})
    assert aws.rotated(mirrored.secret)["events"][-1] == "TestRotationSucceeded"
    mirrored.push_arrives()


def test_running_push_arrives_through_password_change(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    mirrored.push()
    mirrored.made()
    with gitlab.runs_held():
        [old] = mirrored.source.project.mirrors()
        commit = mirrored.push()
        # The update waits for the new mirror's push, which waits for the block's end. The old mirror's push is running.
        updating = threading.Thread(target=lambda: mirrored.become(RotationSerial="1"))
        updating.start()
        wait_for(lambda: [each.update_status for each in mirrored.source.project.mirrors()] == ["started", "started"])
    updating.join()
    assert old.id not in mirrored.ids()
    assert mirrored.mirrored()[BRANCH] == commit
    assert refusals(gitlab, mirrored.source.project.path) == []


def test_manually_changed_mirror_is_restored_by_next_update(mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    [mirror] = mirrored.source.project.mirrors()
    mirror.enabled = mirror.only_protected_branches = False
    held = mirrored.login()
    mirrored.become(Team="platform")
    [healed] = mirrored.source.project.mirrors()
    assert mirrored.ids() == [healed.id]
    assert (healed.enabled, healed.only_protected_branches) == (True, True)
    assert mirrored.login() == held
    mirrored.push_arrives()


def test_manual_mirror_is_not_changed(mirrored: Mirrored, gitlab: LocalGitLab) -> None:
    gitlab.settings.urls_are_unique = False
    try:
        mirrored.push()
        project = mirrored.source.project
        elsewhere = project.make_mirror("https://a:b@git.example.com/somewhere/else", enabled=False)
        mirrored.made()
        same = project.make_mirror(by_another_person(mirrored), enabled=False)
        mirrored.become(RotationSerial="1")
        assert mirrored.delete() == "DELETE_COMPLETE", mirrored.failures()
    finally:
        gitlab.settings.urls_are_unique = True
    assert [mirror.id for mirror in project.mirrors()] == [elsewhere.id, same.id]
    for mirror in (elsewhere, same):
        project.delete_mirror(mirror.id)


def test_conflicting_manual_mirror_keeps_the_working_one(mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    before, held = mirrored.ids(), mirrored.login()
    # GitLab accepts an address only once, and a local address has no third spelling.
    theirs = mirrored.source.project.make_mirror(by_another_person(mirrored) + "/", enabled=False)
    assert mirrored.change(RotationSerial="1") == "UPDATE_ROLLBACK_COMPLETE", mirrored.failures()
    assert any("an address only once" in reason for reason in mirrored.failures())
    mirrored.source.project.delete_mirror(theirs.id)
    assert (mirrored.ids(), mirrored.login()) == (before, held)
    mirrored.push_arrives()


def test_mirrors_are_deleted_with_their_property_and_their_stack(mirrored: Mirrored) -> None:
    mirrored.push()
    mirrored.made()
    mirrored.become(Mirrored="no")
    assert mirrored.source.project.mirrors() == []
    mirrored.become(Mirrored="yes")
    mirrored.push_arrives()
    held, url = mirrored.login(), mirrored.outputs()["CloneUrl"]
    assert mirrored.delete() == "DELETE_COMPLETE", mirrored.failures()
    assert mirrored.source.project.mirrors() == []
    assert held.status(url) == 401


def test_environment_mirrors_a_gitlab_project_and_releases_it(aws: LocalAws, environment: Environment,
                                                              gitlab: LocalGitLab, name: str, tmp_path: Path) -> None:
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    working = Working(tmp_path / "work")
    assert environment.change(**source.parameters()) == "UPDATE_COMPLETE", environment.failures()
    outputs = environment.outputs()
    secret, url = outputs["SecretName"], outputs["RepositoryCloneUrl"]
    assert aws.client("secretsmanager").describe_secret(SecretId=secret)["RotationEnabled"] is True
    pushed = working.push(source.developer(), source.project.url, to="+refs/heads/development")
    assert pushed.accepted, pushed.output
    wait_for(lambda: working.references(steps.login(aws, secret), url).get(BRANCH) == pushed.commit)
    # Without the project, GitLab would not get the new password, so there is no rotation either.
    assert environment.change(GitLabProject="", GitLabTokenSecretId="") == "UPDATE_COMPLETE", environment.failures()
    assert source.project.mirrors() == []
    assert not aws.client("secretsmanager").describe_secret(SecretId=secret).get("RotationEnabled")
    assert steps.login(aws, secret).status(url) == 200
    source.forget_token()
