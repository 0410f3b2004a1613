"""A log group as the target of an EventBridge rule. It gets the whole event.

EventBridge needs a resource policy of CloudWatch Logs for `events.amazonaws.com` and
`delivery.logs.amazonaws.com`, and the group's name begins with `/aws/events/`:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-cloudwatchlogs-permissions
"""

import json
from typing import Any

from ministack.services import cloudwatch_logs

from tests.local.aws.events import targets
from tests.local.aws.events.targets import Undelivered

_SERVICES = {"events.amazonaws.com", "delivery.logs.amazonaws.com"}
_STREAM = "events"


def install() -> None:
    targets.deliver_with("logs", _write)


def _write(target: dict, _event: dict, rule: dict, view: Any) -> None:
    group = target["Arn"].split(":log-group:")[-1]
    if not group.startswith("/aws/events/") or group not in cloudwatch_logs._log_groups:
        raise Undelivered("NO_RESOURCE", f"no log group {group} for events")
    if not any(
        _admits(held["policyDocument"], target["Arn"]) for held in cloudwatch_logs._resource_policies.values()
    ):
        raise Undelivered("NO_PERMISSIONS", f"no resource policy lets EventBridge write to {group}")
    where = {"logGroupName": group, "logStreamName": _STREAM}
    if _STREAM not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream(where)
    cloudwatch_logs._put_log_events(
        {**where, "logEvents": [{"message": json.dumps(view.event_with_detail())}]}
    )


def _admits(document: str, arn: str) -> bool:
    return any(
        set(statement["Principal"]["Service"]) >= _SERVICES
        and statement["Resource"].removesuffix(":*") == arn
        for statement in json.loads(document)["Statement"]
    )
