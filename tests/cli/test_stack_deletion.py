"""The end of a deletion that CloudFormation's waiter does not confirm."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import WaiterError

from cli.environment.stack_deletion import delete_stack
from cli.shell.ending import Failure
from cli.shell.output import Output


def event(status: str, name: str = "", reason: str = "") -> dict[str, str]:
    """Of the stack itself without a name."""
    return {"StackId": "id", "PhysicalResourceId": name or "id", "LogicalResourceId": name or "a", "ResourceStatus": status,
            "ResourceStatusReason": reason}


EARLIER = [event("DELETE_FAILED"), event("DELETE_FAILED", "Bucket", "an old reason"), event("DELETE_IN_PROGRESS"), event("CREATE_COMPLETE")]


def deleted(status: str, *pages: list[dict[str, str]]) -> tuple[str, list[str]]:
    """The failure after the waiter has ended with an error, and the finished changes."""
    client, output = MagicMock(), Output()
    client.describe_stacks.return_value = {"Stacks": [{"StackId": "id", "StackStatus": status}]}
    client.get_paginator.return_value.paginate.return_value = [{"StackEvents": page} for page in pages]
    client.get_waiter.return_value.wait.side_effect = WaiterError("StackDeleteComplete", "Rate exceeded", {})
    session: Any = MagicMock()
    session.client.return_value = client
    try:
        delete_stack(session, "a", output)
    except Failure as failure:
        return str(failure), output.done
    return "", output.done


@pytest.mark.parametrize("begins", [[event("DELETE_IN_PROGRESS")], [event("DELETE_FAILED", "User", "a new reason"), event("DELETE_IN_PROGRESS")]])
def test_reason_of_an_earlier_deletion_is_not_named(begins: list[dict[str, str]]) -> None:
    failure, done = deleted("DELETE_FAILED", begins, EARLIER)
    assert "old" not in failure and done == []
    assert ("User: a new reason. Correct the cause" if len(begins) > 1 else "its status is DELETE_FAILED. ") in failure


def test_deletion_in_progress_is_not_a_failed_one() -> None:
    failure, done = deleted("DELETE_IN_PROGRESS", [event("DELETE_IN_PROGRESS"), *EARLIER])
    assert failure == ("stack a is not deleted yet, and CloudFormation goes on with it: Waiter StackDeleteComplete failed: Rate exceeded. "
                       "Run this again later") and done == []


def test_deletion_that_has_ended_meanwhile_is_done() -> None:
    assert deleted("DELETE_COMPLETE") == ("", ["stack a is deleted"])
