"""Delivers events to the targets that MiniStack lacks, and lost events to dead-letter queues.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html: a target is called with its role,
and SQS checks the queue's policy. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html:
an event without permission or target "will be sent directly to the dead-letter queue", whose policy has to
allow the rule.

A queue without a policy accepts every rule's events here, unlike on AWS: tests read events from such queues.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import eventbridge, sqs

from tests.local.aws.iam import service_principals, service_roles
from tests.local.aws.json_api import Rejected

SERVICE = "events.amazonaws.com"
_log = logging.getLogger("events")


class Undelivered(Rejected):
    """The target was not reached, and a retry would not help."""


Deliver = Callable[[dict, dict, dict, Any], None]  # target, event, rule, and the rule's view of the event
_deliver: dict[str, Deliver] = {}  # by the service in the target's ARN


def deliver_with(service: str, deliver: Deliver) -> None:
    _deliver[service] = deliver


def install() -> None:
    ministack_invoke = eventbridge._invoke_target

    def invoke(target: dict, event: dict, rule: dict, view: Any = None) -> None:
        view = view or eventbridge._pattern_event_view(event)
        service = str(parse_arn(target["Arn"]).service)
        try:
            if service == "sqs":
                _check_queue(target, rule)
            _deliver.get(service, ministack_invoke)(target, event, rule, view)
        except Undelivered as fault:
            _log.warning("%s: %s: %s: %s", rule["Name"], target["Arn"], fault.code, fault.message)
            _keep(target, rule, view, fault)

    eventbridge._invoke_target = invoke


def require(target: dict, rule: dict, action: str, keys: dict[str, Any] | None = None) -> None:
    """Calls the target's service with the target's role."""
    try:
        session = service_roles.assume(
            target.get("RoleArn", ""), SERVICE, rule["Arn"], session_name=rule["Name"][:64]
        )
        session.require(action, target["Arn"], keys)
    except service_roles.NotAssumable as rejected:
        raise Undelivered("FAILED_TO_ASSUME_ROLE", rejected.message) from None
    except service_roles.Denied as rejected:
        raise Undelivered("NO_PERMISSIONS", rejected.message) from None


def request_of(target: dict, rule: dict, view: Any) -> dict[str, Any]:
    """The request that a target's `Input` or `InputTransformer` is. Empty without them: an event has no
    member of such a request, and that the service ignores it is not documented. (?)"""
    if target.get("InputTransformer"):
        text = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    else:
        text = target.get("Input") or "{}"
    given: dict[str, Any] = json.loads(text)
    return given


def _check_queue(target: dict, rule: dict) -> None:
    queue = sqs._queue_by_arn(target["Arn"])
    if queue and queue["attributes"].get("Policy") and not _admits(target["Arn"], rule):
        raise Undelivered("NO_PERMISSIONS", f"the queue's policy does not admit {rule['Arn']}")


def _admits(queue_arn: str, rule: dict) -> bool:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions"""
    queue = sqs._queue_by_arn(queue_arn)
    policy = queue["attributes"].get("Policy")
    return service_principals.admits(policy, SERVICE, "sqs:SendMessage", queue_arn, rule["Arn"])


def _keep(target: dict, rule: dict, view: Any, fault: Undelivered) -> None:
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        return
    if not _admits(arn, rule):
        _log.warning("%s: the policy of %s does not admit it", rule["Name"], arn)
        return
    queue = sqs._queue_by_arn(arn)
    attributes = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": fault.code,
        "ERROR_MESSAGE": fault.message,
    }
    message = {
        "id": str(uuid.uuid4()),
        "body": json.dumps(view.event_with_detail()),
        "visible_at": time.time() + sqs.queue_delay(queue),
        "message_attributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    sqs._ensure_msg_fields(message)
    # With its attributes: a reader may receive it as soon as it is in the queue.
    queue["messages"].append(message)
