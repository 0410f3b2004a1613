"""Another stack that uses the environment's ServiceToken: every change of a mirror credential."""

from __future__ import annotations

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.conftest import Mirror
from tests.deployment.steps import Working


def test_issued_login_pushes(mirror: Mirror, working: Working) -> None:
    mirror.made()
    pushed = working.push(mirror.login(), mirror.clone_url)
    assert pushed.accepted, pushed.output
    assert steps.branch_commit(mirror.aws, mirror.outputs()["RepositoryName"], working.branch) == pushed.commit


def test_the_same_template_again_is_no_change(mirror: Mirror) -> None:
    mirror.made()
    assert mirror.change() == "NO_CHANGES"


def test_tags_come_change_and_go_without_a_new_login(aws: LocalAws, mirror: Mirror) -> None:
    def tags() -> dict[str, str]:
        found = aws.client("secretsmanager").describe_secret(SecretId=mirror.outputs()["SecretArn"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found if not tag["Key"].startswith("cfn-gitops:")}

    mirror.made()
    before = mirror.login()
    assert tags() == {}
    mirror.become(Team="platform")
    assert tags() == {"team": "platform"}
    mirror.become(Team="network")
    assert tags() == {"team": "network"}
    mirror.become(Team="")
    assert tags() == {}
    assert mirror.login() == before


def test_a_secret_name_replaces_without_a_gap(aws: LocalAws, mirror: Mirror, working: Working, name: str) -> None:
    mirror.made()
    old_name, before = mirror.outputs()["SecretName"], mirror.login()
    mirror.become(SecretName=f"codecommit-mirror/user-dev-{name}")
    outputs, after = mirror.outputs(), mirror.login()
    assert outputs["SecretName"] == f"codecommit-mirror/user-dev-{name}"
    assert steps.credential_ids(aws, outputs["UserName"]) == [after.credential_id]
    assert not steps.secret_exists(aws, old_name)
    assert before.status(mirror.clone_url) == 401
    pushed = working.push(after, mirror.clone_url)
    assert pushed.accepted, pushed.output


def test_user_change_under_the_same_secret_name_is_rejected(aws: LocalAws, mirror: Mirror, working: Working,
                                                           name: str) -> None:
    mirror.made(SecretName=f"codecommit-mirror/user-dev-{name}")
    before = mirror.login()
    assert mirror.change(Holder="second") == "UPDATE_ROLLBACK_COMPLETE"
    assert any("change SecretName too" in reason for reason in mirror.failures()), mirror.failures()
    assert mirror.outputs()["UserName"] == f"user-dev-{name}-first"
    assert mirror.login() == before
    assert steps.credential_ids(aws, f"user-dev-{name}-second") == []
    pushed = working.push(before, mirror.clone_url)
    assert pushed.accepted, pushed.output


def test_another_user_replaces_where_the_secret_is_not_named(aws: LocalAws, mirror: Mirror, working: Working,
                                                            name: str) -> None:
    mirror.made()
    mirror.become(Holder="second")
    assert mirror.outputs()["SecretName"] == f"codecommit-mirror/user-dev-{name}-second"
    assert steps.credential_ids(aws, f"user-dev-{name}-first") == []
    assert not steps.secret_exists(aws, f"codecommit-mirror/user-dev-{name}-first")
    pushed = working.push(mirror.login(), mirror.clone_url)
    assert pushed.accepted, pushed.output


@pytest.mark.parametrize("is_deleted", [False, True], ids=["deactivated", "deleted"])
def test_credential_without_effect_is_replaced_by_next_update(aws: LocalAws, mirror: Mirror, working: Working,
                                                             is_deleted: bool) -> None:
    mirror.made()
    iam, held = aws.client("iam"), mirror.login()
    which = {"UserName": mirror.outputs()["UserName"], "ServiceSpecificCredentialId": held.credential_id}
    if is_deleted:
        iam.delete_service_specific_credential(**which)
    else:
        iam.update_service_specific_credential(**which, Status="Inactive")
    assert held.status(mirror.clone_url) == 401
    mirror.become(Team="platform")
    assert steps.credential_ids(aws, mirror.outputs()["UserName"]) == [mirror.login().credential_id] != [held.credential_id]
    pushed = working.push(mirror.login(), mirror.clone_url)
    assert pushed.accepted, pushed.output
    assert held.status(mirror.clone_url) == 401


def test_every_password_can_stand_in_a_url(mirror: Mirror) -> None:
    """About half of the issued passwords contain a `/`, so a reset needs several credentials to occur."""
    mirror.made()
    for serial in range(6):
        mirror.become(RotationSerial=str(serial))
        assert "/" not in mirror.login().password


def test_foreign_credentials_are_rejected_or_deleted_on_request(aws: LocalAws, mirror: Mirror) -> None:
    mirror.made()
    user, before = mirror.outputs()["UserName"], mirror.login()
    foreign = aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    assert mirror.change(RotationSerial="1") == "UPDATE_ROLLBACK_COMPLETE"
    reason = mirror.failures()[-1]
    assert foreign in reason and "aws iam delete-service-specific-credential" in reason
    assert mirror.login() == before
    mirror.become(RotationSerial="1", ForeignCredentials="Delete")
    assert steps.credential_ids(aws, user) == [mirror.login().credential_id]


@pytest.mark.parametrize("change", [
    {"RotationSerial": "1"}, {"SecretName": "codecommit-mirror/user-dev-{name}-other"}, {"Holder": "second"},
    {"Team": "platform"}], ids=["rotated", "renamed", "another user", "tagged"])
def test_later_rollback_leaves_a_login_that_pushes(aws: LocalAws, mirror: Mirror, working: Working, name: str,
                                                   change: dict[str, str]) -> None:
    """The credential's update succeeds, and a later resource's fails."""
    mirror.made()
    change = {key: value.format(name=name) for key, value in change.items()}
    assert mirror.change(Breaks="yes", **change) == "UPDATE_ROLLBACK_COMPLETE"
    assert "RepositoryName: " in mirror.failures()[-1]
    assert mirror.outputs()["SecretName"] == f"codecommit-mirror/user-dev-{name}-first"
    held = mirror.login()
    assert steps.credential_ids(aws, f"user-dev-{name}-first") == [held.credential_id]
    assert steps.credential_ids(aws, f"user-dev-{name}-second") == []
    secrets = [secret for secret in steps.what_is_there(aws)["secrets"] if name in secret]
    assert secrets == [f"codecommit-mirror/user-dev-{name}-first"]
    pushed = working.push(held, mirror.clone_url)
    assert pushed.accepted, pushed.output


def test_a_stack_whose_creation_fails_leaves_nothing(aws: LocalAws, mirror: Mirror, name: str) -> None:
    before = steps.what_is_there(aws)
    assert mirror.create(steps.TEMPLATES / "mirror.yaml", Name=name, Breaks="yes") == "ROLLBACK_COMPLETE"
    assert mirror.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before


def test_deleted_stack_deletes_login_secret_and_users(aws: LocalAws, mirror: Mirror) -> None:
    before = steps.what_is_there(aws)
    mirror.made()
    held, url = mirror.login(), mirror.clone_url
    assert held.status(url) == 200
    assert mirror.delete() == "DELETE_COMPLETE", mirror.failures()
    assert held.status(url) == 401
    assert steps.what_is_there(aws) == before


def test_stack_without_user_credential_and_secret_is_deleted(aws: LocalAws, mirror: Mirror) -> None:
    mirror.made()
    outputs = mirror.outputs()
    aws.client("iam").delete_service_specific_credential(
        UserName=outputs["UserName"], ServiceSpecificCredentialId=outputs["CredentialId"])
    aws.client("secretsmanager").delete_secret(SecretId=outputs["SecretName"], ForceDeleteWithoutRecovery=True)
    assert mirror.delete() == "DELETE_COMPLETE", mirror.failures()


def test_every_request_delivered_twice_ends_the_same(aws: LocalAws, mirror: Mirror, working: Working) -> None:
    aws.set(deliveries_of_each_request=2)
    try:
        mirror.made()
        mirror.become(RotationSerial="1")
        held = mirror.login()
        assert steps.credential_ids(aws, mirror.outputs()["UserName"]) == [held.credential_id]
        pushed = working.push(held, mirror.clone_url)
        assert pushed.accepted, pushed.output
        assert mirror.delete() == "DELETE_COMPLETE", mirror.failures()
    finally:
        aws.set(deliveries_of_each_request=1)
