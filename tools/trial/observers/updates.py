"""Observers of the first update: of the environment, of a pipeline and of IAM."""

import math
import re
from typing import Any

from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.first_deployment import push_permission
from tools.trial.observers.health_checks import an_execution
from tools.trial.observers.sources import probe, seconds_between, seconds_until


@observes("describe-secret-fresh-at-update")
def secret_after_a_request(world: World) -> Seen:
    """CloudFormation sends the next request at least seconds later."""
    secrets, name = world.client("secretsmanager"), probe(world)
    version = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    try:
        secrets.put_secret_value(SecretId=name, SecretString="2", VersionStages=["probe"])
        secrets.tag_resource(SecretId=name, Tags=[{"Key": "probe", "Value": "1"}])
        secrets.update_secret(SecretId=name, Description="a probe")

        def is_shown() -> bool:
            shown = secrets.describe_secret(SecretId=name)
            return (bool(shown.get("Tags")) and shown.get("Description") == "a probe"
                    and len(shown["VersionIdsToStages"]) == 2 and version in shown["VersionIdsToStages"])

        seconds = seconds_until(is_shown)
    finally:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    return Seen(seconds <= 5, f"labels, tags and settings are shown after {seconds:.1f} s")


@observes("iam-user-update-strips-tags")
def tags_after_an_update(world: World) -> Seen:
    """A stack-level tag changes after a person tagged the stack's user."""
    name, iam = probe(world), world.client("iam")
    template = {"Resources": {"Probe": {"Type": "AWS::IAM::User", "Properties": {"UserName": name}}}}
    with sources.stack(world, template, Tags=[{"Key": "stack", "Value": "1"}]) as made:
        def tags() -> dict[str, str]:
            return {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]}

        iam.tag_user(UserName=name, Tags=[{"Key": "probe", "Value": "1"}])
        tagged = seconds_until(lambda: "probe" in tags())
        status = sources.update(made, template, Tags=[{"Key": "stack", "Value": "2"}])
        updated = seconds_until(lambda: tags().get("stack") == "2")
        keys = sorted(tags())
    if math.inf in (tagged, updated):
        raise NotSeen(f"{status}: the user's tags are {keys}")
    return Seen("probe" not in keys, f"{status}: the user's tags are {keys}", keys)


@observes("iam-removals-late-too")
def time_of_a_removal(world: World) -> Seen:
    found = push_permission(world)
    return Seen(found["removed"] <= 60, f"a removal took {found['removed']:.0f} s, a grant {found['granted']:.0f} s")


@observes("canceled-execution-shows-its-end")
def end_of_a_canceled_execution(world: World) -> Seen | None:
    canceled: dict[str, Any] = an_execution(world).get("canceled", {})
    if canceled.get("status") != "Cancelled":
        return None
    seconds = seconds_between(world.kept["execution"]["ended"], canceled["lastUpdateTime"])
    return Seen(abs(seconds) < 10, f"lastUpdateTime is {seconds:.0f} s after the end", canceled)


@observes("clocks-of-stack-events-and-executions")
def clocks(world: World) -> Seen | None:
    """CodePipeline starts the first execution while CloudFormation creates the pipeline."""
    project = world.story.loop.project
    of_pipeline = {event["ResourceStatus"]: event["Timestamp"] for event in project.child.events()
                   if event["ResourceType"] == "AWS::CodePipeline::Pipeline" and event["ResourceStatus"].startswith("CREATE")}
    first = project.executions()[0]
    if len(of_pipeline) < 2 or first["trigger"]["triggerType"] != "CreatePipeline":
        return None
    after = seconds_between(of_pipeline["CREATE_IN_PROGRESS"], first["startTime"])
    before = seconds_between(first["startTime"], of_pipeline["CREATE_COMPLETE"])
    if before <= -10:
        raise NotSeen(f"the execution began {-before:.0f} s after the pipeline's last event: late, or another clock")
    return Seen(after > -10, f"the execution began {after:.1f} s after the pipeline's first event and {before:.1f} s before "
                             "its last one")


@observes("guard-of-env-id-names-itself")
def text_of_a_rejected_replacement(world: World) -> Seen:
    """A stack with a policy as the environment's, whose Description changes."""
    name = probe(world, "policy-")

    def template(description: str) -> dict[str, Any]:
        return {"Resources": {"Probe": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": name, "Description": description,
            "PolicyDocument": sources.policy(sources.allows("sts:GetCallerIdentity", effect="Deny"))}}}}

    with sources.stack(world, template("one")) as made:
        status = sources.update(made, template("two"))
        texts = [text for text in made.failures() if re.search("(?i)renam|replac", text)]
    if not texts:
        raise NotSeen(f"{status}: no text about a replacement")
    text = texts[0]
    return Seen(name in text, f"{status}: the text {'names' if name in text else 'does not name'} the policy", text)
