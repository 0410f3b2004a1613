"""Pulls by a role of another account.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codepipeline.tests.images import TAG, push_image
from tests.local.aws.testing import OTHER_ACCOUNT, a_user_with, allow, policy, error_of

PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class Puller:
    """A role, assumed by a user of its account, and a repository with an image in the other account."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name = aws, name
        self.owner = aws.in_account(OTHER_ACCOUNT).client("ecr")
        self.owner.create_repository(repositoryName=name)
        self.digest = push_image(self.owner, name, "one")
        self.arn = f"arn:aws:ecr:{aws.region}:{OTHER_ACCOUNT}:repository/{name}"
        self.role = f"arn:aws:iam::{aws.account_id}:role/{name}"
        aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy({
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": self._root()}))
        key = a_user_with(aws, f"u-{name}", allow("sts:AssumeRole", self.role))
        session = aws.client("sts", key).assume_role(RoleArn=self.role, RoleSessionName="build")["Credentials"]
        self.ecr = aws.client("ecr", session)

    def _root(self) -> dict[str, str]:
        return {"AWS": f"arn:aws:iam::{self.aws.account_id}:root"}

    def give(self, *actions: str) -> None:
        self.aws.client("iam").put_role_policy(RoleName=self.name, PolicyName="own", PolicyDocument=policy(
            allow(list(actions), self.arn)))

    def admit(self, role: str, actions: list[str], effect: str) -> None:
        self.owner.set_repository_policy(repositoryName=self.name, policyText=policy({
            "Effect": effect, "Action": actions, "Principal": self._root(),
            "Condition": {"ArnEquals": {"aws:PrincipalArn": role}}}))

    def pull(self) -> Any:
        return self.ecr.batch_get_image(registryId=OTHER_ACCOUNT, repositoryName=self.name,
                                        imageIds=[{"imageTag": TAG}])


@pytest.fixture
def puller(aws: LocalAws, name: str) -> Puller:
    return Puller(aws, name)


@pytest.mark.parametrize(("own", "role", "actions", "effect", "reason"), [
    (PULL, "{}", PULL, "Allow", ""),
    (["ecr:GetDownloadUrlForLayer"], "{}", PULL, "Allow", "no identity-based policy allows the ecr:BatchGetImage"),
    (PULL, "{}-other", PULL, "Allow", "no resource-based policy allows the ecr:BatchGetImage action"),
    (PULL, "{}", PULL[:1], "Allow", "no resource-based policy allows the ecr:BatchGetImage action"),
    (PULL, "{}", PULL, "Deny", "explicit deny in a resource-based policy"),
])
def test_both_accounts_have_to_allow_a_pull(puller: Puller, own: list[str], role: str, actions: list[str], effect: str,
                                            reason: str) -> None:
    puller.give(*own)
    puller.admit(role.format(puller.role), actions, effect)
    if reason:
        code, status, message = error_of(puller.pull)
        assert (code, status, reason in message) == ("AccessDeniedException", 400, True), message
        return
    [pulled] = puller.pull()["images"]
    assert (pulled["registryId"], pulled["imageId"]["imageDigest"]) == (OTHER_ACCOUNT, puller.digest)
    layers = [each["digest"] for each in json.loads(pulled["imageManifest"])["layers"]]
    there = puller.ecr.batch_check_layer_availability(registryId=OTHER_ACCOUNT, repositoryName=puller.name,
                                                      layerDigests=layers)
    assert [each["layerAvailability"] for each in there["layers"]] == ["AVAILABLE"]


def test_role_that_may_pull_may_not_push(puller: Puller) -> None:
    puller.give("ecr:*")
    puller.admit(puller.role, PULL, "Allow")
    code, _, message = error_of(puller.ecr.put_image, registryId=OTHER_ACCOUNT, repositoryName=puller.name,
                                imageManifest="{}")
    assert (code, "ecr:PutImage" in message) == ("AccessDeniedException", True)
