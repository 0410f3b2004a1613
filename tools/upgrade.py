"""Renders the child stacks of an environment's projects again, after a newer version of the function was deployed.

    python scripts/upgrade.py --config-env dev

The release folder has this file in scripts/, a clone in tools/.

A child stack is outdated if its output RenderingVersion is less than that of the environment's stack. Its owner is
updated with the parameter RenderingSerial, one stack at a time, and only while no execution of its pipelines is in
progress. Everything else is listed with what to do. The exit status is 1 if a stack is left.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from typing import Any

import sam_settings
from botocore.exceptions import BotoCoreError, ClientError
from program import entry
from terminal import write

SERIAL = "RenderingSerial"
# For stacks that take a minute or two. After an hour CloudFormation would have ended a custom resource.
_WAITER = {"Delay": 5, "MaxAttempts": 720}


@entry("CloudFormation goes on with an update that has begun. Run this again for the rest")
def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="dev")
    settings = sam_settings.read(arguments.parse_args().config_env)
    account = sam_settings.account()
    stacks = {stack["StackId"]: stack for stack in account.stacks()}
    version = next((version_of(stack) for stack in stacks.values() if stack["StackName"] == settings.stack_name), None)
    if not version:
        write(f"stack {settings.stack_name} has no output RenderingVersion. Deploy this version of it first: "
              f"sam deploy --config-env {settings.table}")
        return 1
    left = 0
    for child in children_of(stacks.values(), settings.env_id):
        if problem := unreadable(child):
            write(f"{'LEFT':8}{child['StackName']}: {problem}. Delete it if it is not of cfn-gitops")
            left += 1
    for owner_id, children in outdated(stacks.values(), settings.env_id, version).items():
        names = ", ".join(child["StackName"] for child in children)
        reason = upgrade(account, settings.env_id, stacks.get(owner_id), owner_id, children, str(version))
        write(f"{'LEFT' if reason else 'ok':8}{names}: {reason or f'version {version}'}")
        left += reason is not None
    write(f"{left} left" if left else f"every pipeline stack of {settings.env_id} has version {version}")
    return 1 if left else 0


def outdated(stacks: Any, env_id: str, version: int) -> dict[str, list[dict[str, Any]]]:
    """The child stacks with an older version, by the ID of the stack that owns them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stack in children_of(stacks, env_id):
        if not unreadable(stack) and (version_of(stack) or 0) < version:
            found.setdefault(str(sam_settings.owner_of(stack)), []).append(stack)
    return found


def children_of(stacks: Any, env_id: str) -> list[dict[str, Any]]:
    return [stack for stack in stacks
            if stack["StackName"].startswith(f"gitops-{env_id}-") and sam_settings.owner_of(stack)]


def version_of(stack: dict[str, Any]) -> int | None:
    """0 without the output, and `None` if it is not a number."""
    text = sam_settings.outputs(stack).get("RenderingVersion", "0")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def unreadable(child: dict[str, Any]) -> str | None:
    """Why the outputs are not those of a pipeline's stack. Who may create stacks may choose them."""
    outputs = sam_settings.outputs(child)
    if version_of(child) is None:
        return f"its output RenderingVersion is {outputs['RenderingVersion']}, not a number"
    return None if outputs.get("PipelineName") else "it has no output PipelineName"


def upgrade(account: sam_settings.Account, env_id: str, owner: dict[str, Any] | None, owner_id: str,
            children: list[dict[str, Any]], version: str) -> str | None:
    """Updates the owner. Returns the reason if it does not."""
    if owner is None:
        return f"its owner {owner_id} no longer exists. Delete it if it is not needed"
    name, named = owner["StackName"], ", ".join(child["StackName"] for child in children)
    given = {each["ParameterKey"]: each.get("ParameterValue") for each in owner.get("Parameters", [])}
    # Who may create stacks may choose their tags.
    if given.get("EnvID", env_id) != env_id:
        return f"its tag names stack {name}, whose EnvID is not {env_id}. Delete {named} if it is not of cfn-gitops"
    if SERIAL not in given:
        return (f"its tag names stack {name} as its owner, which has no parameter {SERIAL}. Set the property {SERIAL} of its "
                f"Custom::GitOpsPipeline to {version}. If it has no such resource, delete {named}")
    try:
        running = next(executions_in_progress(account, children), None)
    except (BotoCoreError, ClientError) as error:
        return f"its executions are not read: {error}. Run this again"
    if running:
        return f"{running} is in progress. Wait for its end, or approve or reject it, and run this again"
    cloudformation = account.session.client("cloudformation")
    parameters = [{"ParameterKey": key, **({"ParameterValue": version} if key == SERIAL else {"UsePreviousValue": True})}
                  for key in given]
    try:
        cloudformation.update_stack(StackName=owner["StackId"], UsePreviousTemplate=True, Parameters=parameters,
                                    Capabilities=owner.get("Capabilities", []))
        cloudformation.get_waiter("stack_update_complete").wait(StackName=owner["StackId"], WaiterConfig=_WAITER)
    except (BotoCoreError, ClientError) as error:
        return f"updating stack {name}: {error}. Read its events: aws cloudformation describe-stack-events --stack-name {name}"
    return None


def executions_in_progress(account: sam_settings.Account, children: list[dict[str, Any]]) -> Iterator[str]:
    """The executions that an update of their pipelines would cancel."""
    codepipeline = account.session.client("codepipeline")
    for pipeline in [sam_settings.outputs(child)["PipelineName"] for child in children]:
        try:
            pages = codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
            for page in pages:
                for execution in page["pipelineExecutionSummaries"]:
                    if execution["status"] in {"InProgress", "Stopping"}:
                        yield f"execution {execution['pipelineExecutionId']} of {pipeline}"
        except codepipeline.exceptions.PipelineNotFoundException:
            # Its branch was never pushed.
            continue


if __name__ == "__main__":
    sys.exit(main())
