"""ECR as a push and a pull use it: layers, images, moving tags, and rejections.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.image_scene import digest_of, manifest_of, push_image, push_layer
from local.aws.codepipeline.tests.pipeline_scene import eventually
from local.aws.testing import a_user_with, allow, error_of

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
    held = json.loads(manifest)
    assert found[0]["imageSizeInBytes"] == held["config"]["size"] + held["layers"][0]["size"]
    assert found[0]["artifactMediaType"] == held["config"]["mediaType"]
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])
    assert [each["imageManifest"] for each in got["images"]] == [manifest]
    assert [each["failureCode"] for each in got["failures"]] == ["ImageNotFound"]


def test_a_tag_moves_and_the_image_that_had_it_stays(ecr: Any, repository: str) -> None:
    first = push_image(ecr, repository, "one", "latest")
    second = push_image(ecr, repository, "two", "latest")
    assert tags(ecr, repository) == {first: [], second: ["latest"]}
    assert push_image(ecr, repository, "one", "latest") == first
    assert push_image(ecr, repository, "one", "v1") == first
    assert tags(ecr, repository) == {first: ["latest", "v1"], second: []}
    untagged = ecr.list_images(repositoryName=repository, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert untagged == [{"imageDigest": second}]


def test_the_last_tag_that_is_deleted_takes_the_image_with_it(ecr: Any, repository: str) -> None:
    digest = push_image(ecr, repository, "one", "a")
    push_image(ecr, repository, "one", "b")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "a"}])
    assert tags(ecr, repository) == {digest: ["b"]}
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "b"}])
    assert tags(ecr, repository) == {}


def test_list_of_images_is_paginated(ecr: Any, repository: str) -> None:
    pushed = {push_image(ecr, repository, word, word) for word in ("one", "two", "three")}
    pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=repository,
                                                               PaginationConfig={"PageSize": 2}))
    assert [len(page["imageDetails"]) for page in pages] == [2, 1]
    assert {each["imageDigest"] for page in pages for each in page["imageDetails"]} == pushed


def test_a_manifest_list_needs_its_images(ecr: Any, repository: str) -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    one = push_image(ecr, repository, "one", None)

    def put(digest: str) -> Any:
        return ecr.put_image(repositoryName=repository, imageTag="all", imageManifestMediaType=kind, imageManifest=(
            json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest}]})))

    assert put(one)["image"]["imageManifestMediaType"] == kind
    with pytest.raises(ecr.exceptions.ReferencedImagesNotFoundException, match=ABSENT):
        put(ABSENT)


def test_layer_has_the_content_of_its_digest(ecr: Any, repository: str) -> None:
    digest = push_layer(ecr, repository, b"a layer")
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest, ABSENT])["layers"]
    assert [(each["layerAvailability"], each.get("layerSize")) for each in layers] == [
        ("AVAILABLE", 7), ("UNAVAILABLE", None)]
    where = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
    assert where.endswith(f"/{repository}/blobs/{digest}")
    assert error_of(ecr.get_download_url_for_layer, repositoryName=repository, layerDigest=ABSENT)[0] == (
        "LayersNotFoundException")
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
    ("InvalidParameterException", "put_image", lambda ecr, name: {"imageManifest": "no manifest"}),
    ("InvalidParameterException", "put_image", lambda ecr, name: {"imageManifest": json.dumps({"layers": []})}),
    ("LayersNotFoundException", "put_image", lambda ecr, name: {"imageManifest": manifest_of(ecr, name, "x").replace(
        digest_of("layer x"), ABSENT)}),
    ("ImageDigestDoesNotMatchException", "put_image", lambda ecr, name: {
        "imageManifest": manifest_of(ecr, name, "x"), "imageDigest": ABSENT}),
    ("ImageAlreadyExistsException", "put_image", lambda ecr, name: {
        "imageManifest": manifest_of(ecr, name, "one"), "imageTag": "v1"}),
    ("RepositoryNotEmptyException", "delete_repository", lambda ecr, name: {}),
    ("RepositoryPolicyNotFoundException", "get_repository_policy", lambda ecr, name: {}),
    ("RepositoryAlreadyExistsException", "create_repository", lambda ecr, name: {}),
]


@pytest.mark.parametrize(("code", "method", "wrong"), _WRONG, ids=[f"{each[1]}-{each[0]}-{index}"
                                                                   for index, each in enumerate(_WRONG)])
def test_rejected_request_changes_nothing(ecr: Any, repository: str, code: str, method: str, wrong: Wrong) -> None:
    digest = push_image(ecr, repository, "one", "v1")
    assert error_of(getattr(ecr, method), repositoryName=repository, **wrong(ecr, repository))[:2] == (code, 400)
    assert tags(ecr, repository) == {digest: ["v1"]}


def test_missing_image_and_repository_have_ecrs_messages(ecr: Any, aws: LocalAws, repository: str) -> None:
    registry = f"in the registry with id '{aws.account_id}'"
    assert error_of(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "v9"}])[2] == (
        f"The image with imageId {{imageDigest:'null', imageTag:'v9'}} does not exist within the repository with name "
        f"'{repository}' {registry}")
    assert error_of(ecr.describe_images, repositoryName=f"{repository}x")[2] == (
        f"The repository with name '{repository}x' does not exist {registry}")
    assert error_of(ecr.create_repository, repositoryName="Upper")[0] == "InvalidParameterException"


def test_an_immutable_tag_is_not_moved(ecr: Any, repository: str) -> None:
    first = push_image(ecr, repository, "one", "v1")
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException, match="immutable"):
        push_image(ecr, repository, "two", "v1")
    assert tags(ecr, repository) == {first: ["v1"]}


def test_recreated_repository_is_empty(ecr: Any, repository: str) -> None:
    push_image(ecr, repository, "one")
    ecr.delete_repository(repositoryName=repository, force=True)
    assert error_of(ecr.describe_images, repositoryName=repository)[0] == "RepositoryNotFoundException"
    ecr.create_repository(repositoryName=repository)
    assert tags(ecr, repository) == {}
    layer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest_of("layer one")])
    assert layer["layers"][0]["layerAvailability"] == "UNAVAILABLE"


# --- events ------------------------------------------------------------------------------


def test_push_and_deletion_send_events(ecr: Any, aws: LocalAws, repository: str, name: str) -> None:
    events, sqs = aws.client("events"), aws.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = events.put_rule(Name=name, EventPattern=json.dumps({
        "source": ["aws.ecr"], "account": [aws.account_id], "region": [aws.region],
        "detail": {"repository-name": [repository]}}))["RuleArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]})})
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    digest = push_image(ecr, repository, "one", "v1")
    error_of(ecr.put_image, repositoryName=repository, imageManifest="no manifest")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    received: list[dict[str, Any]] = []

    def count_received() -> int:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        received.extend(json.loads(each["Body"]) for each in found)
        return len(received)

    eventually(count_received, lambda count: count == 2)
    push, deletion = sorted(received, key=lambda each: each["detail"]["action-type"], reverse=True)
    assert (push["detail-type"], push["resources"], push["account"], push["region"]) == (
        "ECR Image Action", [], aws.account_id, aws.region)
    expected = {"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "image-tag": "v1"}
    assert push["detail"].items() >= {**expected, "action-type": "PUSH"}.items()
    assert deletion["detail"] == {**expected, "action-type": "DELETE"}


# --- permissions ------------------------------------------------------------------------------


def test_permission_is_limited_to_one_repository(ecr: Any, aws: LocalAws, repository: str, name: str) -> None:
    arn = f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{repository}"
    push_image(ecr, repository, "one")
    mine = aws.client("ecr", a_user_with(aws, name, allow("ecr:DescribeImages", arn)))
    assert len(mine.describe_images(repositoryName=repository)["imageDetails"]) == 1
    code, status, message = error_of(mine.describe_images, repositoryName=f"{repository}-other")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"ecr:DescribeImages on resource: {arn}-other" in message
    assert error_of(mine.batch_get_image, repositoryName=repository, imageIds=[{"imageTag": "stable"}])[0] == (
        "AccessDeniedException")


def test_who_makes_a_tagged_repository_needs_the_right_to_tag_it(aws: LocalAws, name: str) -> None:
    arn = f"arn:aws:ecr:{aws.region}:{aws.account_id}:repository/{name}"
    key = a_user_with(aws, name, allow("ecr:CreateRepository", arn))
    made = {"repositoryName": name, "tags": [{"Key": "CreatedBy", "Value": "me"}]}
    code, _, message = error_of(aws.client("ecr", key).create_repository, **made)
    assert (code, "ecr:TagResource" in message) == ("AccessDeniedException", True)
    aws.client("iam").put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [allow(["ecr:CreateRepository", "ecr:TagResource"], arn, Condition={
            "StringEquals": {"aws:RequestTag/CreatedBy": "me"}})]}))
    assert aws.client("ecr", key).create_repository(**made)["repository"]["repositoryArn"] == arn
