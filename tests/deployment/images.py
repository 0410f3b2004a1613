"""Pushes images like Docker."""

from __future__ import annotations

import hashlib
import json
from typing import Any

TAG = "stable"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def push_layer(ecr: Any, repository: str, content: bytes) -> str:
    """Returns its digest."""
    digest = digest_of(content)
    there = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    if there["layers"][0]["layerAvailability"] == "AVAILABLE":
        return digest
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=0,
                          partLastByte=len(content) - 1, layerPartBlob=content)
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
    return digest


def manifest_of(ecr: Any, repository: str, word: str) -> str:
    """The manifest of an image whose config contains the word. Its layers are pushed."""
    config, layer = json.dumps({"word": word}).encode(), f"layer {word}".encode()
    return json.dumps({
        "schemaVersion": 2, "mediaType": _MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "size": len(config),
                   "digest": push_layer(ecr, repository, config)},
        "layers": [{"mediaType": _LAYER_TYPE, "size": len(layer),
                    "digest": push_layer(ecr, repository, layer)}]})


def push_image(ecr: Any, repository: str, word: str, tag: str | None = TAG) -> str:
    """The image's digest."""
    manifest = manifest_of(ecr, repository, word)
    tagged = {"imageTag": tag} if tag else {}
    pushed = ecr.put_image(repositoryName=repository, imageManifest=manifest, **tagged)
    return str(pushed["image"]["imageId"]["imageDigest"])
