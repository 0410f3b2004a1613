"""Notification rules of the developer tools, which MiniStack lacks: the resource type, and the messages to
SNS topics.

https://docs.aws.amazon.com/codestar-notifications/latest/APIReference/API_CreateNotificationRule.html
https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html
A channel's configuration (`AWS::Chatbot::…ChannelConfiguration`) has a name, but receives no message.
"""

import contextvars
import functools
import json
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, kms, sns
from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_types
from tests.local.aws.iam import service_principals

TYPE = "AWS::CodeStarNotifications::NotificationRule"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-chatbot-slackchannelconfiguration.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-chatbot-microsoftteamschannelconfiguration.html
# The configuration's type, and its kind in ARNs.
_CHATS = {
    "SlackChannelConfiguration": "slack-channel",
    "MicrosoftTeamsChannelConfiguration": "microsoft-teams-channel",
}
_KEY = "KmsMasterKeyId"
SERVICE = "codestar-notifications.amazonaws.com"
_log = logging.getLogger("notifications")

# https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html#events-ref-repositories and
# #events-ref-pipeline
_REPOSITORY, _PIPELINE = "codecommit-repository", "codepipeline-pipeline"
_REFERENCES = {"referenceCreated": "created", "referenceUpdated": "updated", "referenceDeleted": "deleted"}


@dataclass
class Rule:
    arn: str
    account: str
    region: str
    name: str
    resource: str
    event_types: list[str]
    topics: list[str]
    enabled: bool


_rules: dict[str, Rule] = {}  # by ARN


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "delete": _delete}
    for name, kind in _CHATS.items():
        provisioners._RESOURCE_HANDLERS[f"AWS::Chatbot::{name}"] = {
            "create": functools.partial(_create_channel, kind),
            "delete": lambda _physical_id, _props: None,
        }
    resource_types.also("AWS::SNS::Topic", _keep_key)
    ministack_dispatch = eventbridge._dispatch_event

    def dispatch(event: dict[str, Any], *more: Any, **named: Any) -> Any:
        done = ministack_dispatch(event, *more, **named)
        _tell(event)
        return done

    eventbridge._dispatch_event = dispatch


def _keep_key(arn: str, props: dict[str, Any]) -> None:
    """MiniStack's `AWS::SNS::Topic` ignores it."""
    attributes = sns._topics[arn]["attributes"]
    attributes.pop(_KEY, None)
    attributes |= {_KEY: props[_KEY]} if props.get(_KEY) else {}


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    arn = f"arn:aws:codestar-notifications:{get_region()}:{get_account_id()}:notificationrule/{uuid.uuid4().hex}"  # noqa: E501
    _rules[arn] = Rule(
        arn,
        get_account_id(),
        get_region(),
        props["Name"],
        props["Resource"],
        list(props["EventTypeIds"]),
        [target["TargetAddress"] for target in props["Targets"] if target["TargetType"] == "SNS"],
        props.get("Status", "ENABLED") == "ENABLED",
    )
    return arn, {"Arn": arn}


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    _rules.pop(physical_id, None)


def _create_channel(
    kind: str, _logical_id: str, props: dict[str, Any], _stack_name: str
) -> tuple[str, dict[str, str]]:
    arn = f"arn:aws:chatbot::{get_account_id()}:chat-configuration/{kind}/{props['ConfigurationName']}"
    return arn, {"Arn": arn}


def _types_of(event: dict[str, Any]) -> set[str]:
    source, detail = event["Source"], json.loads(event["Detail"])
    if source == "aws.codecommit" and detail.get("event") in _REFERENCES:
        return {f"{_REPOSITORY}-branches-and-tags-{_REFERENCES[detail['event']]}"}
    if source != "aws.codepipeline":
        return set()
    level = event["DetailType"].split()[1].lower()
    found = {f"{_PIPELINE}-{level}-execution-{detail['state'].lower()}"}
    if level == "action" and detail["type"]["category"] == "Approval":
        needed = {"STARTED": "needed", "SUCCEEDED": "succeeded", "FAILED": "failed"}.get(detail["state"])
        found |= {f"{_PIPELINE}-manual-approval-{needed}"} if needed else set()
    return found


def _tell(event: dict[str, Any]) -> None:
    for rule in list(_rules.values()):
        if rule.enabled and rule.resource in event["Resources"] and _types_of(event) & set(rule.event_types):
            for topic in rule.topics:
                contextvars.copy_context().run(_publish, rule, topic, event)


def _publish(rule: Rule, topic_arn: str, event: dict[str, Any]) -> None:
    """Publishes as the service, so that the topic's policy decides, and the policy of its key if it has
    one."""
    # A service's call is not an HTTP request here, so nothing has set aws:SecureTransport.
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    with request_scope(rule.account, rule.region):
        topic = sns._topics.get(topic_arn)
        if topic is None or not _may(rule, topic):
            _log.warning("%s cannot be reached by %s", topic_arn, rule.name)
            return
        sns._publish(
            {
                "TopicArn": [topic_arn],
                "Message": [
                    json.dumps(
                        {
                            "account": event["Account"],
                            "detailType": event["DetailType"],
                            "region": event["Region"],
                            "source": event["Source"],
                            "time": event["Time"],
                            "notificationRuleArn": rule.arn,
                            "detail": json.loads(event["Detail"]),
                            "resources": event["Resources"],
                            "additionalAttributes": {},
                        }
                    )
                ],
            }
        )


def _may(rule: Rule, topic: dict[str, Any]) -> bool:
    """https://docs.aws.amazon.com/dtconsole/latest/userguide/set-up-sns.html"""
    policy = topic["attributes"].get("Policy")
    if not service_principals.admits(policy, SERVICE, "sns:Publish", topic["arn"], rule.arn):
        return False
    name = topic["attributes"].get(_KEY)
    if not name:
        return True
    key = kms._resolve_key(name)
    through = {"kms:ViaService": f"sns.{rule.region}.amazonaws.com"}
    return bool(key) and all(
        service_principals.admits(key["Policy"], SERVICE, action, key["Arn"], rule.arn, through)
        for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )
