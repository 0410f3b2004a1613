"""The observer of a change set whose template is the deployed one as JSON, with deletion policies."""

import json
from typing import Any

from cli.environment import yaml_template
from tests.play.waiting import eventually
from tools.trial.observers import NotSeen, Seen, World, observes, sources


@observes("json-changes-only-policies")
def template_that_retains(world: World) -> Seen:
    """As docs/how-to/leave.md: with deletion policies and one more resource."""
    client = world.client("cloudformation")
    with sources.stack(world, "serverless") as made:
        shown = client.get_template(StackName=made.name, TemplateStage="Original")["TemplateBody"]
        body = yaml_template.parsed(shown if isinstance(shown, str) else json.dumps(shown))
        for each in body["Resources"].values():
            each["DeletionPolicy"] = "Retain"
        body["Resources"]["Added"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        which = {"StackName": made.name, "ChangeSetName": "probe"}
        client.create_change_set(**which, TemplateBody=json.dumps(body), Capabilities=sources.CAPABILITIES)

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = client.describe_change_set(**which)
            return None if found["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS") else found

        shown = eventually(ended, "the change set is complete")
    reason = shown.get("StatusReason", "")
    if shown["Status"] != "CREATE_COMPLETE":
        raise NotSeen(f"{shown['Status']}: {reason}")
    kinds = [
        (each["ResourceChange"]["LogicalResourceId"], each["ResourceChange"].get("Scope", []))
        for each in shown["Changes"]
    ]
    others = [found for found in kinds if found[0] != "Added" and found[1] != ["DeletionPolicy"]]
    return Seen(not others, f"{len(kinds)} changes, {len(others)} of them others", kinds)
