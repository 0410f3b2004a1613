"""Further permissions of a request to S3: the bucket's policy in any account, the permission to set an ACL,
and the key of an encrypted object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

import uuid
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, unquote

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import kms, s3

from tests.local.aws.iam import resource_policies
from tests.local.aws.iam.json_requests import Also

_SSE, _KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
_ACLS = (
    "x-amz-acl",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-grant-full-control",
)

# The buckets that both sides' policies allow the current request to access, and its account.
_admitted: ContextVar[frozenset[str]] = ContextVar("local_aws_buckets", default=frozenset())
_requester: ContextVar[str] = ContextVar("local_aws_s3_requester", default="")


def install() -> None:
    ministack_allows, ministack_resolve = s3._foreign_bucket_allows, s3._resolve_sse_write_headers

    def allows(
        owner: str, bucket: str, key: str, method: str, query: dict, caller: str, headers: dict | None = None
    ) -> bool:
        """MiniStack evaluates the bucket's policy for the caller's account. `enforcement` has done so for the
        caller."""
        if caller and bucket in _admitted.get():
            return True
        return bool(ministack_allows(owner, bucket, key, method, query, caller, headers))

    def resolve(headers: dict, bucket: str) -> tuple[Any, Any]:
        wanted = _encryption(headers, bucket)
        if wanted.get(_SSE) != "aws:kms":
            return ministack_resolve(headers, bucket)  # type: ignore[no-any-return]
        arn = key_arn(wanted.get(_KEY, ""), _requester.get() or get_account_id())
        if arn is None:
            return None, s3._error("KMS.NotFoundException", f"Invalid keyId '{wanted[_KEY]}'", 400)
        return {_SSE: "aws:kms", _KEY: arn}, None

    s3._foreign_bucket_allows, s3._resolve_sse_write_headers = allows, resolve


def admit(resource_arn: str) -> None:
    """Both sides' policies allow the request."""
    _admitted.set(_admitted.get() | {resource_arn.removeprefix("arn:aws:s3:::").split("/", 1)[0]})


def needed(
    method: str, path: str, headers: dict, query: dict, arn: str, account: str
) -> tuple[dict[str, Any], Also]:
    """The condition keys that MiniStack lacks, and the further permissions of the request."""
    _admitted.set(frozenset())
    _requester.set(account)
    bucket, _, key = path.lstrip("/").partition("/")
    action, owner = iam_actions._s3_action(method, path, query), s3._bucket_owner_account(bucket)
    if not key or owner is None:
        return {}, []
    with request_scope(owner, get_region()):
        if action == "PutObject":
            return _to_write(bucket, headers, query, arn, account)
        if method == "GET" and action in ("GetObject", "GetObjectVersion"):
            return {}, _to_read(s3._stored_sse_headers(_object(bucket, key, query)), arn, account)
    return {}, []


def _to_write(bucket: str, headers: dict, query: dict, arn: str, account: str) -> tuple[dict[str, Any], Also]:
    upload = s3._multipart_uploads.get(iam_actions._query_param(query, "uploadId"))
    keys: dict[str, Any] = {}
    also: Also = []
    if upload is not None:
        sse = s3._stored_sse_headers({"preserved_headers": upload["preserved_headers"]})
        if upload.get("requested_sse"):
            keys[f"s3:{_KEY}"] = sse.get(_KEY)
    else:
        sse = _encryption(headers, bucket)
        if headers.get(_KEY):
            keys[f"s3:{_KEY}"] = headers[_KEY]
        if acls := {f"s3:{name}": headers[name] for name in _ACLS if headers.get(name)}:
            # "To successfully change the objects acl of your PutObject request, you must have the
            # s3:PutObjectAcl." https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
            also.append(("s3", "s3:PutObjectAcl", arn, acls))
    if sse.get(_SSE) == "aws:kms":
        # "To upload an object encrypted with an AWS KMS key to Amazon S3, you need kms:GenerateDataKey
        # permissions on the key", and in parts kms:Decrypt, too: "Amazon S3 must decrypt and read data from
        # the encrypted file parts before it completes the multipart upload."
        # https://repost.aws/knowledge-center/s3-large-file-encryption-kms-key
        in_parts = upload is not None or "uploads" in query
        for action in ("kms:GenerateDataKey", *(("kms:Decrypt",) if in_parts else ())):
            also += key_use(action, sse.get(_KEY, ""), arn, account)
    source = headers.get("x-amz-copy-source")
    if source:
        also += _to_read_source(source, account)
    return {name: value for name, value in keys.items() if value}, also


