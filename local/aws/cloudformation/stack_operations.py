"""Calls of CloudFormation that a stack's state allows or rejects.

The messages are CloudFormation's, recorded in public issues. Its documentation does not contain them.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

from local.aws.settings import settings

_Handler = Callable[[dict], tuple]
_STACK = "AWS::CloudFormation::Stack"
_UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
              "IMPORT_ROLLBACK_COMPLETE"}
# A creation may be deleted before it ends; an update is cancelled or waited for.
_DELETABLE_IN_PROGRESS = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS"}
# "You can't use the DeletionPolicy (UpdatePolicy, ...) attribute alone to update a stack": a change of these is none.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html
_POLICIES = ("CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy")

_running: dict[str, asyncio.Task[None]] = {}  # stack id -> its operation
_kept: dict[str, dict[str, dict]] = {}  # stack id -> resources that a failed deletion leaves alone
_interruptions: dict[str, threading.Event] = {}  # stack id -> set when its resources need not be waited for
on_interruption: list[Callable[[str], None]] = []  # what else waits for a stack's resources
# (account, region, stack, token) -> the operation and its answer
_tokens: dict[tuple[str, str, str, str], tuple[str, tuple]] = {}


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["CreateStack"] = _create(table["CreateStack"])
    table["CreateChangeSet"] = _create_change_set(table["CreateChangeSet"])
    table["UpdateStack"] = _update(table["UpdateStack"])
    table["DeleteStack"] = _delete(table["DeleteStack"])
    table["CancelUpdateStack"] = _interrupting(table["CancelUpdateStack"])
    table["ContinueUpdateRollback"] = _continue(table["ContinueUpdateRollback"])
    for action in ("CreateStack", "UpdateStack", "DeleteStack", "ContinueUpdateRollback", "RollbackStack",
                   "CancelUpdateStack"):
        table[action] = _once_per_token(action, table[action])
    # These name a stack that is not there otherwise than MiniStack, which has one text for all.
    for action in ("DescribeStackResources", "ListStackResources", "GetTemplate"):
        table[action] = _stack_with_id(table[action])
    handlers._resolve_stack = _resolve
    handlers._stack_has_no_updates = _without_policies(handlers._stack_has_no_updates)
    for module in (handlers, changesets):
        module._create_stack_task_in_region = _begin
        module._resolve_parameters = _in_its_words(module._resolve_parameters)
    for module in (stacks, handlers):
        module._roll_back_operation = _roll_back(module._roll_back_operation)
    stacks._runs_on_worker_thread = _on_a_thread(stacks._runs_on_worker_thread)
    _take_time()


def _resolve(name: str) -> dict | None:
    """A deleted stack is found by its id alone.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html (StackName)
    """
    held: dict | None = cloudformation._stacks.get(name)
    if held is not None and (held["StackStatus"] != "DELETE_COMPLETE" or held["StackId"] == name):
        return held
    return next((stack for stack in cloudformation._stacks.values() if stack.get("StackId") == name), None)


def _in_progress(stack: dict | None) -> bool:
    return stack is not None and stack["StackStatus"].endswith("_IN_PROGRESS")


# Creating

def _taken(name: str, free: set[str]) -> tuple | None:
    """The name of a stack that rolled back is taken until it is deleted; a deleted one is kept under its id."""
    held = cloudformation._stacks.get(name)
    if held is None:
        return None
    if held["StackStatus"] not in {"DELETE_COMPLETE", *free}:
        return error("AlreadyExistsException", f"Stack [{name}] already exists")
    if held["StackStatus"] == "DELETE_COMPLETE":
        cloudformation._stacks[held["StackId"]] = cloudformation._stacks.pop(name)
    return None


def error(code: str, message: str) -> tuple:
    answer: tuple = handlers._error(code, message)
    return answer


def _create(ministack_handler: _Handler) -> _Handler:
    return lambda params: _taken(handlers._p(params, "StackName"), set()) or ministack_handler(params)


def _create_change_set(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        name = handlers._p(params, "StackName")
        if handlers._p(params, "ChangeSetType", "UPDATE") == "CREATE":
            return _taken(name, {"REVIEW_IN_PROGRESS"}) or ministack_handler(params)
        return _not_updatable(name, _UPDATABLE | {"UPDATE_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"}) or (
            ministack_handler(params))

    return handler


# Updating

def _not_updatable(name: str, updatable: set[str]) -> tuple | None:
    stack = _resolve(name)
    if stack is None or stack["StackStatus"] in updatable | {"DELETE_COMPLETE"}:
        return None  # which MiniStack answers
    return error("ValidationError",
                 f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated.")


def _update(ministack_handler: _Handler) -> _Handler:
    return lambda params: _not_updatable(handlers._p(params, "StackName"), _UPDATABLE) or ministack_handler(params)


def _without_policies(ministack_compare: Callable[..., bool]) -> Callable[..., bool]:
    def bare(template: dict) -> dict:
        stripped = copy.deepcopy(template)
        for resource in (stripped.get("Resources") or {}).values():
            for policy in _POLICIES:
                resource.pop(policy, None)
        return stripped

    def no_updates(stack: dict, template: dict, *more: Any, **named: Any) -> bool:
        return ministack_compare({**stack, "_template": bare(stack.get("_template") or {})}, bare(template),
                                 *more, **named)

    return no_updates


def _in_its_words(ministack_resolve: Callable[..., dict]) -> Callable[..., dict]:
    """Parameters that are not the template's, or that it has no value for, are all named."""

    def resolve(template: dict, given: list[dict], previous: dict | None = None) -> dict:
        declared, keys = template.get("Parameters") or {}, {parameter.get("Key") for parameter in given}
        unknown = [key for key in keys if key not in declared]
        if unknown:
            raise ValueError(f"Parameters: [{', '.join(sorted(map(str, unknown)))}] do not exist in the template")
        for parameter in given:
            if parameter.get("UsePreviousValue") and parameter["Key"] not in (previous or {}):
                raise ValueError(f"Invalid input for parameter key {parameter['Key']}. Cannot specify usePreviousValue "
                                 "as true for a parameter key not in the previous template")
        missing = sorted(key for key, definition in declared.items() if key not in keys and "Default" not in definition)
        if missing:
            raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")
        return ministack_resolve(template, given, previous)

    return resolve


