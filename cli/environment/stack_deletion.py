"""The deletion of a stack, with CloudFormation's reasons if it fails."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import WaiterError

from cli.environment import stack_statuses
from cli.environment.stack_failures import StackFailures
from cli.shell.ending import Failure
from cli.shell.output import Output

# For an hour.
_WAITER = {"Delay": 3, "MaxAttempts": 1200}


def delete_stack(session: Any, name: str, output: Output) -> None:
    """Raises `Failure` with the resources that are left."""
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    output.has_begun = True
    cloudformation.delete_stack(StackName=stack_id)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=_WAITER)
    except WaiterError as error:
        # It also ends after an hour, and after an error of its own request.
        status = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
        if status == stack_statuses.DELETE_IN_PROGRESS:
            raise Failure(f"stack {name} is not deleted yet, and CloudFormation goes on with it: {error}",
                          "Run this again later") from None
        if status != stack_statuses.DELETE_COMPLETE:
            reasons = " - ".join(StackFailures(cloudformation, stack_id, of_latest=True).lines()) or f"its status is {status}"
            raise Failure(f"stack {name} is not deleted: {reasons}", "Correct the cause, and run this again") from None
    output.record_change(f"stack {name} is deleted")
