"""The encryption key of a topic, which MiniStack's `AWS::SNS::Topic` ignores.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import kms, sns

from tests.local.aws.cloudformation import resource_types

_ATTRIBUTE = "KmsMasterKeyId"


def install() -> None:
    resource_types.also("AWS::SNS::Topic", _keep)


def _keep(arn: str, props: dict[str, Any]) -> None:
    attributes = sns._topics[arn]["attributes"]
    attributes.pop(_ATTRIBUTE, None)
    if props.get(_ATTRIBUTE):
        attributes[_ATTRIBUTE] = props[_ATTRIBUTE]


def of(topic: dict[str, Any]) -> dict[str, Any] | None:
    """The record of the topic's key. Empty if the key does not exist."""
    name = topic["attributes"].get(_ATTRIBUTE)
    return (kms._resolve_key(name) or {}) if name else None
