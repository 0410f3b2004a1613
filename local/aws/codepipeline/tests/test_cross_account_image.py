"""An image of one account in the pipeline of another: each grant is needed, and the further permissions of a pull.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A, for_one_test, of, shared_scene
from local.aws.codepipeline.tests.image_account_scene import ImageAccountScene
from local.aws.codepipeline.tests.image_scene import TAG, push_image
from local.aws.codepipeline.tests.pipeline_scene import eventually
from local.aws.testing import a_user_with, allow, policy, error_of

PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


# --- the pipeline ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageAccountScene]:
    with shared_scene(ImageAccountScene, running, tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture
def scene(shared: ImageAccountScene) -> ImageAccountScene:
    return for_one_test(shared)


def test_push_in_other_account_starts_pipeline_with_digest(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = ImageAccountScene(aws, name, tmp_path)
    scene.prepare()
    first = scene.push_image("one")
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    assert scene.deployed() == f"{first} first"
    # An image of the same name in the pipeline's own account is not used, also after a push to it.
    aws.client("ecr").create_repository(repositoryName=scene.images)
    scene.start_on_push()
    push_image(aws.client("ecr"), scene.images, "of the own account")
    second = scene.push_image("two")
    started = eventually(scene.executions, lambda found: len(found) == 2)[0]["pipelineExecutionId"]
    assert scene.ended(started) == "Succeeded", scene.actions(started)
    assert scene.deployed() == f"{second} first"
    image = scene.action(started, "Image")
    assert image["input"]["roleArn"] == scene.source_role
    assert image["output"]["outputVariables"]["ImageURI"] == (
        f"{A}.dkr.ecr.{scene.region}.amazonaws.com/{scene.images}@{second}")
    detail = json.loads(scene.artifact(image["output"]["outputArtifacts"][0]["s3location"])["imageDetail.json"])
    assert (detail["RegistryId"], detail["ImageDigest"]) == (A, second)
    assert len(scene.executions()) == 2


@pytest.mark.parametrize(("place", "grant", "expected"), [
    ("trust", "sts:AssumeRole", "is not authorized to perform: sts:AssumeRole on resource: {source_role}"),
    ("image", "ecr:DescribeImages", "ecr:DescribeImages on resource: {image_arn} because no identity-based policy"),
    ("image", "s3:PutObject", "{bucket}"), ("image", "s3:PutObjectAcl", "{bucket}"),
    ("bucket", "s3:PutObject", "{bucket}"), ("bucket", "s3:PutObjectAcl", "{bucket}"),
    ("image", "kms:GenerateDataKey", "kms:GenerateDataKey on resource: {key}"),
    ("key", "kms:GenerateDataKey", "because no resource-based policy allows the kms:GenerateDataKey action"),
])
def test_each_missing_grant_fails_the_image_source_with_reason(scene: ImageAccountScene, place: str, grant: str,
                                                               expected: str) -> None:
    with scene.lacking(place, grant):
        run = scene.start()
        assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Image")
    assert code == "PermissionError"
    assert expected.format(source_role=scene.source_role, image_arn=scene.image_arn, bucket=scene.bucket,
                       key=scene.key) in message
    # The code's source has the pipeline's own role and still succeeds.
    assert scene.action(run, "Source")["status"] == "Succeeded"


def test_with_every_grant_in_place_nothing_is_denied(scene: ImageAccountScene) -> None:
    run = scene.start()
    eventually(lambda: scene.actions(run), lambda found: len(found) == 3)
    assert [each for each in scene.aws.decisions(scene.name) if not each["allowed"]] == []


def test_pipeline_role_needs_permission_to_assume_other_role(scene: ImageAccountScene) -> None:
    scene.without("pipeline", "sts:AssumeRole")
    try:
        run = scene.start()
        assert scene.ended(run) == "Failed"
    finally:
        scene.allow("pipeline", scene.rights["pipeline"])
    assert f"sts:AssumeRole on resource: {scene.source_role}" in scene.error(run, "Image")[1]


@pytest.mark.parametrize(("place", "grant"), [
    ("forward trust", "sts:AssumeRole"), ("forward", "events:PutEvents"), ("bus", "events:PutEvents")])
def test_each_forwarding_grant_is_needed(
        scene: ImageAccountScene, place: str, grant: str) -> None:
    scene.start_on_push()
    before = len(scene.executions())
    with scene.lacking(place, grant):
        scene.push_image(f"without {place}")
        eventually(lambda: [each for each in scene.aws.decisions() if each["action"] == grant and not each["allowed"]],
                   bool)
    after = scene.push_image(f"with {place}")
    started = eventually(scene.executions, lambda found: len(found) > before)[0]["pipelineExecutionId"]
    eventually(lambda: scene.actions(started), lambda found: any(each["status"] == "Succeeded" and each[
        "actionName"] == "Image" for each in found))
    assert scene.action(started, "Image")["output"]["outputVariables"]["ImageDigest"] == after
    assert len(scene.executions()) == before + 1


# --- a pull ------------------------------------------------------------------------------


class Puller:
    """A role in B, assumed by a user there, and a repository with an image in A."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name = aws, name
        self.owner = aws.client("ecr", {"AccessKeyId": A, "SecretAccessKey": "local"})
        self.owner.create_repository(repositoryName=name)
        self.digest = push_image(self.owner, name, "one")
        self.arn = f"arn:aws:ecr:{aws.region}:{A}:repository/{name}"
        self.role = f"arn:aws:iam::{aws.account_id}:role/{name}"
        aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {
                "AWS": f"arn:aws:iam::{aws.account_id}:root"}}]}))
        key = a_user_with(aws, f"u-{name}", allow("sts:AssumeRole", self.role))
        session = aws.client("sts", key).assume_role(RoleArn=self.role, RoleSessionName="build")["Credentials"]
        self.ecr = aws.client("ecr", session)

    def give(self, *actions: str) -> None:
        self.aws.client("iam").put_role_policy(RoleName=self.name, PolicyName="own", PolicyDocument=policy(
            allow(list(actions), self.arn)))

    def admit(self, role: str = "", actions: list[str] | None = None, effect: str = "Allow") -> None:
        self.owner.set_repository_policy(repositoryName=self.name, policyText=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": actions or PULL,
                                                    **of(self.aws.account_id, role or self.role)}]}))

    def pull(self) -> Any:
        return self.ecr.batch_get_image(registryId=A, repositoryName=self.name, imageIds=[{"imageTag": TAG}])

    def rejected(self) -> str:
        code, status, message = error_of(self.pull)
        assert (code, status) == ("AccessDeniedException", 400)
        assert f"ecr:BatchGetImage on resource: {self.arn}" in message
        return message


