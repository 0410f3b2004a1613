"""The observer of a change set whose template is processed and changed before."""

import json
from typing import Any

from tests.play.waiting import eventually
from tools.trial.observers import NotSeen, Seen, World, observes, sources


@observes("processed-template-is-accepted")
def processed_template(world: World) -> Seen:
    """As `cfn-gitops leave`: with deletion policies and one more resource."""
    client = world.client("cloudformation")
    with sources.stack(world, "serverless") as made:
        body = client.get_template(StackName=made.name, TemplateStage="Processed")["TemplateBody"]
        body = json.loads(body if isinstance(body, str) else json.dumps(body))
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
