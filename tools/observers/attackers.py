"""Observers of what an attacker meets: sessions of a role of their own, and a bus of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from observers import Seen, World
from observers.scenes import Scene, allows, arn_of, error_of, role_of, scratch, session
from observers.sources import probe, seconds_until

_SOURCES = ["aws.codebuild", "aws.codepipeline"]


def template(account_id: str) -> dict[str, Any]:
    """A role with the conditions of template.yaml, which the account may assume, and another one that it may assume."""
    principal = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    return {"Resources": {
        "Other": role_of(principal),
        "Role": role_of(
            principal,
            allows("events:PutRule", "codestar-notifications:CreateNotificationRule", "secretsmanager:CreateSecret"),
            allows("events:PutRule", effect="Deny", condition={"ForAnyValue:StringEquals": {"events:source": _SOURCES}}),
            allows("codestar-notifications:CreateNotificationRule", effect="Deny", condition={
                "ArnLike": {"codestar-notifications:NotificationsForResource": "arn:*:codepipeline:*:*:*"}}),
            # Secrets Manager's own key needs these calls by the caller.
            allows("kms:*", effect="Deny"),
            allows("sts:AssumeRole", resource=arn_of("Other"),
                   condition={"StringEquals": {"aws:ResourceAccount": account_id}}))},
        "Outputs": {"Role": {"Value": arn_of("Role")}, "Other": {"Value": arn_of("Other")}}}


@dataclass
class Intruder:
    """A session of the role."""

    world: World
    session: boto3.Session
    other: str

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.world.client(service).meta.endpoint_url)

    def puts_rule(self, *sources: str) -> str:
        """The code of the rejection. Empty if the rule was created."""
        name = f"{probe(self.world)}-rule"
        code, _ = error_of(lambda: self.client("events").put_rule(
            Name=name, State="DISABLED", EventPattern=json.dumps({"source": list(sources)})))
        error_of(lambda: self.world.client("events").delete_rule(Name=name))
        return code


@contextmanager
def _intruder(world: World) -> Iterator[Intruder]:
    with scratch(world, template(world.story.aws.account_id)) as made:
        outputs = made.outputs()
        yield Intruder(world, session(world, outputs["Role"]), outputs["Other"])


intruder = Scene(_intruder)


@intruder.observes("rule-sources-in-iam")
def sources_of_a_rule(held: Intruder) -> Seen | None:
    # Without this rule, the denial of the other one shows nothing. A new policy takes effect late.
    if seconds_until(lambda: not held.puts_rule("example.probe"), 60) > 60:
        return None
    codes = [held.puts_rule("aws.codepipeline"), held.puts_rule("example.probe", "aws.codepipeline")]
    return Seen(all(code == "AccessDeniedException" for code in codes),
                f"one source: {codes[0] or 'accepted'}; with another one: {codes[1] or 'accepted'}", codes)


@intruder.observes("notification-rule-key")
def notification_rule(held: Intruder) -> Seen | None:
    client, name = held.client("codestar-notifications"), probe(held.world)
    arns = []
    code, message = error_of(lambda: arns.append(client.create_notification_rule(
        Name=name, EventTypeIds=["codepipeline-pipeline-pipeline-execution-failed"], Targets=[], DetailType="BASIC",
        Status="DISABLED", Resource=_pipeline_arn(held.world))["Arn"]))
    for arn in arns:
        held.world.client("codestar-notifications").delete_notification_rule(Arn=arn)
    is_denied = code == "AccessDeniedException" and "explicit deny" in message
    return Seen(is_denied, f"CreateNotificationRule: {code or 'accepted'}", message) if arns or is_denied else None


def _pipeline_arn(world: World) -> str:
    name = world.story.loop.project.name
    return str(world.client("codepipeline").get_pipeline(name=name)["metadata"]["pipelineArn"])


@intruder.observes("assume-role-sends-resource-account")
def resource_account(held: Intruder) -> Seen:
    codes: list[str] = []

    def is_allowed() -> bool:
        codes.append(error_of(lambda: held.client("sts").assume_role(
            RoleArn=held.other, RoleSessionName="probe"))[0])
        return not codes[-1]

    took = seconds_until(is_allowed, 60)
    return Seen(took < 60, f"AssumeRole that requires it: {codes[-1] or 'accepted'}")


@intruder.observes("unexplained-denial-did-nothing")
def denied_by_a_key(held: Intruder) -> Seen | None:
    secrets, name = held.world.client("secretsmanager"), f"{probe(held.world)}-denied"
    code, message = error_of(lambda: held.client("secretsmanager").create_secret(Name=name, SecretString="x"))
    # IAM's own denial has a reason.
    if code != "AccessDeniedException" or "because" in message:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        return None
    there = not error_of(lambda: secrets.describe_secret(SecretId=name))[0]
    if there:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    return Seen(not there, f"{message}; the secret {'was' if there else 'was not'} created", message)


@intruder.observes("absent-secret-arn-form")
def absent_secret(held: Intruder) -> Seen | None:
    name = f"{probe(held.world)}-absent"
    code, message = error_of(lambda: held.client("secretsmanager").describe_secret(SecretId=name))
    found = re.search(r"on resource: (\S+)", message)
    if code != "AccessDeniedException" or not found:
        return None
    shown = found[1].rsplit("secret:", 1)[-1].rstrip(".")
    return Seen(bool(re.fullmatch(rf"{name}(-\w{{6}})?", shown)), f"evaluated on {shown}", message)


# --- Replays ---------------------------------------------------------------------------------------


def bus_template(name: str) -> dict[str, Any]:
    """A bus with an archive, whose rule stores events in a log group."""
    group = f"/aws/events/{name}-replay"
    permission = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]}
    log_arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{group}"}
    return {"Resources": {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}},
        "Archive": {"Type": "AWS::Events::Archive", "Properties": {
            "ArchiveName": name, "SourceArn": arn_of("Bus"), "RetentionDays": 1}},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}},
        "Permission": {"Type": "AWS::Logs::ResourcePolicy", "Properties": {
            "PolicyName": f"{name}-replay", "PolicyDocument": json.dumps(permission)}},
        "Rule": {"Type": "AWS::Events::Rule", "DependsOn": "Permission", "Properties": {
            "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": [name]},
            "Targets": [{"Id": "log", "Arn": log_arn}]}}},
        "Outputs": {"Archive": {"Value": arn_of("Archive")}, "Bus": {"Value": arn_of("Bus")}}}


@dataclass
class Replaying:
    world: World
    outputs: dict[str, str]

    def recorded(self) -> list[dict[str, Any]]:
        pages = self.world.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/events/{probe(self.world)}-replay")
        return [json.loads(each["message"]) for page in pages for each in page["events"]]

    def sends(self) -> int:
        """Sends events until one is recorded, and returns their number: a new rule may miss the first ones."""
        count, name = 0, probe(self.world)
        while count < 30 and not self.recorded():
            self.world.client("events").put_events(Entries=[{
                "EventBusName": name, "Source": name, "DetailType": "probe", "Detail": "{}"}])
            count += 1
            seconds_until(self.recorded, 5)
        return count

    def is_archived(self) -> bool:
        return bool(self.world.client("events").describe_archive(ArchiveName=probe(self.world)).get("EventCount"))

    def is_replayed(self) -> bool:
        state = self.world.client("events").describe_replay(ReplayName=probe(self.world))["State"]
        # The last event of a replay may be on its way.
        return state not in ("STARTING", "RUNNING") and seconds_until(lambda: self.recorded()[1:], 60) >= 0

    def replay(self, since: Any, until: Any) -> None:
        self.world.client("events").start_replay(
            ReplayName=probe(self.world), EventSourceArn=self.outputs["Archive"], EventStartTime=since, EventEndTime=until,
            Destination={"Arn": self.outputs["Bus"]})


@contextmanager
def _replaying(world: World) -> Iterator[Replaying]:
    with scratch(world, bus_template(probe(world)), "-bus") as made:
        yield Replaying(world, made.outputs())


replaying = Scene(_replaying)


@replaying.observes("replayed-events-carry-a-name")
def replayed(held: Replaying) -> Seen | None:
    since, sent = datetime.now(UTC) - timedelta(minutes=1), held.sends()
    seconds_until(held.is_archived, 600)
    held.replay(since, datetime.now(UTC))
    seconds_until(held.is_replayed, 600)
    named = [each for each in held.recorded() if each.get("replay-name") == probe(held.world)]
    nameless = len(held.recorded()) - len(named) - sent
    return Seen(nameless <= 0, f"{len(named)} replayed events with replay-name, {max(nameless, 0)} without",
                named[:1]) if named or nameless > 0 else None
