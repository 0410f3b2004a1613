"""Deploy/S3: the files of an artifact in a bucket, or the artifact itself.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3Deploy.html
"""

from tests.local.aws.codepipeline.actions import Action


def run(action: Action) -> None:
    bucket, key = action.configuration("BucketName"), action.configuration("ObjectKey")
    artifact = action.run.declaration["inputArtifacts"][0]["name"]
    s3 = action.role.client("s3")
    with action.input(artifact) as archive:
        if action.configuration("Extract").lower() == "true":
            # "If true, specifies that files are to be extracted before upload." With a key, below it:
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/tutorials-s3deploy.html, "deployment
            # path"
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            files = {f"{key}/{name}" if key else name: archive.read(name) for name in names}
        else:
            archive.fp.seek(0)  # type: ignore[union-attr]
            files = {key: archive.fp.read()}  # type: ignore[union-attr]
    # The page lists these three permissions of the role, without the order of their use.
    s3.get_bucket_location(Bucket=bucket)
    s3.get_bucket_acl(Bucket=bucket)
    s3.get_bucket_versioning(Bucket=bucket)
    for name, content in sorted(files.items()):
        s3.put_object(Bucket=bucket, Key=name, Body=content)
