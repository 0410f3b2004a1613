"""Waits for the end of what AWS does. That of CloudFormation is every status that is not in progress.

A waiter of the SDK does not know each of them, such as that of a stack whose export is in use, and ends with a failed look:
https://github.com/boto/botocore/issues/2590, https://github.com/aws/aws-sdk/issues/714.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from cli.environment.stack_statuses import DELETE_COMPLETE, is_in_progress
from cli.shell.ending import explained
from cli.shell.failure import Failure, NotLooked
from cli.shell.output import Output

# Seconds between two looks, at most.
PAUSE = 5.0
# Seconds without a line, after which a look ends with one.
REMINDER = 15.0
# Seconds in which no look succeeds.
MAX_LOSS = 120.0


def ended(look: Callable[[], Any], what: str, write: Callable[[str], None]) -> Any:
    """The first result of `look` that is not empty. A failed look does not end `what`, so it is repeated for a while."""
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
            failure, now = error if isinstance(error, Failure) else explained(error), time.monotonic()
            if failure is None:
                raise
            if getattr(failure, "is_final", False) or now - read_at >= MAX_LOSS:
                raise NotLooked(f"{what} is not read: {failure.problem}", failure.remedy) from error
            if failure.problem != loss or now - written >= REMINDER:
                loss, written = failure.problem, now
                write(f"... not read: {loss}")


class Operation:
    """The next one on a stack. Create it before the call that begins the operation. The first looks afterwards may show the
    former status, so another event of the stack has to prove that a status is the new one."""

    def __init__(self, cloudformation: Any, stack_id: str) -> None:
        self._cloudformation, self._stack_id = cloudformation, stack_id
        self._former = [each["EventId"] for each in self._events()[:1]]

    def end(self, what: str, output: Output) -> str:
        """Its last status."""
        return str(ended(self._status, f"{what}, which goes on in CloudFormation,", output.write_progress))

    def _status(self) -> str:
        """Empty while it goes on."""
        status: str = self._cloudformation.describe_stacks(StackName=self._stack_id)["Stacks"][0]["StackStatus"]
        if is_in_progress(status):
            return ""
        if status == DELETE_COMPLETE:
            return status
        new = itertools.takewhile(lambda each: each["EventId"] not in self._former, self._events())
        shown = next((str(each["ResourceStatus"]) for each in new if each["PhysicalResourceId"] == self._stack_id), "")
        if not shown:
            raise Failure(f"CloudFormation still shows the former status {status}", "Run this again later")
        return "" if is_in_progress(shown) else shown

    def _events(self) -> Any:
        """The latest ones, the last one first. The end of an operation is among them."""
        return self._cloudformation.describe_stack_events(StackName=self._stack_id)["StackEvents"]
