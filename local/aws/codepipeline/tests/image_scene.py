"""Fixtures for images: a push like Docker's, and a pipeline with an image as its second source."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, template

TAG = "stable"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - mkdir out
      - echo "$ImageDigest $ImageTag $CODEBUILD_RESOLVED_SOURCE_VERSION" > out/variables
      - cp "$CODEBUILD_SRC_DIR_ImageArtifact/imageDetail.json" out/
      - sed "s/COMMIT/$ImageDigest/" template.json > out/template.json
      - cp parameter.json out/
artifacts:
  base-directory: out
  files: ['**/*']
"""


def digest_of(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def push_layer(ecr: Any, repository: str, content: bytes, **registry: str) -> str:
    """Returns its digest. `registry` is `registryId`, if it is another account's."""
    digest = digest_of(content)
    there = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest], **registry)
    if there["layers"][0]["layerAvailability"] == "AVAILABLE":
        return digest
    upload = ecr.initiate_layer_upload(repositoryName=repository, **registry)["uploadId"]
    ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=0,
                          partLastByte=len(content) - 1, layerPartBlob=content, **registry)
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest], **registry)
    return digest


def manifest_of(ecr: Any, repository: str, word: str, **registry: str) -> str:
    """The manifest of an image whose config contains the word. Its layers are pushed."""
    config, layer = json.dumps({"word": word}).encode(), f"layer {word}".encode()
    return json.dumps({
        "schemaVersion": 2, "mediaType": _MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "size": len(config),
                   "digest": push_layer(ecr, repository, config, **registry)},
        "layers": [{"mediaType": _LAYER_TYPE, "size": len(layer),
                    "digest": push_layer(ecr, repository, layer, **registry)}]})


def push_image(ecr: Any, repository: str, word: str, tag: str | None = TAG, **registry: str) -> str:
    """The image's digest."""
    manifest = manifest_of(ecr, repository, word, **registry)
    tagged = {"imageTag": tag} if tag else {}
    pushed = ecr.put_image(repositoryName=repository, imageManifest=manifest, **tagged, **registry)
    return str(pushed["image"]["imageId"]["imageDigest"])


class ImageScene(Scene):
    """Code in CodeCommit and an image in ECR, both in the pipeline's account."""

    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        self.ecr = aws.client("ecr")
        self.images = f"shop/{name}"
        self.image_arn = self.arn("ecr", f"repository/{self.images}")
        self.rights["pipeline"]["ecr:DescribeImages"] = (self.image_arn, {})

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = BUILDSPEC) -> None:
        super().prepare(files, buildspec)
        self.ecr.create_repository(repositoryName=self.images)

    def files(self) -> dict[str, str]:
        return {"template.json": template(self.name), "parameter.json": json.dumps({"Parameters": {"Word": "first"}})}

    def push_image(self, word: str, tag: str | None = TAG) -> str:
        return push_image(self.ecr, self.images, word, tag)

    def image(self, **configuration: str) -> dict[str, Any]:
        return {"name": "Image", "namespace": "ImageVariables", "outputArtifacts": [{"name": "ImageArtifact"}],
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "ECR", "version": "1"},
                "configuration": {"RepositoryName": self.images, "ImageTag": TAG, **configuration}}

    def build(self, **configuration: str) -> dict[str, Any]:
        variables = json.dumps([{"name": "ImageDigest", "value": "#{ImageVariables.ImageDigest}", "type": "PLAINTEXT"},
                                {"name": "ImageTag", "value": TAG, "type": "PLAINTEXT"}])
        made = super().build(PrimarySource="SourceArtifact", EnvironmentVariables=variables, **configuration)
        return {**made, "inputArtifacts": [{"name": "SourceArtifact"}, {"name": "ImageArtifact"}]}

    def declaration(self, *stages: list[dict[str, Any]], mode: str = "QUEUED") -> dict[str, Any]:
        made = super().declaration(*stages, mode=mode)
        made["stages"][0]["actions"].append(copy.deepcopy(self.image()))
        return made

    def start_on_push(self, account: str = "", role: str = "events") -> None:
        """The rule that starts the pipeline with the pushed digest."""
        events = self.aws.client("events")
        events.put_rule(Name=f"image-{self.name}", EventPattern=json.dumps({
            "source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "account": [account or self.account],
            "detail": {"action-type": ["PUSH"], "result": ["SUCCESS"], "repository-name": [self.images],
                       "image-tag": [TAG]}}))
        # https://docs.aws.amazon.com/codepipeline/latest/userguide/create-cwe-ecr-source-cfn.html
        events.put_targets(Rule=f"image-{self.name}", Targets=[{
            "Id": "pipeline", "Arn": self.arn("codepipeline", self.pipeline), "RoleArn": self.role_arn(role),
            "InputTransformer": {
                "InputPathsMap": {"digest": "$.detail.image-digest"},
                "InputTemplate": json.dumps({"sourceRevisions": [{
                    "actionName": "Image", "revisionType": "IMAGE_DIGEST", "revisionValue": "<digest>"}]})}}])
