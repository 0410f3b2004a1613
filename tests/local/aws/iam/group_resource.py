"""`AWS::IAM::Group`, which MiniStack's CloudFormation lacks, and the conflicts that prevent a group's
deletion.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-group.html
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import iam
from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_types


def install() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::IAM::Group"] = {"create": _create, "delete": _delete}
    iam._IAM_HANDLERS["DeleteGroup"] = iam._delete_group = partial(_refusing, iam._delete_group)


def _refusing(ministack_delete: Callable[[dict], tuple], params: dict) -> tuple:
    """ "The group must not contain any users or have any attached policies."

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
    """
    name = iam._p(params, "GroupName")
    group = iam._groups.get(name) or {}
    for held, what in (
        (group.get("Users"), "must remove users from group first."),
        (group.get("AttachedPolicies"), "must detach all policies first."),
        (iam._group_inline_policies.get(name), "must delete policies first."),
    ):
        if held:
            return iam._error(409, "DeleteConflict", f"Cannot delete entity, {what}")
    return ministack_delete(params)


def _checked(answer: tuple) -> None:
    status, _, body = answer
    if status < 400:
        return
    text = body.decode() if isinstance(body, bytes) else str(body)
    message, code = (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Message", "Code"))
    error = code.group(1) if code else ""
    kind = "AlreadyExists" if error == "EntityAlreadyExists" else "InvalidRequest"
    raise resource_types.handler_error(
        f"{message.group(1) if message else text} (Service: Iam, Status Code: {status}, "
        f"Request ID: {new_uuid()})",
        kind,
    )


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("GroupName") or provisioners._physical_name(stack_name, logical_id, max_len=128)
    _checked(iam._create_group({"GroupName": name, "Path": props.get("Path") or "/"}))
    for arn in props.get("ManagedPolicyArns") or []:
        _checked(iam._attach_group_policy({"GroupName": name, "PolicyArn": arn}))
    return name, {"Arn": iam._groups[name]["Arn"]}


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    """Its members do not belong to the stack and stay: the type's delete handler has no
    iam:RemoveUserFromGroup."""
    for arn in props.get("ManagedPolicyArns") or []:
        # A deletion that failed before has detached it.
        if arn in iam._groups[physical_id]["AttachedPolicies"]:
            _checked(iam._detach_group_policy({"GroupName": physical_id, "PolicyArn": arn}))
    _checked(iam._delete_group({"GroupName": physical_id}))
