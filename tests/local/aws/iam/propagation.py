"""Delays the effect of changes of IAM policies and trust policies (`settings`).

"Any change that you make in IAM (or other AWS services) ... takes time to become visible from all possible
endpoints."
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency

CloudFormation reports CREATE_COMPLETE or UPDATE_COMPLETE of a policy before that, so calls of a custom
resource that it invokes next are sometimes denied: github.com/aws/aws-cdk issues 18237, 31429, 37675 and
37939.

- Every change is late: a grant that is removed also works for these seconds. IAM's own API shows the change
  at once.
- A new role or user has no policies and no trust for these seconds, even if a former one had the same name:
  each has an ID of its own.
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
- Permissions boundaries, resource policies and session policies change at once. Nothing here tests them late.
- The account's root user, which all tests deploy with, has no policies and is never late.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam
from ministack.services.cloudformation import stacks

from tests.local.aws.settings import settings

# The beginnings of the operations that change the permissions of a role or user.
_CHANGES = ("Add", "Attach", "Create", "Delete", "Detach", "Put", "Remove", "SetDefault", "Update")


@dataclass(frozen=True)
class _Version:
    """The policies of a role or user from `since` on, in seconds of the monotonic clock."""

    since: float
    policies: list[Any]
    trust: Any


_versions: dict[str, list[_Version]] = {}  # by the ID of the role or user, oldest first
_lock = threading.Lock()
_ignored: ContextVar[bool] = ContextVar("local_aws_propagation_ignored", default=False)
_current_role_policies: Callable[[str, str], list[Any]]
_current_user_policies: Callable[[str, str], list[Any]]


def install() -> None:
    """Call it after all patches of IAM's operations or CloudFormation's steps."""
    global _current_role_policies, _current_user_policies
    _current_role_policies = partial(_undisturbed, iam_evaluator._gather_role_policies)
    _current_user_policies = partial(_undisturbed, iam_evaluator._gather_user_policies)
    iam_evaluator._gather_role_policies = _role_policies
    iam_evaluator._gather_user_policies = _user_policies
    for action, handler in iam._IAM_HANDLERS.items():
        if action.startswith(_CHANGES):
            iam._IAM_HANDLERS[action] = partial(_recorded, handler)
    stacks._provision_resource = partial(_recorded_if_iam, stacks._provision_resource)
    stacks._update_resource = partial(_recorded_if_iam, stacks._update_resource)
    stacks._delete_resource = partial(_recorded_if_iam, stacks._delete_resource)


def _undisturbed(gather: Callable[[str, str], list[Any]], name: str, account_id: str) -> list[Any]:
    """Pipelines, builds and git read policies in threads, and MiniStack iterates over the dictionaries that
    its API changes. Starts again if a policy was added or removed meanwhile, so that the result existed at
    one time."""
    while True:
        try:
            return gather(name, account_id)
        except RuntimeError as error:
            if "changed size during iteration" not in str(error):
                raise


@contextmanager
def ignored() -> Iterator[None]:
    """Evaluates with the state that IAM's API shows."""
    token = _ignored.set(True)
    try:
        yield
    finally:
        _ignored.reset(token)


def is_on() -> bool:
    return not _ignored.get() and (
        settings.iam_policies_take_seconds > 0 or settings.iam_trusts_take_seconds > 0
    )


def put_into_effect() -> None:
    with _lock:
        for principal_id, versions in _versions.items():
            _versions[principal_id] = [replace(versions[-1], since=float("-inf"))]


def trust_of(role: dict[str, Any]) -> Any:
    """The effective trust policy. `None` while a new role cannot be assumed."""
    if _ignored.get() or not settings.iam_trusts_take_seconds:
        return role.get("AssumeRolePolicyDocument")
    found = _in_effect(role["RoleId"], settings.iam_trusts_take_seconds)
    return found.trust if found else None


def _role_policies(name: str, account: str) -> list[Any]:
    role = iam._roles.get_scoped(account, None, name)
    return _policies(role["RoleId"] if role else "", lambda: _current_role_policies(name, account))


def _user_policies(name: str, account: str) -> list[Any]:
    user = iam._users.get_scoped(account, None, name)
    return _policies(user["UserId"] if user else "", lambda: _current_user_policies(name, account))


def _policies(principal_id: str, current: Callable[[], list[Any]]) -> list[Any]:
    if not principal_id or _ignored.get() or not settings.iam_policies_take_seconds:
        return current()
    found = _in_effect(principal_id, settings.iam_policies_take_seconds)
    return found.policies if found else []


def _in_effect(principal_id: str, seconds: float) -> _Version | None:
    latest = time.monotonic() - seconds
    with _lock:
        return next(
            (version for version in reversed(_versions.get(principal_id, [])) if version.since <= latest),
            None,
        )


def _recorded(change: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return change(*args, **kwargs)
    finally:
        _record()


def _recorded_if_iam(change: Callable[..., Any], resource_type: str, *args: Any, **kwargs: Any) -> Any:
    if resource_type.startswith("AWS::IAM::"):
        return _recorded(change, resource_type, *args, **kwargs)
    return change(resource_type, *args, **kwargs)


def _record() -> None:
    """Compares every role and user of the account: a managed policy or a group changes several at once."""
    now, account = time.monotonic(), get_account_id()
    with _lock:
        for name, role in list(iam._roles.items()):
            _add(
                role["RoleId"],
                now,
                _current_role_policies(name, account),
                role.get("AssumeRolePolicyDocument"),
            )
        for name, user in list(iam._users.items()):
            _add(user["UserId"], now, _current_user_policies(name, account), None)


def _add(principal_id: str, now: float, policies: list[Any], trust: Any) -> None:
    held = _versions.setdefault(principal_id, [])
    if not held or (held[-1].policies, held[-1].trust) != (policies, trust):
        held.append(_Version(now, policies, trust))
