"""Observers of what an attacker meets: sessions of a role of their own, and a bus of their own."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from tools.trial.observers import NotSeen, Seen, World
from tools.trial.observers.scenes import Scene, arn_of, error_of, role_of, scratch, session
from tools.trial.observers.sources import absent_is_fine, allows, policy, probe, seconds_until

_SOURCES = ["aws.codebuild", "aws.codepipeline"]


def template(name: str, account_id: str) -> dict[str, Any]:
    """A role with the conditions of template.yaml, which the account may assume. It may assume two roles without
    permissions, one of them with a condition."""
    principal = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    own = {"Fn::Sub": f"arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{name}-*"}
    rules = {"Fn::Sub": f"arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:rule/{name}-*"}
    return {"Resources": {
        "Free": role_of(principal), "Other": role_of(principal),
        "Role": role_of(
            principal,
            allows("events:PutRule", resource=rules), allows("secretsmanager:CreateSecret", resource=own),
            allows("codestar-notifications:CreateNotificationRule"),
            allows("sts:AssumeRole", resource=arn_of("Free")),
            allows("events:PutRule", effect="Deny", condition={"ForAnyValue:StringEquals": {"events:source": _SOURCES}}),
            allows("codestar-notifications:CreateNotificationRule", effect="Deny", condition={
                "ArnLike": {"codestar-notifications:NotificationsForResource": "arn:*:codepipeline:*:*:*"}}),
            # Secrets Manager's own key needs these calls by the caller.
            allows("kms:*", effect="Deny"),
            allows("sts:AssumeRole", resource=arn_of("Other"),
                   condition={"StringEquals": {"aws:ResourceAccount": account_id}}))},
        "Outputs": {key: {"Value": arn_of(key)} for key in ("Role", "Free", "Other")}}


@dataclass
class Intruder:
    """A session of the role."""

    world: World
    session: boto3.Session
    free: str
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


@Scene
@contextmanager
def intruder(world: World) -> Iterator[Intruder]:
    with scratch(world, template(probe(world), world.story.aws.account_id)) as made:
        outputs = made.outputs()
        yield Intruder(world, session(world, outputs["Role"]), outputs["Free"], outputs["Other"])


@intruder.observes("rule-sources-in-iam")
def sources_of_a_rule(held: Intruder) -> Seen | None:
    # Without this rule, the denial of the other one shows nothing. A new policy takes effect late.
    if seconds_until(lambda: not held.puts_rule("example.probe"), 60) > 60:
        return None
    codes = [held.puts_rule("aws.codepipeline"), held.puts_rule("example.probe", "aws.codepipeline")]
    if other := set(codes) - {"", "AccessDeniedException"}:
        raise NotSeen(f"the rules were rejected for another reason: {', '.join(other)}")
    return Seen(all(code == "AccessDeniedException" for code in codes),
                f"one source: {codes[0] or 'accepted'}; with another one: {codes[1] or 'accepted'}", codes)


@intruder.observes("notification-rule-key")
def notification_rule(held: Intruder) -> Seen:
    """For a pipeline that does not exist, so that nothing can be created. Another error than the denial shows nothing:
    the service may look for the pipeline first."""
    aws, name = held.world.story.aws, probe(held.world)
    client, arns = held.client("codestar-notifications"), []
    partition = held.world.client("sts").get_caller_identity()["Arn"].split(":")[1]
    code, message = error_of(lambda: arns.append(client.create_notification_rule(
        Name=name, EventTypeIds=["codepipeline-pipeline-pipeline-execution-failed"], Targets=[], DetailType="BASIC",
        Status="DISABLED", Resource=f"arn:{partition}:codepipeline:{aws.region}:{aws.account_id}:{name}")["Arn"]))
    for arn in arns:
        held.world.client("codestar-notifications").delete_notification_rule(Arn=arn)
    is_denied = code == "AccessDeniedException" and "explicit deny in an identity-based policy" in message
    if not arns and not is_denied:
        raise NotSeen(f"CreateNotificationRule: {code} {message}")
    return Seen(is_denied, f"CreateNotificationRule: {code or 'accepted'}", message)


@intruder.observes("assume-role-sends-resource-account")
def resource_account(held: Intruder) -> Seen:
    def rejection(role: str) -> str:
        return error_of(lambda: held.client("sts").assume_role(RoleArn=role, RoleSessionName="probe"))[0]

    if seconds_until(lambda: not rejection(held.free), 120) > 120:
        raise NotSeen("AssumeRole without a condition was rejected for two minutes")
    seconds_until(lambda: not rejection(held.other), 60)
    code = rejection(held.other)
    if code not in ("", "AccessDenied"):
        raise NotSeen(f"AssumeRole: {code}")
    return Seen(not code, f"AssumeRole that requires it: {code or 'accepted'}")


@intruder.observes("unexplained-denial-did-nothing")
def denied_by_a_key(held: Intruder) -> Seen:
    secrets, name = held.world.client("secretsmanager"), f"{probe(held.world)}-denied"

    def exists() -> bool:
        # Another error than that of an absent secret fails the observer.
        with absent_is_fine():
            secrets.describe_secret(SecretId=name)
            return True
        return False

    try:
        code, message = error_of(lambda: held.client("secretsmanager").create_secret(Name=name, SecretString="x"))
        # IAM's own denial has a reason.
        if code != "AccessDeniedException" or "because" in message:
            raise NotSeen(f"CreateSecret without the key: {code or 'accepted'} {message}")
        there = seconds_until(exists, 20) <= 20
    finally:
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


def bus_template(name: str) -> dict[str, Any]:
    """A bus with an archive, whose rule stores events in a log group."""
    group = f"/aws/events/{name}-replay"
    log_arn = f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{group}"
    permission = policy(allows("logs:CreateLogStream", "logs:PutLogEvents", resource=f"{log_arn}:*") | {
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}})
    return {"Resources": {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}},
        "Archive": {"Type": "AWS::Events::Archive", "Properties": {
            "ArchiveName": name, "SourceArn": arn_of("Bus"), "RetentionDays": 1}},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group, "RetentionInDays": 1}},
        "Permission": {"Type": "AWS::Logs::ResourcePolicy", "Properties": {
            "PolicyName": f"{name}-replay", "PolicyDocument": {"Fn::Sub": json.dumps(permission)}}},
        "Rule": {"Type": "AWS::Events::Rule", "DependsOn": "Permission", "Properties": {
            "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": [name]},
            "Targets": [{"Id": "log", "Arn": {"Fn::Sub": log_arn}}]}}},
        "Outputs": {"Archive": {"Value": arn_of("Archive")}, "Bus": {"Value": arn_of("Bus")}}}


@dataclass
class Replaying:
    world: World
    outputs: dict[str, str]

    def recorded(self) -> list[dict[str, Any]]:
        pages = self.world.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/events/{probe(self.world)}-replay")
        return [json.loads(each["message"]) for page in pages for each in page["events"]]

    def sends(self) -> None:
        """Sends events until one is recorded: a new rule may miss the first ones."""
        count, name = 0, probe(self.world)
        while count < 30 and not self.recorded():
            self.world.client("events").put_events(Entries=[{
                "EventBusName": name, "Source": name, "DetailType": "probe", "Detail": "{}"}])
            count += 1
            seconds_until(self.recorded, 5)

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


@Scene
@contextmanager
def replaying(world: World) -> Iterator[Replaying]:
    with scratch(world, bus_template(probe(world)), "-bus") as made:
        yield Replaying(world, made.outputs())


@replaying.observes("replayed-events-carry-a-name")
def replayed(held: Replaying) -> Seen:
    since = datetime.now(UTC) - timedelta(minutes=1)
    held.sends()
    seconds_until(held.is_archived, 600)
    # The minutes until the archive has the events are enough for those that EventBridge delivers twice.
    before = len(held.recorded())
    held.replay(since, datetime.now(UTC))
    seconds_until(held.is_replayed, 600)
    after = held.recorded()
    named = [each for each in after if each.get("replay-name") == probe(held.world)]
    nameless = len(after) - before - len(named)
    if not named and nameless <= 0:
        raise NotSeen("nothing was replayed in time")
    return Seen(nameless <= 0, f"{len(named)} replayed events with replay-name, {max(nameless, 0)} without", named[:1])
