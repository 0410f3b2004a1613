"""Observers of the first update: of a pipeline and of the environment."""

import re
from typing import Any

from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.health_checks import an_execution
from tools.trial.observers.sources import probe, seconds_between


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
