"""Events between buses: to another account, to another region, and no further.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A
from local.aws.codepipeline.tests.pipeline_scene import eventually, trust
from local.aws.testing import Stack, a_user_with, allow, policy, error_of

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
            "events.amazonaws.com", ArnEquals={
                "aws:SourceArn": f"arn:aws:events:eu-central-1:{self.account}:rule/{self.name}"}))
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


def admit(aws: LocalAws, sender: str, statement_id: str, region: str = "eu-central-1", **condition: Any) -> None:
    """The bus of this account allows events of the other account."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{sender}:root"}, "Action": "events:PutEvents",
                 "Resource": bus_arn(aws.account_id, region=region)}
    document = policy({**statement, "Sid": statement_id, **({"Condition": condition} if condition else {})})
    aws.client("events").put_permission(Policy=document)


class Queue:
    """The events that arrive at a bus and match a pattern."""

    def __init__(self, aws: LocalAws, name: str, pattern: str, region: str = "eu-central-1") -> None:
        def client(service: str) -> Any:
            return boto3.client(service, endpoint_url=aws.endpoint_url, region_name=region,
                                aws_access_key_id=aws.account_id, aws_secret_access_key="local",
                                config=Config(proxies={}))

        self._sqs = client("sqs")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        client("events").put_rule(Name=name, EventPattern=pattern)
        client("events").put_targets(Rule=name, Targets=[
            {"Id": "queue", "Arn": f"arn:aws:sqs:{region}:{aws.account_id}:{name}"}])

    def now(self) -> list[dict[str, Any]]:
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(each["Body"]) for each in found.get("Messages", [])]

    def arrived(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = eventually(self.now, bool)
        return found[0]


@pytest.fixture
def sender(aws: LocalAws, name: str) -> Sender:
    return Sender(aws, name)


def test_an_event_arrives_with_its_first_account_and_region(aws: LocalAws, name: str, sender: Sender) -> None:
    sender.rule(bus_arn(B))
    admit(aws, A, name)
    queue = Queue(aws, name, json.dumps({"source": [f"shop.{name}"], "account": [A]}))
    other = Queue(aws, f"{name}-own", json.dumps({"source": [f"shop.{name}"], "account": [B]}))
    sender.send()
    event = queue.arrived()
    assert (event["account"], event["region"], event["resources"]) == (A, "eu-central-1", ["arn:aws:x:::y"])
    assert (event["detail-type"], event["detail"]) == ("Sold", {"item": 1})
    assert other.now() == []


def test_a_rule_of_the_same_name_at_the_other_end_gets_the_event(aws: LocalAws, name: str, sender: Sender) -> None:
    sender.rule(bus_arn(B))
    admit(aws, A, name)
    queue = Queue(aws, name, sender.pattern)  # the queue's rule has the sender's name
    sender.send()
    assert queue.arrived()["source"] == f"shop.{name}"


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


def test_another_region_is_reached_with_the_role_alone(aws: LocalAws, name: str, sender: Sender) -> None:
    # "If the sender and receiver are in the same account" the bus needs no policy.
    sender.rule(bus_arn(A, region=ELSEWHERE))
    queue = Queue(aws.in_account(A), name, sender.pattern, ELSEWHERE)
    sender.send()
    assert queue.arrived()["region"] == "eu-central-1"


def test_missing_bus_receives_nothing_and_fails_nothing(aws: LocalAws, name: str, sender: Sender) -> None:
    sender.rule(bus_arn(A, f"{name}-nowhere", ELSEWHERE), bus_arn(B))
    admit(aws, A, name)
    queue = Queue(aws, name, sender.pattern)
    sender.send()
    assert queue.arrived()


@pytest.mark.parametrize("given", [
    {"Input": "{}"}, {"InputPath": "$.detail"},
    {"InputTransformer": {"InputPathsMap": {"a": "$.id"}, "InputTemplate": "<a>"}}])
def test_event_reaches_another_accounts_bus_unchanged(sender: Sender, given: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    sender.rule(bus_arn(B))
    code, status, message = error_of(sender.events.put_targets, Rule=sender.name, Targets=[
        {"Id": "bus", "Arn": bus_arn(B), "RoleArn": sender.role, **given}])
    assert (code, status) == ("ValidationException", 400)
    assert f"{next(iter(given))} is not available for target bus" in message


@pytest.mark.parametrize("arn", [bus_arn(B), bus_arn(A, region=ELSEWHERE)])
def test_a_bus_elsewhere_needs_a_role(sender: Sender, arn: str) -> None:
    sender.rule(bus_arn(B))
    code, _, message = error_of(sender.events.put_targets, Rule=sender.name, Targets=[{"Id": "bus", "Arn": arn}])
    assert (code, message) == ("ValidationException", "RoleArn is required for target bus.")


def test_a_template_with_such_a_target_fails(aws: LocalAws, name: str) -> None:
    stack = Stack(aws, name)
    status = stack.create({"Rule": {"Type": "AWS::Events::Rule", "Properties": {
        "EventPattern": {"source": ["a"]}, "Targets": [{"Id": "bus", "Arn": bus_arn(A)}]}}})
    assert status in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}
    assert any("RoleArn is required for target bus." in each.get("ResourceStatusReason", "")
               for each in stack.events())


def test_put_events_to_another_accounts_bus_needs_both_sides(aws: LocalAws, name: str) -> None:
    there = aws.in_account(A)
    mine = there.client("events", a_user_with(there, name, allow("events:PutEvents", bus_arn(B))))
    entry = {"Source": f"shop.{name}", "DetailType": "Sold", "Detail": "{}", "EventBusName": bus_arn(B)}
    aws.client("events").remove_permission(RemoveAllPermissions=True)
    code, _, message = error_of(mine.put_events, Entries=[entry])
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the events:PutEvents action")
    admit(aws, A, name, StringEquals={"events:source": f"shop.{name}"}, Bool={"events:eventBusInvocation": "false"})
    queue = Queue(aws, name, json.dumps({"source": [f"shop.{name}"]}))
    assert error_of(mine.put_events, Entries=[{**entry, "Source": "another"}])[0] == "AccessDeniedException"
    assert mine.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert queue.arrived()["account"] == A


def test_no_caller_sends_events_of_aws_services(aws: LocalAws, name: str) -> None:
    admit(aws, A, name)
    answer = aws.in_account(A).client("events").put_events(Entries=[{
        "Source": "aws.codecommit", "DetailType": "x", "Detail": "{}", "EventBusName": bus_arn(B)}])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


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


def test_the_older_form_names_an_account_and_an_organisation(aws: LocalAws, name: str, stack: Stack) -> None:
    assert stack.create(bus_policy(name, Action="events:PutEvents", Principal=A)) == "CREATE_COMPLETE"
    assert statements(aws)[name] == {"Sid": name, **statement()}
    assert stack.update(bus_policy(name, Action="events:PutEvents", Principal="*", Condition={
        "Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"})) == "UPDATE_COMPLETE"
    assert statements(aws)[name] == {**statement(), "Sid": name, "Principal": "*",
                                     "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    assert stack.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(("properties", "expected"), [
    ({"Statement": {"Effect": "Allow"}}, "is missing"),
    ({"Statement": statement(Resource=bus_arn(C))}, "is not on the bus default"),
    ({"Principal": A}, "Action must be specified"),
    ({"Statement": statement(), "EventBusName": "nowhere"}, "Event bus nowhere does not exist"),
    ({"Statement": statement(), "Principal": A, "Action": "events:PutEvents"}, "exclude each other"),
    ({"Statement": statement(Condition={"StringEquals": {"events:source": "x" * 10_240}})}, "exceeds the limit"),
    ({"Statement": statement(), "Sid": "x"}, "extraneous key [Sid] is not permitted")])
def test_rejected_bus_statement_fails_the_stack(aws: LocalAws, name: str, stack: Stack,
                                                             properties: dict[str, Any], expected: str) -> None:
    assert stack.create(bus_policy(name, **properties)) == "ROLLBACK_COMPLETE"
    assert any(expected in each.get("ResourceStatusReason", "") for each in stack.events()), stack.events()
    assert name not in statements(aws)


def test_existing_statement_id_is_rejected(aws: LocalAws, name: str, stack: Stack) -> None:
    aws.client("events").put_permission(StatementId=name, Action="events:PutEvents", Principal=A)
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
