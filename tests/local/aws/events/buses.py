"""Event buses that receive events from a rule of another account or region, and the policy of a bus.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import eventbridge

from tests.local.aws.events import targets
from tests.local.aws.events.targets import SERVICE
from tests.local.policies.source_keys import source_keys

_log = logging.getLogger("events")
LOCALLY = "is not part of this local EventBridge"
_INPUTS = ("Input", "InputPath", "InputTransformer")
# "The permission policy on the event bus cannot exceed 10 KB in size."
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
_LONGEST_POLICY = 10 * 1024
# Marks an event that came from another bus.
_CAME_BY_BUS = "_CameByBus"


class Rejected(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def install() -> None:
    ministack_put = eventbridge._put_events

    def put_events(data: dict, *more: Any, **named: Any) -> Any:
        if any(_is_elsewhere(bus_of({"Arn": str(each.get("EventBusName"))})) for each in data.get("Entries") or []):
            return error_response_json("ValidationException", f"PutEvents to a bus elsewhere {LOCALLY}.", 400)
        return ministack_put(data, *more, **named)

    targets.deliver_with("events", _send)
    eventbridge._put_events = put_events
    eventbridge._put_permission = put_permission


def bus_of(target: dict[str, Any]) -> tuple[str, str, str] | None:
    """Account, region and name of a target that is a bus. None for any other target."""
    try:
        spec = parse_arn(target.get("Arn") or "")
    except ArnParseError:
        return None
    if spec.service != "events" or not spec.resource.startswith("event-bus/"):
        return None
    return spec.account_id, spec.region, spec.resource.removeprefix("event-bus/")


def _is_elsewhere(bus: tuple[str, str, str] | None) -> bool:
    return bus is not None and bus[:2] != (get_account_id(), get_region())


def target_fault(target: dict[str, Any]) -> str:
    """The fault of a target that is a bus, or an empty string.

    "Input, InputPath, and InputTransformer are not available with PutTargets if the target is an event bus of a
    different AWS account." https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    Since 2 March 2023 a rule that sends to another account's or region's bus has to have a role.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """
    bus = bus_of(target)
    if bus is None:
        return ""
    if not _is_elsewhere(bus):
        return f"Target {target.get('Id')}: a bus of the rule's own account and region {LOCALLY}."
    given = [each for each in _INPUTS if target.get(each)]
    if given:
        return (f"{given[0]} is not available for target {target.get('Id')}: it is an event bus of a different AWS "
                "account.")
    return "" if target.get("RoleArn") else f"RoleArn is required for target {target.get('Id')}."


def _send(target: dict, event: dict, rule: dict, _view: Any) -> None:
    """A rejected event is not retried. It goes to the target's dead-letter queue, if there is one.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html. The page does not name the code for an
    event that another account's bus denies.
    """
    bus = bus_of(target)
    if bus is None or event.get(_CAME_BY_BUS):
        # "If a receiver account sets up a rule that sends events received from a sender account on to a third
        # account, these events are not sent to the third account."
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html
        _log.warning("%s: not sent to %s", rule["Name"], target["Arn"])
        return
    targets.require(target, rule, "events:PutEvents", _keys(event, rule))
    _deliver(event, *bus)


def _keys(event: dict, rule: dict) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html"""
    return {"events:source": event.get("Source", ""), "events:detail-type": event.get("DetailType", ""),
            "events:eventBusInvocation": "true",
            **source_keys(SERVICE, "events:PutEvents", rule["Arn"], rule["Arn"].split(":")[4])}


def keys_of_events(request: dict[str, Any]) -> dict[str, Any]:
    """The same for a call of PutEvents, whose events do not come from a rule."""
    entries = [each for each in request.get("Entries") or [] if isinstance(each, dict)]
    found: dict[str, Any] = {"events:eventBusInvocation": "false"}
    for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
        values = sorted({str(each[member]) for each in entries if each.get(member)})
        if values:
            found[key] = values if len(values) > 1 else values[0]
    return found


def keys_of_rule(pattern: Any) -> dict[str, Any]:
    """PutRule's keys: the sources and the types that the rule's pattern names. A schedule has no pattern. How IAM sees
    a matcher such as `prefix` is not documented: here it is not a value.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    try:
        named = json.loads(pattern) if isinstance(pattern, str) else pattern
    except ValueError:
        named = None
    if not isinstance(named, dict):
        return {}
    found = {}
    for key, member in (("events:source", "source"), ("events:detail-type", "detail-type")):
        values = [each for each in named.get(member) or [] if isinstance(each, str)]
        if values:
            found[key] = values if len(values) > 1 else values[0]
    return found


