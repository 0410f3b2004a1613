"""Pushes images like Docker."""

import hashlib
import json
from typing import Any

_TYPE = "application/vnd.docker."


def _push_layer(ecr: Any, repository: str, content: bytes) -> dict[str, Any]:
    """Returns its digest and size."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    there = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    if there["layers"][0]["layerAvailability"] != "AVAILABLE":
        upload = {
            "repositoryName": repository,
            "uploadId": ecr.initiate_layer_upload(repositoryName=repository)["uploadId"],
        }
        ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
        ecr.complete_layer_upload(**upload, layerDigests=[digest])
    return {"digest": digest, "size": len(content)}


def push_image(ecr: Any, repository: str, word: str, tag: str) -> str:
    """The digest of an image whose config contains the word."""
    config, layer = (
        _push_layer(ecr, repository, content.encode())
        for content in (json.dumps({"word": word}), f"layer {word}")
    )
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}distribution.manifest.v2+json",
            "config": {"mediaType": f"{_TYPE}container.image.v1+json", **config},
            "layers": [{"mediaType": f"{_TYPE}image.rootfs.diff.tar.gzip", **layer}],
        }
    )
    pushed = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
    return str(pushed["image"]["imageId"]["imageDigest"])
