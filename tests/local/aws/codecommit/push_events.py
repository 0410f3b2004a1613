"""The events that CodeCommit sends when a push, or a call of its API, changes references.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from __future__ import annotations

import contextvars
import json
import logging
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ministack.services import eventbridge

from tests.local.aws.codecommit.repositories import Repository
from tests.local.aws.events import pending as pending_events
from tests.local.aws.settings import settings

_log = logging.getLogger("codecommit")
_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="codecommit-event")
_TYPES = {"heads": "branch", "tags": "tag"}


@contextmanager
def of(repository: Repository, caller_arn: str) -> Iterator[None]:
    """Compares the references before and after, so that a rejected push, or a rejected part of a push, sends nothing."""
    pending_events.begin()
    try:
        before = repository.references()
        yield
        after = repository.references()
        _choose_default_branch(repository, before, after)
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                _send(repository, caller_arn, name, before.get(name), after.get(name))
    finally:
        # After the earlier ones.
        _sender.submit(pending_events.end)


def _choose_default_branch(repository: Repository, before: dict[str, str], after: dict[str, str]) -> None:
    new = sorted(name for name in after.keys() - before.keys() if name.startswith("refs/heads/"))
    if repository.default_branch is None and new:
        repository.point_head_at(new[0].removeprefix("refs/heads/"))


def _send(repository: Repository, caller_arn: str, reference: str, old: str | None, new: str | None) -> None:
    if repository.name == settings.loses_events_of:
        return
    _, kind, name = reference.split("/", 2)
    event = "referenceCreated" if old is None else "referenceDeleted" if new is None else "referenceUpdated"
    detail = {
        "event": event, "repositoryName": repository.name, "repositoryId": repository.repository_id,
        "referenceType": _TYPES.get(kind, kind), "referenceName": name, "referenceFullName": reference,
        "callerUserArn": caller_arn,
    }
    if new:
        detail["commitId"] = new
    if old:
        detail["oldCommitId"] = old
    # A rule's target may be slow, and the push does not wait for it. One thread sends all events in order.
    _sender.submit(contextvars.copy_context().run, _dispatch, {
        "EventId": str(uuid.uuid4()), "Source": "aws.codecommit",
        "DetailType": "CodeCommit Repository State Change", "Detail": json.dumps(detail),
        "EventBusName": "default", "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Resources": [repository.arn], "Account": repository.account, "Region": repository.region,
    })


def _dispatch(event: dict[str, Any]) -> None:
    try:
        eventbridge._dispatch_event(event)
    except Exception:
        _log.exception("an event of %s was not sent", event["Resources"][0])
