"""A person who can write a template with the ServiceToken has the function's permissions, within their limits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.conftest import Mirror
from tests.deployment.steps import TEMPLATES, Environment, Stack

MIRROR_USER = "user-dev-codecommit-mirroring"


pytestmark = pytest.mark.usefixtures("environment", "expected_denials")


def rejected(aws: LocalAws, name: str, **given: str) -> str:
    """Deploys the hostile template, which has to fail and change nothing. Returns the reason."""
    [reason] = all_rejected(aws, name, given)
    return reason


def all_rejected(aws: LocalAws, name: str, *given: dict[str, str]) -> list[str]:
    """The same for several templates at once, because the function retries a denied read of a user for a while."""
    before = steps.what_is_there(aws)
    stacks = [Stack(aws, f"hostile-{name}-{number}") for number in range(len(given))]
    with ThreadPoolExecutor() as threads:
        ends = list(threads.map(lambda stack, given: stack.create(TEMPLATES / "hostile.yaml", **given), stacks, given))
    assert ends == ["ROLLBACK_COMPLETE"] * len(stacks), [stack.failures() for stack in stacks]
    reasons = [stack.failures()[0] for stack in stacks]
    assert [stack.delete() for stack in stacks] == ["DELETE_COMPLETE"] * len(stacks)
    assert steps.what_is_there(aws) == before
    return reasons


@pytest.fixture
def own_user(aws: LocalAws, environment: Environment, name: str) -> Iterator[str]:
    """A user whose name the template's pattern allows."""
    user = f"user-dev-{name}"
    aws.client("iam").create_user(UserName=user)
    yield user
    aws.client("iam").delete_user(UserName=user)


# claim: user-of-another-stack-is-rejected-naming-its-owner
def test_user_of_another_stack_is_rejected_naming_its_owner(aws: LocalAws, environment: Environment,
                                                                name: str) -> None:
    held = steps.login(aws, f"codecommit-mirror/{MIRROR_USER}")
    reason = rejected(aws, name, UserName=MIRROR_USER)
    assert f"using user {MIRROR_USER}: it belongs to MirrorCredential of stack {environment.id}" in reason
    assert held.status(environment.outputs()["RepositoryCloneUrl"]) == 200


# claim: user-of-another-stack-is-rejected-naming-its-owner
def test_secret_of_another_stack_is_rejected_naming_its_owner(aws: LocalAws, environment: Environment, own_user: str,
                                                              name: str) -> None:
    secret = f"codecommit-mirror/{MIRROR_USER}"
    held = steps.login(aws, secret)
    reason = rejected(aws, name, UserName=own_user, SecretName=secret)
    assert f"using secret {secret}: it belongs to MirrorCredential of stack {environment.id}" in reason
    assert steps.login(aws, secret) == held


def test_foreign_secret_is_rejected(aws: LocalAws, own_user: str, name: str) -> None:
    secrets, secret = aws.client("secretsmanager"), f"codecommit-mirror/user-dev-{name}"
    secrets.create_secret(Name=secret, SecretString='{"precious": 1}')
    reason = rejected(aws, name, UserName=own_user, SecretName=secret)
    assert "was not created by Custom::MirrorCredential" in reason
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == '{"precious": 1}'
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


# claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
@pytest.mark.usefixtures("queued_requests")
def test_user_or_role_outside_the_pattern_names_the_parameter(aws: LocalAws, environment: Environment,
                                                              name: str) -> None:
    iam, users = aws.client("iam"), ["user-prd-x", "administrator", "user-dev2-x"]
    for user in users:
        iam.create_user(UserName=user)
    try:
        reasons = all_rejected(aws, name, *({"UserName": each} for each in [*users, environment.function_role]))
    finally:
        for user in users:
            iam.delete_user(UserName=user)
    assert all("AccessDenied" in reason and "parameter MirrorUserNames" in reason for reason in reasons), reasons


# claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
@pytest.mark.usefixtures("queued_requests")
def test_secret_outside_the_name_pattern_names_the_parameter(aws: LocalAws, own_user: str, name: str) -> None:
    secrets, secret = aws.client("secretsmanager"), f"billing/{name}"
    for exists in (False, True):
        if exists:
            secrets.create_secret(Name=secret, SecretString="precious")
        reason = rejected(aws, f"{name}-{exists}", UserName=own_user, SecretName=secret)
        assert "AccessDenied" in reason and "parameters MirrorSecretNames" in reason
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "precious"
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@pytest.mark.usefixtures("queued_requests")
def test_missing_key_names_the_parameter(aws: LocalAws, own_user: str, name: str) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    reason = rejected(aws, name, UserName=own_user, SecretName=f"codecommit-mirror/user-dev-{name}", KmsKeyId=key)
    assert "AccessDenied" in reason and "MirrorSecretKmsKeyArn" in reason


# claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
@pytest.mark.usefixtures("queued_requests")
def test_repository_outside_the_name_pattern_names_the_parameter(aws: LocalAws, own_user: str, name: str) -> None:
    repository = f"crown-jewels-{name}"
    aws.client("codecommit").create_repository(repositoryName=repository)
    reason = rejected(aws, name, UserName=own_user, RepositoryName=repository)
    assert "AccessDenied" in reason and "parameter RepositoryNames" in reason
    aws.client("codecommit").delete_repository(repositoryName=repository)


# claim: user-of-another-stack-is-rejected-naming-its-owner
def test_delete_of_rejected_resource_changes_nothing(aws: LocalAws, environment: Environment, mirror: Mirror,
                                                               name: str, tmp_path: Path) -> None:
    mirror.made()
    held = mirror.login()
    rejected(aws, name, UserName=mirror.outputs()["UserName"])
    assert mirror.login() == held
    assert steps.Working(tmp_path / "w").push(held, mirror.clone_url).accepted
