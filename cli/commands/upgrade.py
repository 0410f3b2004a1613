"""Render the pipelines of an environment again, after a newer version of the function was deployed.

A child stack is outdated if its output RenderingVersion is less than that of the environment's stack. Its
owner is updated with the parameter RenderingSerial, one stack at a time, and only while no execution of its
pipelines is in progress, and none of them is frozen: the update may enable a disabled event rule. The update
has the rights of the stack's role, or of the person who runs this. So it may change only these pipelines, and
the resources that refer to them, as CloudFormation shows both. Everything else is listed with what to do. The
exit status is 1 if a stack is left.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import change_set
from cli.environment.account import (
    Environment,
    if_ordinary,
    logical_id_of,
    manager_of,
    owner_of,
)
from cli.environment.account import (
    parameters as parameters_of,
)
from cli.environment.owners import CREDENTIAL, PIPELINE, Owners, Template, Unknown
from cli.project.pipelines import (
    children_of,
    freezes,
    in_progress,
    pipeline_of,
    project_of,
    unreadable,
    version_of,
)
from cli.rules import event_rules
from cli.shell.failure import Failure
from cli.shell.output import Output, confirm

EXAMPLES = ("cfn-gitops upgrade --env dev", "cfn-gitops upgrade --env dev --yes")

SERIAL = "RenderingSerial"
_CHANGE_SET = "UpgradesCfnGitOps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output) -> int:
    version, env_id = version_of(environment.stack()), environment.env_id
    if not version:
        raise Failure(
            f"stack {environment.settings.stack_name} has no output RenderingVersion",
            f"Deploy this version of it first{environment.settings.deployment}",
        )
    stacks = {stack["StackId"]: stack for stack in environment.account.stacks()}
    output.document["left"] = output.left
    for child in children_of(stacks.values(), env_id):
        if problem := unreadable(child):
            output.record_left(f"{child['StackName']}: {problem}. Delete it if it is not of cfn-gitops")
    plan: dict[str, list[dict[str, Any]]] = {}
    owners = Owners(environment, list(stacks.values()))
    for owner_id, children in outdated(stacks.values(), env_id, version).items():
        with unread(children, output):
            unproven = {
                child["StackName"]: reason for child in children if (reason := doubt(owners, child, version))
            }
            for name, reason in unproven.items():
                output.record_left(f"{name}: {reason}")
            if not (proven := [child for child in children if child["StackName"] not in unproven]):
                continue
            if obstructing := obstacle(environment, stacks[owner_id], proven, version):
                output.record_left(f"{named(proven)}: {obstructing}")
            else:
                plan[owner_id] = proven
    for owner_id, children in plan.items():
        output.write_progress(
            f"- stack {stacks[owner_id]['StackName']}: will be updated, and with it {named(children)}"
        )
    if plan and not confirm(output, "To update them, type yes:", "yes", given.yes):
        return 1
    for owner_id, children in plan.items():
        # Another execution may have begun meanwhile.
        owner = stacks[owner_id]
        with unread(children, output):
            if obstructing := obstacle(environment, owner, children, version) or update(
                environment, owners, owner, children, version, output
            ):
                output.record_left(f"{named(children)}: {obstructing}")
            else:
                output.record_change(f"{named(children)}: version {version}")
    output.write_progress(conclusion(environment, version, output.left))
    return output.status_of_left()


@contextlib.contextmanager
def unread(children: list[dict[str, Any]], output: Output) -> Iterator[None]:
    """Leaves the child stacks after an error of AWS or of this machine."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        output.record_unread(named(children), error)


def conclusion(environment: Environment, version: int, left: list[str]) -> str:
    env_id = environment.env_id
    if left:
        return f"{len(left)} left"
    children = children_of(environment.account.stacks(), env_id)
    if not children:
        return f"environment {env_id} has no pipeline stack"
    if different := [child for child in children if version_of(child) != version]:
        return (
            f"{len(children) - len(different)} of {len(children)} pipeline stacks have version {version}."
            f" Another one: {named(different)}"
        )
    return f"every pipeline stack of {env_id} has version {version}"


def named(children: list[dict[str, Any]]) -> str:
    return ", ".join(child["StackName"] for child in children)


