"""The events that ECR sends when an image is pushed or deleted.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html: `resources` is empty there, so only
`account`, `region` and the name in `detail` identify the repository.
"""

from __future__ import annotations

import contextvars
import json
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge

from tests.local.aws.events import pending as pending_events

_log = logging.getLogger("ecr")
_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ecr-event")


def pushed(repository: str, digest: str, tag: str | None, manifest_type: str, artifact_type: str | None) -> None:
    _send("PUSH", repository, digest, tag, {"manifest-media-type": manifest_type, "artifact-media-type": artifact_type})


def _send(action: str, repository: str, digest: str, tag: str | None, more: dict[str, Any]) -> None:
    detail = {"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": action,
              "image-tag": tag, **more}
    pending_events.begin()
    # A rule's target may be slow, and the push does not wait for it. One thread sends all events in order.
    _sender.submit(contextvars.copy_context().run, _dispatch, {
        "EventId": str(uuid.uuid4()), "Source": "aws.ecr", "DetailType": "ECR Image Action",
        "Detail": json.dumps({key: value for key, value in detail.items() if value is not None}),
        "EventBusName": "default", "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Resources": [], "Account": get_account_id(), "Region": get_region(),
    })


def _dispatch(event: dict[str, Any]) -> None:
    try:
        eventbridge._dispatch_event(event)
    except Exception:
        _log.exception("an event of %s was not sent", event["Detail"])
    finally:
        pending_events.end()
