"""Events between buses: to another account, to another region, and no further.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import OTHER_ACCOUNT as A, Stack, a_user_with, allow, error_of, eventually, policy, trust

B, C, ELSEWHERE = "123456789012", "444455556666", "eu-west-1"


def bus_arn(account: str, name: str = "default", region: str = "eu-central-1") -> str:
    return f"arn:aws:events:{region}:{account}:event-bus/{name}"


class Sender:
    """A rule in an account that forwards events of one source, and queues at the other end."""

    def __init__(self, aws: LocalAws, name: str, account: str = A) -> None:
        self.aws, self.name, self.account = aws, name, account
        self.there = aws.in_account(account)
        self.events = self.there.client("events")
        self.role = f"arn:aws:iam::{account}:role/forward-{name}"
        self.pattern = json.dumps({"source": [f"shop.{name}"]})

    def rule(self, *to: str) -> None:
        iam = self.there.client("iam")
        iam.create_role(RoleName=f"forward-{self.name}", AssumeRolePolicyDocument=trust(
            "events.amazonaws.com", Condition={"ArnEquals": {
                "aws:SourceArn": f"arn:aws:events:eu-central-1:{self.account}:rule/{self.name}"}}))
        iam.put_role_policy(RoleName=f"forward-{self.name}", PolicyName="own",
                            PolicyDocument=policy(allow("events:PutEvents", list(to))))
        self.events.put_rule(Name=self.name, EventPattern=self.pattern)
        self.events.put_targets(Rule=self.name, Targets=[
            {"Id": str(number), "Arn": arn, "RoleArn": self.role} for number, arn in enumerate(to)])

    def send(self, **more: Any) -> None:
        answer = self.events.put_events(Entries=[{
            "Source": f"shop.{self.name}", "DetailType": "Sold", "Detail": json.dumps({"item": 1}),
            "Resources": ["arn:aws:x:::y"], **more}])
        assert answer["FailedEntryCount"] == 0, answer


def admit(aws: LocalAws, sender: str, statement_id: str) -> None:
    """The bus of this account allows events of the other account."""
    aws.client("events").put_permission(Policy=policy({
        "Sid": statement_id, "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{sender}:root"},
        "Action": "events:PutEvents", "Resource": bus_arn(aws.account_id)}))


class Queue:
    """The events that arrive at a bus and match a pattern."""

    def __init__(self, aws: LocalAws, name: str, pattern: str) -> None:
        self._sqs, events = aws.client("sqs"), aws.client("events")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        events.put_rule(Name=name, EventPattern=pattern)
        events.put_targets(Rule=name, Targets=[
            {"Id": "queue", "Arn": f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}"}])

    def now(self) -> list[dict[str, Any]]:
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(each["Body"]) for each in found.get("Messages", [])]

    def arrived(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = eventually(self.now, bool)
        return found[0]


@pytest.fixture
def sender(aws: LocalAws, name: str) -> Sender:
    return Sender(aws, name)


def test_a_received_event_is_not_sent_on_to_a_third_account(aws: LocalAws, name: str, sender: Sender) -> None:
    sender.rule(bus_arn(B))
    admit(aws, A, name)
    onward = Sender(aws, f"{name}-on", B)
    onward.pattern = sender.pattern
    onward.rule(bus_arn(C))
    third = aws.in_account(C)
    admit(third, B, name)
    arrived, queue = Queue(aws, name, sender.pattern), Queue(third, name, sender.pattern)
    sender.send()
    arrived.arrived()
    # An event of B itself is forwarded, which proves that the rule works.
    aws.client("events").put_events(Entries=[{
        "Source": f"shop.{name}", "DetailType": "Sold", "Detail": json.dumps({"item": 2})}])
    assert queue.arrived()["account"] == B
    assert [each["detail"]["item"] for each in queue.now()] == [2]


@pytest.mark.parametrize(("target", "message"), [
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    ({"Arn": bus_arn(B), "RoleArn": "{}", "Input": "{{}}"}, "Input is not available for target bus"),
    ({"Arn": bus_arn(B), "RoleArn": "{}", "InputPath": "$.detail"}, "InputPath is not available for target bus"),
    ({"Arn": bus_arn(B)}, "RoleArn is required for target bus."),
    ({"Arn": bus_arn(A, region=ELSEWHERE)}, "RoleArn is required for target bus."),
    ({"Arn": bus_arn(A, "another"), "RoleArn": "{}"}, "is not part of this local EventBridge"),
])
def test_bus_as_target_needs_a_role_and_gets_the_event(sender: Sender, target: dict[str, str], message: str) -> None:
    sender.rule(bus_arn(B))
    code, status, text = error_of(sender.events.put_targets, Rule=sender.name, Targets=[
        {"Id": "bus", **{key: value.format(sender.role) for key, value in target.items()}}])
    assert (code, status, message in text) == ("ValidationException", 400, True), text


def test_no_caller_sends_events_to_a_bus_elsewhere(aws: LocalAws, name: str) -> None:
    admit(aws, A, name)
    entry = {"Source": "shop", "DetailType": "x", "Detail": "{}", "EventBusName": bus_arn(B)}
    assert error_of(aws.in_account(A).client("events").put_events, Entries=[entry])[0] == "ValidationException"


# --- AWS::Events::EventBusPolicy ---------------------------------------------------------


def statements(aws: LocalAws) -> dict[str, dict[str, Any]]:
    written = aws.client("events").describe_event_bus().get("Policy", '{"Statement": []}')
    return {each["Sid"]: each for each in json.loads(written)["Statement"]}


def bus_policy(statement_id: str, **properties: Any) -> dict[str, Any]:
    return {"Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": {
        "StatementId": statement_id, **properties}}}


def statement(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{A}:root"}, "Action": "events:PutEvents",
            "Resource": bus_arn(B), **more}


def test_stack_creates_updates_and_deletes_one_bus_statement(aws: LocalAws, name: str, stack: Stack) -> None:
    admit(aws, C, "another")
    condition = {"StringEquals": {"events:source": "aws.codecommit"}}
    assert stack.create(bus_policy(name, Statement=statement(Condition=condition))) == "CREATE_COMPLETE"
    assert statements(aws)[name] == {"Sid": name, **statement(Condition=condition)}
    assert stack.attributes("Policy")["PhysicalResourceId"] == f"default|{name}"
    assert stack.update(bus_policy(name, Statement=statement(), EventBusName="default")) == "UPDATE_COMPLETE"
    assert statements(aws)[name] == {"Sid": name, **statement()}
    assert stack.update(bus_policy(f"{name}-2", Statement=statement())) == "UPDATE_COMPLETE"
    assert name not in statements(aws)
    assert f"{name}-2" in statements(aws)
    assert stack.delete() == "DELETE_COMPLETE"
    assert f"{name}-2" not in statements(aws)
    assert "another" in statements(aws)


@pytest.mark.parametrize(("properties", "expected"), [
    ({"Statement": {"Effect": "Allow"}}, "is missing"),
    ({"Statement": statement(Resource=bus_arn(C))}, "is not on the bus default"),
    ({"Principal": A, "Action": "events:PutEvents"}, "Action, Principal is not part"),
    ({"Statement": statement(), "EventBusName": "nowhere"}, "Event bus nowhere does not exist"),
    ({"Statement": statement(Condition={"StringEquals": {"events:source": "x" * 10_240}})}, "exceeds the limit"),
    ({"Statement": statement(), "Sid": "x"}, "extraneous key [Sid] is not permitted")])
def test_rejected_bus_statement_fails_the_stack(aws: LocalAws, name: str, stack: Stack,
                                                             properties: dict[str, Any], expected: str) -> None:
    assert stack.create(bus_policy(name, **properties)) == "ROLLBACK_COMPLETE"
    assert any(expected in each.get("ResourceStatusReason", "") for each in stack.events()), stack.events()
    assert name not in statements(aws)


def test_existing_statement_id_is_rejected(aws: LocalAws, name: str, stack: Stack) -> None:
    admit(aws, A, name)
    assert stack.create(bus_policy(name, Statement=statement())) == "ROLLBACK_COMPLETE"
    assert any("already exists" in each.get("ResourceStatusReason", "") for each in stack.events())
    assert name in statements(aws)


@pytest.mark.parametrize("missing", ["events:PutPermission", "events:DescribeEventBus"])
def test_the_stacks_caller_needs_the_handlers_rights(aws: LocalAws, name: str, missing: str) -> None:
    rights = {"events:PutPermission", "events:DescribeEventBus", "events:RemovePermission", "cloudformation:*"}
    key = a_user_with(aws, name, allow(sorted(rights - {missing}), "*"))
    aws.client("cloudformation", key).create_stack(StackName=name, TemplateBody=json.dumps(
        {"Resources": bus_policy(name, Statement=statement())}))
    stack = Stack(aws, name)
    assert stack.wait() in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
    assert any(missing in each.get("ResourceStatusReason", "") for each in stack.events())
