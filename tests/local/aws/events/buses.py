"""Event buses that receive events from a rule of another account or region, and the policy of a bus.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
"""

import json
import logging
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import json_response, request_scope
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from tests.local.aws.events import targets
from tests.local.aws.events.targets import SERVICE
from tests.local.policies.source_keys import source_keys

_log = logging.getLogger("events")
# Marks an event that came from another bus.
_CAME_BY_BUS = "_CameByBus"


def install() -> None:
    targets.deliver_with("events", _send)
    eventbridge._put_permission = _put_permission
    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {
        "create": _create_policy,
        "delete": _delete_policy,
    }


def bus_of(target: dict[str, Any]) -> tuple[str, str, str] | None:
    """Account, region and name of a target that is a bus. None for any other target."""
    spec = parse_arn(target["Arn"])
    if spec.service != "events" or not spec.resource.startswith("event-bus/"):
        return None
    return spec.account_id, spec.region, spec.resource.removeprefix("event-bus/")


def _send(target: dict, event: dict, rule: dict, _view: Any) -> None:
    """A rejected event is not retried. It goes to the target's dead-letter queue, if there is one.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html. The page does not name the code
    for an event that another account's bus denies.
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
    return {
        "events:source": event.get("Source", ""),
        "events:detail-type": event.get("DetailType", ""),
        "events:eventBusInvocation": "true",
        **source_keys(SERVICE, "events:PutEvents", rule["Arn"], rule["Arn"].split(":")[4]),
    }


def keys_of_rule(pattern: Any) -> dict[str, Any]:
    """PutRule's keys: the sources and the types that the rule's pattern names. A schedule has no pattern. How
    IAM sees a matcher such as `prefix` is not documented: here it is not a value.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    named, found = pattern if isinstance(pattern, dict) else json.loads(pattern or "{}"), {}
    for key, member in (("events:source", "source"), ("events:detail-type", "detail-type")):
        values = [each for each in named.get(member) or [] if isinstance(each, str)]
        if values:
            found[key] = values if len(values) > 1 else values[0]
    return found


def _deliver(event: dict[str, Any], account: str, region: str, name: str) -> None:
    """With its original account, region and resources: the receiver's rules match its origin."""
    with request_scope(account, region):
        eventbridge._ensure_default_bus()
        received = {**event, "EventBusName": name, "_DispatchPath": [], _CAME_BY_BUS: True}
        eventbridge._dispatch_event(received)
        eventbridge._archive_event({key: value for key, value in received.items() if not key.startswith("_")})


def _put_permission(request: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html, with a whole
    policy."""
    eventbridge._event_bus_policies[str(request.get("EventBusName") or "default")] = json.loads(
        request["Policy"]
    )
    answer: tuple = json_response({})
    return answer


def _create_policy(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    """One statement of a bus's policy. The registry's schema: "$merge([{"Sid": StatementId}, Statement])"."""
    name, statement_id = str(props.get("EventBusName") or "default"), str(props["StatementId"])
    _put(name, statement_id, [{"Sid": statement_id, **props["Statement"]}])
    return f"{name}|{statement_id}", {}


def _delete_policy(physical_id: str, _props: dict[str, Any]) -> None:
    name, _, statement_id = physical_id.partition("|")
    _put(name, statement_id, [])


def _put(name: str, statement_id: str, statements: list[dict[str, Any]]) -> None:
    held = (eventbridge._event_bus_policies.get(name) or {}).get("Statement", [])
    others = [each for each in held if each.get("Sid") != statement_id]
    eventbridge._event_bus_policies[name] = {"Version": "2012-10-17", "Statement": [*others, *statements]}
