"""The content of a repository: uploaded layers, and images, which are manifests of layers.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html. The store is MiniStack's, so that its own
operations (for example the check for images when a repository is deleted) use the same images. The error messages are
those that AWS's SDKs report.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import ecr

from tests.local.aws.ecr import events as image_events

_PART_BYTES = 10 * 1024 * 1024


class Rejected(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def invalid(parameter: str, constraint: str) -> Rejected:
    return Rejected("InvalidParameterException",
                   f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'")


def where(name: str) -> str:
    return f"the repository with name '{name}' in the registry with id '{get_account_id()}'"


# --- layers ------------------------------------------------------------------------------


def initiate_layer_upload(request: dict[str, Any]) -> dict[str, Any]:
    upload = str(uuid.uuid4())
    ecr._uploads.setdefault(request["repositoryName"], {})[upload] = bytearray()
    return {"uploadId": upload, "partSize": _PART_BYTES}


def _upload(request: dict[str, Any]) -> bytearray:
    found: bytearray | None = ecr._uploads.get(request["repositoryName"], {}).get(request["uploadId"])
    if found is None:
        raise Rejected("UploadNotFoundException", f"The upload with id '{request['uploadId']}' does not exist in "
                                                 f"{where(request['repositoryName'])}")
    return found


def upload_layer_part(request: dict[str, Any]) -> dict[str, Any]:
    so_far, part = _upload(request), base64.b64decode(request["layerPartBlob"])
    first, last = request["partFirstByte"], request["partLastByte"]
    if first != len(so_far) or last != first + len(part) - 1:
        raise Rejected("InvalidLayerPartException", f"The layer part upload is not valid: it has to begin at byte "
                                                   f"{len(so_far)} and end where its bytes do")
    so_far += part
    return {"registryId": get_account_id(), "repositoryName": request["repositoryName"],
            "uploadId": request["uploadId"], "lastByteReceived": last}


def complete_layer_upload(request: dict[str, Any]) -> dict[str, Any]:
    name, content = request["repositoryName"], bytes(_upload(request))
    if not content:
        raise Rejected("EmptyUploadException", "The specified layer upload does not contain any layer parts")
    digest = _digest(content)
    if digest not in request["layerDigests"]:
        raise Rejected("InvalidLayerException", f"The layer digest calculation performed by Amazon ECR ({digest}) does "
                                               "not match the digest of the layer specified")
    held = ecr._layer_blobs.setdefault(name, {})
    if digest in held:
        raise Rejected("LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists in {where(name)}")
    held[digest] = content
    del ecr._uploads[name][request["uploadId"]]
    return {"registryId": get_account_id(), "repositoryName": name, "uploadId": request["uploadId"],
            "layerDigest": digest}


def batch_check_layer_availability(request: dict[str, Any]) -> dict[str, Any]:
    held = ecr._layer_blobs.get(request["repositoryName"], {})
    return {"failures": [], "layers": [
        {"layerDigest": each, "layerAvailability": "AVAILABLE", "layerSize": len(held[each]),
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"} if each in held
        else {"layerDigest": each, "layerAvailability": "UNAVAILABLE"} for each in request["layerDigests"]]}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


# --- images ------------------------------------------------------------------------------


def put_image(request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html"""
    name, text, tag = request["repositoryName"], request["imageManifest"], request.get("imageTag")
    manifest, digest = _read(text), _digest(text.encode())
    media_type = request.get("imageManifestMediaType") or manifest.get("mediaType")
    if not media_type:
        # "If you push an image manifest that does not contain the mediaType field, you must specify the
        # imageManifestMediaType in the request."
        raise invalid("imageManifestMediaType", "must be given for a manifest that does not contain mediaType")
    if request.get("imageDigest", digest) != digest:
        raise Rejected("ImageDigestDoesNotMatchException", f"The image digest {request['imageDigest']} does not match "
                                                          f"the digest {digest} that Amazon ECR calculated")
    size = _size(name, manifest)
    images = ecr._images.setdefault(name, [])
    found = next((each for each in images if each["imageDigest"] == digest), None)
    if found and (tag is None or tag in found["imageTags"]):
        tagged = f" and tag '{tag}'" if tag else ""
        raise Rejected("ImageAlreadyExistsException", f"Image with digest '{digest}'{tagged} already exists in "
                                                     f"{where(name)}")
    if tag:
        _take_from_others(name, tag, images)
    if found is None:
        found = {"imageDigest": digest, "imageId": {"imageDigest": digest}, "imageManifest": text,
                 "imageManifestMediaType": media_type, "imageTags": [], "imagePushedAt": int(time.time()),
                 "imageSizeInBytes": size, "artifactMediaType": (manifest.get("config") or {}).get("mediaType")}
        images.append(found)
        ecr._manifest_blobs.setdefault(name, {})[digest] = text.encode()
    if tag:
        found["imageTags"].append(tag)
    image_events.pushed(name, digest, tag, found["imageManifestMediaType"], found["artifactMediaType"])
    return {"image": _shown(name, found, tag)}


