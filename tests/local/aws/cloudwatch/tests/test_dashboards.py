"""CloudWatch's dashboards, which are rejected with the position of the error.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from tests.local.aws import LocalAws, testing
from tests.local.aws.cloudwatch import dashboards
from tests.local.aws.testing import Stack

BODY: dict[str, Any] = {"start": "-PT3H", "widgets": [
    {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": {
        "region": "eu-central-1", "view": "timeSeries", "title": "Mirrors", "period": 300,
        "metrics": [["Bakery", "Loaves", "Shop", "north", {"label": "loaves", "stat": "Sum"}],
                    [{"expression": "SEARCH('{Bakery,Shop} Shop=\"north\" MetricName=\"Heat\"', 'Maximum', 300)"}]],
        "annotations": {"horizontal": [{"value": 1, "label": "all is well"}]}, "yAxis": {"left": {"min": 0}}}},
    {"type": "alarm", "properties": {"alarms": ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a"]}},
    {"type": "log", "properties": {"region": "eu-central-1", "query": "SOURCE '/aws/lambda/f' | fields @message"}},
]}
changed = functools.partial(testing.changed, BODY)
METRIC, METRICS = "widgets/0/properties", "widgets/0/properties/metrics"


@pytest.mark.parametrize(("body", "where"), [
    ("{no json", ""), ("[]", ""), ("{}", ""), (changed("widgets", {}), "/widgets"), (changed("colour", "red"), ""),
    (changed("start", "yesterday"), "/start"), (changed("widgets/0/type", "graph"), "/widgets/0/type"),
    (changed("widgets/0/type", None), "/widgets/0"), (changed("widgets/0/properties", None), "/widgets/0"),
    (changed("widgets/0/x", 24), "/widgets/0/x"), (changed("widgets/0/width", 25), "/widgets/0/width"),
    (changed("widgets/0/height", 0), "/widgets/0/height"), (changed("widgets/0/title", "t"), "/widgets/0"),
    (changed(f"{METRIC}/region", None), f"/{METRIC}"), (changed(f"{METRIC}/metrics", None), f"/{METRIC}"),
    (changed(f"{METRIC}/view", "line"), f"/{METRIC}/view"), (changed(f"{METRIC}/period", 45), f"/{METRIC}/period"),
    (changed(f"{METRIC}/annotations/horizontal/0", {"label": "a"}), f"/{METRIC}/annotations/horizontal/0"),
    (changed(f"{METRICS}/0", {"expression": "m1"}), f"/{METRICS}/0"), (changed(f"{METRICS}/0", ["A"]), f"/{METRICS}/0"),
    (changed(f"{METRICS}/0", ["A", "B", "C"]), f"/{METRICS}/0"), (changed(f"{METRICS}/0", ["A", 1]), f"/{METRICS}/0"),
    (changed(f"{METRICS}/0", ["A", "B", {"colour": "red"}]), f"/{METRICS}/0/2"),
    (changed(f"{METRICS}/0", ["A", "B", {"stat": "Median"}]), f"/{METRICS}/0/2/stat"),
    (changed(f"{METRICS}/1", [{"expression": "SEARCH('{Bakery,Shop Heat', 'Sum')"}]), f"/{METRICS}/1"),
    (changed(f"{METRICS}/1", [{"expression": "SEARCH('{Bakery} Heat', 'Most')"}]), f"/{METRICS}/1"),
    (changed(f"{METRICS}/1", [{"expression": "SEARCH({Bakery} Heat, 'Sum')"}]), f"/{METRICS}/1"),
    (changed("widgets/1/properties/alarms", ["a"]), "/widgets/1/properties/alarms/0"),
    (changed("widgets/1/properties/alarms", []), "/widgets/1/properties/alarms"),
    (changed("widgets/2/properties/query", None), "/widgets/2/properties"),
])
def test_invalid_dashboard_is_rejected_with_the_place(body: str, where: str) -> None:
    assert dashboards.faults(json.dumps(BODY)) == []
    assert where in [fault["dataPath"] for fault in dashboards.faults(body)]


@pytest.mark.parametrize(("called", "body", "reason"), [
    ("{}", "{no json", "The dashboard body is invalid"), ("{}.dev", json.dumps(BODY), "DashboardName"),
    ("taken-{}", json.dumps(BODY), "Resource of type 'AWS::CloudWatch::Dashboard' with identifier"),
])
def test_invalid_dashboard_fails_its_stack(aws: LocalAws, stack: Stack, called: str, body: str, reason: str) -> None:
    properties = {"DashboardName": called.format(stack.name), "DashboardBody": json.dumps(BODY)}
    resource = {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}
    if called.startswith("taken"):
        assert Stack(aws, f"{stack.name}-first").create({"Dashboard": resource}) == "CREATE_COMPLETE"
    properties["DashboardBody"] = body
    assert stack.create({"Dashboard": resource}, DisableValidation=True) == "ROLLBACK_COMPLETE"
    assert reason in "".join(event.get("ResourceStatusReason", "") for event in stack.events())