def outdated(stacks: Any, env_id: str, version: int) -> dict[str, list[dict[str, Any]]]:
    """The child stacks with an older version, by the ID of the stack that owns them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stack in children_of(stacks, env_id):
        if not unreadable(stack) and (version_of(stack) or 0) < version:
            found.setdefault(str(owner_of(stack)), []).append(stack)
    return found


def doubt(owners: Owners, child: dict[str, Any], version: int) -> str | None:
    """Why CloudFormation does not show the child stack as a pipeline of the environment. `None` if it
    does."""
    is_shown, reason, is_later = owners.of(child)
    if owners.named_by(child) is None:
        return f"{reason}. Delete it if it is not needed"
    if is_later:
        return f"{reason}. Wait for its end, and run this again"
    if is_shown is None:
        return f"{reason}. If it is of cfn-gitops, let its owner deploy it with {SERIAL}={version}"
    return None if is_shown else f"{reason}. Delete it if it is not of cfn-gitops"


def obstacle(
    environment: Environment, owner: dict[str, Any], children: list[dict[str, Any]], version: int
) -> str | None:
    """Why the owner is not updated now. `None` if it can be."""
    if manager := manager_of(owner):
        return (
            f"its owner, stack {owner['StackName']}, belongs to {manager}. Set {SERIAL} to {version} there"
            + if_ordinary(owner, f"deploy the stack with {SERIAL}={version}")
        )
    if SERIAL not in parameters_of(owner):
        return (
            f"its owner, stack {owner['StackName']}, has no parameter {SERIAL}. Set the property {SERIAL} of"
            f" its Custom::GitOpsPipeline to {version}"
        )
    return next(obstacles(environment, children), None)


def update(
    environment: Environment,
    owners: Owners,
    owner: dict[str, Any],
    children: list[dict[str, Any]],
    version: int,
    output: Output,
) -> str | None:
    """Updates the owner. Returns the reason if its pipelines do not have the version afterwards."""
    name, table = owner["StackName"], environment.settings.table
    failures = f"cfn-gitops failures {{}} --env {table}".format
    parameters = [
        {
            "ParameterKey": each["ParameterKey"],
            **(
                {"ParameterValue": str(version)}
                if each["ParameterKey"] == SERIAL
                else {"UsePreviousValue": True}
            ),
        }
        for each in owner.get("Parameters", [])
    ]
    request = {
        "UsePreviousTemplate": True,
        "Parameters": parameters,
        "Capabilities": owner.get("Capabilities", []),
    }
    cloudformation = environment.account.client("cloudformation")

    def others(planned: change_set.ChangeSet) -> list[str]:
        body = cloudformation.get_template(**planned.named, TemplateStage="Processed")["TemplateBody"]
        return held_back(
            planned.changes, owners.template(body, planned.parameters), owners.deployed(owner), children
        )

    try:
        change_set.update(cloudformation, owner, _CHANGE_SET, contextlib.nullcontext(request), others, output)
        stacks = {stack["StackId"]: stack for stack in environment.account.stacks()}
    except change_set.OtherChanges as names:
        return (
            f"updating stack {name} would also change {names}. Let its owner read the change set, and deploy"
            f" it with {SERIAL}={version}"
        )
    except change_set.NothingToUpdate:
        if parameters_of(owner)[SERIAL] != str(version):
            return (
                f"the template of stack {name} does not use {SERIAL}. Set the property {SERIAL} of its"
                " Custom::GitOpsPipeline to it"
            )
        return (
            f"stack {name} has {SERIAL} {version} already, but its pipeline was rendered by an older"
            f" function, or not rendered. Deploy it with {SERIAL}={version}-again, after you have seen what"
            f" failed: {failures(children[0]['StackName'])}"
        )
    except change_set.NotUpdated as error:
        return f"updating stack {name}: {error}. See what failed: {failures(name)}"
    older = [child for child in children if (version_of(stacks.get(child["StackId"], {})) or 0) < version]
    return (
        f"stack {name} is updated, but {named(older)} does not have version {version}. See what failed: "
        f"{failures(older[0]['StackName'])}"
        if older
        else None
    )


def held_back(
    changes: list[dict[str, Any]], template: Template, deployed: Template, children: list[dict[str, Any]]
) -> list[str]:
    """The changes beyond the new rendering of the child stacks, each with the reason. Of two changes, one is
    a consequence of the other only if that is a custom resource of the function: any other code might return
    what it likes as an attribute."""
    own: set[str] = set()
    while more := {
        each["LogicalResourceId"]
        for each in changes
        if each.get("ResourceType") in (PIPELINE, CREDENTIAL)
        and each["LogicalResourceId"] not in own
        and not excess(each, template, deployed, children, own)
    }:
        own |= more
    reasons = [
        (each.get("LogicalResourceId", "a hook"), excess(each, template, deployed, children, own))
        for each in changes
        if each.get("LogicalResourceId") not in own
    ]
    return [f"{name} ({reason})" for name, reason in reasons if reason]


def excess(
    change: dict[str, Any],
    template: Template,
    deployed: Template,
    children: list[dict[str, Any]],
    own: set[str],
) -> str:
    """Why the change is more than the new rendering and its consequences. Empty if it is not. `own` are the
    custom resources of the function with such a change."""
    name, kind = change.get("LogicalResourceId", ""), change.get("ResourceType", "")
    if change.get("Action") != "Modify" or change.get("Replacement") == "True":
        return "it is not only updated"
    try:
        if kind in (PIPELINE, CREDENTIAL) and not template.is_of_function(name, kind):
            return "it has another ServiceToken"
        if kind == PIPELINE:
            if not any(
                logical_id_of(child) == name
                and change.get("PhysicalResourceId", child["StackName"]) == child["StackName"]
                for child in children
            ):
                return "it is none of the outdated pipelines"
            return "" if is_rendering(change) else f"not only {SERIAL} changes"
        if not only_references(change, own, template.has_same(name, deployed)):
            return "its cause is not the new rendering"
        if kind == CREDENTIAL:
            return ""
        # Their code, or a template that is read again, decides what they do.
        if not kind.startswith("AWS::") or kind.startswith("AWS::CloudFormation::"):
            return f"it is of the type {kind}"
        return "" if template.reads_only(name, own) else "it may also read another value"
    except Unknown as reason:
        return str(reason)
    except RecursionError:
        return "its template is nested too deeply"


def is_rendering(change: dict[str, Any]) -> bool:
    """Whether RenderingSerial is all that changes, by the parameter of its name. CloudFormation adds a direct
    modification."""
    details = change.get("Details", [])
    return details != [] and all(
        property_of(each) == ("Properties", SERIAL)
        and (
            each.get("ChangeSource") == "DirectModification"
            or (each.get("ChangeSource"), each.get("CausingEntity")) == ("ParameterReference", SERIAL)
        )
        for each in details
    )


def only_references(change: dict[str, Any], names: set[str], is_same: bool) -> bool:
    """Whether only references to one of the resources change each property. `is_same` if the template has not
    changed them. If a reference makes a property's value unknown, CloudFormation may show a dynamic direct
    modification, too:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-samples.html
    """
    details = change.get("Details", [])
    by_reference = [
        each
        for each in details
        if each.get("ChangeSource") in ("ResourceAttribute", "ResourceReference")
        and str(each.get("CausingEntity", "")).partition(".")[0] in names
    ]
    targets = [property_of(each) for each in by_reference]
    return details != [] and all(
        each in by_reference
        or is_same
        and property_of(each) in targets
        and (each.get("ChangeSource"), each.get("Evaluation")) == ("DirectModification", "Dynamic")
        for each in details
    )


def property_of(detail: dict[str, Any]) -> tuple[str | None, str | None]:
    target = detail.get("Target", {})
    return target.get("Attribute"), target.get("Name")


def obstacles(environment: Environment, children: list[dict[str, Any]]) -> Iterator[str]:
    """Freezes and executions in progress, which an update of their stacks may end."""
    events, codepipeline = (environment.account.client(each) for each in ("events", "codepipeline"))
    for child in children:
        project, pipeline = project_of(child, environment.env_id), pipeline_of(child, environment.env_id)
        try:
            stages = codepipeline.get_pipeline_state(name=pipeline).get("stageStates", [])
        except codepipeline.exceptions.PipelineNotFoundException:
            # Its branch was never pushed.
            stages = None
        for held in freezes(events, event_rules(environment.env_id, project).values(), stages or []):
            yield (
                f"{held}, and the update may end this freeze. First end it: cfn-gitops thaw {project} --env "
                f"{environment.settings.table}"
            )
        for execution in in_progress(codepipeline, pipeline, stages) if stages is not None else ():
            yield (
                f"execution {execution} of {pipeline} is in progress. Wait for its end, or approve or reject"
                " it, and run this again"
            )
