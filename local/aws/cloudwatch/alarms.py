"""CloudWatch's alarms: validation by PutMetricAlarm, and alarms on metric math. `alarm_evaluation` has their states.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import re
import time
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from local.aws import service_shapes

# "If you use the Metrics parameter, you cannot include the Namespace, MetricName, Dimensions, Period, Unit, Statistic, or
# ExtendedStatistic parameters of PutMetricAlarm in the same operation."
_OF_ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_OF_ANOMALIES = {"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}
_MISSING_DATA = {"breaching", "notBreaching", "ignore", "missing"}
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_ACTION = re.compile(r"arn:aws[\w-]*:(sns|lambda|autoscaling|automate|swf|ssm|ssm-incidents):[\w-]*:\S+")
_EXTENDED = re.compile(r"(p|tm|tc|ts|wm)(\d{1,2}(\.\d+)?|100)|IQM|(PR|TC|TM|TS|WM)\([^()]*:[^()]*\)")
_DAY, _WEEK = 86400, 604800
_NOT_HERE = ("EvaluationCriteria", "EvaluationInterval", "EvaluationWindow", "WarmUpConfiguration")


def install() -> None:
    # CloudFormation's handlers call it by this name.
    provisioners._cw_metric_alarm_record = _record_of_template
    ministack_put = cloudwatch._put_metric_alarm

    def put(params: dict, request: dict, is_cbor: bool, is_json: bool = False) -> tuple:
        found = faults(request) if is_cbor or is_json else []
        if found:
            error_of: tuple = cloudwatch._error("ValidationError", found[0], 400, use_json=is_json, use_cbor=is_cbor)
            return error_of
        answer: tuple = ministack_put(params, request, is_cbor, is_json)
        if answer[0] == 200 and request.get("Metrics"):
            cloudwatch._alarms[request["AlarmName"]] |= _math(request)
        return answer

    cloudwatch._put_metric_alarm = put


def _math(request: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(_OF_ONE_METRIC), "Metrics": request["Metrics"]}


def faults(request: dict[str, Any]) -> list[str]:
    """The text of the ValidationError."""
    shape = service_shapes.service("cloudwatch").operation_model("PutMetricAlarm").input_shape
    if shape is None:
        return []
    found = service_shapes.faults(shape, request)
    if found:
        return found
    found = [f"{name} is not part of this local CloudWatch" for name in _NOT_HERE if name in request]
    if bool(request.get("MetricName")) == bool(request.get("Metrics")):
        return [*found, "You must specify either MetricName or Metrics, and not both"]
    found += _of_metrics(request) if request.get("Metrics") else _of_one_metric(request)
    return found + _of_the_comparison(request) + _of_the_actions(request)


def _of_one_metric(request: dict[str, Any]) -> list[str]:
    found = [f"The parameter {name} is required" for name in ("Namespace", "Period") if not request.get(name)]
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        found.append("You must specify either Statistic or ExtendedStatistic, but not both")
    if "ExtendedStatistic" in request and not _EXTENDED.fullmatch(request["ExtendedStatistic"]):
        found.append(f"The value {request['ExtendedStatistic']} for parameter ExtendedStatistic is not supported")
    names = [dimension["Name"] for dimension in request.get("Dimensions") or []]
    if len(set(names)) < len(names):
        found.append("Dimensions of one metric have different names")
    return found + (_of_the_period(request["Period"], request) if request.get("Period") else [])


def _of_the_period(period: int, request: dict[str, Any]) -> list[str]:
    found = []
    # "Valid values are 10, 20, 30, and any multiple of 60."
    if period not in (10, 20, 30) and period % 60:
        found.append(f"The value {period} for parameter Period is not 10, 20, 30 or a multiple of 60")
    # "Period multiplied by EvaluationPeriods can't be more than 604,800 seconds. For alarms with a period of less than
    # one hour (3,600 seconds), the total evaluation period can't be longer than one day (86,400 seconds)."
    longest = _DAY if period < 3600 else _WEEK
    if period * request.get("EvaluationPeriods", 1) > longest:
        found.append(f"Metrics cannot be checked across more than {longest} seconds (EvaluationPeriods * Period)")
    return found


def _of_metrics(request: dict[str, Any]) -> list[str]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"""
    queries: list[dict[str, Any]] = request["Metrics"]
    found = [f"{name} cannot be specified together with Metrics" for name in _OF_ONE_METRIC if request.get(name)]
    ids = [query["Id"] for query in queries]
    # "A single PutMetricAlarm call can include up to 20 MetricDataQuery structures": 10 metrics and 10 expressions.
    for kind in ("MetricStat", "Expression"):
        if sum(kind in query for query in queries) > 10:
            found.append(f"Metrics has at most 10 with {kind}")
    if len(set(ids)) < len(ids):
        found.append("The Ids of Metrics must be unique")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        found.append("Exactly one element of the metrics list should return data.")
    for query in queries:
        if not re.fullmatch(r"[a-z]\w*", query["Id"], re.ASCII):
            found.append(f"The Id {query['Id']} begins with a lowercase letter, and has letters, digits and underscores")
        if ("MetricStat" in query) == ("Expression" in query):
            found.append(f"{query['Id']} must have either Expression or MetricStat, and not both")
        found += _of_the_expression(query["Expression"], set(ids)) if "Expression" in query else []
        if "MetricStat" in query:
            found += _of_the_period(query["MetricStat"]["Period"], request)
    return found


def _of_the_expression(expression: str, ids: set[str]) -> list[str]:
    """An alarm watches one time series: "Any expression used in a PutMetricAlarm operation must return a single time
    series"; and that is how AWS words it."""
    if re.search(r"\bSEARCH\s*\(", expression):
        return ["SEARCH is not supported on Metric Alarms."]
    if re.match(r"\s*SELECT\b", expression):
        return []
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)
    unknown = {word for word in re.findall(r"\b[a-z]\w*", bare)} - ids
    return [f"Unknown identifier in the expression {expression}: {', '.join(sorted(unknown))}"] if unknown else []


def _of_the_comparison(request: dict[str, Any]) -> list[str]:
    found = [f"The parameter {name} is required" for name in ("ComparisonOperator", "EvaluationPeriods")
             if not request.get(name)]
    by_anomaly = request.get("ComparisonOperator") in _OF_ANOMALIES
    if by_anomaly != ("ThresholdMetricId" in request) or by_anomaly == ("Threshold" in request):
        found.append("An alarm has either a Threshold, or a ThresholdMetricId and an operator for anomalies")
    if request.get("DatapointsToAlarm", 1) > request.get("EvaluationPeriods", 1):
        found.append("DatapointsToAlarm cannot be greater than EvaluationPeriods")
    if request.get("TreatMissingData", "missing") not in _MISSING_DATA:
        found.append(f"The value {request['TreatMissingData']} for parameter TreatMissingData is not supported.")
    return found


def _of_the_actions(request: dict[str, Any]) -> list[str]:
    return [f"Invalid arn syntax: {action}" for name in _ACTIONS for action in request.get(name) or []
            if not _ACTION.fullmatch(action)]


def _record_of_template(name: str, props: dict[str, Any]) -> dict[str, Any]:
    """The stored form of an alarm, from a template's properties, which have the API's names.

    "When you update an existing alarm, its state is left unchanged."
    """
    shape = service_shapes.service("cloudwatch").operation_model("PutMetricAlarm").input_shape
    request: dict[str, Any] = service_shapes.from_template(shape, {**props, "AlarmName": name}) if shape else {}
    found = faults(request)
    if found:
        raise ValueError(
            f'Resource handler returned message: "{found[0]} (Service: CloudWatch, Status Code: 400, Request ID: '
            f'{new_uuid()})" (RequestToken: {new_uuid()}, HandlerErrorCode: InvalidRequest)')
    now = int(time.time())
    state = {"StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked: Initial alarm creation",
             "StateUpdatedTimestamp": now}
    held = cloudwatch._alarms.get(name) or state
    lists = {key: request.get(key) or [] for key in (*_ACTIONS, "Dimensions")}
    alarm = {
        **{key: value for key, value in request.items() if key != "Tags"}, **lists,
        "AlarmArn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}",
        "ActionsEnabled": request.get("ActionsEnabled", True),
        "TreatMissingData": request.get("TreatMissingData", "missing"), "AlarmConfigurationUpdatedTimestamp": now,
        **{key: held[key] for key in state},
    }
    return alarm | _math(request) if request.get("Metrics") else alarm
