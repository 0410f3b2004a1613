"""Names, IDs and statuses of stacks, and rollbacks, where MiniStack differs from CloudFormation.

The messages are CloudFormation's, recorded in public issues. Its documentation does not contain them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

from tests.local.aws.cloudformation.stack_statuses import ACCEPTED

_Handler = Callable[[dict], tuple]


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["CreateStack"] = partial(_create, table["CreateStack"])
    table["CreateChangeSet"] = partial(_create_change_set, table["CreateChangeSet"])
    table["ExecuteChangeSet"] = partial(_execute, table["ExecuteChangeSet"])
    table["UpdateStack"] = partial(_update, table["UpdateStack"])
    table["DeleteStack"] = partial(_delete, table["DeleteStack"])
    handlers._resolve_stack = _resolve
    for module in (changesets, handlers):
        module._deploy_stack_async = partial(_deploy, module._deploy_stack_async)
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
    """The name of a stack that rolled back is in use until its deletion. A deleted stack is kept by its
    ID."""
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
    return _refused("CreateChangeSet", name) or ministack_handler(params)


def _execute(ministack_handler: _Handler, params: dict) -> tuple:
    name, stack = handlers._p(params, "ChangeSetName"), handlers._p(params, "StackName")
    _, change_set = changesets._find_change_set(name, stack)
    is_refused = _refused("ExecuteChangeSet", change_set["StackId"]) if change_set else None
    return is_refused or ministack_handler(params)


def _update(ministack_handler: _Handler, params: dict) -> tuple:
    return _refused("UpdateStack", handlers._p(params, "StackName")) or ministack_handler(params)


def _refused(call: str, name: str) -> tuple | None:
    """https://github.com/aws/aws-cli/issues/6216, https://github.com/bitovi/bitops/issues/128,
    https://github.com/ansible-collections/amazon.aws/issues/1655"""
    held = _resolve(name)
    status = held["StackStatus"] if held else "DELETE_COMPLETE"
    accepted = ACCEPTED[status].split()
    if held is None or status == "DELETE_COMPLETE" or call in accepted:
        return None
    message = (
        f"This stack is currently in a non-terminal [{status}] state. To update the stack from this state,"
        " please use the disable-rollback parameter with update-stack API. To rollback to the last known good"
        " state, use the rollback-stack API"
        if "RollbackStack" in accepted
        else f"Stack:{held['StackId']} is in {status} state and can not be updated."
    )
    return tuple(handlers._error("ValidationError", message))


def _deploy(ministack_deploy: Callable[..., Any], stack_name: str, *more: Any, **named: Any) -> Any:
    """A reason is that of the present status. MiniStack keeps the reason of an earlier operation."""
    cloudformation._stacks[stack_name]["StackStatusReason"] = ""
    return ministack_deploy(stack_name, *more, **named)


def _delete(ministack_handler: _Handler, params: dict) -> tuple:
    held = _resolve(handlers._p(params, "StackName")) or {"StackStatus": "DELETE_COMPLETE"}
    status = held["StackStatus"]
    if "DeleteStack" in ACCEPTED[status].split():
        return ministack_handler(params)
    return tuple(
        handlers._error(
            "ValidationError", f"Stack [{held['StackId']}] cannot be deleted while in status {status}"
        )
    )


async def _roll_back(
    ministack_roll_back: Callable[..., Any],
    stack_name: str,
    stack_id: str,
    stack: dict,
    operation: dict,
    reason_override: str = "",
) -> Any:
    is_update, failed = operation.get("is_update"), operation.get("failed_logical_id")
    if not is_update and failed and not reason_override:
        reason_override = (
            f"The following resource(s) failed to create: [{failed}]. Rollback requested by user."
        )
    result = await ministack_roll_back(stack_name, stack_id, stack, operation, reason_override)
    previous = operation.get("previous_stack") or {}
    if is_update and "_conditions" in previous:
        stack["_conditions"] = previous["_conditions"]
    return result
