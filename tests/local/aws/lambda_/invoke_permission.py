"""Evaluates whether a function's resource policy allows an AWS service to invoke it for a resource of the account.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region

from tests.local.aws.iam import decision_log
from tests.local.policies.source_keys import source_keys


def admits(policy: Any, service: str, function_arn: str, source_arn: str) -> bool:
    """`service` is a principal such as `events.amazonaws.com`. The decision is logged like any other.

    The request has the source keys that AWS documents for that service: see `policies.source_keys`.
    """
    keys = source_keys(service, "lambda:InvokeFunction", source_arn, get_account_id())
    context = iam_evaluator.EvalContext(
        principal_arn=service, principal_type="Service", principal_account="", action="lambda:InvokeFunction",
        resource_arn=function_arn, region=get_region(), secure_transport=True, service_context={
            **{key.lower(): value for key, value in keys.items()}, "aws:principalisawsservice": "true"})
    allowed = iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow"
    decision_log.record(service, "lambda:InvokeFunction", function_arn, allowed)
    return allowed
