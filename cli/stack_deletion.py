"""The deletion of a stack, with CloudFormation's reasons if it fails."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import WaiterError

from cli.ending import Failure
from cli.output import Output

# For an hour.
_WAITER = {"Delay": 3, "MaxAttempts": 1200}


def delete_stack(session: Any, name: str, output: Output) -> None:
    """Raises `Failure` with the resources that are left."""
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_id)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=_WAITER)
    except WaiterError:
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        failed = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                  for event in pages.build_full_result()["StackEvents"] if event["ResourceStatus"] == "DELETE_FAILED"]
        raise Failure(f"stack {name} is not deleted: {' - '.join(failed) or 'its deletion takes too long'}",
                      "Correct the cause, and run this again") from None
    output.has_done(f"stack {name} is deleted")
