"""Change sets: the names' condition key, the one that a call created, and an executed one.

An executed change set is not found by its name, even if its execution fails, so a retried action of a
pipeline does not find it: https://github.com/aws/aws-cdk/issues/11995,
https://github.com/aws/aws-cdk/issues/21677. It is found by its ARN:
https://github.com/guardian/riff-raff/pull/672. Its stack names it:
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html (ChangeSetId)

Whether an update without a change set keeps that ID is not documented; here it does. Nor is it whether an
executed change set can be deleted; here it can. (?)
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers

_Handler = Callable[[dict], tuple]
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html:
# ListChangeSets has no condition key of its own.
_WITH_KEY = {
    "CreateChangeSet",
    "DeleteChangeSet",
    "DescribeChangeSet",
    "DescribeChangeSetHooks",
    "ExecuteChangeSet",
}

_executed: dict[str, dict] = {}  # ARN -> change set
_of_stacks: dict[str, str] = {}  # stack ID -> ARN of the change set that its latest operation executed


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["ExecuteChangeSet"] = partial(_execute, table["ExecuteChangeSet"])
    table["DeleteChangeSet"] = partial(_delete, table["DeleteChangeSet"])
    changesets._find_change_set = partial(_find, changesets._find_change_set)


def of_stack(stack_id: str) -> str:
    """The `ChangeSetId` of a stack. Empty for a stack without one."""
    return _of_stacks.get(stack_id, "")


def _execute(ministack_handler: _Handler, params: dict) -> tuple:
    key, change_set = find(params)
    answer = ministack_handler(params)
    if answer[0] == 200 and change_set:
        _executed[key] = cloudformation._change_sets.pop(key)
        _of_stacks[change_set["StackId"]] = key
    return answer


def _delete(ministack_handler: _Handler, params: dict) -> tuple:
    answer = ministack_handler(params)
    if answer[0] == 200:
        _executed.pop(handlers._p(params, "ChangeSetName"), None)
    return answer


def _find(ministack_find: Callable[..., tuple], name: str, stack_name: str = "") -> tuple:
    """The deletion of a stack deletes its change sets."""
    held = _executed.get(name, {})
    stack = handlers._resolve_stack(held["StackId"]) if held else None
    return (
        (name, held)
        if stack and stack["StackStatus"] != "DELETE_COMPLETE"
        else ministack_find(name, stack_name)
    )


def condition_key(action: str, given: str) -> str:
    """The value of `cloudformation:ChangeSetName`: "Filters access by an AWS CloudFormation change set name".
    Empty for a call without that key. That an ARN is evaluated by the name in it is not documented. (?)"""
    if action not in _WITH_KEY:
        return ""
    return given.split(":changeSet/", 1)[1].split("/")[0] if ":changeSet/" in given else given


def find(params: dict) -> tuple[Any, dict | None]:
    """The change set that a request names, with its key."""
    return changesets._find_change_set(  # type: ignore[no-any-return]
        handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName")
    )


def created(answer: tuple) -> dict | None:
    """The change set that a response to CreateChangeSet names. `None` if the response is an error."""
    found = re.search(rb"<Id>(.*?)</Id>", answer[2])
    held: dict | None = cloudformation._change_sets.get(found[1].decode()) if found else None
    return held