# Deleting

def _delete(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        stack = _resolve(handlers._p(params, "StackName"))
        status = stack["StackStatus"] if stack else ""
        if stack is None or status == "DELETE_IN_PROGRESS":
            return handlers._xml(200, "DeleteStackResponse", "")
        if _in_progress(stack) and status not in _DELETABLE_IN_PROGRESS:
            return error("ValidationError", f"Stack [{stack['StackId']}] cannot be deleted while in status {status}")
        answer = ministack_handler(params)
        if answer[0] == 200 and status != "DELETE_COMPLETE":
            # What is being created ends with what is in hand, and then all of it goes.
            stack["_deletion_requested"] = True
            _interrupt(stack["StackId"])
            stack["StackStatus"] = "DELETE_IN_PROGRESS"
            stacks._add_event(stack["StackId"], stack["StackName"], stack["StackName"], _STACK, "DELETE_IN_PROGRESS",
                              "User Initiated", stack["StackId"])
            stack["_deletion_told"] = True
        return answer

    return handler


# Cancelling, and continuing a rollback

def _interrupting(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        answer = ministack_handler(params)
        stack = _resolve(handlers._p(params, "StackName"))
        if answer[0] == 200 and stack is not None:
            _interrupt(stack["StackId"])
        return answer

    return handler


def _continue(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        answer = ministack_handler(params)
        stack = _resolve(handlers._p(params, "StackName"))
        if answer[0] == 200 and stack is not None:
            stack["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
        return answer

    return handler


def _stack_with_id(ministack_handler: _Handler) -> _Handler:
    def handler(params: dict) -> tuple:
        name = handlers._p(params, "StackName")
        if name and _resolve(name) is None:
            return error("ValidationError", f"Stack with id {name} does not exist")
        return ministack_handler(params)

    return handler


# Tokens

def _once_per_token(action: str, ministack_handler: _Handler) -> _Handler:
    """"You might retry CreateStack requests to ensure that CloudFormation successfully received them."

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (ClientRequestToken).
    Whether the same token again gets the first answer or TokenAlreadyExistsException is not documented, and is a
    setting; for another operation it is refused.
    """

    def handler(params: dict) -> tuple:
        token = handlers._p(params, "ClientRequestToken")
        if not token:
            return ministack_handler(params)
        name = handlers._p(params, "StackName")
        if ":stack/" in name:
            name = name.split(":stack/", 1)[1].split("/")[0]
        key = (get_account_id(), get_region(), name, token)
        if key in _tokens:
            before, answer = _tokens[key]
            if before == action and not settings.used_tokens_are_refused:
                return answer
            return error("TokenAlreadyExistsException", f"A client request token with value {token} already exists")
        answer = ministack_handler(params)
        if answer[0] == 200:
            _tokens[key] = (action, answer)
        return answer

    return handler


# One operation at a time, and how it ends

def _begin(operation: Coroutine[Any, Any, None], stack: dict | None, stack_id: str | None = None) -> None:
    """In place of MiniStack's: what begins while another operation of the stack runs (a deletion) comes after it."""
    key = stack_id or ""
    before = _running.get(key)
    is_deletion = operation.__name__ == "_delete_stack_async"

    async def run() -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        _interruptions[key] = threading.Event()
        if stack is not None and is_deletion:
            stack.pop("_deletion_requested", None)
        await operation
        if stack is not None:
            stack["_resources"].update(_kept.pop(key, {}))
        if stack is not None and stack.get("_deletion_requested"):
            stack["StackStatus"] = "DELETE_IN_PROGRESS"

    with stacks._stack_region_context(stack, stack_id):
        _running[key] = asyncio.get_event_loop().create_task(run())


def _roll_back(ministack_roll_back: Callable[..., Any]) -> Callable[..., Any]:
    async def roll_back(stack_name: str, stack_id: str, stack: dict, operation: dict, reason_override: str = "") -> Any:
        if stack.get("_deletion_requested"):
            return None  # the deletion takes all
        if stack.pop("_cancel_requested", False):
            # The resource in hand was the last that would have looked.
            stacks.CLIENT_REQUEST_TOKEN.set(stack.pop("_cancel_token", ""))
            operation["cancelled"] = True
        is_update, failed = operation.get("is_update"), operation.get("failed_logical_id")
        if not is_update and failed and not reason_override:
            reason_override = (f"The following resource(s) failed to create: [{failed}]. "
                               "Rollback requested by user.")
        result = await ministack_roll_back(stack_name, stack_id, stack, operation, reason_override)
        previous = operation.get("previous_stack") or {}
        if is_update and "_conditions" in previous:
            stack["_conditions"] = previous["_conditions"]
        if stack["StackStatus"] == "ROLLBACK_FAILED":
            # What could not be deleted is still the stack's; MiniStack forgets it.
            for logical_id, record in (stack.get("_rollback_failed") or {}).items():
                stack["_resources"].setdefault(logical_id, {
                    "LogicalResourceId": logical_id, "ResourceStatus": "DELETE_FAILED", "Attributes": {}, **record})
        return result

    return roll_back


# Time

def _interrupt(stack_id: str) -> None:
    event = _interruptions.get(stack_id)
    if event is not None:
        event.set()
    for interrupted in on_interruption:
        interrupted(stack_id)


def _on_a_thread(ministack_rule: Callable[[str], bool]) -> Callable[[str], bool]:
    """What takes time must not stop everything else."""
    return lambda resource_type: settings.stack_resource_takes_seconds > 0 or ministack_rule(resource_type)


def _take_time() -> None:
    ministack_provision, ministack_update, ministack_delete = (
        stacks._provision_resource, stacks._update_resource, stacks._delete_resource)

    def provision(resource_type: str, logical_id: str, props: dict, stack_name: str) -> Any:
        _wait(stack_name, "Resource creation cancelled")
        return ministack_provision(resource_type, logical_id, props, stack_name)

    def update(resource_type: str, physical_id: str, old_props: dict, new_props: dict, stack_name: str,
               *more: Any) -> Any:
        if old_props != new_props:
            _wait(stack_name, "Resource update cancelled")
        return ministack_update(resource_type, physical_id, old_props, new_props, stack_name, *more)

    def delete(resource_type: str, physical_id: str, props: dict, stack_name: str | None = None,
               logical_id: str | None = None) -> Any:
        _wait(stack_name or "", "")
        try:
            return ministack_delete(resource_type, physical_id, props, stack_name, logical_id)
        except Exception:
            _keep_what_it_needs(stack_name or "", logical_id or "")
            raise

    stacks._provision_resource, stacks._update_resource, stacks._delete_resource = provision, update, delete


def _keep_what_it_needs(stack_name: str, logical_id: str) -> None:
    """A deletion goes from dependents to what they depend on, so what a resource that is still there needs stays.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html
    """
    stack = cloudformation._stacks.get(stack_name) or {}
    if stack.get("StackStatus") != "DELETE_IN_PROGRESS":
        return
    resources, definitions = stack["_resources"], (stack.get("_template") or {}).get("Resources") or {}
    for needed in stacks._with_dependencies([logical_id], definitions, set(resources)) - {logical_id}:
        if needed in resources and resources[needed].get("ResourceStatus") != "DELETE_FAILED":
            _kept.setdefault(stack["StackId"], {})[needed] = resources.pop(needed)


def _wait(stack_name: str, cancelled: str) -> None:
    """Raises when the stack is to be deleted or its update was cancelled; what is in hand at a deletion is made, and
    goes with the rest. A rollback and a deletion go on."""
    stack = cloudformation._stacks.get(stack_name) or {}
    if cancelled and stack.get("_deletion_requested"):
        raise ValueError(cancelled)
    interruption = _interruptions.get(stack.get("StackId", ""))
    slow = settings.stack_resource_takes_seconds and stack_name.startswith(settings.slow_stacks)
    if slow and interruption is not None:
        interruption.wait(settings.stack_resource_takes_seconds)
    if cancelled and stack.get("_cancel_requested") and stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
        raise ValueError(cancelled)
