"""CloudFormation's quota on calls of its API, off unless a test sets one (`settings`).

A call above the quota fails with `Throttling: Rate exceeded` and status 400.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

import time

from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation.helpers import _error

from tests.local.aws.settings import settings

# By account and region: the calls that are left, and when the bucket was filled.
_buckets: dict[tuple[str, str], tuple[float, float]] = {}


def install() -> None:
    ministack_handle = app.SERVICE_HANDLERS["cloudformation"]

    async def handle(*request: object) -> tuple:
        if _is_too_much():
            return _error("Throttling", "Rate exceeded", 400)  # type: ignore[no-any-return]
        return await ministack_handle(*request)  # type: ignore[no-any-return]

    app.SERVICE_HANDLERS["cloudformation"] = handle


def _is_too_much() -> bool:
    rate = settings.cloudformation_calls_per_second
    key = (get_account_id(), get_region())
    if not rate:
        _buckets.pop(key, None)
        return False
    now = time.monotonic()
    left, filled = _buckets.get(key, (settings.cloudformation_burst, now))
    left = min(settings.cloudformation_burst, left + (now - filled) * rate)
    _buckets[key] = (left - 1 if left >= 1 else left, now)
    return left < 1
