"""The conflicts that prevent the deletion of a user or a role.

"Unlike the AWS Management Console, when you delete a user programmatically, you must delete the items
attached to the user manually, or the deletion fails."
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html MiniStack's CloudFormation detaches
everything first, so an order that fails on AWS would pass.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

_ATTACHED = "Cannot delete entity, must detach all policies first."
_INLINE = "Cannot delete entity, must delete policies first."


def install() -> None:
    for resource_type, store, inline in (
        ("AWS::IAM::User", iam._users, lambda name: iam._user_inline_policies.get(name)),
        ("AWS::IAM::Role", iam._roles, lambda name: iam._roles[name].get("InlinePolicies")),
    ):
        table = provisioners._RESOURCE_HANDLERS[resource_type]
        table["delete"] = partial(_only_its_own, table["delete"], store, inline)
    ministack_delete_user = iam._delete_user

    def delete_user(params: dict) -> tuple:
        if iam._user_inline_policies.get(iam._p(params, "UserName")):
            return iam._error(409, "DeleteConflict", _INLINE)
        return ministack_delete_user(params)

    iam._delete_user = delete_user
    iam._IAM_HANDLERS["DeleteUser"] = delete_user


def _only_its_own(
    ministack_delete: Callable[[str, dict], None],
    store: Any,
    inline: Callable[[str], dict | None],
    physical_id: str,
    props: dict,
) -> None:
    """CloudFormation removes only the attachments of the resource's own properties."""
    entity = store.get(physical_id)
    if entity:
        if set(entity.get("AttachedPolicies") or []) - set(props.get("ManagedPolicyArns") or []):
            raise ValueError(f"{_ATTACHED} (Service: Iam, Status Code: 409; DeleteConflict)")
        own = {policy["PolicyName"] for policy in props.get("Policies") or []}
        if set(inline(physical_id) or {}) - own:
            raise ValueError(f"{_INLINE} (Service: Iam, Status Code: 409; DeleteConflict)")
    ministack_delete(physical_id, props)
