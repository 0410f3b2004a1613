"""Evaluates whether a resource's policy, or a role's trust policy, allows an AWS service that acts for
itself.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region

from tests.local.aws.iam import decision_log
from tests.local.policies.source_keys import source_keys


def admits(
    policy: Any,
    service: str,
    action: str,
    resource_arn: str,
    source_arn: str,
    keys: dict[str, Any] | None = None,
) -> bool:
    """`service` is a principal such as `events.amazonaws.com`. The decision is logged like any other.

    `source_arn` is the resource that the service acts for. The request has its ARN and its account only if
    AWS documents that for the service: see `policies.source_keys`.
    """
    allowed = allows(policy, service, action, resource_arn, source_arn, keys)
    decision_log.record(service, action, resource_arn, allowed)
    return allowed


def allows(
    policy: Any,
    service: str,
    action: str,
    resource_arn: str,
    source_arn: str | None,
    keys: dict[str, Any] | None = None,
) -> bool:
    account = source_arn.split(":")[4] if source_arn else ""
    sent = {
        **source_keys(service, action, source_arn, account or get_account_id()),
        **(keys or {}),
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": service,
    }
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        secure_transport=True,
        service_context={key.lower(): value for key, value in sent.items()},
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow")
