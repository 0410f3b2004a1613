"""IAM's limits of inline policies, and those of the managed policies and the roles that CloudFormation
creates.

The messages: https://github.com/aws-cloudformation/cfn-lint/issues/3804,
https://github.com/aws/aws-cdk/issues/4465,
https://github.com/ministryofjustice/cloud-platform-environments/pull/5303,
https://github.com/aws/eks-hybrid/pull/741, https://github.com/kubeflow/kubeflow/issues/6687
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import iam

from tests.local.aws.cloudformation import resource_types
from tests.local.policies import sizes


def install() -> None:
    for kind in sizes.INLINE:
        put = partial(_put, kind, getattr(iam, f"_put_{kind}_policy"))
        iam._IAM_HANDLERS[f"Put{kind.title()}Policy"] = put
        setattr(iam, f"_put_{kind}_policy", put)
    for resource_type, check in (
        ("AWS::IAM::ManagedPolicy", _check_managed_policy),
        ("AWS::IAM::Role", _check_role),
    ):
        resource_types.also(resource_type, lambda _physical_id, _props: None, check)


def _put(kind: str, ministack_put: Callable[[dict], tuple], params: dict) -> tuple:
    name, policy = iam._p(params, f"{kind.title()}Name"), iam._p(params, "PolicyName")
    held = (
        iam._roles.get(name, {}).get("InlinePolicies", {})
        if kind == "role"
        else (iam._user_inline_policies if kind == "user" else iam._group_inline_policies).get(name) or {}
    )
    documents = {**held, policy: iam._p(params, "PolicyDocument")}
    if sizes.length(*documents.values()) > sizes.INLINE[kind]:
        return tuple(iam._error(409, "LimitExceeded", _inline(kind, name), ns="iam"))
    return ministack_put(params)


def _inline(kind: str, name: str) -> str:
    return f"Maximum policy size of {sizes.INLINE[kind]} bytes exceeded for {kind} {name}"


def _check_managed_policy(_name: str, props: dict[str, Any]) -> None:
    _check(
        sizes.length(props["PolicyDocument"]),
        sizes.MANAGED,
        f"Cannot exceed quota for PolicySize: {sizes.MANAGED}",
    )


def _check_role(name: str, props: dict[str, Any]) -> None:
    inline = [each["PolicyDocument"] for each in props.get("Policies") or []]
    _check(sizes.length(*inline), sizes.INLINE["role"], _inline("role", props.get("RoleName", name)))
    _check(
        sizes.length(props["AssumeRolePolicyDocument"]),
        sizes.TRUST,
        f"Cannot exceed quota for ACLSizePerRole: {sizes.TRUST}",
    )
    _check(
        len(props.get("ManagedPolicyArns") or []),
        sizes.MANAGED_OF_A_ROLE,
        f"Cannot exceed quota for PoliciesPerRole: {sizes.MANAGED_OF_A_ROLE}",
    )


def _check(size: int, limit: int, message: str) -> None:
    if size > limit:
        raise resource_types.handler_error(
            f"{message} (Service: Iam, Status Code: 409, Request ID: {new_uuid()})", "ServiceLimitExceeded"
        )
