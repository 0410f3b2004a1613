"""Exports that another stack imports, and those that another stack has already.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html: "After another
stack imports an output value, you can't delete the stack that is exporting the output value or modify the
exported output value."

- DeleteStack is accepted. The stack then returns to its status, with a reason:
  https://github.com/aws/aws-sdk/issues/383, https://github.com/aws/aws-cdk/issues/604. The text:
  https://github.com/aws-samples/iam-identity-center-team/pull/474
- An update rolls back, with the reason as that of the rollback: https://github.com/aws/aws-cdk/issues/5151,
  https://github.com/linz/geostore/issues/630
- A second export of the same name: https://github.com/aws-amplify/amplify-js/issues/5811
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, stacks

from tests.local.aws.cloudformation import template_errors

_Handler = Callable[[dict], tuple]
_WITHOUT_RESOURCES = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"}
_reasons: dict[str, str] = {}  # stack ID -> why its exports cannot be as its template has them


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["DeleteStack"] = partial(_delete, table["DeleteStack"])
    handlers._delete_stack_async = partial(_delete_or_return, handlers._delete_stack_async)
    stacks._resolve_stack_outputs = partial(_resolve_outputs, stacks._resolve_stack_outputs)
    stacks._add_event = partial(_add_event, stacks._add_event)
    stacks._roll_back_operation = partial(_roll_back, stacks._roll_back_operation)


def _delete(ministack_handler: _Handler, params: dict) -> tuple:
    """MiniStack rejects the deletion of a stack whose export is in use. See `_delete_or_return`."""
    looked_up = handlers._imported_export_names
    handlers._imported_export_names = lambda *_: set()
    try:
        return ministack_handler(params)
    finally:
        handlers._imported_export_names = looked_up


async def _delete_or_return(
    ministack_delete: Callable[..., Any], stack_name: str, stack_id: str, *more: Any, **named: Any
) -> None:
    stack = cloudformation._stacks[stack_name]
    names = [each["ExportName"] for each in stack.get("Outputs", []) if each.get("ExportName")]
    status, in_use = stack["StackStatus"], _in_use(stack_id, dict.fromkeys(names, "deleted"))
    stack["StackStatusReason"] = ""
    if not in_use:
        await ministack_delete(stack_name, stack_id, *more, **named)
        return
    for each, reason in (("DELETE_IN_PROGRESS", ""), (status, in_use)):
        stack.update(StackStatus=each, StackStatusReason=reason)
        stacks._add_event(
            stack_id, stack_name, stack_name, "AWS::CloudFormation::Stack", each, reason, stack_id
        )
        await asyncio.sleep(0.1)


def _in_use(stack_id: str, changes: dict[str, str]) -> str:
    """Why one of the exports cannot be `deleted` or `updated`. Empty if none is in use."""
    others = {
        name: _imported(name, other)
        for name, other in cloudformation._stacks.items()
        if other["StackId"] != stack_id and other["StackStatus"] not in _WITHOUT_RESOURCES
    }
    for export, change in changes.items():
        if users := [name for name, imported in others.items() if export in imported]:
            names = " and ".join(filter(None, (", ".join(users[:-1]), users[-1])))
            return (
                f"Delete canceled. Cannot delete export {export} as it is in use by {names}."
                if change == "deleted"
                else f"Export {export} cannot be updated as it is in use by {names}"
            )
    return ""


def _imported(name: str, stack: dict) -> set[str]:
    """MiniStack also counts what conditions leave out."""
    template, conditions = stack.get("_template") or {}, stack.get("_conditions") or {}
    used = {
        section: template_errors.created(template.get(section), conditions)
        for section in ("Resources", "Outputs")
    }
    return set(handlers._imported_export_names({**stack, "_template": {**template, **used}}, name))


def _resolve_outputs(ministack_resolve: Callable[..., tuple], *arguments: Any) -> tuple:
    outputs, exports = ministack_resolve(*arguments)
    stack_id, held = arguments[-1], cloudformation._exports
    taken = {
        name: held[name]["StackId"].split("/")[1]
        for name in exports
        if held.get(name, {}).get("StackId", stack_id) != stack_id
    }
    before = {name: each["Value"] for name, each in held.items() if each["StackId"] == stack_id}
    changes = {
        name: "updated" if name in exports else "deleted"
        for name, value in before.items()
        if exports.get(name, {}).get("Value") != value
    }
    reason = _in_use(stack_id, changes)
    for name, owner in taken.items():
        reason = f"Export with name {name} is already exported by stack {owner}"
    if reason:
        _reasons[stack_id] = reason
        raise ValueError(reason)
    return outputs, exports


def _add_event(
    ministack_add: Callable[..., None],
    stack_id: str,
    stack_name: str,
    logical_id: str,
    resource_type: str,
    status: str,
    reason: str = "",
    *more: Any,
    **named: Any,
) -> None:
    if not status.endswith("_FAILED") or not reason or _reasons.get(stack_id) != reason:
        ministack_add(stack_id, stack_name, logical_id, resource_type, status, reason, *more, **named)


async def _roll_back(
    ministack_roll_back: Callable[..., Any],
    stack_name: str,
    stack_id: str,
    stack: dict,
    operation: dict,
    reason_override: str = "",
) -> Any:
    reason = reason_override or _reasons.pop(stack_id, "")
    return await ministack_roll_back(stack_name, stack_id, stack, operation, reason)
