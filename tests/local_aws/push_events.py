"""The events that CodeCommit sends when a push changes references.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ministack.core.concurrency import spawn_background
from ministack.services import eventbridge, iam

from .repositories import Repository

_TYPES = {"heads": "branch", "tags": "tag"}


@contextmanager
def of(repository: Repository, user_name: str) -> Iterator[None]:
    """Compares the references before and after, so that a refused push, or a refused part of one, sends nothing."""
    before = repository.references()
    yield
    after = repository.references()
    _choose_default_branch(repository, before, after)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            _send(repository, user_name, name, before.get(name), after.get(name))


def _choose_default_branch(repository: Repository, before: dict[str, str], after: dict[str, str]) -> None:
    new = sorted(name for name in after.keys() - before.keys() if name.startswith("refs/heads/"))
    if repository.default_branch is None and new:
        repository.point_head_at(new[0].removeprefix("refs/heads/"))


def _send(repository: Repository, user_name: str, reference: str, old: str | None, new: str | None) -> None:
    _, kind, name = reference.split("/", 2)
    event = "referenceCreated" if old is None else "referenceDeleted" if new is None else "referenceUpdated"
    detail = {
        "event": event, "repositoryName": repository.name, "repositoryId": repository.repository_id,
        "referenceType": _TYPES.get(kind, kind), "referenceName": name, "referenceFullName": reference,
        "callerUserArn": iam._users[user_name]["Arn"],
    }
    if new:
        detail["commitId"] = new
    if old:
        detail["oldCommitId"] = old
    # A rule's target may take long; the push does not wait for it.
    spawn_background(eventbridge._dispatch_event, {
        "EventId": str(uuid.uuid4()), "Source": "aws.codecommit",
        "DetailType": "CodeCommit Repository State Change", "Detail": json.dumps(detail),
        "EventBusName": "default", "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Resources": [repository.arn], "Account": repository.account, "Region": repository.region,
    }, thread_name="codecommit-event")
