"""Change sets: calls that name the stack by its ID, the names' condition key, and the one that a call created.

"StackName: The name or the unique ID of the stack":
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
MiniStack finds a change set only by the stack's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers

_Handler = Callable[[dict], tuple]
_CALLS = ("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "ListChangeSets")
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html: ListChangeSets has no
# condition key of its own.
_WITH_KEY = {"CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "DescribeChangeSetHooks", "ExecuteChangeSet"}


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["ExecuteChangeSet"] = _removing(table["ExecuteChangeSet"])
    for call in _CALLS:
        table[call] = _by_name(table[call])


def _by_name(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        given = handlers._p(params, "StackName")
        stack = handlers._resolve_stack(given) if given.startswith("arn:") else None
        if stack is not None and stack["StackStatus"] != "DELETE_COMPLETE":
            params = {**params, "StackName": [stack["StackName"]]}
        return ministack_handler(params)

    return handler


def _removing(ministack_handler: _Handler) -> _Handler:
    """An executed change set is gone, even if its execution fails: a retried action of a pipeline does not find it,
    https://github.com/aws/aws-cdk/issues/11995, https://github.com/aws/aws-cdk/issues/21677."""
    def handler(params: dict) -> tuple:
        key, _ = changesets._find_change_set(handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName"))
        answer = ministack_handler(params)
        if answer[0] == 200:
            cloudformation._change_sets.pop(key, None)
        return answer

    return handler


def condition_key(action: str, given: str) -> str:
    """The value of `cloudformation:ChangeSetName`: "Filters access by an AWS CloudFormation change set name". Empty for
    a call without that key. That an ARN is evaluated by the name in it is not documented. (?)"""
    if action not in _WITH_KEY:
        return ""
    return given.split(":changeSet/", 1)[1].split("/")[0] if ":changeSet/" in given else given


def created(answer: tuple) -> dict | None:
    """The change set that a response to CreateChangeSet names. `None` if the response is an error."""
    found = re.search(rb"<Id>(.*?)</Id>", answer[2])
    held: dict | None = cloudformation._change_sets.get(found[1].decode()) if found else None
    return held


def stack_of(given: str) -> str:
    """The ID of the stack of a change set that is named by its ARN alone. Empty if there is none."""
    _, change_set = changesets._find_change_set(given) if given.startswith("arn:") else (None, None)
    held = cloudformation._stacks.get((change_set or {}).get("StackName", ""))
    return str(held["StackId"]) if held else ""
