"""Customer managed keys, directly and for S3's objects. tests/deployment/test_two_accounts.py removes each grant of a
bucket and a key to another account.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import OTHER_ACCOUNT as A, Stack, a_user_with, allow, policy, error_of

B = "123456789012"
DELEGATION = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{B}:root"}, "Action": "kms:*", "Resource": "*"}


class Bucket:
    """A bucket and a key of B, and users of both accounts with permissions of their own."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name, self.objects = aws, name, f"arn:aws:s3:::{name}/*"
        self.s3, self.kms = aws.client("s3"), aws.client("kms")
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def user(self, account: str, *rights: dict[str, Any]) -> Any:
        there = self.aws.in_account(account)
        return there.client("s3", a_user_with(there, f"{account}-{self.name}", *rights))

    def admit(self, *actions: str, **condition: Any) -> None:
        self.s3.put_bucket_policy(Bucket=self.name, Policy=policy({
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{A}:root"}, "Action": list(actions),
            "Resource": self.objects, "Condition": {
                "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{A}:user/{A}-{self.name}"}, **condition}}))

    def lend_key(self, *actions: str) -> None:
        self.kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=policy(
            DELEGATION, {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{A}:root"}, "Action": list(actions),
                         "Resource": "*"}))

    def encrypt_by_default(self) -> None:
        self.s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}}]})


@pytest.fixture
def bucket(aws: LocalAws, name: str) -> Bucket:
    return Bucket(aws, name)


def test_acl_in_the_request_needs_its_own_permission(bucket: Bucket) -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    put = {"Bucket": bucket.name, "Key": "one", "Body": b"1", "ACL": "bucket-owner-full-control"}
    mine = bucket.user(A, allow(["s3:PutObject", "s3:PutObjectAcl"], bucket.objects))
    bucket.admit("s3:PutObject")
    assert error_of(mine.put_object, **put)[0] == "AccessDenied"
    bucket.admit("s3:PutObject", "s3:PutObjectAcl", StringEquals={"s3:x-amz-acl": "bucket-owner-full-control"})
    mine.put_object(**put)
    assert error_of(mine.put_object, **{**put, "ACL": "private"})[0] == "AccessDenied"


@pytest.mark.parametrize("by_default", [False, True])
def test_encrypted_object_needs_key_permission_on_both_sides(bucket: Bucket, by_default: bool) -> None:
    put = {"Bucket": bucket.name, "Key": "one", "Body": b"1"}
    if by_default:
        bucket.encrypt_by_default()
    else:
        put |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": bucket.key}
    mine = bucket.user(A, allow(["s3:PutObject", "s3:GetObject"], bucket.objects),
                       allow(["kms:GenerateDataKey"], bucket.key))
    bucket.admit("s3:PutObject", "s3:GetObject")
    code, _, message = error_of(mine.put_object, **put)
    assert code == "AccessDenied"
    assert message.endswith("because no resource-based policy allows the kms:GenerateDataKey action")
    bucket.lend_key("kms:GenerateDataKey", "kms:Decrypt")
    assert mine.put_object(**put)["SSEKMSKeyId"] == bucket.key
    code, _, message = error_of(mine.get_object, Bucket=bucket.name, Key="one")
    assert code == "AccessDenied"
    assert message.endswith("because no identity-based policy allows the kms:Decrypt action")
    assert bucket.s3.get_object(Bucket=bucket.name, Key="one")["Body"].read() == b"1"


def test_root_user_needs_the_bucket_policy_and_is_bound_by_its_denial(bucket: Bucket) -> None:
    root, put = bucket.aws.in_account(A).client("s3"), {"Bucket": bucket.name, "Key": "one", "Body": b"1"}
    bucket.s3.put_object(**put)
    assert error_of(root.get_object, Bucket=bucket.name, Key="one")[0] == "AccessDenied"
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy(
        {**allow("s3:GetObject", bucket.objects), "Principal": {"AWS": f"arn:aws:iam::{A}:root"}}))
    assert root.get_object(Bucket=bucket.name, Key="one")["Body"].read() == b"1"
    others = {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": bucket.key}}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy({
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Condition": others,
        "Resource": [bucket.objects, f"arn:aws:s3:::{bucket.name}"]}))
    assert "with an explicit deny in a resource-based policy" in error_of(bucket.s3.put_object, **put)[2]
    under_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": bucket.key}
    bucket.s3.put_object(**put, **under_key)
    other = bucket.kms.create_key()["KeyMetadata"]["Arn"]
    assert error_of(bucket.s3.put_object, **put, **under_key | {"SSEKMSKeyId": other})[0] == "AccessDenied"
    # The root user can remove the policy.
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    assert error_of(bucket.s3.put_object, **put, **under_key | {"SSEKMSKeyId": "alias/nowhere"})[:2] == (
        "KMS.NotFoundException", 400)


@pytest.mark.parametrize(("call", "given"), [
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    ("create_multipart_upload", {"Key": "two", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "{key}"}),
    ("copy_object", {"Key": "two", "CopySource": "{bucket}/one", "ServerSideEncryption": "AES256"}),
    ("get_object", {"Key": "one", "VersionId": "{version}"}),
])
def test_encrypted_content_needs_the_right_to_decrypt(bucket: Bucket, call: str, given: dict[str, str]) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    version = bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"1", ServerSideEncryption="aws:kms",
                                   SSEKMSKeyId=bucket.key)["VersionId"]
    mine = bucket.user(B, allow(["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"], bucket.objects),
                       allow("kms:GenerateDataKey", bucket.key))
    arguments = {key: value.format(key=bucket.key, bucket=bucket.name, version=version)
                 for key, value in given.items()}
    assert "no identity-based policy allows the kms:Decrypt action" in error_of(
        getattr(mine, call), Bucket=bucket.name, **arguments)[2]


def test_without_delegation_iam_policies_do_not_grant_the_key(aws: LocalAws, name: str) -> None:
    mine = aws.client("kms", a_user_with(aws, name, allow("kms:*", "*")))
    only_me = {**DELEGATION, "Principal": {"AWS": f"arn:aws:iam::{B}:user/{name}"}}
    key = mine.create_key(Policy=policy(only_me))["KeyMetadata"]["Arn"]
    assert mine.describe_key(KeyId=key)
    other = aws.client("kms", a_user_with(aws, f"other-{name}", allow("kms:*", "*")))
    for shut_out in (other, aws.client("kms")):
        code, _, message = error_of(shut_out.describe_key, KeyId=key)
        assert code == "AccessDeniedException"
        assert message.endswith("because no resource-based policy allows the kms:DescribeKey action")


def test_policy_that_locks_out_its_caller_is_rejected(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#prevent-unmanageable-key
    kms = aws.client("kms")
    outsider = policy({**DELEGATION, "Principal": {"AWS": f"arn:aws:iam::{B}:role/nobody"}})
    said = ("MalformedPolicyDocumentException", 400,
            "The new key policy will not allow you to update the key policy in the future.")
    assert error_of(kms.create_key, Policy=outsider) == said
    key = kms.create_key()["KeyMetadata"]["Arn"]
    assert error_of(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=outsider) == said
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=outsider, BypassPolicyLockoutSafetyCheck=True)
    assert error_of(kms.describe_key, KeyId=key)[0] == "AccessDeniedException"


def test_stack_bucket_has_default_encryption_of_template(bucket: Bucket, stack: Stack) -> None:
    name = f"{bucket.name}-of-a-stack"

    def resources(**more: Any) -> dict[str, Any]:
        return {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **more}}}

    encryption = {"ServerSideEncryptionConfiguration": [{
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": bucket.key},
        "BucketKeyEnabled": True}]}
    assert stack.create(resources(BucketEncryption=encryption)) == "CREATE_COMPLETE"
    (rule,) = bucket.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["BucketKeyEnabled"] is True
    assert bucket.s3.put_object(Bucket=name, Key="one", Body=b"1")["SSEKMSKeyId"] == bucket.key
    # With a bucket key the context is the bucket. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    mine = bucket.user(B, allow("s3:PutObject", f"arn:aws:s3:::{name}/*"), allow(
        "kms:GenerateDataKey", bucket.key, Condition={
            "StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{name}"}}))
    mine.put_object(Bucket=name, Key="two", Body=b"2")
    assert stack.update(resources()) == "UPDATE_COMPLETE"
    assert "SSEKMSKeyId" not in bucket.s3.put_object(Bucket=name, Key="one", Body=b"1")
