"""EventBridge's rules: validation that MiniStack lacks, due times of schedules, and the input of targets.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html and API_PutTargets.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, new_uuid
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from tests.local.aws.events import buses as event_buses

_RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
# "A rule ... five targets" https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_MOST_TARGETS = 5
# API_Target.html: "Input: Maximum length of 8192."
_LONGEST_INPUT = 8192
_STATES = {"ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}


class Invalid(ValueError):
    """The message of EventBridge's ValidationException."""


def install() -> None:
    eventbridge._validate_schedule_expression = is_schedule
    eventbridge._put_rule = _checked(_check_rule, eventbridge._put_rule)
    eventbridge._put_targets = _checked(_check_targets_request, eventbridge._put_targets)
    table = provisioners._RESOURCE_HANDLERS["AWS::Events::Rule"]
    ministack_create, ministack_update = table["create"], table["update"]

    def create(logical_id: str, props: dict, stack_name: str) -> Any:
        _check_resource(props)
        return ministack_create(logical_id, props, stack_name)

    def update(physical_id: str, old: dict, new: dict, *more: Any, **named: Any) -> Any:
        _check_resource(new)
        return ministack_update(physical_id, old, new, *more, **named)

    table["create"], table["update"] = create, update


def _checked(check: Callable[[dict[str, Any]], None],
             ministack_handler: Callable[[dict[str, Any]], tuple]) -> Callable[[dict[str, Any]], tuple]:
    def handler(request: dict[str, Any]) -> tuple:
        try:
            check(request)
        except Invalid as invalid:
            error_of: tuple = error_response_json("ValidationException", str(invalid), 400)
            return error_of
        return ministack_handler(request)

    return handler


def is_schedule(expression: str) -> bool:
    """"If the value is equal to 1, then the unit must be singular. If the value is greater than 1, the unit must be
    plural."

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    """
    found = _RATE.fullmatch(expression)
    if found:
        return (int(found[1]) > 1) == bool(found[3])
    fields = eventbridge._parse_cron_fields(expression) if expression.startswith("cron(") else None
    # "If you specify a value in one of the fields [day of month, day of week], you must use a ? in the other."
    return fields is not None and (fields[6] == "?") != (fields[7] == "?")


def _check_rule(request: dict[str, Any]) -> None:
    """"A rule must contain at least an EventPattern or ScheduleExpression." """
    schedule = request.get("ScheduleExpression")
    if not schedule and not request.get("EventPattern"):
        raise Invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule and not is_schedule(str(schedule)):
        raise Invalid("Parameter ScheduleExpression is not valid.")
    # "Scheduled rules are supported only on the default event bus."
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
    if schedule and str(request.get("EventBusName") or "default").rsplit("/", 1)[-1] != "default":
        raise Invalid("ScheduleExpression is supported only on the default event bus.")
    if request.get("State", "ENABLED") not in _STATES:
        raise Invalid(f"{request['State']} is no state of a rule.")


def _check_targets_request(request: dict[str, Any]) -> None:
    held = eventbridge._targets.get(eventbridge._rule_key(request.get("Rule"), request.get("EventBusName", "default")))
    _check_targets(request.get("Targets") or [], {target["Id"] for target in held or []})


def _check_targets(targets: list[dict[str, Any]], others: set[str]) -> None:
    ids = [target.get("Id") for target in targets]
    if len(set(ids)) < len(ids):
        raise Invalid("The Ids of a rule's targets must be unique.")
    if len(set(ids) | others) > _MOST_TARGETS:
        raise Invalid(f"A rule has {_MOST_TARGETS} targets at most.")
    for target in targets:
        # "Input, InputPath, and InputTransformer ... are mutually exclusive and optional parameters of a target."
        given = [key for key in ("Input", "InputPath", "InputTransformer") if target.get(key)]
        if len(given) > 1:
            raise Invalid("Only one of Input, InputPath, or InputTransformer must be provided for target "
                          f"{target['Id']}.")
        if given == ["Input"]:
            _check_input(target)
        if fault := event_buses.target_fault(target):
            raise Invalid(fault)


def _check_input(target: dict[str, Any]) -> None:
    """"Valid JSON text passed to the target."

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
    """
    text = target["Input"]
    try:
        json.loads(text)
    except (TypeError, ValueError):
        raise Invalid(f"JSON syntax error in input for target {target['Id']}.") from None
    if len(text) > _LONGEST_INPUT:
        raise Invalid(f"The input of target {target['Id']} has more than {_LONGEST_INPUT} characters.")


def _check_resource(props: dict[str, Any]) -> None:
    try:
        _check_rule(props)
        _check_targets(props.get("Targets") or [], set())
    except Invalid as invalid:
        raise ValueError(
            f'Resource handler returned message: "{invalid} (Service: EventBridge, Status Code: 400, Request ID: '
            f'{new_uuid()})" (RequestToken: {new_uuid()}, HandlerErrorCode: InvalidRequest)') from None


def fire(rule: str) -> bool:
    """Fires a scheduled rule of the default bus, as if it were due. Returns whether it was enabled and had a
    target."""
    key = eventbridge._rule_key(rule, "default")
    held = eventbridge._rules.get(key)
    if held is None or not held.get("ScheduleExpression"):
        raise ValueError(f"there is no scheduled rule {rule}")
    if held.get("State") != "ENABLED" or not eventbridge._targets.get(key):
        return False
    state = (get_account_id(), get_region(), key)
    eventbridge._rule_last_fired[state] = 0.0
    eventbridge._tick_scheduled_rules()
    fired: bool = eventbridge._rule_last_fired[state] > 0
    return fired
