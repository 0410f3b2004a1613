"""Observers of the calls in the first deployment, as CloudTrail records them."""

import json

from tests.play import steps
from tools.trial.observers import Seen, World, observes, sources

_READS = ("Get", "List", "Describe", "BatchGet")


def _calls(world: World, value: str, attribute: str, role: str) -> set[str]:
    """The actions of a role that CloudTrail shows."""
    records = sources.trail(world, value, attribute)
    return {
        f"{record['eventSource'].split('.')[0]}:{record['eventName']}"
        for record in records
        if f"/{role}/" in record.get("userIdentity", {}).get("arn", "")
    }


@observes("deploy-action-permissions")
def calls_of_the_deploy_action(world: World) -> Seen | None:
    """The role's policy has the listed actions of CloudFormation."""
    role = f"role-{world.story.names.first}-codepipeline-cfn"
    calls = _calls(world, "cloudformation.amazonaws.com", "EventSource", role)
    if "cloudformation:CreateChangeSet" not in calls:
        return None
    further = calls - steps.granted_actions(world.story.aws, role)
    return Seen(
        not further,
        f"{len(calls)} actions, not listed: {', '.join(sorted(further)) or 'none'}",
        sorted(calls),
    )


@observes("handlers-publish-what-they-need")
def calls_of_a_handler(world: World) -> Seen | None:
    """The creation of the deployed stack's event rule."""
    handlers = world.client("cloudformation").describe_type(Type="RESOURCE", TypeName="AWS::Events::Rule")[
        "Schema"
    ]
    published = json.loads(handlers)["handlers"]["create"]["permissions"]
    changing = {action for action in published if not action.split(":")[1].startswith(_READS)}
    named = changing & {"events:CreateRule", "events:PutRule"} or changing
    calls = {
        call
        for call in _calls(
            world, "AWSCloudFormation", "Username", f"role-{world.story.names.first}-codedeploy-cfn"
        )
        if call.startswith("events:")
    }
    if not calls:
        return None
    return Seen(
        bool(named & calls),
        f"of {', '.join(sorted(named))} it called {', '.join(sorted(named & calls)) or 'none'}",
        sorted(calls),
    )
