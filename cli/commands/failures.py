"""Show the failures of the latest operation on a stack, with CloudFormation's reasons.

It changes nothing. Without a name, the stack is that of the environment.
"""

from __future__ import annotations

import argparse
from typing import Any

from cli.environment.account import Environment
from cli.environment.stack_failures import StackFailures, heading
from cli.environment.stack_statuses import has_failed
from cli.rules import name_of
from cli.shell.output import Output

EXAMPLES = ("cfn-gitops failures --env dev", "cfn-gitops failures infra --env dev    # the stack of this project")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", nargs="?", help="its name, that of a project, or the ID of a deleted one (default: the environment's)")


def run(environment: Environment, given: Any, output: Output) -> int:
    """The status is 1 if the latest operation has failed, if not everything was read, or if the stack does not exist."""
    account = environment.account
    name = given.stack or environment.settings.stack_name
    stack = account.stack(name) if given.stack else environment.stack()
    if stack is None and not name.startswith("arn:"):
        # A project, by the default name of its stack.
        name = name_of("deployed_stack", environment.env_id, name)
        stack = account.stack(name)
    if stack is None:
        raise environment.missing(given.stack, "Name a deleted one by its ID")
    failures = StackFailures(account.client("cloudformation"), name, of_latest=True)
    lines, status = failures.lines(), stack["StackStatus"]
    if failures.error and not lines:
        raise failures.error
    unread = [f"{each}" for each in (failures.error, failures.hint) if each]
    output.document |= {"stack": stack["StackName"], "status": status, "failures": lines, "unread": unread}
    if lines:
        output.write(heading(name), *(f"  {line}" for line in lines))
        output.write(*(f"  There may be more, because not everything was read: {each}" for each in unread))
    else:
        reason = "CloudFormation gives no reason" if has_failed(status) else "Its latest operation has not failed"
        output.write(f"Stack {name} is in {status}. {reason}", *(f"But not everything was read. {each}" for each in unread))
    return int(bool(lines or unread or has_failed(status)))
