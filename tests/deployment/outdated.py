"""A pipeline's stack that an older function rendered."""

import json

from tests.local.aws import LocalAws
from tests.play.steps import Stack


def outdate(aws: LocalAws, child: Stack) -> None:
    """Gives the pipeline's stack the version of an older rendering."""
    cloudformation = aws.client("cloudformation")
    template = cloudformation.get_template(StackName=child.name)["TemplateBody"]
    template["Outputs"]["RenderingVersion"]["Value"] = "0"
    cloudformation.update_stack(
        StackName=child.name,
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": each["ParameterKey"], "UsePreviousValue": True}
            for each in child.describe().get("Parameters", [])
        ],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=child.name, WaiterConfig={"Delay": 1})
    assert child.outputs()["RenderingVersion"] == "0"
