"""The end of what CloudFormation does: its statuses, looks that fail, and looks that show another
operation."""

import re
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cli.environment.stack_deletion import delete_stack
from cli.environment.waiting import GivenUp, operated
from cli.shell.failure import Failure, NotLooked
from cli.shell.output import Output
from tests.cli.conftest import ROOT, event
from tests.cli.recorded import NAME, STACK, Recorded

ID = "arn:aws:cloudformation:eu-central-1:111122223333:stack/a/1"
THROTTLED = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeStacks")
EXPIRED = ClientError({"Error": {"Code": "ExpiredToken", "Message": "m"}}, "DescribeStacks")
BROKEN = ClientError(
    {"Error": {"Code": "InternalFailure"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "DescribeStacks"
)
DENIED = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 403}},
    "DescribeStacks",
)
MISSING = ClientError(
    {"Error": {"Code": "ValidationError", "Message": "Stack with id a does not exist"}}, "DescribeStacks"
)
NETWORK = EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com")
STATUSES = (
    boto3.Session()
    .client("cloudformation", region_name="eu-central-1")
    .meta.service_model.shape_for("StackStatus")
    .enum
)


class CloudFormation:
    """Each look is an error, or the stack's status and the stack's new events, the last one first."""

    def __init__(self, *looks: Any) -> None:
        self.looks, self.events = iter(looks), [event(ID, 0, "UPDATE_COMPLETE")]

    def describe_stacks(self, *, StackName: str) -> Any:
        assert StackName == ID
        look = next(self.looks)
        if isinstance(look, Exception):
            raise look
        status, *new = look
        self.events = [
            *(each if isinstance(each, dict) else event(ID, len(self.events), each, "own") for each in new),
            *self.events,
        ]
        return {"Stacks": [{"StackStatus": status}]}

    def describe_stack_events(self, *, StackName: str) -> Any:
        assert StackName == ID
        return {"StackEvents": self.events}


def ended(*looks: Any) -> str:
    cloudformation = CloudFormation(*looks)
    status = operated(lambda: None, cloudformation, ID, "own", "the deletion of stack a", Output())
    assert next(cloudformation.looks, None) is None
    return status


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_that_is_not_in_progress_is_an_end(status: str) -> None:
    assert len(STATUSES) > 20
    if status.endswith("_IN_PROGRESS"):
        assert ended(["DELETE_IN_PROGRESS"], [status, status], ["DELETE_COMPLETE"]) == "DELETE_COMPLETE"
    else:
        assert ended(["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"], [status, status]) == status


@pytest.mark.parametrize(
    "stale",
    [
        [["UPDATE_COMPLETE"]],
        [["UPDATE_COMPLETE"]] * 3,
        [["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"]],
        # Another operation, and a queue without an ID, have ended.
        [["UPDATE_COMPLETE", event(ID, 9, "UPDATE_COMPLETE", "other")]],
        [["UPDATE_COMPLETE", {"EventId": 9, "ClientRequestToken": "own"}]],
        [["UPDATE_COMPLETE", event(ID, 9, "UPDATE_COMPLETE", "own") | {"PhysicalResourceId": "a-queue"}]],
    ],
    ids=str,
)
def test_look_at_another_operation_is_no_end(stale: list[Any]) -> None:
    looks = [*stale, ["UPDATE_IN_PROGRESS"]]
    assert ended(*looks, ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]) == "UPDATE_COMPLETE"
    assert ended(*looks, ["DELETE_COMPLETE"]) == "DELETE_COMPLETE"


def test_operation_has_its_own_end_after_another_one() -> None:
    other = [event(ID, 9, "UPDATE_ROLLBACK_COMPLETE", "other"), event(ID, 8, "UPDATE_IN_PROGRESS", "other")]
    assert (
        ended(["UPDATE_IN_PROGRESS"], ["UPDATE_ROLLBACK_COMPLETE", *other, "UPDATE_COMPLETE"])
        == "UPDATE_COMPLETE"
    )


def test_stack_that_does_not_exist_is_deleted() -> None:
    assert ended(MISSING) == "DELETE_COMPLETE"


def test_long_operation_writes_a_line_each_minute(capsys: pytest.CaptureFixture[str]) -> None:
    ended(*[["DELETE_IN_PROGRESS"]] * 60, ["DELETE_COMPLETE"])
    lines = re.findall(r"[.]{3} the deletion of stack a goes on after (\d) min\n", capsys.readouterr().out)
    assert lines == ["1", "2", "3", "4"]


