"""The actions of AWS, from the list of parliament."""

from functools import cache

import parliament


# Younger than parliament's list. GetFunctionScalingConfig is an operation of Lambda's API:
# https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionScalingConfig.html
# AssociateRuntimeAlias is only in the create and update handlers of AWS::Lambda::Function, since 2026-10-20:
# see tests/templates/handler_permissions.json.
# DescribeEvents is an operation of CloudFormation's API since November 2025:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
# IAM's delegation requests: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AcceptDelegationRequest.html
YOUNGER_ACTIONS = frozenset(
    {
        "cloudformation:DescribeEvents", "lambda:AssociateRuntimeAlias", "lambda:GetFunctionScalingConfig",
        "iam:AcceptDelegationRequest", "iam:AssociateDelegationRequest", "iam:RejectDelegationRequest", "iam:SendDelegationToken",
    }
)

# Wildcards that only match such actions.
YOUNGER_WILDCARDS = frozenset({"iam:Accept*", "iam:Associate*", "iam:Reject*", "iam:Send*"})


def changes(service):
    """Every action of a service except those that AWS lists as a read or a list."""
    return actions(service) - {action for action, level in _privileges(service).items() if level in ("Read", "List")}


@cache
def actions(service):
    """Every action of a service, with its prefix: `s3` gives s3:GetObject and so on."""
    return frozenset(action for action in YOUNGER_ACTIONS if action.startswith(f"{service}:")) | _privileges(service).keys()


def _privileges(service):
    """Parliament's actions of a service, with their access levels."""
    return {f"{service}:{privilege['privilege']}": privilege["access_level"]
            for entry in parliament.iam_definition if entry["prefix"] == service for privilege in entry["privileges"]}