def _to_read_source(source: str, account: str) -> Also:
    path, _, version = unquote(source).lstrip("/").partition("?")
    bucket, _, key = path.partition("/")
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return []
    with request_scope(owner, get_region()):
        sse = s3._stored_sse_headers(_object(bucket, key, parse_qs(version)))
    return _to_read(sse, f"arn:aws:s3:::{path}", account)


def _to_read(sse: dict[str, str], arn: str, account: str) -> Also:
    return key_use("kms:Decrypt", sse.get(_KEY, ""), arn, account) if sse.get(_SSE) == "aws:kms" else []


def _object(bucket: str, key: str, query: dict) -> dict[str, Any]:
    wanted = iam_actions._query_param(query, "versionId")
    if wanted:
        versions = s3._object_versions.get((bucket, key), [])
        found = next((each for each in versions if each.get("version_id") == wanted), {})
        return dict(found.get("obj_record") or found)
    held = s3._buckets.get(bucket) or {}
    return dict(held.get("objects", {}).get(key) or {})


def _encryption(headers: dict, bucket: str) -> dict[str, str]:
    """The request's key, or else the bucket's default."""
    if any(headers.get(name) for name in (_SSE, "x-amz-server-side-encryption-customer-algorithm")):
        return {name: headers[name] for name in (_SSE, _KEY) if headers.get(name)}
    return dict(s3._bucket_default_sse_headers(bucket))


def key_arn(key: str, account: str) -> str | None:
    """The key that a requester of this account refers to. None if it does not exist.

    An ARN contains the account. "If you use a KMS key alias instead, then KMS resolves the key within the
    requester's account". Without a key it is AWS's own key aws/s3 of the requester's account.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html#bucket-encryption-update-bucket-policy
    """
    region = get_region()
    if key.startswith("arn:"):
        account, region = key.split(":")[4], key.split(":")[3]
    if key in ("", "alias/aws/s3") or key.endswith(":alias/aws/s3") or key == managed_key(account, region):
        return managed_key(account, region)
    with request_scope(account, region):
        record = kms._resolve_key(key)
    return str(record["Arn"]) if record else None


def managed_key(account: str, region: str) -> str:
    return (
        f"arn:aws:kms:{region}:{account}:key/{uuid.uuid5(uuid.NAMESPACE_URL, f'{account}/{region}/aws/s3')}"
    )


def key_use(action: str, key: str, object_arn: str, account: str) -> Also:
    arn = key_arn(key, account)
    if arn is None:
        return []  # S3 reports that it does not exist
    owner, region = arn.split(":")[4], arn.split(":")[3]
    if arn == managed_key(account, region):
        # The policy of the AWS managed key admits only callers of its account that use S3.
        return []
    bucket_arn = object_arn.split("/", 1)[0]
    with request_scope(resource_policies.owner(bucket_arn) or owner, region):
        raw = s3._bucket_encryption.get(bucket_arn.removeprefix("arn:aws:s3:::")) or ""
    # With a bucket key the context is the bucket's ARN.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    context = bucket_arn if "<BucketKeyEnabled>true</BucketKeyEnabled>" in str(raw) else object_arn
    return [
        (
            "kms",
            action,
            arn,
            {
                "kms:ViaService": f"s3.{region}.amazonaws.com",
                "kms:CallerAccount": account,
                "kms:EncryptionContext:aws:s3:arn": context,
                "kms:EncryptionContextKeys": ["aws:s3:arn"],
            },
        )
    ]
