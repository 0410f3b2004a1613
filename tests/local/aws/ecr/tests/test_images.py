"""ECR as a push and a pull use it: layers, images, moving tags, and rejections. tests/deployment/test_image.py has the
event of a push.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codepipeline.tests.images import digest_of, manifest_of, push_image, push_layer
from tests.local.aws.testing import a_user_with, allow, error_of

ABSENT = digest_of("nobody pushed this")


@pytest.fixture
def ecr(aws: LocalAws) -> Any:
    return aws.client("ecr")


@pytest.fixture
def repository(ecr: Any, name: str) -> str:
    return str(ecr.create_repository(repositoryName=f"team/{name}")["repository"]["repositoryName"])


def tags(ecr: Any, repository: str) -> dict[str, list[str]]:
    return {each["imageDigest"]: each.get("imageTags", [])
            for each in ecr.describe_images(repositoryName=repository)["imageDetails"]}


def test_an_image_is_known_by_the_digest_of_its_manifest(ecr: Any, aws: LocalAws, repository: str) -> None:
    manifest = manifest_of(ecr, repository, "one")
    pushed = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v1")["image"]
    assert pushed["imageId"] == {"imageDigest": digest_of(manifest), "imageTag": "v1"}
    found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert [(each["imageDigest"], each["imageTags"], each["registryId"]) for each in found] == [
        (digest_of(manifest), ["v1"], aws.account_id)]
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])
    assert [each["imageManifest"] for each in got["images"]] == [manifest]
    assert [each["failureCode"] for each in got["failures"]] == ["ImageNotFound"]


def test_a_tag_moves_and_the_last_one_takes_its_image_with_it(ecr: Any, repository: str) -> None:
    first = push_image(ecr, repository, "one", "latest")
    second = push_image(ecr, repository, "two", "latest")
    assert tags(ecr, repository) == {first: [], second: ["latest"]}
    assert push_image(ecr, repository, "one", "latest") == first == push_image(ecr, repository, "one", "v1")
    assert tags(ecr, repository) == {first: ["latest", "v1"], second: []}
    for tag, left in (("v1", {first: ["latest"], second: []}), ("latest", {second: []})):
        ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        assert tags(ecr, repository) == left


def test_layer_has_the_content_of_its_digest(ecr: Any, repository: str) -> None:
    digest = push_layer(ecr, repository, b"a layer")
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest, ABSENT])["layers"]
    assert [(each["layerAvailability"], each.get("layerSize")) for each in layers] == [
        ("AVAILABLE", 7), ("UNAVAILABLE", None)]
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    part = {"repositoryName": repository, "uploadId": upload, "layerPartBlob": b"more"}
    assert error_of(ecr.upload_layer_part, **part, partFirstByte=1, partLastByte=4)[0] == "InvalidLayerPartException"
    ecr.upload_layer_part(**part, partFirstByte=0, partLastByte=3)
    assert error_of(ecr.complete_layer_upload, repositoryName=repository, uploadId=upload, layerDigests=[ABSENT])[0] == (
        "InvalidLayerException")


Wrong = Callable[[Any, str], dict[str, Any]]
_WRONG: list[tuple[str, str, Wrong]] = [
    ("ImageNotFoundException", "describe_images", lambda ecr, name: {"imageIds": [{"imageTag": "none"}]}),
    ("ImageNotFoundException", "describe_images", lambda ecr, name: {"imageIds": [
        {"imageTag": "v1", "imageDigest": ABSENT}]}),
    ("InvalidParameterException", "describe_images", lambda ecr, name: {"maxResults": 1}),
    ("InvalidParameterException", "put_image", lambda ecr, name: {"imageManifest": "no manifest"}),
    ("InvalidParameterException", "put_image", lambda ecr, name: {"imageManifest": json.dumps({"layers": []})}),
    ("InvalidParameterException", "put_image", lambda ecr, name: {
        "imageManifest": json.dumps({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})}),
    ("LayersNotFoundException", "put_image", lambda ecr, name: {"imageManifest": manifest_of(ecr, name, "x").replace(
        digest_of("layer x"), ABSENT)}),
    ("ImageDigestDoesNotMatchException", "put_image", lambda ecr, name: {
        "imageManifest": manifest_of(ecr, name, "x"), "imageDigest": ABSENT}),
    ("ImageAlreadyExistsException", "put_image", lambda ecr, name: {
        "imageManifest": manifest_of(ecr, name, "one"), "imageTag": "v1"}),
    ("RepositoryNotEmptyException", "delete_repository", lambda ecr, name: {}),
    ("RepositoryPolicyNotFoundException", "get_repository_policy", lambda ecr, name: {}),
    ("RepositoryAlreadyExistsException", "create_repository", lambda ecr, name: {}),
    ("RepositoryNotFoundException", "describe_images", lambda ecr, name: {"repositoryName": f"{name}x"}),
    ("InvalidParameterException", "create_repository", lambda ecr, name: {"repositoryName": "Upper"}),
]


@pytest.mark.parametrize(("code", "method", "wrong"), _WRONG, ids=[f"{each[1]}-{each[0]}-{index}"
                                                                   for index, each in enumerate(_WRONG)])
def test_rejected_request_changes_nothing(ecr: Any, repository: str, code: str, method: str, wrong: Wrong) -> None:
    digest = push_image(ecr, repository, "one", "v1")
    arguments = {"repositoryName": repository, **wrong(ecr, repository)}
    assert error_of(getattr(ecr, method), **arguments)[:2] == (code, 400)
    assert tags(ecr, repository) == {digest: ["v1"]}


def test_recreated_repository_is_empty(ecr: Any, repository: str) -> None:
    push_image(ecr, repository, "one")
    ecr.delete_repository(repositoryName=repository, force=True)
    ecr.create_repository(repositoryName=repository)
    assert tags(ecr, repository) == {}
    layer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest_of("layer one")])
    assert layer["layers"][0]["layerAvailability"] == "UNAVAILABLE"


def test_permission_is_limited_to_one_repository(ecr: Any, aws: LocalAws, repository: str, name: str) -> None:
    arn = f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{repository}"
    mine = aws.client("ecr", a_user_with(aws, name, allow(["ecr:DescribeImages", "ecr:CreateRepository"], arn)))
    assert mine.describe_images(repositoryName=repository)["imageDetails"] == []
    code, status, message = error_of(mine.describe_images, repositoryName=f"{repository}-other")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"ecr:DescribeImages on resource: {arn}-other" in message
    ecr.delete_repository(repositoryName=repository)
    assert "ecr:TagResource" in error_of(mine.create_repository, repositoryName=repository,
                                         tags=[{"Key": "k", "Value": "v"}])[2]
    mine.create_repository(repositoryName=repository)
