"""The events that ECR sends when an image is pushed or deleted.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html: `resources` is empty there, so only
`account`, `region` and the name in `detail` identify the repository.
"""

from __future__ import annotations

from tests.local.aws.events import sending


def pushed(repository: str, digest: str, tag: str | None, manifest_type: str, artifact_type: str | None) -> None:
    detail = {"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": "PUSH",
              "image-tag": tag, "manifest-media-type": manifest_type, "artifact-media-type": artifact_type}
    with sending.pending():
        sending.send_later("aws.ecr", "ECR Image Action",
                           {key: value for key, value in detail.items() if value is not None}, [])
