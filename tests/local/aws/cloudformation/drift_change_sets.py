"""Change sets that revert drift: `DeploymentMode` REVERT_DRIFT of CreateChangeSet.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceTargetDefinition.html

The change set compares the actual state of the resources with the new template, and with the last deployment.
Its execution is an update from the actual state. Without drift and without a change of the template it fails
like any other change set without changes (?).
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, provisioners, stacks

from tests.local.aws.cloudformation import actual_states, change_set_names, stack_roles
from tests.local.aws.cloudformation.actual_states import State

_Handler = Callable[[dict], tuple]
_MODE = "REVERT_DRIFT"
_states: ContextVar[dict[str, State] | None] = ContextVar("local_aws_drift", default=None)


class _Actual(dict):  # type: ignore[type-arg]
    """The actual properties of a resource while a change set that reverts drift is executed."""

    has_all_tags = False  # the tags are the actual ones, also those that the stack's tags should have set


def install() -> None:
    actual_states.install()
    table = handlers._ACTION_HANDLERS
    table["CreateChangeSet"] = partial(_create, table["CreateChangeSet"])
    table["DescribeChangeSet"] = partial(_describe, table["DescribeChangeSet"])
    table["ExecuteChangeSet"] = partial(_execute, table["ExecuteChangeSet"])
    changesets._diff_resources = partial(_diff, changesets._diff_resources)
    changesets._track_change_set_execution = partial(_track, changesets._track_change_set_execution)
    stacks._with_stack_tags = partial(_with_stack_tags, stacks._with_stack_tags)


def _with_stack_tags(
    ministack_tags: Callable[..., dict], resource_type: str, props: dict, stack_tags: list, *more: Any
) -> dict:
    complete = isinstance(props, _Actual) and props.has_all_tags
    return ministack_tags(resource_type, props, [] if complete else stack_tags, *more)


def _create(ministack_handler: _Handler, params: dict) -> tuple:
    if handlers._p(params, "DeploymentMode") != _MODE:
        return ministack_handler(params)
    stack = handlers._resolve_stack(handlers._p(params, "StackName"))
    session = stack_roles.acting()
    with stacks._stack_region_context(stack, (stack or {}).get("StackId")):
        states = {
            logical_id: State(stack or {}, logical_id, record, session)
            for logical_id, record in ((stack or {}).get("_resources") or {}).items()
        }
    token = _states.set(states)
    try:
        answer = ministack_handler(params)
    finally:
        _states.reset(token)
    change_set = change_set_names.created(answer)
    if change_set is not None:
        change_set["DeploymentMode"], change_set["_states"] = _MODE, states
    return answer


def _diff(ministack_diff: Callable[..., list], old_template: dict, new_template: dict, *more: Any) -> list:
    changes = ministack_diff(old_template, new_template, *more)
    states = _states.get()
    if states is None:
        return changes
    old, new = old_template.get("Resources", {}), new_template.get("Resources", {})
    found = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in changes}
    for logical_id, state in states.items():
        change = _change(logical_id, state, found.get(logical_id), old.get(logical_id), new.get(logical_id))
        if change is not None:
            found[logical_id] = change
    for logical_id, change in found.items():
        state_of = states.get(logical_id)
        if state_of is not None:
            change["ResourceDriftStatus"] = state_of.status
            change.setdefault("PhysicalResourceId", state_of.physical_id)
    return [{"ResourceChange": found[logical_id]} for logical_id in sorted(found)]


def _change(
    logical_id: str,
    state: State,
    change: dict[str, Any] | None,
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """The change of a resource with drift. `None` for another resource, or one that the new template
    lacks."""
    if new is None or old is None or state.status != "MODIFIED":
        return None
    made = change or {
        "Action": "Modify",
        "LogicalResourceId": logical_id,
        "ResourceType": new["Type"],
        "Scope": [],
        "Details": [],
        "Replacement": "False",
    }
    details = [each for each in made["Details"] if each["Target"].get("Name") not in state.drifted]
    for name in state.drifted:
        changed = (old.get("Properties") or {}).get(name) != (new.get("Properties") or {}).get(name)
        desired = (new.get("Properties") or {}).get(name) if changed else state.deployed.get(name)
        details.append(_detail(name, state, desired, changed))
    made["Details"] = details
    made["Scope"] = list(dict.fromkeys(["Properties", *made["Scope"]]))
    return made


def _detail(name: str, state: State, desired: Any, changed: bool) -> dict[str, Any]:
    actual = state.actual.get(name)
    kind = "Add" if actual is None else "Remove" if desired is None else "Modify"
    return {
        "Evaluation": "Static",
        "ChangeSource": "DirectModification" if changed else "NoModification",
        "Target": {
            "Attribute": "Properties",
            "Name": name,
            "RequiresRecreation": "Never",
            "Path": f"/Properties/{name}",
            "AttributeChangeType": kind,
            "BeforeValueFrom": "ACTUAL_STATE",
            "AfterValueFrom": "TEMPLATE",
        },
    }


def _describe(ministack_handler: _Handler, params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    _, change_set = change_set_names.find(params)
    if status != 200 or change_set is None or change_set.get("DeploymentMode") != _MODE:
        return status, headers, body
    text = body.decode() if isinstance(body, bytes) else body
    for each in change_set["Changes"]:
        text = _shown(text, each["ResourceChange"])
    shown = (
        f"<DeploymentMode>{_MODE}</DeploymentMode><StackDriftStatus>"
        f"{_of_the_stack(change_set['_states'])}</StackDriftStatus></DescribeChangeSetResult>"
    )
    text = text.replace("</DescribeChangeSetResult>", shown)
    return status, headers, text.encode() if isinstance(body, bytes) else text


def _of_the_stack(states: dict[str, State]) -> str:
    """Which statuses make the stack's UNKNOWN is not documented. (?)"""
    found = {state.status for state in states.values()}
    return "DRIFTED" if found & {"MODIFIED", "DELETED"} else "UNKNOWN" if "UNKNOWN" in found else "IN_SYNC"


