"""The events that CodeCommit sends when a push, or a call of its API, changes references.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.local.aws.codecommit.repositories import Repository
from tests.local.aws.events import sending

_TYPES = {"heads": "branch", "tags": "tag"}


@contextmanager
def of(repository: Repository, caller_arn: str) -> Iterator[None]:
    """Compares the references before and after, so that a rejected push, or a rejected part of a push, sends
    nothing."""
    with sending.pending():
        before = repository.references()
        yield
        after = repository.references()
        _choose_default_branch(repository, before, after)
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                _send(repository, caller_arn, name, before.get(name), after.get(name))


def _choose_default_branch(repository: Repository, before: dict[str, str], after: dict[str, str]) -> None:
    new = sorted(name for name in after.keys() - before.keys() if name.startswith("refs/heads/"))
    if repository.default_branch is None and new:
        repository.point_head_at(new[0].removeprefix("refs/heads/"))


def _send(repository: Repository, caller_arn: str, reference: str, old: str | None, new: str | None) -> None:
    _, kind, name = reference.split("/", 2)
    event = "referenceCreated" if old is None else "referenceDeleted" if new is None else "referenceUpdated"
    detail = {
        "event": event,
        "repositoryName": repository.name,
        "repositoryId": repository.repository_id,
        "referenceType": _TYPES.get(kind, kind),
        "referenceName": name,
        "referenceFullName": reference,
        "callerUserArn": caller_arn,
    }
    if new:
        detail["commitId"] = new
    if old:
        detail["oldCommitId"] = old
    sending.send_later("aws.codecommit", "CodeCommit Repository State Change", detail, [repository.arn])
