"""The ResponseURLs of custom resources: presigned S3 URLs on AWS, and URLs of the same form here."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from tests.local.aws.settings import settings

PREFIX = "/cloudformation-custom-resource-response-"
# Two hours, as on AWS, for every ServiceTimeout.
_LIFE_SECONDS = 7200
_endpoint = ""
_lock = threading.Lock()
_issued: dict[str, _Address] = {}


@dataclass
class _Address:
    signature: str
    issued: float
    answers: queue.Queue[bytes | None]


def at(endpoint: str) -> None:
    global _endpoint
    _endpoint = endpoint


def issue(
    region: str, stack_id: str, logical_id: str, request_id: str, answers: queue.Queue[bytes | None]
) -> str:
    now, signature = time.time() - settings.requests_queued_seconds, secrets.token_hex(32)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    path = f"{PREFIX}{region.replace('-', '')}/{quote(f'{stack_id}|{logical_id}|{request_id}', safe='')}"
    with _lock:
        _issued[path] = _Address(signature, now, answers)
    scope = quote(f"AKIA0LOCAL0RESPONSES/{stamp[:8]}/{region}/s3/aws4_request", safe="")
    return (
        f"{_endpoint}{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={stamp}&X-Amz-SignedHeaders=host"
        f"&X-Amz-Expires={_LIFE_SECONDS}&X-Amz-Credential={scope}&X-Amz-Signature={signature}"
    )


def put(raw_path: str, query: str, content_type: str, body: bytes) -> tuple[int, bytes]:
    """S3's response to the PUT. Only the first PUT counts, because CloudFormation reads the object once."""
    with _lock:
        address = _issued.get(raw_path)
    signature = parse_qs(query).get("X-Amz-Signature", [""])[0]
    # The signature covers an empty content type.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html
    if address is None or content_type or not secrets.compare_digest(address.signature, signature):
        return 403, _error(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the "
            "signature you provided. Check your key and signing method.",
        )
    if time.time() > address.issued + _LIFE_SECONDS:
        return 403, _error("AccessDenied", "Request has expired")
    address.answers.put(body)
    return 200, b""


def _error(code: str, message: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{message}</Message></Error>"
    ).encode()
