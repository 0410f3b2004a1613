"""Templates in S3: the version in `TemplateURL`, and the permission to read it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (TemplateURL)

CloudFormation reads the template with the caller's permissions: s3:GetObject, or s3:GetObjectVersion for a
version. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html That the address may have
`?versionId=` is not documented. (?)
"""

from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import s3
from ministack.services.cloudformation import helpers

from tests.local.aws.cloudformation import stack_roles
from tests.local.aws.cloudformation.stack_permissions import parts_of_template_url
from tests.local.aws.iam.service_roles import Denied
from tests.local.aws.s3 import permissions as bucket_permissions


def install() -> None:
    ministack_resolve = helpers._resolve_document

    def resolve(params: dict, body_key: str, url_key: str, label: str) -> Any:
        url = helpers._p(params, url_key)
        if helpers._p(params, body_key) or not url:
            return ministack_resolve(params, body_key, url_key, label)
        bucket, key, version = parts_of_template_url(url)
        # A nested stack's template is read with the role of the stack: see stack_permissions.
        rejection = _rejection(bucket, key, version) if "Action" in params else None
        if rejection:
            return None, rejection
        content = s3._get_object_data(bucket, key, version or None)
        if content is None:
            return None, helpers._error("ValidationError", f"{label} not found at {url}")
        if label == "Template" and len(content) > helpers.TEMPLATE_URL_MAX_BYTES:
            return None, helpers._error(
                "ValidationError", f"Template may not exceed {helpers.TEMPLATE_URL_MAX_BYTES} bytes in size."
            )
        return content.decode(), None

    helpers._resolve_document = resolve


def _rejection(bucket: str, key: str, version: str) -> tuple | None:
    """The account's root, for whom there is no session, may read everything. The text is Recorded."""
    caller = stack_roles.caller()
    if caller is None:
        return None
    arn = f"arn:aws:s3:::{bucket}/{key}"
    query = {"versionId": [version]} if version else {}
    _, also = bucket_permissions.needed("GET", f"/{bucket}/{key}", {}, query, arn, get_account_id())
    try:
        caller.require("s3:GetObjectVersion" if version else "s3:GetObject", arn)
        for _service, action, resource, keys in also:
            caller.require(action, resource, keys)
    except Denied:
        return helpers._error(
            "ValidationError",
            "S3 error: Access Denied\nFor more information check "
            "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        )
    return None
