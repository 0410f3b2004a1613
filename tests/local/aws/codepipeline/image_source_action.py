"""Source/ECR: the image of a tag. The artifact contains only `imageDetail.json`.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECR.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html#file-reference-ecs-bluegreen

The configuration names no registry: it is the account of the action's role.
"""

import json
import time
from datetime import UTC
from typing import Any

from tests.local.aws.codepipeline.actions import Action, zipped


def run(action: Action) -> None:
    name, tag = action.configuration("RepositoryName"), action.configuration("ImageTag", "latest")
    override = action.execution.overrides.get(action.run.name)
    wanted = {"imageDigest": override["revisionValue"]} if override else {"imageTag": tag}
    image = action.role.client("ecr").describe_images(repositoryName=name, imageIds=[wanted])["imageDetails"][
        0
    ]
    _note(action, image, tag, bool(override))
    action.output(
        action.run.declaration["outputArtifacts"][0]["name"],
        zipped({"imageDetail.json": json.dumps(_detail(action, image)).encode()}),
    )


def _repository_uri(action: Action, image: dict[str, Any]) -> str:
    return f"{image['registryId']}.dkr.ecr.{action.held.region}.amazonaws.com/{image['repositoryName']}"


def _note(action: Action, image: dict[str, Any], tag: str, overridden: bool) -> None:
    """ImageTag "is not emitted when the source revision is overridden" (action reference, output variables).

    AWS's own example of ImageURI has the tag (reference-variables.html), and users report the digest. So that
    no test relies on either by chance, here it has the tag if there is one.
    """
    run, digest, uri = action.run, image["imageDigest"], _repository_uri(action, image)
    run.external_id = digest
    run.external_url = (
        f"https://console.aws.amazon.com/ecr/repositories/private/{image['registryId']}/"
        f"{image['repositoryName']}/_/image/{digest}/details?region={action.held.region}"
    )
    run.revision = {"revisionId": digest, "revisionUrl": run.external_url, "created": time.time()}
    run.variables = {
        "RegistryId": image["registryId"],
        "RepositoryName": image["repositoryName"],
        "ImageDigest": digest,
        "ImageURI": f"{uri}@{digest}" if overridden else f"{uri}:{tag}",
    }
    if not overridden:
        run.variables["ImageTag"] = tag


def _detail(action: Action, image: dict[str, Any]) -> dict[str, Any]:
    """All values are texts, except the tags, which are all tags of the image."""
    pushed = image["imagePushedAt"].astimezone(UTC)
    return {
        "ImageSizeInBytes": str(image["imageSizeInBytes"]),
        "ImageDigest": image["imageDigest"],
        "Version": "1.0",
        "ImagePushedAt": pushed.strftime("%a %b %d %H:%M:%S UTC %Y"),
        "RegistryId": image["registryId"],
        "RepositoryName": image["repositoryName"],
        "ImageURI": f"{_repository_uri(action, image)}@{image['imageDigest']}",
        "ImageTags": image.get("imageTags", []),
    }