def _read(text: str) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise invalid("ImageManifest", "Invalid JSON syntax")
    return manifest


def _size(name: str, manifest: dict[str, Any]) -> int:
    """The size of the layers in the manifest. All of them must have been pushed before it."""
    if "manifests" in manifest:
        raise invalid("ImageManifest", "Lists of manifests are not part of this local ECR")
    held = {digest: len(content) for digest, content in ecr._layer_blobs.get(name, {}).items()}
    named = [each["digest"] for each in [manifest.get("config"), *(manifest.get("layers") or [])] if each]
    missing = [each for each in named if each not in held]
    if missing:
        raise Rejected("LayersNotFoundException",
                       f"Layers with digests '[{', '.join(missing)}]' required for pushing image into repository with "
                       f"name '{name}' in the registry with id '{get_account_id()}' do not exist")
    return sum(held[each] for each in named)


def _take_from_others(name: str, tag: str, images: list[dict[str, Any]]) -> None:
    """"Image tags can be overwritten", unless the repository forbids it. The former image of the tag stays.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    for other in images:
        if tag in other["imageTags"]:
            if ecr._repositories[name].get("imageTagMutability", "MUTABLE") != "MUTABLE":
                raise Rejected("ImageTagAlreadyExistsException", f"The image tag '{tag}' already exists in the '{name}' "
                                                                "repository and cannot be overwritten because the "
                                                                "repository is immutable.")
            other["imageTags"].remove(tag)


def _find(name: str, wanted: dict[str, str]) -> dict[str, Any] | None:
    """By digest, by tag, or by both, which must then belong to one image."""
    for each in ecr._images.get(name, []):
        if (wanted.get("imageDigest", each["imageDigest"]) == each["imageDigest"]
                and ("imageTag" not in wanted or wanted["imageTag"] in each["imageTags"])):
            found: dict[str, Any] = each
            return found
    return None


def _shown(name: str, image: dict[str, Any], tag: str | None) -> dict[str, Any]:
    return {"registryId": get_account_id(), "repositoryName": name, "imageManifest": image["imageManifest"],
            "imageManifestMediaType": image["imageManifestMediaType"],
            "imageId": {"imageDigest": image["imageDigest"], **({"imageTag": tag} if tag else {})}}


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
    if request.keys() & {"filter", "maxResults", "nextToken"}:
        raise invalid("filter", "Filters and pages of images are not part of this local ECR")
    chosen = [_existing(name, wanted) for wanted in request["imageIds"]] if "imageIds" in request else (
        ecr._images.get(name, []))
    return {"imageDetails": [_detail(name, each) for each in chosen]}


def _existing(name: str, wanted: dict[str, str]) -> dict[str, Any]:
    found = _find(name, wanted)
    if found is None:
        said = ", ".join(f"{key}:'{wanted.get(key, 'null')}'" for key in ("imageDigest", "imageTag"))
        raise Rejected("ImageNotFoundException", f"The image with imageId {{{said}}} does not exist within {where(name)}")
    return found


def _detail(name: str, image: dict[str, Any]) -> dict[str, Any]:
    made = {"registryId": get_account_id(), "repositoryName": name, "imageDigest": image["imageDigest"],
            "imageTags": list(image["imageTags"]), "imageSizeInBytes": image["imageSizeInBytes"],
            "imagePushedAt": image["imagePushedAt"], "imageManifestMediaType": image["imageManifestMediaType"],
            "artifactMediaType": image.get("artifactMediaType")}
    return {key: value for key, value in made.items() if value not in (None, [])}


def batch_delete_image(request: dict[str, Any]) -> dict[str, Any]:
    """A tag is removed, and with the last tag its image. A digest removes the image and all its tags.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
    """
    name, deleted, failures = request["repositoryName"], [], []
    for wanted in request["imageIds"]:
        image = _find(name, wanted)
        if image is None:
            failures.append(_failure(wanted))
            continue
        tags = [wanted["imageTag"]] if "imageTag" in wanted else list(image["imageTags"])
        for tag in tags:
            image["imageTags"].remove(tag)
        if "imageTag" not in wanted or not image["imageTags"]:
            ecr._images[name].remove(image)
            ecr._manifest_blobs.get(name, {}).pop(image["imageDigest"], None)
        for each in tags or [None]:
            deleted.append({"imageDigest": image["imageDigest"], **({"imageTag": each} if each else {})})
            image_events.deleted(name, image["imageDigest"], each)
    return {"imageIds": deleted, "failures": failures}
