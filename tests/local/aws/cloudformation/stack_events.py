"""The events of stack operations, where MiniStack differs from CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

_STACK = "AWS::CloudFormation::Stack"
_Add = Callable[..., None]

# (stack ID, logical ID) -> the type of a resource that the update may or may not change
_undecided: dict[tuple[str, str], str] = {}
_added: set[tuple[str, str]] = set()  # resources that an update adds


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
        stack = cloudformation._stacks.get(stack_name) or {}
        if stack.get("StackId") == stack_id:
            of_the_stack = resource_type == _STACK and logical_id == stack_name
            if of_the_stack:
                status, reason = _of_the_stack(stack, status, reason, ministack_add)
            else:
                reported = _of_a_resource(
                    stack, logical_id, resource_type, status, reason, physical_id, ministack_add
                )
                if reported is None:
                    return
                status, reason = reported
        ministack_add(
            stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status
        )

    _report_the_cleanup(ministack_add)
    _report_changes(ministack_add)
    for module in (stacks, handlers, changesets):
        module._add_event = add


def _of_the_stack(stack: dict, status: str, reason: str, add: _Add) -> tuple[str, str]:
    # With a reason, it is the status to which a deletion returns.
    if status == "UPDATE_COMPLETE" and not reason:
        _clean_up(stack, add)
        stack["StackStatus"] = status
        del stack["_cleaning_up"]
    if status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
        reason = reason or "User Initiated"
    return status, reason


def _of_a_resource(
    stack: dict, logical_id: str, resource_type: str, status: str, reason: str, physical_id: str, add: _Add
) -> tuple[str, str] | None:
    """An update reports only the resources that it changes, and reports added ones as creations. MiniStack
    processes all resources, and reports each as an update."""
    key = (stack["StackId"], logical_id)
    if status == "UPDATE_IN_PROGRESS" and not reason and not physical_id:
        _undecided[key] = resource_type
        return None
    if status not in {"UPDATE_COMPLETE", "UPDATE_FAILED"}:
        return status, reason
    if _undecided.pop(key, None) is not None:
        if status == "UPDATE_COMPLETE":
            return None
        # It failed before its handler was called.
        add(key[0], stack["StackName"], logical_id, resource_type, "UPDATE_IN_PROGRESS", "", physical_id)
    if key in _added:
        _added.discard(key)
        status = status.replace("UPDATE", "CREATE")
    return status, reason


def _report_changes(add: _Add) -> None:
    ministack_provision, ministack_update = stacks._provision_resource, stacks._update_resource

    def provision(resource_type: str, logical_id: str, props: dict, stack_name: str) -> Any:
        key = (_id_of(stack_name), logical_id)
        if _undecided.pop(key, None) is not None:
            _added.add(key)
            add(key[0], stack_name, logical_id, resource_type, "CREATE_IN_PROGRESS")
        return ministack_provision(resource_type, logical_id, props, stack_name)

    def update(
        resource_type: str,
        physical_id: str,
        old_props: dict,
        new_props: dict,
        stack_name: str,
        logical_id: str | None = None,
        old_attrs: dict | None = None,
    ) -> Any:
        key = (_id_of(stack_name), logical_id or physical_id)
        if old_props != new_props and _undecided.pop(key, None) is not None:
            add(key[0], stack_name, logical_id, resource_type, "UPDATE_IN_PROGRESS", "", physical_id)
        return ministack_update(
            resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs
        )

    stacks._provision_resource, stacks._update_resource = provision, update


def _id_of(stack_name: str) -> str:
    return str((cloudformation._stacks.get(stack_name) or {}).get("StackId", ""))


def _report_the_cleanup(add: _Add) -> None:
    """A successful update deletes the replaced and removed resources in a phase with a status of its own."""
    ministack_delete = stacks._delete_resource

    def delete(
        resource_type: str,
        physical_id: str,
        props: dict,
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> Any:
        stack = cloudformation._stacks.get(stack_name or "") or {}
        reported = stack.get("StackStatus") in {"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
        if reported:
            _clean_up(stack, add)
            add(
                stack["StackId"], stack_name, logical_id, resource_type, "DELETE_IN_PROGRESS", "", physical_id
            )
        answer = ministack_delete(resource_type, physical_id, props, stack_name, logical_id)
        if reported:
            add(stack["StackId"], stack_name, logical_id, resource_type, "DELETE_COMPLETE", "", physical_id)
        return answer

    stacks._delete_resource = delete


def _clean_up(stack: dict, add: _Add) -> None:
    if not stack.get("_cleaning_up"):
        stack["_cleaning_up"] = True
        stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        add(
            stack["StackId"],
            stack["StackName"],
            stack["StackName"],
            _STACK,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "",
            stack["StackId"],
        )
