"""The content of a repository: uploaded layers, and images, which are manifests of layers.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html. The store is MiniStack's, so
that its own operations (for example the check for images when a repository is deleted) use the same images.
The error messages are those that AWS's SDKs report.
"""

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import ecr

from tests.local.aws.events import sending
from tests.local.aws.json_api import Rejected

_PART_BYTES = 10 * 1024 * 1024


def invalid(parameter: str, constraint: str) -> Rejected:
    return Rejected(
        "InvalidParameterException",
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'",
    )


def where(name: str) -> str:
    return f"the repository with name '{name}' in the registry with id '{get_account_id()}'"


def initiate_layer_upload(request: dict[str, Any]) -> dict[str, Any]:
    upload = str(uuid.uuid4())
    ecr._uploads.setdefault(request["repositoryName"], {})[upload] = bytearray()
    return {"uploadId": upload, "partSize": _PART_BYTES}


def _upload(request: dict[str, Any]) -> bytearray:
    found: bytearray = ecr._uploads[request["repositoryName"]][request["uploadId"]]
    return found


def upload_layer_part(request: dict[str, Any]) -> dict[str, Any]:
    so_far, part = _upload(request), base64.b64decode(request["layerPartBlob"])
    so_far += part
    return {
        "registryId": get_account_id(),
        "repositoryName": request["repositoryName"],
        "uploadId": request["uploadId"],
        "lastByteReceived": request["partLastByte"],
    }


def complete_layer_upload(request: dict[str, Any]) -> dict[str, Any]:
    name, content = request["repositoryName"], bytes(_upload(request))
    digest = _digest(content)
    ecr._layer_blobs.setdefault(name, {})[digest] = content
    del ecr._uploads[name][request["uploadId"]]
    return {
        "registryId": get_account_id(),
        "repositoryName": name,
        "uploadId": request["uploadId"],
        "layerDigest": digest,
    }


def batch_check_layer_availability(request: dict[str, Any]) -> dict[str, Any]:
    held = ecr._layer_blobs.get(request["repositoryName"], {})
    return {
        "failures": [],
        "layers": [
            {
                "layerDigest": each,
                "layerAvailability": "AVAILABLE",
                "layerSize": len(held[each]),
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            }
            if each in held
            else {"layerDigest": each, "layerAvailability": "UNAVAILABLE"}
            for each in request["layerDigests"]
        ],
    }


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def put_image(request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html"""
    name, text, tag = request["repositoryName"], request["imageManifest"], request.get("imageTag")
    manifest, digest = json.loads(text), _digest(text.encode())
    media_type = request.get("imageManifestMediaType") or manifest.get("mediaType")
    size = _size(name, manifest)
    images = ecr._images.setdefault(name, [])
    found = next((each for each in images if each["imageDigest"] == digest), None)
    if tag:
        _take_from_others(tag, images)
    if found is None:
        found = {
            "imageDigest": digest,
            "imageId": {"imageDigest": digest},
            "imageManifest": text,
            "imageManifestMediaType": media_type,
            "imageTags": [],
            "imagePushedAt": int(time.time()),
            "imageSizeInBytes": size,
            "artifactMediaType": (manifest.get("config") or {}).get("mediaType"),
        }
        images.append(found)
        ecr._manifest_blobs.setdefault(name, {})[digest] = text.encode()
    if tag:
        found["imageTags"].append(tag)
    _send_event(name, found, tag)
    return {"image": _shown(name, found, tag)}


def _send_event(repository: str, image: dict[str, Any], tag: str | None) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html: `resources` is empty
    there, so only
    `account`, `region` and the name in `detail` identify the repository."""
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": image["imageDigest"],
        "action-type": "PUSH",
        "image-tag": tag,
        "manifest-media-type": image["imageManifestMediaType"],
        "artifact-media-type": image["artifactMediaType"],
    }
    with sending.pending():
        sending.send_later(
            "aws.ecr",
            "ECR Image Action",
            {key: value for key, value in detail.items() if value is not None},
            [],
        )


def _size(name: str, manifest: dict[str, Any]) -> int:
    held = {digest: len(content) for digest, content in ecr._layer_blobs.get(name, {}).items()}
    return sum(held[each["digest"]] for each in [manifest["config"], *manifest["layers"]])


def _take_from_others(tag: str, images: list[dict[str, Any]]) -> None:
    """ "Image tags can be overwritten". The former image of the tag stays.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    for other in images:
        if tag in other["imageTags"]:
            other["imageTags"].remove(tag)


def _find(name: str, wanted: dict[str, str]) -> dict[str, Any] | None:
    """By digest, by tag, or by both, which must then belong to one image."""
    for each in ecr._images.get(name, []):
        if wanted.get("imageDigest", each["imageDigest"]) == each["imageDigest"] and (
            "imageTag" not in wanted or wanted["imageTag"] in each["imageTags"]
        ):
            found: dict[str, Any] = each
            return found
    return None


def _shown(name: str, image: dict[str, Any], tag: str | None) -> dict[str, Any]:
    return {
        "registryId": get_account_id(),
        "repositoryName": name,
        "imageManifest": image["imageManifest"],
        "imageManifestMediaType": image["imageManifestMediaType"],
        "imageId": {"imageDigest": image["imageDigest"], **({"imageTag": tag} if tag else {})},
    }


def batch_get_image(request: dict[str, Any]) -> dict[str, Any]:
    found, failures = [], []
    for wanted in request["imageIds"]:
        image = _find(request["repositoryName"], wanted)
        if image is None:
            failures.append(_failure(wanted))
        else:
            found.append(_shown(request["repositoryName"], image, wanted.get("imageTag")))
    return {"images": found, "failures": failures}


def _failure(wanted: dict[str, str]) -> dict[str, Any]:
    return {"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def describe_images(request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html"""
    name = request["repositoryName"]
    chosen = (
        [_existing(name, wanted) for wanted in request["imageIds"]]
        if "imageIds" in request
        else (ecr._images.get(name, []))
    )
    return {"imageDetails": [_detail(name, each) for each in chosen]}


def _existing(name: str, wanted: dict[str, str]) -> dict[str, Any]:
    found = _find(name, wanted)
    if found is None:
        said = ", ".join(f"{key}:'{wanted.get(key, 'null')}'" for key in ("imageDigest", "imageTag"))
        raise Rejected(
            "ImageNotFoundException", f"The image with imageId {{{said}}} does not exist within {where(name)}"
        )
    return found


def _detail(name: str, image: dict[str, Any]) -> dict[str, Any]:
    made = {
        "registryId": get_account_id(),
        "repositoryName": name,
        "imageDigest": image["imageDigest"],
        "imageTags": list(image["imageTags"]),
        "imageSizeInBytes": image["imageSizeInBytes"],
        "imagePushedAt": image["imagePushedAt"],
        "imageManifestMediaType": image["imageManifestMediaType"],
        "artifactMediaType": image.get("artifactMediaType"),
    }
    return {key: value for key, value in made.items() if value not in (None, [])}