@pytest.fixture
def puller(aws: LocalAws, name: str) -> Puller:
    return Puller(aws, name)


def test_both_sides_have_to_allow_a_pull(puller: Puller) -> None:
    puller.rejected()
    puller.give(*PULL)
    assert "because no resource-based policy allows the ecr:BatchGetImage action" in puller.rejected()
    puller.admit()
    pulled = puller.pull()["images"]
    assert [(each["registryId"], each["imageId"]["imageDigest"]) for each in pulled] == [(A, puller.digest)]
    layers = [each["digest"] for each in json.loads(pulled[0]["imageManifest"])["layers"]]
    there = puller.ecr.batch_check_layer_availability(registryId=A, repositoryName=puller.name, layerDigests=layers)
    assert [each["layerAvailability"] for each in there["layers"]] == ["AVAILABLE"]
    puller.give("ecr:GetDownloadUrlForLayer")
    assert "because no identity-based policy allows the ecr:BatchGetImage action" in puller.rejected()


def test_policy_with_other_role_or_deny_blocks_the_pull(puller: Puller) -> None:
    puller.give(*PULL)
    puller.admit(role=f"{puller.role}-other")
    puller.rejected()
    puller.admit(actions=["ecr:BatchCheckLayerAvailability"])
    puller.rejected()
    puller.admit(effect="Deny")
    assert "explicit deny in a resource-based policy" in puller.rejected()
    puller.owner.delete_repository_policy(repositoryName=puller.name)
    puller.rejected()


def test_who_may_pull_may_not_push(puller: Puller) -> None:
    puller.give("ecr:*")
    puller.admit()
    puller.pull()
    code, _, message = error_of(puller.ecr.put_image, registryId=A, repositoryName=puller.name, imageManifest="{}")
    assert (code, "ecr:PutImage" in message) == ("AccessDeniedException", True)
    assert error_of(puller.ecr.set_repository_policy, registryId=A, repositoryName=puller.name, policyText="{}")[0] == (
        "AccessDeniedException")


def test_without_a_registry_the_own_account_is_meant(puller: Puller) -> None:
    puller.aws.client("iam").put_role_policy(RoleName=puller.name, PolicyName="own", PolicyDocument=policy(
        allow("ecr:*", "*")))
    puller.admit()
    code, _, message = error_of(puller.ecr.batch_get_image, repositoryName=puller.name, imageIds=[{"imageTag": TAG}])
    assert code == "RepositoryNotFoundException"
    assert f"in the registry with id '{puller.aws.account_id}'" in message


def test_administrator_has_no_permissions_in_other_accounts(puller: Puller) -> None:
    here = puller.aws.client("ecr")
    arguments = {"registryId": A, "repositoryName": puller.name, "imageIds": [{"imageTag": TAG}]}
    assert error_of(here.batch_get_image, **arguments)[0] == "AccessDeniedException"
    puller.owner.set_repository_policy(repositoryName=puller.name, policyText=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": PULL, "Principal": {
            "AWS": f"arn:aws:iam::{puller.aws.account_id}:root"}}]}))
    assert len(here.batch_get_image(**arguments)["images"]) == 1
