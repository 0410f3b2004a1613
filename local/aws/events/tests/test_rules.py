"""Scheduled rules: due times, the target's input, and rejections.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code, error_of

INPUT = {"HealthCheck": {"EnvID": "dev"}}


@pytest.fixture(scope="session")
def function(running: LocalAws) -> str:
    iam = running.client("iam")
    role = iam.create_role(RoleName="talking", AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    iam.put_role_policy(RoleName="talking", PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
    arn: str = running.client("lambda").create_function(
        FunctionName="talking", Runtime="provided.al2023", Handler="bootstrap", Role=role,
        Code={"ZipFile": provider_code("echo_function")})["FunctionArn"]
    return arn


def resources(function: str, name: str, permitted: bool = True, **properties: Any) -> dict[str, Any]:
    wanted = {"Name": name, "ScheduleExpression": "rate(5 minutes)", "State": "ENABLED", "Targets": [
        {"Id": "function", "Arn": function, "Input": json.dumps({**INPUT, "name": name})}], **properties}
    rule = {"Type": "AWS::Events::Rule", "Properties": {
        key: value for key, value in wanted.items() if value is not None}}
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": function, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}}
    return {"Rule": rule, "Permission": permission} if permitted else {"Rule": rule}


def asked(aws: LocalAws, name: str) -> list[dict[str, Any]]:
    """The function's events with this test's name, once there are any."""
    deadline = time.monotonic() + 10
    logs, group = aws.client("logs"), "/aws/lambda/talking"
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        events = logs.filter_log_events(logGroupName=group)["events"] if logs.describe_log_groups(
            logGroupNamePrefix=group)["logGroups"] else []
        found = [json.loads(event["message"].removeprefix("asked ")) for event in events
                 if event["message"].startswith("asked ") and name in event["message"]]
        time.sleep(0.05)
    return found


def reasons(stack: Stack) -> str:
    return "\n".join(event.get("ResourceStatusReason", "") for event in stack.events())


def test_a_schedule_gives_its_target_the_constant_input(aws: LocalAws, stack: Stack, name: str, function: str) -> None:
    assert stack.create(resources(function, name)) == "CREATE_COMPLETE"
    assert aws.fire(name)
    assert asked(aws, name) == [{**INPUT, "name": name}]


def test_target_without_input_receives_the_event(aws: LocalAws, stack: Stack, name: str, function: str) -> None:
    stack.create(resources(function, name, Targets=[{"Id": "function", "Arn": function}]))
    aws.fire(name)
    event = asked(aws, name)[0]
    arn = f"arn:aws:events:{aws.region}:{aws.account_id}:rule/{name}"
    assert (event["source"], event["detail-type"], event["resources"], event["detail"]) == (
        "aws.events", "Scheduled Event", [arn], {})


def test_a_rule_without_permission_does_not_reach_the_function(aws: LocalAws, stack: Stack, name: str,
                                                              function: str) -> None:
    stack.create(resources(function, name, permitted=False))
    aws.forget()
    assert aws.fire(name)
    assert [decision["allowed"] for decision in aws.decisions("events.amazonaws.com")] == [False]


def test_a_disabled_or_deleted_rule_is_never_due(aws: LocalAws, stack: Stack, name: str, function: str) -> None:
    stack.create(resources(function, name, State="DISABLED"))
    assert not aws.fire(name)
    stack.delete()
    with pytest.raises(OSError):
        aws.fire(name)


@pytest.mark.parametrize("expression", [
    "rate(1 minute)", "rate(15 minutes)", "rate(1 day)", "cron(0/15 * * * ? *)", "cron(0 18 ? * MON-FRI *)",
])
def test_valid_schedule_is_accepted(aws: LocalAws, stack: Stack, name: str, function: str, expression: str) -> None:
    assert stack.create(resources(function, name, ScheduleExpression=expression)) == "CREATE_COMPLETE"
    assert aws.fire(name)


@pytest.mark.parametrize(("change", "expected"), [
    ({"ScheduleExpression": "rate(1 minutes)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "rate(5 minute)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "rate(0 minutes)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "rate(30 seconds)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "cron(0 12 * * * *)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "cron(0 12 ? * ? *)"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": "0 12 * * *"}, "Parameter ScheduleExpression is not valid."),
    ({"ScheduleExpression": None}, "EventPattern or ScheduleExpression must be specified."),
    ({"State": "ON"}, "ON is no state of a rule."),
    ({"Schedule": "rate(1 day)"}, "extraneous key [Schedule] is not permitted"),
    ({"Targets": [{"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:1:q", "Input": "{no json"}]}, "JSON syntax error"),
    ({"Targets": [{"Id": "a", "Arn": "arn:aws:sqs:eu-central-1:1:q", "Input": "{}", "InputPath": "$.detail"}]},
     "Only one of Input, InputPath, or InputTransformer"),
    ({"Targets": [{"Id": str(number), "Arn": "arn:aws:sqs:eu-central-1:1:q"} for number in range(6)]},
     "A rule has 5 targets at most."),
])
def test_invalid_rule_fails_its_stack(stack: Stack, name: str, function: str, change: dict[str, Any],
                                         expected: str) -> None:
    assert stack.create(resources(function, name, **change)) == "ROLLBACK_COMPLETE"
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
