"""`AWS::Events::EventBusPolicy` for MiniStack's CloudFormation: one statement of a bus's policy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners


def install() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {"create": _create, "delete": _delete}


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    """The registry's schema: "$merge([{"Sid": StatementId}, Statement])". """
    name, statement_id = str(props.get("EventBusName") or "default"), str(props["StatementId"])
    _put(name, statement_id, [{"Sid": statement_id, **props["Statement"]}])
    return f"{name}|{statement_id}", {}


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    name, _, statement_id = physical_id.partition("|")
    _put(name, statement_id, [])


def _put(name: str, statement_id: str, statements: list[dict[str, Any]]) -> None:
    held = (eventbridge._event_bus_policies.get(name) or {}).get("Statement", [])
    others = [each for each in held if each.get("Sid") != statement_id]
    eventbridge._event_bus_policies[name] = {"Version": "2012-10-17", "Statement": [*others, *statements]}
