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

from tests.local.aws.settings import settings

_Handler = Callable[[dict], tuple]
_STACK = "AWS::CloudFormation::Stack"
_UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
              "IMPORT_ROLLBACK_COMPLETE"}
# A creation may be deleted before it ends. An update has to be cancelled or to end first.
_DELETABLE_IN_PROGRESS = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS"}
# "You can't use the DeletionPolicy (UpdatePolicy, ...) attribute alone to update a stack": such changes are ignored.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html
_POLICIES = ("CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy")

_running: dict[str, asyncio.Task[None]] = {}  # stack id -> its operation
_kept: dict[str, dict[str, dict]] = {}  # stack id -> resources that a failed deletion retains
_interruptions: dict[str, threading.Event] = {}  # stack id -> set when its resources need not be waited for
# (account, region, stack, token) -> the operation and its response
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
    # Their errors for a missing stack differ from MiniStack's, which are all the same.
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
    """A deleted stack is found only by its ID.

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
    """The name of a stack that rolled back is in use until its deletion. A deleted stack is kept by its ID."""
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
        return None  # MiniStack returns the error
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
    """Names all parameters that the template lacks, or that have no value."""

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
            # A creation ends with the running resource. Then everything is deleted.
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

    The same token gets the first response again. That it is not TokenAlreadyExistsException is not documented. (?) For
    another operation, the token is rejected.
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
            if before == action:
                return answer
            return error("TokenAlreadyExistsException", f"A client request token with value {token} already exists")
        answer = ministack_handler(params)
        if answer[0] == 200:
            _tokens[key] = (action, answer)
        return answer

    return handler


# One operation at a time, and its end

def _begin(operation: Coroutine[Any, Any, None], stack: dict | None, stack_id: str | None = None) -> None:
    """Replaces MiniStack's: an operation that starts during another one of the stack (a deletion) follows it."""
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
            return None  # the deletion deletes everything
        if stack.pop("_cancel_requested", False):
            # The running resource was the last one that would have checked.
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
            # Resources that could not be deleted remain in the stack. MiniStack removes them from it.
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


def _on_a_thread(ministack_rule: Callable[[str], bool]) -> Callable[[str], bool]:
    """Waits without blocking the event loop."""
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
    """A deletion runs from dependents to their dependencies, so that the dependencies of an existing resource remain.

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
    """Raises if the stack is to be deleted or its update was cancelled. At a deletion, the running resource completes,
    and then deleted with the others. A rollback and a deletion continue."""
    stack = cloudformation._stacks.get(stack_name) or {}
    if cancelled and stack.get("_deletion_requested"):
        raise ValueError(cancelled)
    interruption = _interruptions.get(stack.get("StackId", ""))
    slow = settings.stack_resource_takes_seconds and stack_name.startswith(settings.slow_stacks)
    if slow and interruption is not None:
        interruption.wait(settings.stack_resource_takes_seconds)
    if cancelled and stack.get("_cancel_requested") and stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
        raise ValueError(cancelled)
