"""Observers of change sets: for reviews, and for drift."""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.play.steps import Stack
from tests.play.waiting import eventually
from tools.trial.observers import NotSeen, Seen, World
from tools.trial.observers.scenes import Scene, error_of, scratch
from tools.trial.observers.sources import CAPABILITIES, HANDLE, probe, role, seconds_until

_EXTENSIONS = "AWS::LanguageExtensions"
_SERVERLESS = "AWS::Serverless-2016-10-31"
_CHANGE_SETS = 30
_CHANGED = {"RetentionInDays": 5}
_REVERT = {"DeploymentMode": "REVERT_DRIFT"}
# Reasons of a failure that have nothing to do with the template.
_OTHER_REASONS = re.compile(r"(?i)denied|not authorized|rate exceeded|throttl|internal (failure|error)|cannot be assumed")


@dataclass
class Changing:
    """A stack with a log group, a repository and an output."""

    world: World
    stack: Stack
    role: str
    days: int = 1

    @property
    def client(self) -> Any:
        return self.world.client("cloudformation")

    def template(self, output: str = "first", group: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        return {"Resources": {
            "Handle": HANDLE,
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": probe(self.world), "RetentionInDays": self.days} | (group or {})},
            "Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": probe(self.world)}},
            **more}, "Outputs": {"Value": {"Value": output}}}

    @contextmanager
    def change_set(self, template: dict[str, Any], name: str = "probe", on: str = "", **more: Any) -> Iterator[dict[str, Any]]:
        """A change set after its creation has ended, complete or failed because of its template."""
        which = {"StackName": on or self.stack.name, "ChangeSetName": name}
        self.client.create_change_set(**which, TemplateBody=json.dumps(template), Capabilities=CAPABILITIES, **more)
        try:
            shown = eventually(lambda: self._ended(which), f"change set {name} is complete")
            if shown["Status"] not in ("CREATE_COMPLETE", "FAILED") or _OTHER_REASONS.search(shown.get("StatusReason", "")):
                raise NotSeen(summary(shown))
            yield shown
        finally:
            error_of(lambda: self.client.delete_change_set(**which))

    def _ended(self, which: dict[str, str]) -> dict[str, Any] | None:
        shown = self.client.describe_change_set(**which)
        return None if shown["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS") else dict(shown)


@Scene
@contextmanager
def changing(world: World) -> Iterator[Changing]:
    with role(world, {"Service": "cloudformation.amazonaws.com"}) as arn:
        first = Changing(world, Stack(world.story.aws, probe(world)), arn)
        with scratch(world, first.template()) as made:
            first.stack = made
            yield first


