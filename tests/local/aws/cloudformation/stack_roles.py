"""The principal that creates a stack's resources: its role, or the caller if the stack has no role.

"CloudFormation always uses this role for all future operations on the stack. Provided that users have
permission to operate on the stack, CloudFormation uses this role even if the users don't have permission to
pass it." https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (RoleARN)
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.core.iam_evaluator import PrincipalInfo
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import engine, handlers, provisioners, stacks

from tests.local.aws.cloudformation import change_set_names, resource_types
from tests.local.aws.cloudformation.environment_permissions import needs
from tests.local.aws.cloudformation.stack_permissions import Change
from tests.local.aws.iam import enforcement, service_roles
from tests.local.aws.iam.service_roles import Denied, Session

# "RoleARN" is a parameter of these.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
_TAKE_A_ROLE = (
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "ContinueUpdateRollback",
    "RollbackStack",
    "CreateChangeSet",
)
# Types without handlers in the registry have messages of their own, others have their handler's.
_WITHOUT_HANDLER = {"AWS::CodeBuild::Project", "AWS::CodeCommit::Repository"}

_Handler = Callable[[dict], tuple]
# The permissions of the running operation. A task copies the context of the request that started it.
_acting: ContextVar[Session | None] = ContextVar("local_aws_acting", default=None)


@dataclass(frozen=True)
class _Caller(Session):
    """The permissions of the caller at the time of the call."""

    principal: PrincipalInfo | None = None

    @property
    def arn(self) -> str:
        return self.principal.arn if self.principal else ""

    def _policies(self) -> tuple[list[Any], list[Any]]:
        return (self.principal.policies or [], self.principal.limits) if self.principal else ([], [])


def install() -> None:
    table = handlers._ACTION_HANDLERS
    table["CreateChangeSet"] = partial(_transformed, table["CreateChangeSet"])
    for action in _TAKE_A_ROLE:
        table[action] = partial(_in_its_name, action, table[action])
    table["ExecuteChangeSet"] = partial(_with_the_change_sets_role, table["ExecuteChangeSet"])
    table["DescribeStacks"] = partial(_showing_the_role, table["DescribeStacks"])
    # A nested stack's resources are created with the role of its root stack.
    for module in (stacks, provisioners):
        module._provision_resource = partial(_asked_to_create, module._provision_resource)
        module._update_resource = partial(_asked_to_update, module._update_resource)
        module._delete_resource = partial(_asked_to_delete, module._delete_resource)


def acting() -> Session | None:
    """The permissions of the running operation. `None` if it may do everything."""
    return _acting.get()


def caller() -> Session | None:
    """The permissions of the request's caller. `None` for the account's root."""
    principal = enforcement.principal()
    if principal is None or principal.policies is None:  # the account's root may do everything
        return None
    return _Caller(role_arn="", account=principal.account, role_name="", session_name="", principal=principal)


def _in_its_name(action: str, ministack_handler: _Handler, params: dict) -> tuple:
    name, given = handlers._p(params, "StackName"), handlers._p(params, "RoleARN")
    stack = handlers._resolve_stack(name) if action != "CreateStack" else None
    role_arn = given or (stack or {}).get("_role_arn", "")
    answer = _handled(ministack_handler, params, role_arn, name, (stack or {}).get("StackId", ""))
    if answer[0] == 200 and given:
        _remember(action, name, given, answer)
    return answer


def _handled(
    ministack_handler: _Handler, params: dict, role_arn: str, stack_name: str, stack_id: str
) -> tuple:
    """Handles the call with the role, or with the caller's permissions without one."""
    source = (
        stack_id
        or f"arn:aws:cloudformation:{get_region()}:{get_account_id()}:stack/{stack_name}/{new_uuid()}"
    )
    try:
        session = (
            service_roles.assume(
                role_arn, "cloudformation.amazonaws.com", source, session_name="AWSCloudFormation"
            )
            if role_arn
            else caller()
        )
    except Denied:
        return handlers._error("ValidationError", f"Role {role_arn} is invalid or cannot be assumed")
    token = _acting.set(session)
    try:
        return ministack_handler(params)
    finally:
        _acting.reset(token)


