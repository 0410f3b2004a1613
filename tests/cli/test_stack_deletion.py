"""The end of a deletion that CloudFormation's waiter does not confirm."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import WaiterError

from cli.environment.stack_deletion import delete_stack
from cli.shell.ending import Failure
from cli.shell.output import Output
from tests.cli.recorded import NAME, STACK, Recorded


# The oldest event first.
EARLIER = [["", STACK, "DELETE_IN_PROGRESS", ""], ["Bucket", "AWS::S3::Bucket", "DELETE_FAILED", "an old reason"], ["", STACK, "DELETE_FAILED", ""]]
BEGINS = ["", STACK, "DELETE_IN_PROGRESS", ""]


def deleted(status: str, *events: list[str]) -> tuple[str, list[str]]:
    """The failure after the waiter has ended with an error, and the finished changes."""
    client, output = MagicMock(), Output()
    client.describe_stacks.return_value = {"Stacks": [{"StackId": "id", "StackStatus": status}]}
    client.get_paginator = Recorded({"events": {"": [*EARLIER, *events]}}).get_paginator
    client.get_waiter.return_value.wait.side_effect = WaiterError("StackDeleteComplete", "Rate exceeded", {})
    session: Any = MagicMock()
    session.client.return_value = client
    try:
        delete_stack(session, "a", output)
    except Failure as failure:
        return str(failure), output.done
    return "", output.done


@pytest.mark.parametrize(("status", "events", "reason"), [
    ("DELETE_FAILED", [BEGINS], "its status is DELETE_FAILED"),
    ("DELETE_FAILED", [BEGINS, ["User", "AWS::IAM::User", "DELETE_FAILED", "a new reason"]], "User (AWS::IAM::User): a new reason"),
    ("UPDATE_COMPLETE", [BEGINS, ["", STACK, "UPDATE_COMPLETE", "an export is in use"]], f"{NAME} ({STACK}): an export is in use")])
def test_reason_of_an_earlier_deletion_is_not_named(status: str, events: list[list[str]], reason: str) -> None:
    assert deleted(status, *events) == (f"stack a is not deleted: {reason}. Correct the cause, and run this again", [])


def test_deletion_in_progress_is_not_a_failed_one() -> None:
    failure, done = deleted("DELETE_IN_PROGRESS", BEGINS)
    assert failure == ("stack a is not deleted yet, and CloudFormation goes on with it: Waiter StackDeleteComplete failed: Rate exceeded. "
                       "Run this again later") and done == []


def test_deletion_that_has_ended_meanwhile_is_done() -> None:
    assert deleted("DELETE_COMPLETE") == ("", ["stack a is deleted"])
