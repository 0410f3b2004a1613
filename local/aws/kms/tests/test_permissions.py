"""Customer managed keys, within an account and across, directly and for S3's objects.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A
from local.aws.testing import Stack, a_user_with, allow, policy, error_of

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


def test_cross_account_bucket_needs_policies_on_both_sides(bucket: Bucket) -> None:
    put = {"Bucket": bucket.name, "Key": "one", "Body": b"1"}
    unarmed = bucket.user("444455556666")
    armed = bucket.user(A, allow("s3:PutObject", bucket.objects))
    assert error_of(armed.put_object, **put) == ("AccessDenied", 403, "Access Denied")
    bucket.admit("s3:PutObject")
    armed.put_object(**put)
    assert error_of(unarmed.put_object, **put)[0] == "AccessDenied"
    assert error_of(armed.get_object, Bucket=bucket.name, Key="one")[0] == "AccessDenied"
    # The bucket owns the objects that are written to it.
    assert bucket.s3.get_object(Bucket=bucket.name, Key="one")["Body"].read() == b"1"


def test_acl_in_the_request_needs_its_own_permission(bucket: Bucket) -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    put = {"Bucket": bucket.name, "Key": "one", "Body": b"1", "ACL": "bucket-owner-full-control"}
    mine = bucket.user(A, allow(["s3:PutObject", "s3:PutObjectAcl"], bucket.objects))
    bucket.admit("s3:PutObject")
    assert error_of(mine.put_object, **put)[0] == "AccessDenied"
    bucket.admit("s3:PutObject", "s3:PutObjectAcl", StringEquals={"s3:x-amz-acl": "bucket-owner-full-control"})
    mine.put_object(**put)
    assert error_of(mine.put_object, **{**put, "ACL": "private"})[0] == "AccessDenied"


def test_another_accounts_root_user_needs_the_buckets_policy_too(bucket: Bucket) -> None:
    root = bucket.aws.in_account(A).client("s3")
    bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"1")
    assert error_of(root.get_object, Bucket=bucket.name, Key="one")[0] == "AccessDenied"
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy(
        {**allow("s3:GetObject", bucket.objects), "Principal": {"AWS": f"arn:aws:iam::{A}:root"}}))
    assert root.get_object(Bucket=bucket.name, Key="one")["Body"].read() == b"1"


def test_bucket_deny_binds_root_user_who_can_remove_it(bucket: Bucket) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [bucket.objects, f"arn:aws:s3:::{bucket.name}"]}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy(deny))
    code, _, message = error_of(bucket.s3.put_object, Bucket=bucket.name, Key="one", Body=b"1")
    assert code == "AccessDenied"
    assert "with an explicit deny in a resource-based policy" in message
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"1")


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


def test_an_upload_in_parts_needs_the_right_to_decrypt(bucket: Bucket) -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    mine = bucket.user(B, allow("s3:PutObject", bucket.objects), allow("kms:GenerateDataKey", bucket.key))
    under_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": bucket.key}
    mine.put_object(Bucket=bucket.name, Key="one", Body=b"1", **under_key)
    message = error_of(mine.create_multipart_upload, Bucket=bucket.name, Key="two", **under_key)[2]
    assert message.endswith("because no identity-based policy allows the kms:Decrypt action")


def test_deny_of_other_keys_allows_this_key(bucket: Bucket) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": bucket.objects}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy(
        {**statement, "Condition": {"StringNotEquals": {
            "s3:x-amz-server-side-encryption-aws-kms-key-id": bucket.key}}}))
    put = {"Bucket": bucket.name, "Key": "one", "Body": b"1"}
    other = bucket.kms.create_key()["KeyMetadata"]["Arn"]
    assert error_of(bucket.s3.put_object, **put)[0] == "AccessDenied"
    assert error_of(bucket.s3.put_object, **put, ServerSideEncryption="aws:kms", SSEKMSKeyId=other)[0] == "AccessDenied"
    bucket.s3.put_object(**put, ServerSideEncryption="aws:kms", SSEKMSKeyId=bucket.key)


def test_a_copy_reads_its_source_with_the_sources_key(bucket: Bucket) -> None:
    bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"1", ServerSideEncryption="aws:kms",
                         SSEKMSKeyId=bucket.key)
    mine = bucket.user(B, allow(["s3:PutObject", "s3:GetObject"], bucket.objects))
    message = error_of(mine.copy_object, Bucket=bucket.name, Key="two", CopySource=f"{bucket.name}/one",
                      ServerSideEncryption="AES256")[2]
    assert "kms:Decrypt" in message


def test_an_old_version_is_read_with_its_own_key(bucket: Bucket) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    old = bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"1", ServerSideEncryption="aws:kms",
                               SSEKMSKeyId=bucket.key)["VersionId"]
    bucket.s3.put_object(Bucket=bucket.name, Key="one", Body=b"2", ServerSideEncryption="AES256")
    mine = bucket.user(B, allow(["s3:GetObject", "s3:GetObjectVersion"], bucket.objects))
    assert mine.get_object(Bucket=bucket.name, Key="one")["Body"].read() == b"2"
    assert "kms:Decrypt" in error_of(mine.get_object, Bucket=bucket.name, Key="one", VersionId=old)[2]


def test_missing_key_encrypts_nothing(bucket: Bucket) -> None:
    code, status, _ = error_of(bucket.s3.put_object, Bucket=bucket.name, Key="one", Body=b"1",
                              ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/nowhere")
    assert (code, status) == ("KMS.NotFoundException", 400)


def test_cross_account_key_is_described_if_both_sides_allow(bucket: Bucket) -> None:
    there = bucket.aws.in_account(A)
    kms = there.client("kms", a_user_with(there, f"u-{bucket.name}", allow("kms:DescribeKey", bucket.key)))
    code, _, message = error_of(kms.describe_key, KeyId=bucket.key)
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:DescribeKey action")
    bucket.lend_key("kms:DescribeKey")
    assert kms.describe_key(KeyId=bucket.key)["KeyMetadata"]["Arn"] == bucket.key
    assert error_of(kms.encrypt, KeyId=bucket.key, Plaintext=b"1")[0] == "AccessDeniedException"


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
