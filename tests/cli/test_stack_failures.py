"""cli/environment/stack_failures.py. The function's reader has the same table of recorded failures:
src/feedback/failures/deployment_tests.rs."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.environment.stack_failures import StackFailures
from tests.cli.recorded import CASES, NAME, STACK, Recorded, arn, case_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"][:60])
def test_recorded_failures_are_listed_from_the_first_cause(case: dict[str, Any]) -> None:
    account: Any = Recorded(case)
    read = StackFailures(account, NAME, of_latest=True)
    lines = read.lines()
    assert (read.error, read.hint) == (None, "")
    assert len(lines) == len(case["listed"]), lines
    for line, (path, kind, part) in zip(lines, case["listed"], strict=True):
        begin, _, reason = line.partition(": ")
        assert begin == f"{path} ({kind})" and part in reason, line
    # An operation that is the newest one already is not the one that follows.
    assert StackFailures(account, NAME).lines() == []


def test_operation_after_the_former_one_is_read() -> None:
    account: Any = Recorded({"events": {"": [*case_of("a failure of an earlier update")["events"][""]]}})
    events = account.case["events"][""]
    later = [events.pop() for _ in range(4)]
    read = StackFailures(account, NAME)
    assert read.lines() == []
    events += reversed(later)
    assert read.lines() == ["Queue (AWS::SQS::Queue): It exists already"]


def test_failed_creation_is_read_after_the_deletion() -> None:
    events = [
        ["", STACK, "CREATE_IN_PROGRESS", "User Initiated"],
        ["Queue", "AWS::SQS::Queue", "CREATE_FAILED", "It exists already"],
        ["", STACK, "ROLLBACK_IN_PROGRESS", "failed to create: [Queue]"],
        ["", STACK, "ROLLBACK_COMPLETE", ""],
        ["", STACK, "DELETE_IN_PROGRESS", "User Initiated"],
        ["Queue", "AWS::SQS::Queue", "DELETE_COMPLETE", ""],
        ["", STACK, "DELETE_COMPLETE", ""],
    ]
    account: Any = Recorded({"events": {"": events}})
    assert StackFailures(account, arn(), of_latest=True, is_deleted=True).lines() == [
        "Queue (AWS::SQS::Queue): It exists already"
    ]
    del events[1:4]
    assert StackFailures(account, arn(), of_latest=True, is_deleted=True).lines() == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", "Allow cloudformation:DescribeEvents to see "),
        ("InvalidAction", "This endpoint has no DescribeEvents, "),
    ],
)
def test_unreadable_validation_is_a_hint(code: str, hint: str) -> None:
    account: Any = Recorded(case_of("a validation before the first resource"))
    account.errors["describe_events"] = ClientError(
        {"Error": {"Code": code, "Message": "no"}}, "DescribeEvents"
    )
    read = StackFailures(account, NAME, of_latest=True)
    assert read.lines() == [f"{NAME} ({STACK}): Validation failed with 1 error(s)"]
    assert read.error is None and read.hint.startswith(hint)
    # It is not read if a resource names its reason.
    account.case = case_of("a resource without a reason")
    read, account.calls = StackFailures(account, NAME, of_latest=True), []
    assert len(read.lines()) == 1 and read.hint == "" and "describe_events" not in account.calls


def test_unreadable_nested_stack_leaves_its_parents_reason() -> None:
    account: Any = Recorded(case_of("nested stacks"))
    account.errors["describe_stacks"] = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks"
    )
    read = StackFailures(account, NAME, of_latest=True)
    [line] = read.lines()
    assert line.startswith(f"One ({STACK}): Embedded stack ") and read.error
