"""Evaluates an alarm by its metric, dimensions and periods. MiniStack evaluates every metric of the name, and ignores
missing data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html. Not implemented: alarms on
metric math, whose state does not change, and the older data points that AWS fetches beside the evaluation periods.
"""

from __future__ import annotations

import operator
import time
from typing import Any

from ministack.services import cloudwatch

COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge, "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt, "LessThanOrEqualToThreshold": operator.le,
}


def install() -> None:
    cloudwatch._evaluate_alarm = _evaluate
    ministack_describe = cloudwatch._describe_alarms

    def describe(*request: Any) -> tuple:
        # AWS evaluates every minute; here an alarm is evaluated on a read, or when data arrive.
        cloudwatch._evaluate_all_alarms()
        answer: tuple = ministack_describe(*request)
        return answer

    cloudwatch._describe_alarms = describe


def _evaluate(alarm: dict[str, Any]) -> None:
    if not alarm.get("MetricName"):
        return
    values = _datapoints(alarm, time.time())
    state = _state(alarm, values)
    old = alarm["StateValue"]
    if state in (None, old):
        return
    shown = ", ".join("missing" if value is None else str(value) for value in values)
    reason = (f"Threshold Crossed: the last {len(values)} datapoints ({shown}) against {alarm['ComparisonOperator']} "
              f"{alarm['Threshold']}")
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _datapoints(alarm: dict[str, Any], now: float) -> list[float | None]:
    """One value for each evaluation period, the newest last. None without data."""
    wanted = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    points = [point for (namespace, name, dimensions), found in list(cloudwatch._metrics.items())
              if (namespace, name, dimensions) == (alarm["Namespace"], alarm["MetricName"], wanted)
              for point in found if alarm.get("Unit") in (None, point.get("Unit"))]
    period, number = alarm["Period"], alarm["EvaluationPeriods"]
    ends = [now - period * index for index in reversed(range(number))]
    return [_statistic(alarm, [point for point in points if end - period < point["Timestamp"] <= end]) for end in ends]


def _statistic(alarm: dict[str, Any], points: list[dict[str, Any]]) -> float | None:
    if not points:
        return None
    value: float | None = cloudwatch._stat_value(
        cloudwatch._calc_stats(points), alarm["Statistic"], points)
    return value


def _state(alarm: dict[str, Any], values: list[float | None]) -> str | None:
    """None if the state stays.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    missing, needed = alarm["TreatMissingData"], alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    there = [value for value in values if value is not None]
    if not there and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA" if missing == "missing" else None
    breaching = sum(COMPARE[alarm["ComparisonOperator"]](value, alarm["Threshold"]) for value in there)
    if missing == "breaching":
        breaching += len(values) - len(there)
    return "ALARM" if breaching >= needed else "OK"
