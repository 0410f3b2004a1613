"""Show the failures of the latest operation on a stack, with CloudFormation's reasons.

It changes nothing. Without a name, the stack is that of the environment.
"""

from __future__ import annotations

import argparse
from typing import Any

from cli.account import Environment
from cli.ending import Failure
from cli.output import Output
from cli.samconfig import did_you_mean
from cli.stack_failures import StackFailures, heading

EXAMPLES = ("cfn-gitops failures --env dev", "cfn-gitops failures cfnstack-dev-infra --env dev")
INTERRUPTED = "Nothing was changed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", nargs="?", help="its name, or the ID of a deleted one (default: the environment's)")


def run(environment: Environment, given: Any, output: Output) -> int:
    """The status is 1 if a resource failed, and 1 if the stack does not exist."""
    name, account = given.stack or environment.settings.stack_name, environment.account
    stack = account.stack(name)
    if stack is None:
        names = [each["StackName"] for each in account.stacks()]
        raise Failure(f"stack {name} does not exist in {environment.place}" + did_you_mean(name, names),
                      "Name a deleted one by its ID")
    failures = StackFailures(account.client("cloudformation"), name)
    failures.keep_latest()
    lines = failures.lines()
    if failures.error and not lines:
        raise failures.error
    if failures.error:
        lines.append(f"There may be more, because not everything was read: {failures.error}")
    output.document |= {"stack": stack["StackName"], "status": stack["StackStatus"], "failures": lines}
    if lines:
        output.write(heading(name), *(f"  {line}" for line in lines))
    else:
        output.write(f"Stack {name} is in {stack['StackStatus']}. Its latest operation has no failed resource")
    return 1 if lines else 0
