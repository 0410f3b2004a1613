"""Observers of change sets: for reviews, and for drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from observers import Seen, World
from observers.scenes import CAPABILITIES, Scene, error_of, scratch
from observers.sources import probe, role, seconds_until
from tests.deployment.steps import Stack
from tests.deployment.waiting import eventually

_EXTENSIONS = "AWS::LanguageExtensions"
_SERVERLESS = "AWS::Serverless-2016-10-31"
_CHANGE_SETS = 30
_REVERT = {"DeploymentMode": "REVERT_DRIFT"}


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
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": probe(self.world), "RetentionInDays": self.days} | (group or {})},
            "Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": probe(self.world)}},
            **more}, "Outputs": {"Value": {"Value": output}}}

    @contextmanager
    def change_set(self, template: dict[str, Any], name: str = "probe", on: str = "", **more: Any) -> Iterator[dict[str, Any]]:
        """A change set after its creation has ended, in any status."""
        which = {"StackName": on or self.stack.name, "ChangeSetName": name}
        self.client.create_change_set(**which, TemplateBody=json.dumps(template), Capabilities=CAPABILITIES, **more)
        try:
            yield eventually(lambda: self._ended(which), f"change set {name} is complete")
        finally:
            error_of(lambda: self.client.delete_change_set(**which))

    def _ended(self, which: dict[str, str]) -> dict[str, Any] | None:
        shown = self.client.describe_change_set(**which)
        return None if shown["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS") else dict(shown)


@contextmanager
def _changing(world: World) -> Iterator[Changing]:
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


changing = Scene(_changing)


@changing.observes("change-set-of-outputs-only")
def outputs_only(held: Changing) -> Seen:
    with held.change_set(held.template("second")) as shown:
        return Seen(shown["Status"] == "CREATE_COMPLETE" and not shown["Changes"], summary(shown), changes(shown))


@changing.observes("change-set-leaves-the-stack")
def stack_is_left(held: Changing) -> Seen | None:
    before = held.stack.describe()
    try:
        with held.change_set(held.template("second"), RoleARN=held.role):
            pass
    except ClientError:
        return None  # The role is too new.
    after = held.stack.describe()
    differs = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return Seen(not differs, f"differs: {', '.join(differs) or 'nothing'}", after.get("RoleARN", "no RoleARN"))


@changing.observes("describe-events-of-change-sets")
def validation_of_a_change_set(held: Changing) -> Seen | None:
    with held.change_set(held.template(group={"NoSuchProperty": "x"})) as shown:
        if shown["Status"] != "FAILED":
            return None
        events = held.client.describe_events(ChangeSetName=shown["ChangeSetId"])["OperationEvents"]
        found = [event for event in events if event["EventType"] == "VALIDATION_ERROR"]
        reason = shown.get("StatusReason", "")
        return Seen("EarlyValidation" in reason and bool(found), f"{len(found)} findings: {reason}", found[:1])


@changing.observes("change-sets-per-stack")
def many_change_sets(held: Changing) -> Seen:
    which = [f"probe{number}" for number in range(_CHANGE_SETS)]
    rejections = [error_of(lambda name=name: held.client.create_change_set(  # type: ignore[misc]
        StackName=held.stack.name, ChangeSetName=name, TemplateBody=json.dumps(held.template(name)))) for name in which]
    for name in which:
        error_of(lambda name=name: held.client.delete_change_set(  # type: ignore[misc]
            StackName=held.stack.name, ChangeSetName=name))
    rejected = [message for code, message in rejections if code]
    return Seen(not rejected, f"{len(which) - len(rejected)} of {len(which)} are accepted", rejected[:1])


@changing.observes("executed-change-set-by-name")
def executed_change_set(held: Changing) -> Seen:
    which = {"StackName": held.stack.name, "ChangeSetName": "probe"}
    held.days = 3
    with held.change_set(held.template(held.stack.outputs()["Value"])):
        held.client.execute_change_set(**which)
        held.stack.wait()
        code, _ = error_of(lambda: held.client.delete_change_set(**which))
        gone = seconds_until(lambda: error_of(lambda: held.client.describe_change_set(**which))[0], 60) < 60
        return Seen(code in ("", "ChangeSetNotFound") and gone, f"its deletion: {code or 'accepted'}; gone: {gone}")


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
            return Seen(actions == ["Import"], summary(shown), changes(shown))
    finally:
        s3.delete_bucket(Bucket=name)


@changing.observes("drift-change-set-without-drift")
def without_drift(held: Changing) -> Seen:
    template = held.template(held.stack.outputs()["Value"])
    with held.change_set(template, **_REVERT) as drifted, held.change_set(template, "ordinary") as ordinary:
        reasons = [each.get("StatusReason", "") for each in (drifted, ordinary)]
        return Seen(drifted["Status"] == ordinary["Status"] == "FAILED" and reasons[0] == reasons[1],
                    summary(drifted), reasons)


@changing.observes("drift-of-unsupported-types")
def unreadable_resource(held: Changing) -> Seen | None:
    """With a role that may not read the log group, whose change makes its status visible."""
    template = held.template(held.stack.outputs()["Value"], group={"RetentionInDays": 5})
    with held.change_set(template, RoleARN=held.role, **_REVERT) as shown:
        if "UNKNOWN" not in [drift for _, _, drift in changes(shown)]:
            return None
        status = shown.get("StackDriftStatus", "none")
        return Seen(status == "UNKNOWN", f"StackDriftStatus {status}", changes(shown))


@changing.observes("drift-of-a-deleted-resource")
def deleted_resource(held: Changing) -> Seen:
    held.world.client("logs").delete_log_group(logGroupName=probe(held.world))
    with held.change_set(held.template(held.stack.outputs()["Value"]), **_REVERT) as shown:
        return Seen("DELETED" in [drift for _, resource, drift in changes(shown) if resource == "Group"],
                    summary(shown), changes(shown))


@changing.observes("yaml-read-as-scanned")
def unusual_yaml(held: Changing) -> Seen:
    """Templates in which the scan of src/feedback/review/template.rs finds nothing, and which it accepts."""
    found = {}
    for text in HARMLESS:
        shown = held.client.get_template_summary(TemplateBody=text)
        kinds = [each["ParameterType"] for each in shown.get("Parameters", []) if "SSM" in each["ParameterType"]]
        if shown.get("DeclaredTransforms") or kinds:
            found[text] = [*shown.get("DeclaredTransforms", []), *kinds]
    return Seen(not found, f"{len(found)} of {len(HARMLESS)} templates have a transform or an SSM parameter type", found)


_HANDLE = "Resources: {A: {Type: 'AWS::CloudFormation::WaitConditionHandle'}}\n"
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
    "Api": {"Type": "AWS::Serverless::SimpleTable"}, "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}


@contextmanager
def _transformed(world: World) -> Iterator[Transformed]:
    with scratch(world, EXTENDED, "-extended") as extended, scratch(world, SERVERLESS, "-serverless") as serverless:
        yield Transformed(Changing(world, extended, ""), extended, serverless)


transformed = Scene(_transformed)


@transformed.observes("drift-of-language-extensions")
def language_extensions(held: Transformed) -> Seen:
    with held.changing.change_set(EXTENDED, **_REVERT) as shown:
        # Only a failure without a change is one of an unchanged stack.
        is_unchanged = shown["Status"] == "FAILED" and "contain changes" in shown.get("StatusReason", "")
        return Seen(is_unchanged and not shown["Changes"], summary(shown), changes(shown))


@transformed.observes("processed-template-is-accepted")
def processed_template(held: Transformed) -> Seen:
    client, name = held.changing.client, held.serverless.name
    processed = client.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    body = json.loads(processed) if isinstance(processed, str) else json.loads(json.dumps(processed))
    for each in body["Resources"].values():
        each["DeletionPolicy"] = "Retain"
    body["Resources"]["Added"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    with held.changing.change_set(body, on=name) as shown:
        kinds = [(each["ResourceChange"]["LogicalResourceId"], each["ResourceChange"].get("Scope", []))
                 for each in shown["Changes"]]
        others = [found for found in kinds if found[0] != "Added" and found[1] != ["DeletionPolicy"]]
        return Seen(shown["Status"] == "CREATE_COMPLETE" and not others, summary(shown), kinds)
