"""Render the pipelines of an environment again, after a newer version of the function was deployed.

A child stack is outdated if its output RenderingVersion is less than that of the environment's stack. Its owner is
updated with the parameter RenderingSerial, one stack at a time, and only while no execution of its pipelines is in
progress. Everything else is listed with what to do. The exit status is 1 if a stack is left.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.account import Environment, outputs, owner_of
from cli.ending import Failure
from cli.output import GOES_ON, Output, is_confirmed
from cli.pipelines import children_of, unreadable, version_of

EXAMPLES = ("cfn-gitops upgrade --env dev", "cfn-gitops upgrade --env dev --yes")
INTERRUPTED = GOES_ON

SERIAL = "RenderingSerial"
# For stacks that take a minute or two. After an hour CloudFormation would have ended a custom resource.
_WAITER = {"Delay": 5, "MaxAttempts": 720}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output) -> int:
    version, env_id = version_of(environment.stack()), environment.env_id
    if not version:
        raise Failure(f"stack {environment.settings.stack_name} has no output RenderingVersion",
                      f"Deploy this version of it first: sam deploy --config-env {environment.settings.table}")
    stacks = {stack["StackId"]: stack for stack in environment.account.stacks()}
    left = [f"{child['StackName']}: {problem}. Delete it if it is not of cfn-gitops"
            for child in children_of(stacks.values(), env_id) if (problem := unreadable(child))]
    plan: dict[str, list[dict[str, Any]]] = {}
    for owner_id, children in outdated(stacks.values(), env_id, version).items():
        if reason := obstacle(environment, stacks.get(owner_id), owner_id, children, version):
            left.append(f"{named(children)}: {reason}")
        else:
            plan[owner_id] = children
    output.tell(*(output.selecting(f"LEFT    {each}") for each in left))
    for owner_id, children in plan.items():
        output.tell(f"- stack {stacks[owner_id]['StackName']}: will be updated, and with it {named(children)}")
    if plan and not is_confirmed(output, "To update them, type yes:", "yes", given.yes):
        return 1
    for owner_id, children in plan.items():
        # Another execution may have begun meanwhile.
        owner = stacks[owner_id]
        if reason := obstacle(environment, owner, owner_id, children, version) or update(environment, owner, version):
            left.append(f"{named(children)}: {reason}")
            output.tell(output.selecting(f"LEFT    {left[-1]}"))
        else:
            output.has_done(f"{named(children)}: version {version}")
    output.document["left"] = left
    output.tell(f"{len(left)} left" if left else f"every pipeline stack of {env_id} has version {version}")
    return 1 if left else 0


def named(children: list[dict[str, Any]]) -> str:
    return ", ".join(child["StackName"] for child in children)


def outdated(stacks: Any, env_id: str, version: int) -> dict[str, list[dict[str, Any]]]:
    """The child stacks with an older version, by the ID of the stack that owns them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stack in children_of(stacks, env_id):
        if not unreadable(stack) and (version_of(stack) or 0) < version:
            found.setdefault(str(owner_of(stack)), []).append(stack)
    return found


def obstacle(environment: Environment, owner: dict[str, Any] | None, owner_id: str, children: list[dict[str, Any]],
             version: int) -> str | None:
    """Why the owner is not updated now. `None` if it can be."""
    if owner is None:
        return f"its owner {owner_id} no longer exists. Delete it if it is not needed"
    name, env_id = owner["StackName"], environment.env_id
    given = {each["ParameterKey"]: each.get("ParameterValue") for each in owner.get("Parameters", [])}
    # Who may create stacks may choose their tags.
    if given.get("EnvID", env_id) != env_id:
        return f"its tag names stack {name}, whose EnvID is not {env_id}. Delete {named(children)} if it is not of cfn-gitops"
    if SERIAL not in given:
        return (f"its tag names stack {name} as its owner, which has no parameter {SERIAL}. Set the property {SERIAL} of its "
                f"Custom::GitOpsPipeline to {version}. If it has no such resource, delete {named(children)}")
    try:
        running = next(executions_in_progress(environment, children), None)
    except (BotoCoreError, ClientError) as error:
        return f"its executions are not read: {error}. Run this again"
    return f"{running} is in progress. Wait for its end, or approve or reject it, and run this again" if running else None


def update(environment: Environment, owner: dict[str, Any], version: int) -> str | None:
    """Updates the owner. Returns the reason if it does not."""
    name, cloudformation = owner["StackName"], environment.account.client("cloudformation")
    keys = [each["ParameterKey"] for each in owner.get("Parameters", [])]
    parameters = [{"ParameterKey": key, **({"ParameterValue": str(version)} if key == SERIAL else {"UsePreviousValue": True})}
                  for key in keys]
    try:
        cloudformation.update_stack(StackName=owner["StackId"], UsePreviousTemplate=True, Parameters=parameters,
                                    Capabilities=owner.get("Capabilities", []))
        cloudformation.get_waiter("stack_update_complete").wait(StackName=owner["StackId"], WaiterConfig=_WAITER)
    except (BotoCoreError, ClientError) as error:
        return f"updating stack {name}: {error}. See what failed: cfn-gitops failures {name} --env {environment.settings.table}"
    return None


def executions_in_progress(environment: Environment, children: list[dict[str, Any]]) -> Iterator[str]:
    """The executions that an update of their pipelines would cancel."""
    codepipeline = environment.account.client("codepipeline")
    for pipeline in [outputs(child)["PipelineName"] for child in children]:
        try:
            pages = codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
            for page in pages:
                for execution in page["pipelineExecutionSummaries"]:
                    if execution["status"] in {"InProgress", "Stopping"}:
                        yield f"execution {execution['pipelineExecutionId']} of {pipeline}"
        except codepipeline.exceptions.PipelineNotFoundException:
            # Its branch was never pushed.
            continue

