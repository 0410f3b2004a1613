"""The policies of the artifact buckets deny these calls to everyone, including administrators of the account."""

import pytest

from tests.policies import rows_across_accounts as across, rows_environment as environment, scene
from tests.policies.scene import PIPELINES
from tests.policies.tables import anybody, regional, role

ADMINISTRATOR = anybody(role(PIPELINES, "administrator"))
BUCKETS = [environment.BUCKET, across.BUCKET]
AN_ACCESS_POINT = {"s3:DataAccessPointArn": regional("s3", "accesspoint/a")}


# claim: artifacts-have-no-other-write-access
@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("action", ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"])
def test_replication_into_an_artifact_bucket_is_denied(bucket, action):
    assert not scene.world().may(ADMINISTRATOR, action, f"{bucket}/code/x/y")


# claim: artifacts-have-no-other-write-access
@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize(("action", "key"), [("s3:ListBucket", ""), ("s3:GetObject", "/code/x/y"), ("s3:DeleteObject", "/code/x/y")])
def test_access_point_of_an_artifact_bucket_is_denied(bucket, action, key):
    assert not scene.world().may(ADMINISTRATOR, action, bucket + key, AN_ACCESS_POINT)
    # Other requests lack the key, and the statement must not match them.
    assert scene.world().may(ADMINISTRATOR, action, bucket + key)
