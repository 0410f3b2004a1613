"""The alarms of templates: the validation of PutMetricAlarm, and alarms on metric math, whose states do not
change.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from tests.local.aws import service_shapes
from tests.local.aws.cloudformation import resource_types

_COMPARE = {
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
}
_REQUIRED = ("EvaluationPeriods", "ComparisonOperator", "Threshold")
# "If you use the Metrics parameter, you cannot include the Namespace, MetricName, Dimensions, Period, Unit,
# Statistic, or ExtendedStatistic parameters of PutMetricAlarm in the same operation."
_REQUIRED_OF_ONE_METRIC = ("Namespace", "MetricName", "Statistic", "Period")
_OF_ONE_METRIC = (*_REQUIRED_OF_ONE_METRIC, "Dimensions", "Unit")
_KNOWN = {
    *_REQUIRED,
    *_OF_ONE_METRIC,
    "AlarmName",
    "AlarmDescription",
    "AlarmActions",
    "OKActions",
    "ActionsEnabled",
    "DatapointsToAlarm",
    "Metrics",
    "TreatMissingData",
    "Tags",
}
_MISSING_DATA = {"breaching", "notBreaching", "ignore", "missing"}
_ACTIONS = ("AlarmActions", "OKActions")
_ACTION = re.compile(r"arn:aws[\w-]*:(sns|lambda|autoscaling|automate|swf|ssm|ssm-incidents):[\w-]*:\S+")
_DAY, _WEEK = 86400, 604800


def install() -> None:
    # CloudFormation's handlers call it by this name.
    provisioners._cw_metric_alarm_record = _record_of_template


def faults(request: dict[str, Any]) -> Iterator[str]:
    """The texts of the ValidationError. Each assumes that there is none before it."""
    yield from service_shapes.request_faults("cloudwatch", "PutMetricAlarm", request)
    for name in sorted(request.keys() - _KNOWN):
        yield f"{name} is not part of this local CloudWatch"
    if bool(request.get("MetricName")) == bool(request.get("Metrics")):
        yield "You must specify either MetricName or Metrics, and not both"
    for name in (*_REQUIRED, *(() if request.get("Metrics") else _REQUIRED_OF_ONE_METRIC)):
        if request.get(name) is None:
            yield f"The parameter {name} is required"
    if request["ComparisonOperator"] not in _COMPARE:
        yield f"{request['ComparisonOperator']} is not part of this local CloudWatch"
    names = [dimension["Name"] for dimension in request.get("Dimensions") or []]
    if len(set(names)) < len(names):
        yield "Dimensions of one metric have different names"
    if request.get("DatapointsToAlarm", 1) > request["EvaluationPeriods"]:
        yield "DatapointsToAlarm cannot be greater than EvaluationPeriods"
    if request.get("TreatMissingData", "missing") not in _MISSING_DATA:
        yield f"The value {request['TreatMissingData']} for parameter TreatMissingData is not supported."
    if request.get("Metrics"):
        yield from _of_metrics(request)
    else:
        yield from _of_the_period(request["Period"], request["EvaluationPeriods"])
    for action in (action for name in _ACTIONS for action in request.get(name) or []):
        if not _ACTION.fullmatch(action):
            yield f"Invalid arn syntax: {action}"


def _of_the_period(period: int, number: int) -> Iterator[str]:
    # "Valid values are 10, 20, 30, and any multiple of 60."
    if period not in (10, 20, 30) and period % 60:
        yield f"The value {period} for parameter Period is not 10, 20, 30 or a multiple of 60"
    # "Period multiplied by EvaluationPeriods can't be more than 604,800 seconds. For alarms with a period of
    # less than one hour (3,600 seconds), the total evaluation period can't be longer than one day (86,400
    # seconds)."
    longest = _DAY if period < 3600 else _WEEK
    if period * number > longest:
        yield f"Metrics cannot be checked across more than {longest} seconds (EvaluationPeriods * Period)"


def _of_metrics(request: dict[str, Any]) -> Iterator[str]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"""
    queries: list[dict[str, Any]] = request["Metrics"]
    for name in _OF_ONE_METRIC:
        if request.get(name):
            yield f"{name} cannot be specified together with Metrics"
    ids = [query["Id"] for query in queries]
    if len(set(ids)) < len(ids):
        yield "The Ids of Metrics must be unique"
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        yield "Exactly one element of the metrics list should return data."
    for query in queries:
        if not re.fullmatch(r"[a-z]\w*", query["Id"], re.ASCII):
            yield (
                f"The Id {query['Id']} begins with a lowercase letter, and has letters, digits and"
                " underscores"
            )
        if ("MetricStat" in query) == ("Expression" in query):
            yield f"{query['Id']} must have either Expression or MetricStat, and not both"
        # "Any expression used in a PutMetricAlarm operation must return a single time series".
        if "SEARCH" in query.get("Expression", ""):
            yield "SEARCH is not supported on Metric Alarms."
        if unknown := set(re.findall(r"\b[a-z]\w*", query.get("Expression", ""))) - set(ids):
            yield f"Unknown identifier in the expression {query['Expression']}: {', '.join(sorted(unknown))}"
        if "MetricStat" in query:
            yield from _of_the_period(query["MetricStat"]["Period"], request["EvaluationPeriods"])


def _record_of_template(name: str, props: dict[str, Any]) -> dict[str, Any]:
    """The stored form of an alarm, from a template's properties, which have the API's names.

    "When you update an existing alarm, its state is left unchanged."
    """
    shape = service_shapes.request_shape("cloudwatch", "PutMetricAlarm")
    request: dict[str, Any] = service_shapes.from_template(shape, {**props, "AlarmName": name})
    for fault in faults(request):
        raise resource_types.handler_error(
            f"{fault} (Service: CloudWatch, Status Code: 400, Request ID: {new_uuid()})", "InvalidRequest"
        )
    now = int(time.time())
    state = {
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "StateUpdatedTimestamp": now,
    }
    held = cloudwatch._alarms.get(name) or state
    lists = {key: request.get(key) or [] for key in (*_ACTIONS, "InsufficientDataActions", "Dimensions")}
    return {
        **{key: value for key, value in request.items() if key != "Tags"},
        **lists,
        "AlarmArn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}",
        "ActionsEnabled": request.get("ActionsEnabled", True),
        "TreatMissingData": request.get("TreatMissingData", "missing"),
        "AlarmConfigurationUpdatedTimestamp": now,
        **{key: held[key] for key in state},
        **(dict.fromkeys(_OF_ONE_METRIC) if request.get("Metrics") else {}),
    }
