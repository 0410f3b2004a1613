"""The encryption key of a topic, which MiniStack's `AWS::SNS::Topic` ignores.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import kms, sns
from ministack.services.cloudformation import provisioners

_ATTRIBUTE = "KmsMasterKeyId"


def install() -> None:
    table = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    ministack_create, ministack_update = table["create"], table["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        made = ministack_create(logical_id, props, stack_name)
        _keep(made[0], props)
        return made

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *more: Any, **named: Any) -> Any:
        made = ministack_update(physical_id, old, new, *more, **named)
        _keep(made[0], new)
        return made

    table["create"], table["update"] = create, update


def _keep(arn: str, props: dict[str, Any]) -> None:
    attributes = sns._topics[arn]["attributes"]
    attributes.pop(_ATTRIBUTE, None)
    if props.get(_ATTRIBUTE):
        attributes[_ATTRIBUTE] = props[_ATTRIBUTE]


def of(topic: dict[str, Any]) -> dict[str, Any] | None:
    """The record of the topic's key. Empty if the key does not exist."""
    name = topic["attributes"].get(_ATTRIBUTE)
    return (kms._resolve_key(name) or {}) if name else None
