"""Permissions of a build in the artifact buckets: rows of rights.py."""

from tests.templates.named import ANOTHER_BUILD, AS_A_BUILD, A_BUILD, BUCKET, FOREIGN_BUCKET, SECOND_BUCKET

BUILD_MAY = [
    row
    for bucket in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET)
    for row in (
        ("CodeBuildCFnRole", "s3:GetBucketAcl s3:GetBucketLocation", bucket, {}),
        ("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion", f"{bucket}/codepipeline-dev-cfn/SourceArti/Xa3bC4d", AS_A_BUILD),
        ("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion", f"{bucket}/codepipeline-dev-cfn/ImageArtif/Xa3bC4d", AS_A_BUILD),
        ("CodeBuildCFnRole", "s3:PutObject", f"{bucket}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d", AS_A_BUILD),
        ("CodeBuildCFnRole", "s3:PutObject", f"{bucket}/code/{A_BUILD}/0a1b2c", AS_A_BUILD),
    )
]

# Other builds' artifacts, the source action's artifacts, and the list of both.
BUILD_MAY_NOT = [
    row
    for bucket in (BUCKET, FOREIGN_BUCKET, SECOND_BUCKET)
    for row in (
        ("CodeBuildCFnRole", "s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads", bucket, AS_A_BUILD),
        *[
            ("CodeBuildCFnRole", "s3:PutObject s3:GetObject s3:GetObjectVersion s3:DeleteObject", f"{bucket}/{key}", AS_A_BUILD)
            for key in (f"code/{ANOTHER_BUILD}/0a1b2c", f"code/{A_BUILD}2/0a1b2c", "code/0a1b2c", f"{A_BUILD}/0a1b2c", "0a1b2c.zip")
        ],
        ("CodeBuildCFnRole", "s3:PutObject s3:GetObject", f"{bucket}/code/{A_BUILD}/0a1b2c", {}),
        ("CodeBuildCFnRole", "s3:PutObject", f"{bucket}/codepipeline-dev-cfn/SourceArti/Xa3bC4d", AS_A_BUILD),
        ("CodeBuildCFnRole", "s3:PutObject", f"{bucket}/codepipeline-dev-cfn/ImageArtif/Xa3bC4d", AS_A_BUILD),
        ("CodeBuildCFnRole", "s3:GetObject s3:GetObjectVersion", f"{bucket}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d", AS_A_BUILD),
    )
]