def changes(shown: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Action, resource and drift of each change."""
    found = [each["ResourceChange"] for each in shown["Changes"]]
    return [(each["Action"], each["LogicalResourceId"], each.get("ResourceDriftStatus", "")) for each in found]


def summary(shown: dict[str, Any]) -> str:
    return f"{shown['Status']}, {len(shown['Changes'])} changes: {shown.get('StatusReason') or 'no reason'}"


def is_unchanged(shown: dict[str, Any]) -> bool:
    """Whether the change set failed because the template changes nothing."""
    return shown["Status"] == "FAILED" and bool(re.search("contain changes|No updates", shown.get("StatusReason", "")))


@changing.observes("change-set-of-outputs-only")
def outputs_only(held: Changing) -> Seen:
    with held.change_set(held.template("second")) as shown:
        if shown["Status"] == "FAILED" and not is_unchanged(shown):
            raise NotSeen(summary(shown))
        return Seen(shown["Status"] == "CREATE_COMPLETE" and not shown["Changes"], summary(shown), changes(shown))


@changing.observes("change-set-leaves-the-stack")
def stack_is_left(held: Changing) -> Seen:
    before = held.stack.describe()
    with held.change_set(held.template(group=_CHANGED), RoleARN=held.role) as shown:
        if shown["Status"] != "CREATE_COMPLETE":
            raise NotSeen(summary(shown))
    after = held.stack.describe()
    differs = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return Seen(not differs, f"differs: {', '.join(differs) or 'nothing'}", after.get("RoleARN", "no RoleARN"))


@changing.observes("describe-events-of-change-sets")
def validation_of_a_change_set(held: Changing) -> Seen | None:
    with held.change_set(held.template(group={"NoSuchProperty": "x"})) as shown:
        if shown["Status"] != "FAILED":
            return None
        def findings() -> list[dict[str, Any]]:
            events = held.client.describe_events(ChangeSetName=shown["ChangeSetId"])["OperationEvents"]
            return [event for event in events if event["EventType"] == "VALIDATION_ERROR"]

        seconds_until(findings, 30)
        found, reason = findings(), shown.get("StatusReason", "")
        if "EarlyValidation" not in reason and "NoSuchProperty" not in reason:
            raise NotSeen(summary(shown))
        return Seen("EarlyValidation" in reason and bool(found), f"{len(found)} findings: {reason}", found[:1])


@changing.observes("change-sets-per-stack")
def many_change_sets(held: Changing) -> Seen:
    which = [f"probe{number}" for number in range(_CHANGE_SETS)]
    template = json.dumps(held.template(group=_CHANGED))
    rejections = [error_of(lambda name=name: held.client.create_change_set(  # type: ignore[misc]
        StackName=held.stack.name, ChangeSetName=name, TemplateBody=template)) for name in which]

    def are_listed() -> bool:
        pages = held.client.get_paginator("list_change_sets").paginate(StackName=held.stack.name)
        complete = [each for page in pages for each in page["Summaries"] if each["Status"] == "CREATE_COMPLETE"]
        return len(complete) >= len(which)

    rejected = [message for code, message in rejections if code]
    is_complete = not rejected and seconds_until(are_listed, 300) < math.inf
    for name in which:
        error_of(lambda name=name: held.client.delete_change_set(  # type: ignore[misc]
            StackName=held.stack.name, ChangeSetName=name))
    if any(code and not code.startswith("LimitExceeded") for code, _ in rejections) or not (rejected or is_complete):
        raise NotSeen(f"not all of {len(which)} are complete: {rejected}")
    return Seen(not rejected, f"{len(which) - len(rejected)} of {len(which)} are accepted", rejected[:1])


@changing.observes("direct-update-drops-the-change-set")
def direct_update(held: Changing) -> Seen:
    def waits_for(output: str) -> None:
        shown = ("UPDATE_COMPLETE", output)
        if seconds_until(lambda: (held.stack.status(), held.stack.outputs().get("Value")) == shown, 300) == math.inf:
            raise NotSeen(f"the stack is {held.stack.status()}")

    held.days = 7
    with held.change_set(held.template("executed")):
        held.client.execute_change_set(StackName=held.stack.name, ChangeSetName="probe")
        waits_for("executed")
    executed = held.stack.describe().get("ChangeSetId", "")
    if ":changeSet/probe/" not in executed:
        raise NotSeen(f"the executed change set is {executed or 'not named'}")
    held.days = 14
    template = json.dumps(held.template("direct"))
    held.client.update_stack(StackName=held.stack.name, TemplateBody=template, Capabilities=CAPABILITIES)
    waits_for("direct")
    after = held.stack.describe().get("ChangeSetId", "none")
    return Seen(after != executed, f"afterwards: {after}", after)


@changing.observes("import-of-kept-bucket")
def kept_bucket(held: Changing) -> Seen:
    s3, aws = held.world.client("s3"), held.world.story.aws
    name = f"{probe(held.world)}-{aws.account_id}"
    where = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    s3.create_bucket(Bucket=name, **where)
    kept = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": name}}
    try:
        with held.change_set(held.template(Kept=kept), ImportExistingResources=True) as shown:
            actions = [action for action, resource, _ in changes(shown) if resource == "Kept"]
            if not actions and "exist" not in shown.get("StatusReason", ""):
                raise NotSeen(summary(shown))
            return Seen(actions == ["Import"], summary(shown), changes(shown))
    finally:
        s3.delete_bucket(Bucket=name)


@changing.observes("drift-change-set-without-drift")
def without_drift(held: Changing) -> Seen:
    template = held.template(held.stack.outputs()["Value"])
    with held.change_set(template, **_REVERT) as drifted, held.change_set(template, "ordinary") as ordinary:
        if not is_unchanged(ordinary):
            raise NotSeen(f"the ordinary one: {summary(ordinary)}")
        reasons = [each.get("StatusReason", "") for each in (drifted, ordinary)]
        return Seen(drifted["Status"] == "FAILED" and reasons[0] == reasons[1], summary(drifted), reasons)


@changing.observes("drift-of-unsupported-types")
def unreadable_resource(held: Changing) -> Seen | None:
    """With a role that may not read the log group, whose change makes its status visible."""
    template = held.template(held.stack.outputs()["Value"], group=_CHANGED)
    with held.change_set(template, RoleARN=held.role, **_REVERT) as shown:
        drifts = {drift for _, _, drift in changes(shown)}
        if "UNKNOWN" not in drifts or drifts & {"MODIFIED", "DELETED"}:
            return None
        status = shown.get("StackDriftStatus", "none")
        return Seen(status == "UNKNOWN", f"StackDriftStatus {status}", changes(shown))


@changing.observes("drift-of-a-deleted-resource")
def deleted_resource(held: Changing) -> Seen:
    logs, name = held.world.client("logs"), probe(held.world)
    logs.delete_log_group(logGroupName=name)
    if seconds_until(lambda: not logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]) == math.inf:
        raise NotSeen("the log group is not deleted")
    with held.change_set(held.template(held.stack.outputs()["Value"]), **_REVERT) as shown:
        drifts = [drift for _, resource, drift in changes(shown) if resource == "Group"]
        if "UNKNOWN" in drifts or (shown["Status"] == "FAILED" and not is_unchanged(shown)):
            raise NotSeen(summary(shown))
        return Seen("DELETED" in drifts, summary(shown), changes(shown))


@changing.observes("yaml-read-as-scanned")
def unusual_yaml(held: Changing) -> Seen:
    """Templates in which the scan of src/feedback/review/template.rs finds nothing, and which it accepts."""
    def shown(text: str) -> list[str]:
        about = held.client.get_template_summary(TemplateBody=text)
        kinds = [each["ParameterType"] for each in about.get("Parameters", []) if "SSM" in each["ParameterType"]]
        return [*about.get("DeclaredTransforms", []), *kinds]

    if len(shown(HARMFUL)) != 2:
        raise NotSeen("the summary shows no transform or no parameter type")
    found = {text: kinds for text in HARMLESS if (kinds := shown(text))}
    return Seen(not found, f"{len(found)} of {len(HARMLESS)} templates have a transform or an SSM parameter type", found)


_HANDLE = "Resources: {A: {Type: 'AWS::CloudFormation::WaitConditionHandle'}}\n"
HARMFUL = f"Transform: {_SERVERLESS}\nParameters: {{A: {{Type: 'AWS::SSM::Parameter::Name'}}}}\n{_HANDLE}"
HARMLESS = [
    f"# Transform: {_SERVERLESS}\n{_HANDLE}",
    f"Description: |\n  text\n  Transform: {_SERVERLESS}\n{_HANDLE}",
    f"Description: >-\n  text\n\n  Transform: {_SERVERLESS}\n{_HANDLE}",
    f"Description: 'text\n\n  Transform: {_SERVERLESS}'\n{_HANDLE}",
    f"Description: \"text\\nTransform: {_SERVERLESS}\"\n{_HANDLE}",
    f"Metadata:\n  Transform: {_SERVERLESS}\n{_HANDLE}",
    f"Metadata: {{'a # Transform': {_SERVERLESS}}} # Transform: x\n{_HANDLE}",
    f"Parameters: {{A: {{Type: String, Default: 'AWS::SSM::Parameter::Name'}}}}\n{_HANDLE}",
]


@dataclass
class Transformed:
    """Two stacks whose templates have transforms."""

    changing: Changing
    extended: Stack
    serverless: Stack


EXTENDED: dict[str, Any] = {"Transform": _EXTENSIONS, "Resources": {"Fn::ForEach::Topics": [
    "Name", ["A", "B"], {"Topic${Name}": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Name"}}}}]}}
SERVERLESS: dict[str, Any] = {"Transform": _SERVERLESS, "Resources": {
    "Api": {"Type": "AWS::Serverless::SimpleTable"}, "Handle": HANDLE}}


@Scene
@contextmanager
def transformed(world: World) -> Iterator[Transformed]:
    with scratch(world, EXTENDED, "-extended") as extended, scratch(world, SERVERLESS, "-serverless") as serverless:
        yield Transformed(Changing(world, extended, ""), extended, serverless)


@transformed.observes("drift-of-language-extensions")
def language_extensions(held: Transformed) -> Seen:
    with held.changing.change_set(EXTENDED, **_REVERT) as shown:
        return Seen(is_unchanged(shown) and not shown["Changes"], summary(shown), changes(shown))


@transformed.observes("processed-template-is-accepted")
def processed_template(held: Transformed) -> Seen:
    client, name = held.changing.client, held.serverless.name
    processed = client.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    body = json.loads(processed) if isinstance(processed, str) else json.loads(json.dumps(processed))
    for each in body["Resources"].values():
        each["DeletionPolicy"] = "Retain"
    body["Resources"]["Added"] = HANDLE
    with held.changing.change_set(body, on=name) as shown:
        kinds = [(each["ResourceChange"]["LogicalResourceId"], each["ResourceChange"].get("Scope", []))
                 for each in shown["Changes"]]
        others = [found for found in kinds if found[0] != "Added" and found[1] != ["DeletionPolicy"]]
        return Seen(shown["Status"] == "CREATE_COMPLETE" and not others, summary(shown), kinds)