def _transformed(create_change_set: _Handler, params: dict) -> tuple:
    """Each transform is a resource of CreateChangeSet. Without the permission, the change set fails:
    https://github.com/aws/serverless-application-model/issues/179. With a role, the role needs it. (?)"""
    answer = create_change_set(params)
    change_set, session = change_set_names.created(answer), _acting.get()
    if change_set is None or session is None:
        return answer
    for name in engine.declared_transforms(engine._parse_template(change_set["_template_body"])):
        try:
            session.require(
                "cloudformation:CreateChangeSet",
                f"arn:aws:cloudformation:{get_region()}:aws:transform/{name.removeprefix('AWS::')}",
            )
        except Denied as denied:
            change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=denied.message)
    return answer


def _remember(action: str, stack_name: str, role_arn: str, answer: tuple) -> None:
    held = (
        change_set_names.created(answer)
        if action == "CreateChangeSet"
        else handlers._resolve_stack(stack_name)
    )
    if held is not None:
        held["_role_arn"] = role_arn


def _with_the_change_sets_role(ministack_handler: _Handler, params: dict) -> tuple:
    """A change set is executed with the role that it was created with, or with the stack's.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    """
    _, change_set = change_set_names.find(params)
    stack = cloudformation._stacks.get((change_set or {}).get("StackName", "")) or {}
    role_arn = (change_set or {}).get("_role_arn") or stack.get("_role_arn", "")
    answer = _handled(
        ministack_handler, params, role_arn, stack.get("StackName", ""), stack.get("StackId", "")
    )
    if answer[0] == 200 and role_arn:
        stack["_role_arn"] = role_arn
    return answer


def _showing_the_role(ministack_handler: _Handler, params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    if status != 200:
        return status, headers, body
    roles = {
        stack["StackId"]: stack["_role_arn"]
        for stack in cloudformation._stacks.values()
        if stack.get("_role_arn")
    }

    def shown(found: re.Match[bytes]) -> bytes:
        role_arn = roles.get(found[1].decode())
        return found[0] + (f"<RoleARN>{role_arn}</RoleARN>".encode() if role_arn else b"")

    return status, headers, re.sub(rb"<StackId>(.*?)</StackId>", shown, body)


def _check(resource_type: str, change: Change) -> None:
    session = _acting.get()
    if session is None:
        return
    wanted = needs(resource_type, change)
    if wanted is None:
        if isinstance(session, _Caller):
            return
        raise ValueError(
            f"This local AWS does not know which permissions {resource_type} needs, so no role can create it"
        )
    for need in wanted:
        try:
            session.require(need.action, need.resource, need.keys)
        except Denied as denied:
            raise _error(resource_type, denied) from None


def _error(resource_type: str, denied: Denied) -> ValueError:
    service = denied.action.split(":")[0]
    if resource_type in _WITHOUT_HANDLER or resource_type.startswith("Custom::"):
        return ValueError(
            f"{denied.message} (Service: {service}; Status Code: 403; Error Code: AccessDeniedException; "
            f"Request ID: {new_uuid()}; Proxy: null)"
        )
    return resource_types.handler_error(
        f"{denied.message} (Service: {service}, Status Code: 403, Request ID: {new_uuid()})", "AccessDenied"
    )


def _asked_to_create(
    ministack_provision: Callable[..., Any], resource_type: str, logical_id: str, props: dict, stack_name: str
) -> Any:
    invented = provisioners._physical_name(stack_name, logical_id)
    _check(resource_type, Change(invented, None, props))
    return ministack_provision(resource_type, logical_id, props, stack_name)


def _asked_to_update(
    ministack_update: Callable[..., Any],
    resource_type: str,
    physical_id: str,
    old_props: dict,
    new_props: dict,
    stack_name: str,
    logical_id: str | None = None,
    *more: Any,
    **named: Any,
) -> Any:
    if old_props != new_props:
        replaced = provisioners._replacing_change(resource_type, old_props, new_props)
        invented = provisioners._physical_name(stack_name, logical_id or physical_id)
        _check(
            resource_type,
            Change(invented, None, new_props) if replaced else Change(physical_id, old_props, new_props),
        )
    return ministack_update(
        resource_type, physical_id, old_props, new_props, stack_name, logical_id, *more, **named
    )


def _asked_to_delete(
    ministack_delete: Callable[..., Any],
    resource_type: str,
    physical_id: str,
    props: dict,
    *more: Any,
    **named: Any,
) -> Any:
    _check(resource_type, Change(physical_id, props, None))
    return ministack_delete(resource_type, physical_id, props, *more, **named)
