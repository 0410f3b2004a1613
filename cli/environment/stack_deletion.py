"""The deletion of a stack, with CloudFormation's reasons if it fails."""

from __future__ import annotations

from typing import Any

from cli.environment import stack_statuses
from cli.environment.stack_failures import StackFailures
from cli.environment.waiting import Operation
from cli.shell.ending import Failure
from cli.shell.output import Output


def unprotecting(name: str) -> str:
    """The command that ends its termination protection."""
    return f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}"


def delete_stack(session: Any, name: str, output: Output) -> None:
    """Raises `Failure` with the resources that are left."""
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    deletion = Operation(cloudformation, stack_id)
    output.has_begun = True
    cloudformation.delete_stack(StackName=stack_id)
    status = deletion.end(f"the deletion of stack {name}", output)
    if status != stack_statuses.DELETE_COMPLETE:
        reasons = " - ".join(StackFailures(cloudformation, stack_id, of_latest=True).lines()) or f"its status is {status}"
        raise Failure(f"stack {name} is not deleted: {reasons}", "Correct the cause, and run this again")
    output.record_change(f"stack {name} is deleted")
