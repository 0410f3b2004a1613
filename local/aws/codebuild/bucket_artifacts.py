"""The artifacts' type S3: the files in the project's bucket.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectArtifacts.html
"""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import ClientError

from local.aws.codebuild import buildspec
from local.aws.codebuild.buildspec import Buildspec
from local.aws.codebuild.builds import Build, client_error
from local.aws.codepipeline.actions import zipped


def key(project: dict[str, Any], build: str) -> str:
    """The key of the artifact without a `/` at its start or end. `build` is the build's UUID.

    "If `path` is set to MyArtifacts, `namespaceType` is set to BUILD_ID, and `name` is set to MyArtifact.zip, the
    output artifact is stored in MyArtifacts/<build-ID>/MyArtifact.zip." With the name `/` it is "in the root" of that
    place. Without a name it is the project's:
    https://docs.aws.amazon.com/codebuild/latest/userguide/create-project.html
    """
    artifacts = project["artifacts"]
    parts = [artifacts.get("path") or "", build if artifacts.get("namespaceType") == "BUILD_ID" else "",
             artifacts.get("name") or project["name"]]
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def location(project: dict[str, Any], build: str) -> str:
    """`artifacts.location` of the build. Whether it ends with `/` for the name `/` is not documented. (?)"""
    bucket = project["artifacts"]["location"].removeprefix("arn:aws:s3:::")
    return f"arn:aws:s3:::{bucket}/{key(project, build)}".rstrip("/")


def store(build: Build, spec: Buildspec) -> None:
    """Packaging NONE (the default) stores each file, and ZIP one archive."""
    if spec.artifacts is None:
        return
    files = buildspec.collect(spec.artifacts, build.source)
    if not files:
        raise client_error("no matching artifact paths found")
    start = key(build.project, build.stream)
    if build.project["artifacts"].get("packaging") == "ZIP":
        packed = zipped(files)
        objects = {start: packed}
        build.record["artifacts"] |= {"sha256sum": hashlib.sha256(packed).hexdigest(),
                                      "md5sum": hashlib.md5(packed, usedforsecurity=False).hexdigest()}
    else:
        objects = {f"{start}/{name}".lstrip("/"): content for name, content in files.items()}
    _put(build, objects)


def _put(build: Build, objects: dict[str, bytes]) -> None:
    """AWS's example of a service role also allows s3:GetBucketAcl and s3:GetBucketLocation. No page says which call
    needs them, so none does here. (?)

    https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
    """
    assert build.role is not None
    s3 = build.role.client("s3")
    bucket = build.project["artifacts"]["location"].removeprefix("arn:aws:s3:::")
    for name, content in sorted(objects.items()):
        try:
            s3.put_object(Bucket=bucket, Key=name, Body=content, **_encryption(build.project))
        except ClientError as rejected:
            about = rejected.response
            # The form is Recorded, for other artifacts: https://repost.aws/knowledge-center/codebuild-access-denied
            raise client_error(
                f"Error in UPLOAD_ARTIFACTS phase: {about['Error']['Code']}: {about['Error'].get('Message', '')}\n\t"
                f"status code: {about['ResponseMetadata']['HTTPStatusCode']}, request id: "
                f"{about['ResponseMetadata'].get('RequestId', '')}") from None


def _encryption(project: dict[str, Any]) -> dict[str, str]:
    """"If you don't specify a value, CodeBuild uses the managed customer master key for Amazon Simple Storage Service":
    an upload with SSE-KMS that names no key, also into a bucket whose default is another key.

    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html (encryptionKey)
    """
    if project["artifacts"].get("encryptionDisabled"):
        return {}
    given = str(project.get("encryptionKey", ""))
    own = {"SSEKMSKeyId": given} if given and ":alias/aws/" not in given else {}
    return {"ServerSideEncryption": "aws:kms", **own}
