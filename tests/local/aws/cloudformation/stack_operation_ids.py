"""The IDs of stack operations, and nested stacks that fail, where MiniStack differs from CloudFormation.

Each operation has an ID, and so has the automatic rollback of one. DescribeStacks returns the latest ones,
the newest one first, and the events have them:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html (OperationId)
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html (LastOperations, ParentId,
RootId)

The reason of a nested stack that fails names its failed resources, and only its own events have their
reasons: https://github.com/aws/aws-cdk/pull/27318
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import (
    changesets,
    handlers,
    provisioners,
    stacks,
)

from tests.local.aws.cloudformation import change_set_names

_Handler = Callable[[dict], tuple]

_STACK = "AWS::CloudFormation::Stack"
_BEGINS = {
    "CREATE_IN_PROGRESS": "CREATE_STACK",
    "UPDATE_IN_PROGRESS": "UPDATE_STACK",
    "DELETE_IN_PROGRESS": "DELETE_STACK",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK",
    "UPDATE_ROLLBACK_IN_PROGRESS": "ROLLBACK",
}
_SHOWN = 2  # as in the example of AWS's page
_EMBEDDED = re.compile(r"Embedded stack (arn:\S+) was not successfully ")

_operations: dict[
    str, list[tuple[str, str]]
] = {}  # stack ID -> type and ID of each operation, the newest one last


def install() -> None:
    ministack_add = stacks._add_event

    def add(
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        nested = _EMBEDDED.match(reason) if resource_type == _STACK and logical_id != stack_name else None
        if resource_type == _STACK and logical_id == stack_name and status in _BEGINS:
            _operations.setdefault(stack_id, []).append((_BEGINS[status], new_uuid()))
        before = len(cloudformation._stack_events.get(stack_id, []))
        ministack_add(
            stack_id,
            stack_name,
            logical_id,
            resource_type,
            status,
            reason,
            physical_id or (nested[1] if nested else ""),
            detailed_status,
        )
        for event in cloudformation._stack_events.get(stack_id, [])[before:]:
            if operations := _operations.get(stack_id):
                event["OperationId"] = operations[-1][1]

    for module in (stacks, handlers, changesets):
        module._add_event = add
    stacks._operation_event = partial(_of_operation, stacks._operation_event)
    table = handlers._ACTION_HANDLERS
    table["DescribeStackEvents"] = partial(_with_operation, table["DescribeStackEvents"])
    table["DescribeStacks"] = partial(_with_operations, table["DescribeStacks"])
    nested_stack = provisioners._RESOURCE_HANDLERS[_STACK]
    nested_stack["create"] = partial(_explained, nested_stack["create"])


def _of_operation(
    ministack_event: Callable[..., dict],
    stack_id: str,
    operation: str,
    event_type: str,
    operation_type: str = "CREATE_STACK",
    **fields: Any,
) -> dict:
    """The findings of a validation belong to the operation that it rejected."""
    own = [each for kind, each in _operations.get(stack_id, []) if kind == operation_type]
    return ministack_event(stack_id, own[-1] if own else operation, event_type, operation_type, **fields)


def _with_operation(ministack_handler: _Handler, params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    ids = {
        event["EventId"]: event.get("OperationId", "")
        for events in cloudformation._stack_events.values()
        for event in events
    }

    def operation(found: re.Match[str]) -> str:
        return f"{found[0]}<OperationId>{ids[found[1]]}</OperationId>" if ids.get(found[1]) else found[0]

    return status, headers, re.sub("<EventId>([^<]+)</EventId>", operation, body.decode()).encode()


def _with_operations(ministack_handler: _Handler, params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    held = {stack["StackId"]: stack for stack in cloudformation._stacks.values()}

    def more(found: re.Match[str]) -> str:
        stack = held.get(found[1], {})
        last = "".join(
            f"<member><OperationType>{kind}</OperationType><OperationId>{operation}</OperationId></member>"
            for kind, operation in _operations.get(found[1], [])[: -_SHOWN - 1 : -1]
        )
        parents = "".join(f"<{key}>{stack[key]}</{key}>" for key in ("ParentId", "RootId") if stack.get(key))
        executed = change_set_names.of_stack(found[1])
        parents += f"<ChangeSetId>{executed}</ChangeSetId>" if executed else ""
        return f"{found[0]}{parents}<LastOperations>{last}</LastOperations>"

    return status, headers, re.sub("<StackId>([^<]+)</StackId>", more, body.decode()).encode()


def _explained(ministack_create: Callable[..., Any], logical_id: str, props: dict, stack_name: str) -> Any:
    before = set(cloudformation._stacks)
    try:
        return ministack_create(logical_id, props, stack_name)
    except Exception as failed:
        new = [
            name
            for name in set(cloudformation._stacks) - before
            if name.startswith(f"{stack_name}-{logical_id}-")
        ]
        if not new:
            raise
        child = cloudformation._stacks[new[0]]
        resources = [
            event["LogicalResourceId"]
            for event in cloudformation._stack_events[child["StackId"]]
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        reason = f"The following resource(s) failed to create: [{', '.join(resources)}]. "
        child.update(StackStatus="CREATE_FAILED", StackStatusReason=reason)
        stacks._add_event(child["StackId"], new[0], new[0], _STACK, "CREATE_FAILED", reason, child["StackId"])
        raise ValueError(
            f"Embedded stack {child['StackId']} was not successfully created: {reason}"
        ) from failed
