"""The bucket, key and version in a template's address.

Path-style and virtual-hosted-style: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

# `bucket.s3.region.amazonaws.com`. A bucket's name may contain dots.
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[a-z0-9.-]+)\.s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?")


def parts(url: str) -> tuple[str, str, str]:
    """Bucket, key and version of a template's address. An empty version is the latest one."""
    address = urlsplit(url)
    path, hosted = unquote(address.path).lstrip("/"), _VIRTUAL_HOST.fullmatch(address.hostname or "")
    bucket, key = (hosted["bucket"], path) if hosted else (path.partition("/")[0], path.partition("/")[2])
    return bucket, key, parse_qs(address.query).get("versionId", [""])[0]
