"""Notification rules of the developer tools, which MiniStack lacks: the resource type, and the messages to SNS topics.

https://docs.aws.amazon.com/codestar-notifications/latest/APIReference/API_CreateNotificationRule.html
https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html
A channel's configuration (`AWS::Chatbot::…ChannelConfiguration`) is stored and has a name, but receives no message.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import re
import uuid
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import eventbridge, iam, sns
from ministack.services.cloudformation import provisioners

from tests.local.aws.codecommit import repositories
from tests.local.aws.codepipeline import pipelines
from tests.local.aws.iam import decision_log
from tests.local.aws.sns import topic_keys
from tests.local.policies.evaluation import Caller, decide
from tests.local.policies.source_keys import source_keys

TYPE = "AWS::CodeStarNotifications::NotificationRule"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-chatbot-slackchannelconfiguration.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-chatbot-microsoftteamschannelconfiguration.html
# https://docs.aws.amazon.com/codestar-notifications/latest/APIReference/API_Target.html
# The target type of a channel's rules -> the type of its configuration, its kind in ARNs, and what identifies a channel.
_CHATS = {
    "AWSChatbotSlack": ("SlackChannelConfiguration", "slack-channel", ("SlackWorkspaceId", "SlackChannelId")),
    "AWSChatbotMicrosoftTeams": (
        "MicrosoftTeamsChannelConfiguration", "microsoft-teams-channel", ("TeamId", "TeamsTenantId", "TeamsChannelId")),
}
SERVICE = "codestar-notifications.amazonaws.com"
_log = logging.getLogger("notifications")
_NAME = re.compile(r"[A-Za-z0-9\-_ ]{1,64}")
_MOST_TARGETS = 10

# https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html#events-ref-repositories and #events-ref-pipeline:
# The events sent here that an event type consists of. The other types are known, but nothing sends them.
_REPOSITORY, _PIPELINE = "codecommit-repository", "codepipeline-pipeline"
_REFERENCES = {"referenceCreated": "created", "referenceUpdated": "updated", "referenceDeleted": "deleted"}
_KNOWN = {
    *(f"{_REPOSITORY}-branches-and-tags-{what}" for what in _REFERENCES.values()),
    *(f"{_REPOSITORY}-{what}" for what in (
        "comments-on-commits", "comments-on-pull-requests", "approvals-status-changed", "approvals-rule-override",
        "pull-request-created", "pull-request-source-updated", "pull-request-status-changed", "pull-request-merged")),
    *(f"{_PIPELINE}-action-execution-{state}" for state in ("succeeded", "failed", "canceled", "started")),
    *(f"{_PIPELINE}-stage-execution-{state}" for state in ("started", "succeeded", "resumed", "canceled", "failed")),
    *(f"{_PIPELINE}-pipeline-execution-{state}" for state in (
        "failed", "canceled", "started", "resumed", "succeeded", "superseded")),
    *(f"{_PIPELINE}-manual-approval-{what}" for what in ("failed", "needed", "succeeded")),
}


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
_channels: dict[str, str] = {}  # ARN -> what identifies the channel


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _create, "update": _update, "update_with_logical_id": True, "delete": _delete}
    for chat, (name, _, _) in _CHATS.items():
        provisioners._RESOURCE_HANDLERS[f"AWS::Chatbot::{name}"] = {
            "create": functools.partial(_create_channel, chat), "delete": _delete_channel}
    ministack_dispatch = eventbridge._dispatch_event

    def dispatch(event: dict[str, Any], *more: Any, **named: Any) -> Any:
        done = ministack_dispatch(event, *more, **named)
        _tell(event)
        return done

    eventbridge._dispatch_event = dispatch


def _reject(code: str, message: str, handler_code: str = "InvalidRequest") -> ValueError:
    return ValueError(f'Resource handler returned message: "{message} (Service: CodestarNotifications, Status Code: 400, '
                      f'Request ID: {new_uuid()}; {code})" (RequestToken: {new_uuid()}, HandlerErrorCode: {handler_code})')


def _check(props: dict[str, Any]) -> None:
    service, name = str(props["Resource"]).split(":")[2], str(props["Resource"]).rsplit(":", 1)[-1]
    there: Any = {"codecommit": repositories.find, "codepipeline": pipelines.find}.get(service, lambda _: None)(name)
    if there is None:
        raise _reject("ValidationException", f"The resource {props['Resource']} does not exist")
    prefix = {"codecommit": _REPOSITORY, "codepipeline": _PIPELINE}[service]
    wrong = [one for one in props["EventTypeIds"] if one not in _KNOWN or not one.startswith(f"{prefix}-")]
    if wrong or not props["EventTypeIds"]:
        raise _reject("ValidationException", f"The event types {', '.join(wrong)} are not those of {prefix}")
    if not _NAME.fullmatch(props["Name"]):
        raise _reject("ValidationException", f"{props['Name']} is not a valid name of a notification rule")
    if len(props["Targets"]) > _MOST_TARGETS:
        raise _reject("LimitExceededException", "A notification rule has at most 10 targets")
    for target in props["Targets"]:
        # "The Amazon SNS topic that you use for a target must be in your AWS account. It also must be in the same AWS
        # Region as the notification rule". A channel's configuration "must" be there "before you can select" it.
        kind, address = target["TargetType"], target["TargetAddress"]
        if not (address in sns._topics if kind == "SNS" else address in _channels and f"/{_CHATS[kind][1]}/" in address):
            raise _reject("ValidationException", f"The target {address} does not exist")


def _held(arn: str, props: dict[str, Any]) -> Rule:
    return Rule(arn, get_account_id(), get_region(), props["Name"], props["Resource"], list(props["EventTypeIds"]),
                [target["TargetAddress"] for target in props["Targets"] if target["TargetType"] == "SNS"],
                props.get("Status", "ENABLED") == "ENABLED")


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    _check(props)
    mine = (get_account_id(), get_region(), props["Name"])
    if any((rule.account, rule.region, rule.name) == mine for rule in _rules.values()):
        raise _reject("ResourceAlreadyExistsException", f"A notification rule named {props['Name']} already exists",
                      "AlreadyExists")
    arn = f"arn:aws:codestar-notifications:{get_region()}:{get_account_id()}:notificationrule/{uuid.uuid4().hex}"
    _rules[arn] = _held(arn, props)
    return arn, {"Arn": arn}


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str,
            logical_id: str | None = None) -> tuple[str, dict[str, str]]:
    if old.get("Resource") != new.get("Resource"):  # "Update requires: Replacement"
        return _create(logical_id or physical_id, new, stack_name)
    _check(new)
    _rules[physical_id] = _held(physical_id, new)
    return physical_id, {"Arn": physical_id}


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    _rules.pop(physical_id, None)


def _create_channel(chat: str, _logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    _, kind, ids = _CHATS[chat]
    role = str(props["IamRoleArn"]).rsplit("/", 1)[-1]
    if role not in iam._roles or any(arn not in iam._policies for arn in props.get("GuardrailPolicies") or []):
        raise _reject("InvalidParameterException", "Invalid request provided: the role or a guardrail policy does not exist")
    channel = "/".join(props[name] for name in ids)
    arn = f"arn:aws:chatbot::{get_account_id()}:chat-configuration/{kind}/{props['ConfigurationName']}"
    if arn in _channels or channel in _channels.values():
        raise _reject("ConflictException", "Invalid request provided: the channel has a configuration", "AlreadyExists")
    _channels[arn] = channel
    return arn, {"Arn": arn}


def _delete_channel(physical_id: str, _props: dict[str, Any]) -> None:
    _channels.pop(physical_id, None)


def _types_of(event: dict[str, Any]) -> set[str]:
    """The event types of an event."""
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
    """Publishes as the service, so that the topic's policy decides, and the policy of its key if it has one."""
    # A service's call is not an HTTP request here, so nothing has set aws:SecureTransport.
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    with request_scope(rule.account, rule.region):
        topic = sns._topics.get(topic_arn)
        if topic is None or not _may(rule, topic):
            _log.warning("%s cannot be reached by %s", topic_arn, rule.name)
            return
        sns._publish({"TopicArn": [topic_arn], "Message": [json.dumps({
            "account": event["Account"], "detailType": event["DetailType"], "region": event["Region"],
            "source": event["Source"], "time": event["Time"], "notificationRuleArn": rule.arn,
            "detail": json.loads(event["Detail"]), "resources": event["Resources"], "additionalAttributes": {}})]})


def _may(rule: Rule, topic: dict[str, Any]) -> bool:
    """https://docs.aws.amazon.com/dtconsole/latest/userguide/set-up-sns.html"""
    policy = json.loads(topic["attributes"].get("Policy") or '{"Statement": []}')
    if not _decided(rule, "sns:Publish", topic["arn"], policy,
                    source_keys(SERVICE, "sns:Publish", rule.arn, rule.account)):
        return False
    key = topic_keys.of(topic)
    if key is None:
        return True
    through = {"kms:ViaService": f"sns.{rule.region}.amazonaws.com"}
    return bool(key) and all(_decided(rule, action, key["Arn"], json.loads(key["Policy"]), through)
                             for action in ("kms:GenerateDataKey", "kms:Decrypt"))


def _decided(rule: Rule, action: str, resource: str, policy: dict[str, Any], keys: dict[str, str]) -> bool:
    allowed = bool(decide(Caller(service=SERVICE), action, resource, rule.account, policy, keys))
    decision_log.record(SERVICE, action, resource, allowed)
    return allowed
