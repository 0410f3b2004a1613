"""The alarms of templates: the validation of PutMetricAlarm, and alarms on metric math, whose states do not change.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import re
import time
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from tests.local.aws import service_shapes
from tests.local.aws.cloudformation import resource_types

_COMPARE = {"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"}
_REQUIRED = ("EvaluationPeriods", "ComparisonOperator", "Threshold")
# "If you use the Metrics parameter, you cannot include the Namespace, MetricName, Dimensions, Period, Unit, Statistic, or
# ExtendedStatistic parameters of PutMetricAlarm in the same operation."
_REQUIRED_OF_ONE_METRIC = ("Namespace", "MetricName", "Statistic", "Period")
_OF_ONE_METRIC = (*_REQUIRED_OF_ONE_METRIC, "Dimensions", "Unit")
_KNOWN = {*_REQUIRED, *_OF_ONE_METRIC, "AlarmName", "AlarmDescription", "AlarmActions", "OKActions", "ActionsEnabled",
          "DatapointsToAlarm", "Metrics", "TreatMissingData", "Tags"}
_MISSING_DATA = {"breaching", "notBreaching", "ignore", "missing"}
_ACTIONS = ("AlarmActions", "OKActions")
_ACTION = re.compile(r"arn:aws[\w-]*:(sns|lambda|autoscaling|automate|swf|ssm|ssm-incidents):[\w-]*:\S+")
_DAY, _WEEK = 86400, 604800


def install() -> None:
    # CloudFormation's handlers call it by this name.
    provisioners._cw_metric_alarm_record = _record_of_template


def faults(request: dict[str, Any]) -> list[str]:
    """The text of the ValidationError."""
    if found := service_shapes.request_faults("cloudwatch", "PutMetricAlarm", request):
        return found
    found = [f"{name} is not part of this local CloudWatch" for name in sorted(
        request.keys() - _KNOWN)]
    if bool(request.get("MetricName")) == bool(request.get("Metrics")):
        found.append("You must specify either MetricName or Metrics, and not both")
    required = (*_REQUIRED, *(() if request.get("Metrics") else _REQUIRED_OF_ONE_METRIC))
    found += [f"The parameter {name} is required" for name in required if request.get(name) is None]
    if not found and request["ComparisonOperator"] not in _COMPARE:
        found.append(f"{request['ComparisonOperator']} is not part of this local CloudWatch")
    if found:
        return found
    names = [dimension["Name"] for dimension in request.get("Dimensions") or []]
    if len(set(names)) < len(names):
        found.append("Dimensions of one metric have different names")
    if request.get("DatapointsToAlarm", 1) > request["EvaluationPeriods"]:
        found.append("DatapointsToAlarm cannot be greater than EvaluationPeriods")
    if request.get("TreatMissingData", "missing") not in _MISSING_DATA:
        found.append(f"The value {request['TreatMissingData']} for parameter TreatMissingData is not supported.")
    found += _of_metrics(request) if request.get("Metrics") else _of_the_period(
        request["Period"], request["EvaluationPeriods"])
    return found + [
        f"Invalid arn syntax: {action}" for name in _ACTIONS for action in request.get(name) or []
        if not _ACTION.fullmatch(action)]


def _of_the_period(period: int, number: int) -> list[str]:
    found = []
    # "Valid values are 10, 20, 30, and any multiple of 60."
    if period not in (10, 20, 30) and period % 60:
        found.append(f"The value {period} for parameter Period is not 10, 20, 30 or a multiple of 60")
    # "Period multiplied by EvaluationPeriods can't be more than 604,800 seconds. For alarms with a period of less than
    # one hour (3,600 seconds), the total evaluation period can't be longer than one day (86,400 seconds)."
    longest = _DAY if period < 3600 else _WEEK
    if period * number > longest:
        found.append(f"Metrics cannot be checked across more than {longest} seconds (EvaluationPeriods * Period)")
    return found


def _of_metrics(request: dict[str, Any]) -> list[str]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"""
    queries: list[dict[str, Any]] = request["Metrics"]
    found = [f"{name} cannot be specified together with Metrics" for name in _OF_ONE_METRIC if request.get(name)]
    ids = [query["Id"] for query in queries]
    if len(set(ids)) < len(ids):
        found.append("The Ids of Metrics must be unique")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        found.append("Exactly one element of the metrics list should return data.")
    for query in queries:
        if not re.fullmatch(r"[a-z]\w*", query["Id"], re.ASCII):
            found.append(f"The Id {query['Id']} begins with a lowercase letter, and has letters, digits and underscores")
        if ("MetricStat" in query) == ("Expression" in query):
            found.append(f"{query['Id']} must have either Expression or MetricStat, and not both")
        # "Any expression used in a PutMetricAlarm operation must return a single time series".
        if "SEARCH" in query.get("Expression", ""):
            found.append("SEARCH is not supported on Metric Alarms.")
        if unknown := set(re.findall(r"\b[a-z]\w*", query.get("Expression", ""))) - set(ids):
            found.append(f"Unknown identifier in the expression {query['Expression']}: {', '.join(sorted(unknown))}")
        if "MetricStat" in query:
            found += _of_the_period(query["MetricStat"]["Period"], request["EvaluationPeriods"])
    return found


def _record_of_template(name: str, props: dict[str, Any]) -> dict[str, Any]:
    """The stored form of an alarm, from a template's properties, which have the API's names.

    "When you update an existing alarm, its state is left unchanged."
    """
    shape = service_shapes.request_shape("cloudwatch", "PutMetricAlarm")
    request: dict[str, Any] = service_shapes.from_template(shape, {**props, "AlarmName": name})
    if found := faults(request):
        raise resource_types.handler_error(
            f"{found[0]} (Service: CloudWatch, Status Code: 400, Request ID: {new_uuid()})", "InvalidRequest")
    now = int(time.time())
    state = {"StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked: Initial alarm creation",
             "StateUpdatedTimestamp": now}
    held = cloudwatch._alarms.get(name) or state
    lists = {key: request.get(key) or [] for key in (*_ACTIONS, "InsufficientDataActions", "Dimensions")}
    return {
        **{key: value for key, value in request.items() if key != "Tags"}, **lists,
        "AlarmArn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}",
        "ActionsEnabled": request.get("ActionsEnabled", True),
        "TreatMissingData": request.get("TreatMissingData", "missing"), "AlarmConfigurationUpdatedTimestamp": now,
        **{key: held[key] for key in state}, **(dict.fromkeys(_OF_ONE_METRIC) if request.get("Metrics") else {}),
    }
