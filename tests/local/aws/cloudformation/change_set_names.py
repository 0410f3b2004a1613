"""Change sets: the names' condition key, the one that a call created, and an executed one, which is gone."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers

_Handler = Callable[[dict], tuple]
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html: ListChangeSets has no
# condition key of its own.
_WITH_KEY = {"CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "DescribeChangeSetHooks", "ExecuteChangeSet"}


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["ExecuteChangeSet"] = partial(_removing, table["ExecuteChangeSet"])


def _removing(ministack_handler: _Handler, params: dict) -> tuple:
    """An executed change set is gone, even if its execution fails: a retried action of a pipeline does not find it,
    https://github.com/aws/aws-cdk/issues/11995, https://github.com/aws/aws-cdk/issues/21677."""
    key, _ = find(params)
    answer = ministack_handler(params)
    if answer[0] == 200:
        cloudformation._change_sets.pop(key, None)
    return answer


def condition_key(action: str, given: str) -> str:
    """The value of `cloudformation:ChangeSetName`: "Filters access by an AWS CloudFormation change set name". Empty for
    a call without that key. That an ARN is evaluated by the name in it is not documented. (?)"""
    if action not in _WITH_KEY:
        return ""
    return given.split(":changeSet/", 1)[1].split("/")[0] if ":changeSet/" in given else given


def find(params: dict) -> tuple[Any, dict | None]:
    """The change set that a request names, with its key."""
    return changesets._find_change_set(  # type: ignore[no-any-return]
        handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName"))


def created(answer: tuple) -> dict | None:
    """The change set that a response to CreateChangeSet names. `None` if the response is an error."""
    found = re.search(rb"<Id>(.*?)</Id>", answer[2])
    held: dict | None = cloudformation._change_sets.get(found[1].decode()) if found else None
    return held