@pytest.mark.parametrize("error", [THROTTLED, EXPIRED, NETWORK, BROKEN], ids=str)
def test_failed_looks_do_not_end_an_operation(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    some = [error] * 3
    assert (
        ended(*some, ["DELETE_IN_PROGRESS"], *some, ["DELETE_IN_PROGRESS"], *some, ["DELETE_COMPLETE"])
        == "DELETE_COMPLETE"
    )
    # One line for each loss.
    assert len(re.findall(r"^\.\.\. not read: ", capsys.readouterr().out, re.MULTILINE)) == 3


@pytest.mark.parametrize(
    ("look", "problem"),
    [
        (THROTTLED, "AWS throttles DescribeStacks"),
        (EXPIRED, "the credentials have expired (ExpiredToken)"),
        (["UPDATE_COMPLETE"], "its events are not shown, and the stack's status is UPDATE_COMPLETE"),
    ],
    ids=str,
)
def test_operation_that_is_not_read_for_two_minutes_goes_on(look: Any, problem: str) -> None:
    with pytest.raises(GivenUp) as raised:
        ended(["DELETE_IN_PROGRESS"], *[look] * 50)
    assert (
        raised.value.problem
        == f"the deletion of stack a, which goes on in CloudFormation, is not read: {problem}"
    )
    assert raised.value.status == (Failure if isinstance(look, list) else NotLooked).status


def test_denied_look_is_not_repeated() -> None:
    with pytest.raises(GivenUp, match="is not read: DescribeStacks is denied"):
        ended(DENIED)


@pytest.mark.parametrize(("error", "is_done"), [(NETWORK, True), (DENIED, False)], ids=str)
def test_lost_response_of_a_deletion_is_waited_for(error: Exception, is_done: bool) -> None:
    if isinstance(error, ClientError):
        error.response["ResponseMetadata"]["RetryAttempts"] = 0
    client, output = MagicMock(), Output()
    client.delete_stack.side_effect = error
    client.describe_stacks.return_value = {"Stacks": [{"StackStatus": "DELETE_COMPLETE"}]}
    try:
        delete_stack(MagicMock(client=lambda _: client), "a", ID, output)
    except ClientError as raised:
        assert raised is error
    # Another stack may have its name by now.
    assert client.delete_stack.call_args.kwargs["StackName"] == ID
    changes, is_looked_at = output.changes, client.describe_stacks.called
    assert (changes.done, is_looked_at, changes.ongoing) == (["stack a is deleted"] * is_done, is_done, "")


def test_defect_in_a_look_is_not_repeated() -> None:
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError(), ["DELETE_COMPLETE"])


# The oldest event first.
EARLIER = [
    ["", STACK, "DELETE_IN_PROGRESS", ""],
    ["Bucket", "AWS::S3::Bucket", "DELETE_FAILED", "an old reason"],
    ["", STACK, "DELETE_FAILED", ""],
]
BEGINS = ["", STACK, "DELETE_IN_PROGRESS", ""]
IN_USE = "Export a cannot be deleted as it is in use by mirror-only"


@pytest.mark.parametrize(
    ("status", "events", "reason"),
    [
        ("DELETE_FAILED", [BEGINS], "its status is DELETE_FAILED"),
        (
            "DELETE_FAILED",
            [BEGINS, ["User", "AWS::IAM::User", "DELETE_FAILED", "a new reason"]],
            "User (AWS::IAM::User): a new reason",
        ),
        # The SDK's waiter waits for an hour at the first of these, and has no reason for the second one.
        ("CREATE_COMPLETE", [BEGINS, ["", STACK, "CREATE_COMPLETE", IN_USE]], f"{NAME} ({STACK}): {IN_USE}"),
        ("UPDATE_COMPLETE", [BEGINS, ["", STACK, "UPDATE_COMPLETE", IN_USE]], f"{NAME} ({STACK}): {IN_USE}"),
    ],
)
def test_reason_of_an_earlier_deletion_is_not_named(
    status: str, events: list[list[str]], reason: str
) -> None:
    client, output = MagicMock(), Output()
    client.describe_stacks.return_value = {"Stacks": [{"StackId": ID, "StackStatus": status}]}
    client.describe_stack_events.side_effect = lambda **_: {
        "StackEvents": [event(ID, 1, status, client.delete_stack.call_args.kwargs["ClientRequestToken"])]
    }
    client.get_paginator = Recorded({"events": {"": [*EARLIER, *events]}}).get_paginator
    with pytest.raises(Failure) as raised:
        delete_stack(MagicMock(client=lambda _: client), "a", ID, output)
    assert (str(raised.value), output.changes.done) == (
        f"stack a is not deleted: {reason}. Correct the cause, and run this again",
        [],
    )


def test_no_waiter_of_the_sdk_decides() -> None:
    assert not [path for path in (ROOT / "cli").rglob("*.py") if "get_waiter" in path.read_text()]
