"""`AWS::Events::EventBusPolicy` for MiniStack's CloudFormation: one statement of a bus's policy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services.cloudformation import provisioners

from tests.local.aws.events import buses as event_buses

TYPE = "AWS::Events::EventBusPolicy"


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "update": _update, "delete": _delete}


def bus_name(props: dict[str, Any]) -> str:
    return str(props.get("EventBusName") or "default")


def _failed(message: str, code: str) -> ValueError:
    return ValueError(f'Resource handler returned message: "{message}" (RequestToken: {new_uuid()}, '
                      f"HandlerErrorCode: {code})")


def _said(rejected: event_buses.Rejected) -> ValueError:
    code = "NotFound" if rejected.code == "ResourceNotFoundException" else "InvalidRequest"
    return _failed(f"{rejected.message} (Service: EventBridge, Status Code: 400, Request ID: {new_uuid()})", code)


def _statement(props: dict[str, Any]) -> dict[str, Any]:
    """The registry's schema: "$merge([{"Sid": StatementId}, Statement])". """
    if given := [key for key in ("Action", "Principal", "Condition") if key in props]:
        raise event_buses.Rejected("ValidationException", f"{', '.join(given)} {event_buses.LOCALLY}.")
    return {"Sid": props["StatementId"], **props.get("Statement", {})}


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    name, statement_id = bus_name(props), str(props["StatementId"])
    try:
        if any(each.get("Sid") == statement_id for each in event_buses.statements(name)):
            identifier = json.dumps({"/properties/EventBusName": name, "/properties/StatementId": statement_id})
            raise _failed(f"Resource of type '{TYPE}' with identifier '{identifier}' already exists.", "AlreadyExists")
        event_buses.put_statement(name, _statement(props))
    except event_buses.Rejected as rejected:
        raise _said(rejected) from None
    return f"{name}|{statement_id}", {}


def _update(physical_id: str, _old: dict[str, Any], new: dict[str, Any],
            stack_name: str) -> tuple[str, dict[str, str]]:
    if physical_id != f"{bus_name(new)}|{new['StatementId']}":  # both: "Update requires: Replacement"
        return _create(physical_id, new, stack_name)
    try:
        event_buses.put_statement(bus_name(new), _statement(new))
    except event_buses.Rejected as rejected:
        raise _said(rejected) from None
    return physical_id, {}


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    """A missing statement or bus needs no deletion."""
    name, _, statement_id = physical_id.partition("|")
    try:
        event_buses.remove_statement(name, statement_id)
    except event_buses.Rejected as rejected:
        if rejected.code != "ResourceNotFoundException":
            raise _said(rejected) from None
