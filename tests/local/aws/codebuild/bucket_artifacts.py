"""The artifacts' type S3: the files in the project's bucket.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectArtifacts.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from tests.local.aws.codebuild import buildspec, stored_variables
from tests.local.aws.codebuild.buildspec import Buildspec
from tests.local.aws.codebuild.builds import Build, client_error


def _key(build: Build) -> str:
    """With the name `/`, "the output artifact is stored in the root" of `<path>/<build-ID>`."""
    return f"{(build.project['artifacts'].get('path') or '').strip('/')}/{build.stream}".lstrip("/")


def _bucket(build: Build) -> str:
    return str(build.project["artifacts"]["location"]).removeprefix("arn:aws:s3:::")


def location(build: Build) -> str:
    """`artifacts.location` of the build. Whether it ends with `/` for the name `/` is not documented. (?)"""
    return f"arn:aws:s3:::{_bucket(build)}/{_key(build)}"


def store(build: Build, spec: Buildspec) -> None:
    """AWS's example of a service role also allows s3:GetBucketAcl and s3:GetBucketLocation. No page names the call that
    needs them, so none does here. (?)

    https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
    """
    if spec.artifacts is None:
        return
    files = buildspec.collect(spec.artifacts, build.source)
    if not files:
        raise client_error("no matching artifact paths found")
    assert build.role is not None
    s3 = build.role.client("s3")
    for name, content in sorted(files.items()):
        try:
            s3.put_object(Bucket=_bucket(build), Key=f"{_key(build)}/{name}", Body=content)
        except ClientError as rejected:
            # The form is Recorded, for other artifacts: https://repost.aws/knowledge-center/codebuild-access-denied
            raise client_error(f"Error in UPLOAD_ARTIFACTS phase: {stored_variables.text_of(rejected)}") from None
