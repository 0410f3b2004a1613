"""`AWS::IAM::Group`, which MiniStack's CloudFormation lacks, and the conflicts that prevent a group's deletion.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-group.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import iam
from ministack.services.cloudformation import provisioners

TYPE = "AWS::IAM::Group"


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _create, "update": _update, "update_with_logical_id": True, "delete": _delete}
    iam._IAM_HANDLERS["DeleteGroup"] = iam._delete_group = _refusing(iam._delete_group)


def _refusing(ministack_delete: Callable[[dict], tuple]) -> Callable[[dict], tuple]:
    """"The group must not contain any users or have any attached policies."

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
    """
    def delete(params: dict) -> tuple:
        name = iam._p(params, "GroupName")
        group = iam._groups.get(name) or {}
        for held, what in ((group.get("Users"), "must remove users from group first."),
                           (group.get("AttachedPolicies"), "must detach all policies first."),
                           (iam._group_inline_policies.get(name), "must delete policies first.")):
            if held:
                return iam._error(409, "DeleteConflict", f"Cannot delete entity, {what}")
        return ministack_delete(params)

    return delete


def _checked(answer: tuple) -> None:
    status, _, body = answer
    if status < 400:
        return
    text = body.decode() if isinstance(body, bytes) else str(body)
    message, code = (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Message", "Code"))
    error = code.group(1) if code else ""
    kind = "AlreadyExists" if error == "EntityAlreadyExists" else "InvalidRequest"
    raise ValueError(f'Resource handler returned message: "{message.group(1) if message else text} (Service: Iam, Status '
                     f'Code: {status}, Request ID: {new_uuid()})" (RequestToken: {new_uuid()}, HandlerErrorCode: {kind})')


def _inline(props: dict[str, Any]) -> dict[str, str]:
    return {policy["PolicyName"]: json.dumps(policy["PolicyDocument"]) for policy in props.get("Policies") or []}


def _make_so(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    attached, wanted = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
    for arn in sorted(attached - wanted):
        _checked(iam._detach_group_policy({"GroupName": name, "PolicyArn": arn}))
    for arn in sorted(wanted - attached):
        _checked(iam._attach_group_policy({"GroupName": name, "PolicyArn": arn}))
    before, after = _inline(old), _inline(new)
    for policy in sorted(before.keys() - after.keys()):
        _checked(iam._delete_group_policy({"GroupName": name, "PolicyName": policy}))
    for policy, document in after.items():
        if before.get(policy) != document:
            _checked(iam._put_group_policy({"GroupName": name, "PolicyName": policy, "PolicyDocument": document}))


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("GroupName") or provisioners._physical_name(stack_name, logical_id, max_len=128)
    _checked(iam._create_group({"GroupName": name, "Path": props.get("Path") or "/"}))
    _make_so(name, {}, props)
    return name, {"Arn": iam._groups[name]["Arn"]}


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str,
            logical_id: str | None = None) -> tuple[str, dict[str, str]]:
    if old.get("GroupName") != new.get("GroupName"):  # "Update requires: Replacement"
        return _create(logical_id or physical_id, new, stack_name)
    _make_so(physical_id, old, new)
    return physical_id, {"Arn": iam._groups[physical_id]["Arn"]}


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    """Its members do not belong to the stack and stay: the type's delete handler has no iam:RemoveUserFromGroup."""
    group = iam._groups.get(physical_id)
    if group is None:
        return
    # A deletion that failed before has removed these.
    inline = iam._group_inline_policies.get(physical_id) or {}
    _make_so(physical_id, {
        "ManagedPolicyArns": [arn for arn in props.get("ManagedPolicyArns") or [] if arn in group["AttachedPolicies"]],
        "Policies": [policy for policy in props.get("Policies") or [] if policy["PolicyName"] in inline]}, {})
    _checked(iam._delete_group({"GroupName": physical_id}))
