"""The deletion of a stack, with CloudFormation's reasons if it fails."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import stack_statuses
from cli.environment.stack_failures import StackFailures
from cli.environment.waiting import operated
from cli.shell.command import aws
from cli.shell.failure import Failure
from cli.shell.machine import has_done_nothing
from cli.shell.output import Output


def unprotecting(name: str) -> str:
    """The command that ends its termination protection."""
    return aws(
        "cloudformation",
        "update-termination-protection",
        "--no-enable-termination-protection",
        "--stack-name",
        name,
    )


def changing(stack: dict[str, Any], operation: str = "delete-stack") -> str:
    """The command that changes it, with its role. A policy with cloudformation:RoleArn allows the command
    only with that."""
    role = ["--role-arn", stack["RoleARN"]] if stack.get("RoleARN") else []
    return aws("cloudformation", operation, "--stack-name", stack["StackName"], *role)


def way_out(stack: dict[str, Any]) -> str:
    """The command that gets it out of its status. Empty if it needs none, or if AWS names none."""
    command = stack_statuses.WAYS_OUT.get(stack["StackStatus"], "")
    return command and changing(stack, command)


def delete_stack(session: Any, name: str, stack_id: str, output: Output, role_arn: str = "") -> None:
    """With the stack's role, if it has one. Raises `Failure` with the resources that are left."""
    role = {"RoleARN": role_arn} if role_arn else {}
    cloudformation, token = session.client("cloudformation"), f"cfn-gitops-{uuid.uuid4()}"

    def begin() -> None:
        try:
            cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token, **role)
        except (BotoCoreError, ClientError) as error:
            # Its response may be lost.
            if has_done_nothing(error):
                raise

    status = operated(begin, cloudformation, stack_id, token, f"the deletion of stack {name}", output)
    if status != stack_statuses.DELETE_COMPLETE:
        reasons = (
            " - ".join(StackFailures(cloudformation, stack_id, of_latest=True).lines())
            or f"its status is {status}"
        )
        raise Failure(f"stack {name} is not deleted: {reasons}", "Correct the cause, and run this again")
    output.record_change(f"stack {name} is deleted")
