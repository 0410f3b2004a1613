"""CloudFormation's quota on calls of its API, off unless a test sets one (`settings`).

A call above the quota fails with `Throttling: Rate exceeded` and status 400.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation.helpers import _error

from tests.local.aws.settings import settings


@dataclass
class _Bucket:
    left: float
    filled: float


_buckets: dict[tuple[str, str], _Bucket] = {}


def install() -> None:
    ministack_handle = app.SERVICE_HANDLERS["cloudformation"]

    async def handle(*request: object) -> tuple:
        if _is_too_much():
            answer: tuple = _error("Throttling", "Rate exceeded", 400)
        else:
            answer = await ministack_handle(*request)
        return answer

    app.SERVICE_HANDLERS["cloudformation"] = handle


def _is_too_much() -> bool:
    rate = settings.cloudformation_calls_per_second
    key = (get_account_id(), get_region())
    if not rate:
        _buckets.pop(key, None)
        return False
    now = time.monotonic()
    bucket = _buckets.setdefault(key, _Bucket(settings.cloudformation_burst, now))
    bucket.left = min(settings.cloudformation_burst, bucket.left + (now - bucket.filled) * rate)
    bucket.filled = now
    if bucket.left < 1:
        return True
    bucket.left -= 1
    return False
