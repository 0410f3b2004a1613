"""CloudWatch's dashboards: created by a stack, and rejected with the position of the error.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack, error_of

ALARM = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a"
BODY: dict[str, Any] = {"start": "-PT3H", "widgets": [
    {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": {
        "region": "eu-central-1", "view": "timeSeries", "title": "Mirrors", "period": 300, "stat": "Minimum",
        "metrics": [["Bakery", "Loaves", "Shop", "north", {"label": "loaves", "id": "m1"}], ["...", "south"],
                    [{"expression": "SEARCH('{Bakery,Shop} Shop=\"north\" MetricName=\"Heat\"', 'Maximum', 300)"}],
                    [{"expression": "m1 * 2", "label": "double"}]],
        "annotations": {"horizontal": [{"value": 1, "label": "all is well"}]}, "yAxis": {"left": {"min": 0}}}},
    {"type": "alarm", "properties": {"alarms": [ALARM], "title": "Alarms"}},
    {"type": "metric", "properties": {"region": "eu-central-1", "annotations": {"alarms": [ALARM]}}},
    {"type": "text", "properties": {"markdown": "# What this is"}},
    {"type": "log", "properties": {"region": "eu-central-1", "query": "SOURCE '/aws/lambda/f' | fields @message"}},
]}


def changed(path: str, value: Any) -> str:
    """The body with one member set, or removed for the value None."""
    body: Any = copy.deepcopy(BODY)
    *parents, last = path.split("/")
    inner = body
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is None:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(body)


def resources(name: str, body: str) -> dict[str, Any]:
    return {"Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {
        "DashboardName": name, "DashboardBody": body}}}


def test_stack_creates_updates_and_deletes_a_dashboard(aws: LocalAws, stack: Stack, name: str) -> None:
    cloudwatch = aws.client("cloudwatch")
    assert stack.create(resources(name, json.dumps(BODY))) == "CREATE_COMPLETE"
    assert json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]) == BODY
    assert stack.update(resources(name, changed("start", "-P1D"))) == "UPDATE_COMPLETE"
    assert json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])["start"] == "-P1D"
    stack.delete()
    assert error_of(cloudwatch.get_dashboard, DashboardName=name)[1] == 404


METRIC, METRICS = "widgets/0/properties", "widgets/0/properties/metrics"


@pytest.mark.parametrize(("body", "where"), [
    ("{no json", ""), ("[]", ""), ("{}", ""), (changed("widgets", {}), "/widgets"), (changed("colour", "red"), ""),
    (changed("start", "yesterday"), "/start"), (changed("widgets/0/type", "graph"), "/widgets/0/type"),
    (changed("widgets/0/type", None), "/widgets/0"), (changed("widgets/0/properties", None), "/widgets/0"),
    (changed("widgets/0/x", 24), "/widgets/0/x"), (changed("widgets/0/width", 25), "/widgets/0/width"),
    (changed("widgets/0/height", 0), "/widgets/0/height"), (changed("widgets/0/title", "t"), "/widgets/0"),
    (changed(f"{METRIC}/region", None), f"/{METRIC}"), (changed(f"{METRIC}/metrics", None), f"/{METRIC}"),
    (changed(f"{METRIC}/view", "line"), f"/{METRIC}/view"), (changed(f"{METRIC}/period", 45), f"/{METRIC}/period"),
    (changed(f"{METRIC}/stat", "Median"), f"/{METRIC}/stat"), (changed(f"{METRIC}/view", "gauge"), f"/{METRIC}/yAxis"),
    (changed(f"{METRIC}/annotations/horizontal/0", {"label": "a"}), f"/{METRIC}/annotations/horizontal/0"),
    (changed(f"{METRICS}/0", {"expression": "m1"}), f"/{METRICS}/0"), (changed(f"{METRICS}/0", ["A"]), f"/{METRICS}/0"),
    (changed(f"{METRICS}/0", ["A", "B", "C"]), f"/{METRICS}/0"), (changed(f"{METRICS}/0", ["A", 1]), f"/{METRICS}/0"),
    (changed(f"{METRICS}/0", ["A", "B", {"colour": "red"}]), f"/{METRICS}/0/2"),
    (changed(f"{METRICS}/3", [{"expression": "2", "id": "m1"}]), f"/{METRICS}"),
    (changed(f"{METRICS}/2", [{"expression": "SEARCH('{Bakery,Shop Heat', 'Sum')"}]), f"/{METRICS}/2"),
    (changed(f"{METRICS}/2", [{"expression": "SEARCH('{Bakery} Heat', 'Most')"}]), f"/{METRICS}/2"),
    (changed(f"{METRICS}/2", [{"expression": "SEARCH({Bakery} Heat, 'Sum')"}]), f"/{METRICS}/2"),
    (changed("widgets/1/properties/alarms", ["a"]), "/widgets/1/properties/alarms/0"),
    (changed("widgets/1/properties/alarms", []), "/widgets/1/properties/alarms"),
    (changed("widgets/3/properties/markdown", None), "/widgets/3/properties"),
    (changed("widgets/4/properties/query", None), "/widgets/4/properties"),
])
def test_invalid_dashboard_is_rejected_with_the_place(aws: LocalAws, name: str, body: str, where: str) -> None:
    code, status, message = error_of(aws.client("cloudwatch").put_dashboard, DashboardName=name, DashboardBody=body)
    assert (code, status) == ("InvalidParameterInput", 400)
    assert message.startswith("The dashboard body is invalid, there are ")
    assert f'"dataPath": "{where}"' in message


def test_invalid_dashboard_fails_its_stack(stack: Stack, name: str) -> None:
    assert stack.create(resources(name, "{no json")) == "ROLLBACK_COMPLETE"
    assert "The dashboard body is invalid" in "".join(
        event.get("ResourceStatusReason", "") for event in stack.events())


def test_dashboard_name_allows_letters_digits_hyphen_underscore(stack: Stack, name: str) -> None:
    assert stack.create(resources(f"{name}.dev", json.dumps(BODY))) == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize("kind", ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"])
def test_name_in_use_fails_the_stack(aws: LocalAws, stack: Stack, name: str, kind: str) -> None:
    # https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
    cloudwatch = aws.client("cloudwatch")
    wanted = resources(name, json.dumps(BODY))
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    if kind == "AWS::CloudWatch::Alarm":
        properties = {"AlarmName": name, "Namespace": "A", "MetricName": "B", "Statistic": "Sum", "Threshold": 1.0,
                      "Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}
        cloudwatch.put_metric_alarm(**properties)
        wanted = {"Alarm": {"Type": kind, "Properties": properties}}
    assert stack.create(wanted, DisableValidation=True) == "ROLLBACK_COMPLETE"
    assert f"Resource of type '{kind}' with identifier" in "".join(
        event.get("ResourceStatusReason", "") for event in stack.events())
    assert cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"] == '{"widgets": []}'