def _deliver(event: dict[str, Any], account: str, region: str, name: str) -> None:
    """With its original account, region and resources: the receiver's rules match its origin."""
    with request_scope(account, region):
        eventbridge._ensure_default_bus()
        if name not in eventbridge._event_buses:
            _log.warning("the event bus %s of %s in %s is not there", name, account, region)
            return
        received = {**event, "EventBusName": name, "_DispatchPath": [], _CAME_BY_BUS: True}
        eventbridge._dispatch_event(received)
        eventbridge._archive_event({key: value for key, value in received.items() if not key.startswith("_")})


# --- the policy of a bus -----------------------------------------------------------------


def put_permission(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html"""
    try:
        set_policy(str(request.get("EventBusName") or "default"), _parsed(request.get("Policy", "")))
    except Rejected as rejected:
        error_of: tuple = error_response_json(rejected.code, rejected.message, 400)
        return error_of
    answer: tuple = json_response({})
    return answer


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not document.get("Statement"):
        raise Rejected("ValidationException", f"The policy document is not valid. A statement by its parts {LOCALLY}.")
    return document


def arn_of(name: str) -> str:
    return f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}"


def statements(name: str) -> list[dict[str, Any]]:
    eventbridge._ensure_default_bus()
    if name not in eventbridge._event_buses:
        raise Rejected("ResourceNotFoundException", f"Event bus {name} does not exist.")
    written = (eventbridge._event_bus_policies.get(name) or {}).get("Statement", [])
    return [written] if isinstance(written, dict) else list(written)


def put_statement(name: str, statement: dict[str, Any]) -> None:
    others = [each for each in statements(name) if each.get("Sid") != statement["Sid"]]
    set_policy(name, {"Version": "2012-10-17", "Statement": [*others, statement]})


def remove_statement(name: str, statement_id: str) -> None:
    left = [each for each in statements(name) if each.get("Sid") != statement_id]
    if left:
        set_policy(name, {"Version": "2012-10-17", "Statement": left})
    else:
        eventbridge._event_bus_policies.pop(name, None)


def set_policy(name: str, document: dict[str, Any]) -> None:
    statements(name)  # the bus exists
    if len(json.dumps(document, separators=(",", ":"))) > _LONGEST_POLICY:
        raise Rejected("PolicyLengthExceededException",
                      "The size of the policy exceeds the limit of 10240 characters.")
    written = document["Statement"]
    for statement in [written] if isinstance(written, dict) else written:
        _check(name, statement)
    eventbridge._event_bus_policies[name] = document


def _check(name: str, statement: dict[str, Any]) -> None:
    """The required elements of a resource-based policy. Its resource is the bus, or rules on it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
    """
    missing = [key for key in ("Effect", "Principal", "Action", "Resource") if not statement.get(key)]
    rules = arn_of(name).replace(":event-bus/", ":rule/")
    resources = statement.get("Resource") or []
    resources = [resources] if isinstance(resources, str) else resources
    foreign = [each for each in resources if each not in (arn_of(name), rules) and not each.startswith(f"{rules}/")]
    if missing or foreign:
        raise Rejected("ValidationException", f"The policy statement is not valid: {', '.join(missing)} is missing."
                      if missing else f"The policy statement is not valid: {foreign[0]} is not on the bus {name}.")
