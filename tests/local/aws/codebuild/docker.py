"""The command `docker` in a build with PrivilegedMode: it builds no image, and pushes one by ECR's API.

The image's one layer is the Dockerfile, and its label the build's context. The push makes the calls for which
AWS documents that a push needs permissions, with the build's credentials instead of the login's token:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html. Without a login to the registry
there is none.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import boto3

_IMAGES, _LOGINS = Path.home() / "images.json", Path.home() / "logins"
_MEDIA = "application/vnd.docker."


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _images() -> dict[str, dict[str, str]]:
    return dict(json.loads(_IMAGES.read_text())) if _IMAGES.exists() else {}


def _keep(name: str, image: dict[str, str]) -> None:
    _IMAGES.write_text(json.dumps({**_images(), name: image}))


def build(arguments: list[str]) -> None:
    name, context = arguments[arguments.index("-t") + 1], Path(arguments[-1])
    files = {path.name: digest_of(path.read_bytes()) for path in sorted(context.iterdir()) if path.is_file()}
    _keep(name, {"layer": (context / "Dockerfile").read_text(), "config": json.dumps({"files": files})})


def login(arguments: list[str]) -> None:
    if not sys.stdin.read().strip():
        sys.exit("Error: Cannot perform an interactive login from a non TTY device")
    _LOGINS.write_text(arguments[-1])


def push(arguments: list[str]) -> None:
    [name] = arguments
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    if not _LOGINS.exists() or _LOGINS.read_text() != registry:
        sys.exit("no basic auth credentials")
    ecr, image = boto3.client("ecr"), _images()[name]
    given = {"registryId": registry.partition(".")[0], "repositoryName": repository}
    parts = {kind: _upload(ecr, image[kind].encode(), given) for kind in ("config", "layer")}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}distribution.manifest.v2+json",
            "config": {"mediaType": f"{_MEDIA}container.image.v1+json", **parts["config"]},
            "layers": [{"mediaType": f"{_MEDIA}image.rootfs.diff.tar.gzip", **parts["layer"]}],
        }
    )
    ids = [{"imageDigest": digest_of(manifest.encode())}]
    ecr.batch_get_image(**given, imageIds=ids)
    ecr.put_image(**given, imageManifest=manifest, imageTag=tag)
    _keep(name, {**image, "digest": f"{registry}/{repository}@{ids[0]['imageDigest']}"})


def _upload(ecr: Any, content: bytes, given: dict[str, str]) -> dict[str, Any]:
    digest = digest_of(content)
    [layer] = ecr.batch_check_layer_availability(**given, layerDigests=[digest])["layers"]
    if layer["layerAvailability"] != "AVAILABLE":
        upload = {**given, "uploadId": ecr.initiate_layer_upload(**given)["uploadId"]}
        ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
        ecr.complete_layer_upload(**upload, layerDigests=[digest])
    return {"digest": digest, "size": len(content)}


def inspect(arguments: list[str]) -> None:
    print(_images()[arguments[-1]]["digest"])


_COMMANDS = {"build": build, "inspect": inspect, "login": login, "push": push}

if __name__ == "__main__":
    _COMMANDS[sys.argv[1]](sys.argv[2:])