def _shown(text: str, change: dict[str, Any]) -> str:
    """Adds the members that MiniStack does not write."""
    start = text.index(f"<LogicalResourceId>{escape(change['LogicalResourceId'])}</LogicalResourceId>")
    end = text.index("</ResourceChange>", start)
    part = text[start:end]
    for detail in change.get("Details", []):
        target = detail["Target"]
        if "AttributeChangeType" not in target:
            continue
        members = "".join(
            f"<{key}>{escape(str(target[key]))}</{key}>"
            for key in ("Path", "AttributeChangeType", "BeforeValueFrom", "AfterValueFrom")
        )
        name = f"<Name>{escape(target['Name'])}</Name>"
        part = re.sub(
            rf"({re.escape(name)}.*?)</Target>",
            lambda found, members=members: f"{found[1]}{members}</Target>",
            part,
            count=1,
        )
    status = change.get("ResourceDriftStatus")
    return (
        text[:start]
        + part
        + (f"<ResourceDriftStatus>{status}</ResourceDriftStatus>" if status else "")
        + text[end:]
    )


def _execute(ministack_handler: _Handler, params: dict) -> tuple:
    """The update starts from the actual state: "restore resources to their actual pre-deployment state" if it
    fails."""
    _, change_set = change_set_names.find(params)
    stack = cloudformation._stacks.get((change_set or {}).get("StackName", ""))
    if (
        change_set is None
        or stack is None
        or change_set.get("DeploymentMode") != _MODE
        or (change_set["ExecutionStatus"] != "AVAILABLE")
    ):
        return ministack_handler(params)
    for logical_id, state in change_set["_states"].items():
        record = stack["_resources"].get(logical_id)
        if record is not None and state.status == "MODIFIED":
            record["Properties"], record["_deployed"] = _Actual(state.actual), state.deployed
            spec = provisioners._STACK_TAG_PROPERTY.get(record["ResourceType"])
            record["Properties"].has_all_tags = spec is not None and spec[0] in state.drifted
    return ministack_handler(params)


async def _track(ministack_track: Callable[..., Any], change_set: dict, stack: dict, deploy: Any) -> None:
    try:
        await ministack_track(change_set, stack, deploy)
    finally:
        _forget_actual_states(stack)


def _forget_actual_states(stack: dict) -> None:
    """After a failure, a resource's drift is still a difference from the last deployment."""
    for record in stack["_resources"].values():
        deployed = record.pop("_deployed", None)
        if deployed is not None and isinstance(record["Properties"], _Actual):
            record["Properties"] = deployed
