"""Waits for the end of what AWS does. That of CloudFormation is every status that is not in progress.

A waiter of the SDK does not know each of them, such as that of a stack whose export is in use, and ends with
a failed look: https://github.com/boto/botocore/issues/2590, https://github.com/aws/aws-sdk/issues/714.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from cli.environment.stack_statuses import DELETE_COMPLETE, is_in_progress
from cli.shell import terminal
from cli.shell.ending import explained
from cli.shell.failure import Failure
from cli.shell.machine import is_passing
from cli.shell.output import Output

# Seconds between two looks, at most.
PAUSE = 5.0
# Seconds without a line, after which a look ends with one: a failed look, and any other one.
REMINDER, MINUTE = 15.0, 60.0
# Seconds in which no look succeeds.
MAX_LOSS = 120.0


class GivenUp(Failure):
    """The operation that a command waits for may go on. The exit status is that of the cause."""

    def __init__(self, what: str, cause: Failure) -> None:
        super().__init__(f"{what} is not read: {cause.problem}", cause.remedy)
        self.status = cause.status


def ended(look: Callable[[], Any], what: str, write: Callable[[str], None]) -> Any:
    """The first result of `look` that is not empty. A failed look does not end `what`, so it is repeated for
    a while, unless its cause stays."""
    begun = read_at = written = time.monotonic()
    loss = ""
    while True:
        # The first steps take seconds.
        time.sleep(min(PAUSE, 1 + (time.monotonic() - begun) / 10))
        try:
            if found := look():
                return found
            read_at, loss = time.monotonic(), ""
        except Exception as error:
            failure, now = explained(error), time.monotonic()
            if failure is None:
                raise
            if getattr(failure, "is_final", False) or not is_passing(error) or now - read_at >= MAX_LOSS:
                raise GivenUp(what, failure) from error
            if failure.problem != loss or now - written >= REMINDER:
                loss, written = failure.problem, now
                write(f"... not read: {loss}")


def repeated(call: Callable[[], Any], passing: Callable[[Exception], str]) -> Any:
    """The result of a call that changes nothing. While `passing` has a reason why its error ends by itself,
    it is repeated for a while, and each reason is written once."""
    begun, written = time.monotonic(), ""
    while True:
        try:
            return call()
        except Exception as error:
            reason = passing(error)
            if not reason or time.monotonic() - begun >= MAX_LOSS:
                raise
            if reason != written:
                terminal.write(f"... {reason}", to=sys.stderr)
                written = reason
        time.sleep(PAUSE)


def operated(
    begin: Callable[[], Any], cloudformation: Any, stack_id: str, token: str, what: str, output: Output
) -> str:
    """Begins an operation on a stack with this ClientRequestToken, and returns its last status. Its events
    have the token. So no other operation counts as this one, and no look that still shows the former
    status."""
    output.changes.begin(ongoing="CloudFormation goes on with a change that has begun")
    begun = written = time.monotonic()

    def look() -> str:
        """Empty while it goes on."""
        nonlocal written
        if (now := time.monotonic()) - written >= MINUTE:
            written = now
            output.write_progress(f"... {what} goes on after {(now - begun) / 60:.0f} min")
        status = _status(cloudformation, stack_id)
        if status == DELETE_COMPLETE or is_in_progress(status):
            return "" if is_in_progress(status) else status
        # The latest ones, the last one first.
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        shown = next(
            (
                str(each.get("ResourceStatus", ""))
                for each in events
                if each.get("ClientRequestToken") == token and each.get("PhysicalResourceId") == stack_id
            ),
            "",
        )
        if not shown:
            raise Failure(
                f"its events are not shown, and the stack's status is {status}",
                "Look at the stack's events, because another operation may have changed it meanwhile. Then"
                " run this again",
            )
        return "" if is_in_progress(shown) else shown

    try:
        begin()
        status: str = ended(look, f"{what}, which goes on in CloudFormation,", output.write_progress)
    except Exception:
        output.changes.ongoing = ""
        raise
    output.changes.ongoing = ""
    return status


def _status(cloudformation: Any, stack_id: str) -> str:
    try:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        # Untyped, so only its text identifies it.
        if "does not exist" in str(error):
            return DELETE_COMPLETE
        raise
