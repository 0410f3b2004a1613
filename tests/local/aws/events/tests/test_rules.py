"""Scheduled rules: due times and rejections. `tests/deployment/test_watching.py` fires one.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.events import rules
from tests.local.aws.testing import Stack, error_of

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:absent"


def resources(name: str, **properties: Any) -> dict[str, Any]:
    wanted = {"Name": name, "ScheduleExpression": "rate(5 minutes)", "State": "ENABLED", "Targets": [
        {"Id": "function", "Arn": FUNCTION}], **properties}
    return {"Rule": {"Type": "AWS::Events::Rule", "Properties": {
        key: value for key, value in wanted.items() if value is not None}}}


def reasons(stack: Stack) -> str:
    return "\n".join(event.get("ResourceStatusReason", "") for event in stack.events())


def test_a_disabled_or_deleted_rule_is_never_due(aws: LocalAws, stack: Stack, name: str) -> None:
    stack.create(resources(name, State="DISABLED"))
    assert not aws.fire(name)
    stack.delete()
    with pytest.raises(OSError):
        aws.fire(name)


@pytest.mark.parametrize(("expression", "valid"), [
    ("rate(1 minute)", True), ("rate(15 minutes)", True), ("rate(1 day)", True), ("cron(0/15 * * * ? *)", True),
    ("cron(0 18 ? * MON-FRI *)", True), ("rate(1 minutes)", False), ("rate(5 minute)", False),
    ("rate(0 minutes)", False), ("rate(30 seconds)", False), ("cron(0 12 * * * *)", False),
    ("cron(0 12 ? * ? *)", False), ("0 12 * * *", False),
])
def test_schedule_has_a_plural_and_one_question_mark(expression: str, valid: bool) -> None:
    assert rules.is_schedule(expression) == valid


@pytest.mark.parametrize(("change", "expected"), [
    ({"ScheduleExpression": "rate(1 minutes)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": None}, "EventPattern or ScheduleExpression must be specified."),
    ({"State": "ON"}, "ON is no state of a rule."),
    ({"Schedule": "rate(1 day)"}, "extraneous key [Schedule] is not permitted"),
    ({"Targets": [{"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:1:q", "Input": "{no json"}]}, "JSON syntax error"),
    ({"Targets": [{"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:1:q", "Input": "{}", "InputPath": "$.detail"}]},
     "Only one of Input, InputPath, or InputTransformer"),
    ({"Targets": [{"Id": str(number), "Arn": "arn:aws:sqs:eu-central-1:1:q"} for number in range(6)]},
     "A rule has 5 targets at most."),
])
def test_invalid_rule_fails_its_stack(stack: Stack, name: str, change: dict[str, Any], expected: str) -> None:
    assert stack.create(resources(name, **change)) == "ROLLBACK_COMPLETE"
    assert expected in reasons(stack)


def test_api_rejects_the_same_values(aws: LocalAws, name: str) -> None:
    events = aws.client("events")
    assert error_of(events.put_rule, Name=name, ScheduleExpression="rate(2 hour)")[:2] == ("ValidationException", 400)
    assert error_of(events.put_rule, Name=name)[0] == "ValidationException"
    events.create_event_bus(Name=name)
    assert error_of(events.put_rule, Name=name, EventBusName=name, ScheduleExpression="rate(2 hours)")[0] == (
        "ValidationException")
    events.put_rule(Name=name, ScheduleExpression="rate(2 hours)")
    assert error_of(events.put_targets, Rule=name, Targets=[
        {"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:123456789012:q", "Input": "{"}])[0] == "ValidationException"
