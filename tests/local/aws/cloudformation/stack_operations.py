"""Names and IDs of stacks, and rollbacks, where MiniStack differs from CloudFormation.

The messages are CloudFormation's, recorded in public issues. Its documentation does not contain them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, stacks

_Handler = Callable[[dict], tuple]


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["CreateStack"] = partial(_create, table["CreateStack"])
    table["CreateChangeSet"] = partial(_create_change_set, table["CreateChangeSet"])
    handlers._resolve_stack = _resolve
    for module in (stacks, handlers):
        module._roll_back_operation = partial(_roll_back, module._roll_back_operation)


def _resolve(name: str) -> dict | None:
    """A deleted stack is found only by its ID.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html (StackName)
    """
    held: dict | None = cloudformation._stacks.get(name)
    if held is not None and (held["StackStatus"] != "DELETE_COMPLETE" or held["StackId"] == name):
        return held
    return next((stack for stack in cloudformation._stacks.values() if stack.get("StackId") == name), None)


def _taken(name: str, free: set[str]) -> tuple | None:
    """The name of a stack that rolled back is in use until its deletion. A deleted stack is kept by its ID."""
    held = cloudformation._stacks.get(name)
    if held is not None and held["StackStatus"] == "DELETE_COMPLETE":
        cloudformation._stacks[held["StackId"]] = cloudformation._stacks.pop(name)
    elif held is not None and held["StackStatus"] not in free:
        return tuple(handlers._error("AlreadyExistsException", f"Stack [{name}] already exists"))
    return None


def _create(ministack_handler: _Handler, params: dict) -> tuple:
    return _taken(handlers._p(params, "StackName"), set()) or ministack_handler(params)


def _create_change_set(ministack_handler: _Handler, params: dict) -> tuple:
    name = handlers._p(params, "StackName")
    if handlers._p(params, "ChangeSetType", "UPDATE") == "CREATE":
        return _taken(name, {"REVIEW_IN_PROGRESS"}) or ministack_handler(params)
    return ministack_handler(params)


async def _roll_back(ministack_roll_back: Callable[..., Any], stack_name: str, stack_id: str, stack: dict,
                     operation: dict, reason_override: str = "") -> Any:
    is_update, failed = operation.get("is_update"), operation.get("failed_logical_id")
    if not is_update and failed and not reason_override:
        reason_override = (f"The following resource(s) failed to create: [{failed}]. "
                           "Rollback requested by user.")
    result = await ministack_roll_back(stack_name, stack_id, stack, operation, reason_override)
    previous = operation.get("previous_stack") or {}
    if is_update and "_conditions" in previous:
        stack["_conditions"] = previous["_conditions"]
    return result
