"""The embedded metric format: the lines that CloudWatch would drop. The deployment tests read the function's
metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import copy
import json
from typing import Any

import pytest

from tests.local.aws.cloudwatch.embedded_metrics import Invalid, read

DOCUMENT: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1700000000000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Bakery",
                "Dimensions": [[], ["Shop"], ["Shop", "Oven"]],
                "Metrics": [{"Name": "Loaves", "Unit": "Count"}, {"Name": "Heat"}],
            }
        ],
    },
    "Shop": "north",
    "Oven": "1",
    "Loaves": 12,
    "Heat": [180.5, 181],
    "level": "INFO",
    "message": "baked",
}


def changed(path: str, value: Any) -> str:
    """`DOCUMENT` as JSON, with the member at the path set, or removed for the value None."""
    made = copy.deepcopy(DOCUMENT)
    *parents, last = path.split("/")
    inner = made
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is None:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(made)


METRICS = "_aws/CloudWatchMetrics/0"


@pytest.mark.parametrize(
    "line",
    [
        changed("_aws/Timestamp", None),
        changed("_aws/Timestamp", "1700000000000"),
        changed("_aws/Timestamp", 1.5),
        changed("_aws/CloudWatchMetrics", None),
        changed(f"{METRICS}/Namespace", ""),
        changed(f"{METRICS}/Namespace", None),
        changed(f"{METRICS}/Dimensions", []),
        changed(f"{METRICS}/Dimensions", ["Shop"]),
        changed(f"{METRICS}/Dimensions", [["Street"]]),
        changed("Shop", 3),
        changed("Shop", ""),
        changed("Shop", "nörth"),
        changed("Shop", None),
        changed(f"{METRICS}/Metrics/0/Unit", "Loaves"),
        changed(f"{METRICS}/Metrics/0/Name", None),
        changed(f"{METRICS}/Metrics/1/Name", "Loaves"),
        changed(f"{METRICS}/Metrics/0/StorageResolution", 30),
        changed("Loaves", "12"),
        changed("Loaves", True),
        changed("Loaves", None),
        changed("Heat", []),
        changed("Heat", [1] * 101),
        changed("Loaves", {"n": 12}),
        changed("Loaves", float("nan")),
        changed(f"{METRICS}/Metrics", [{"Name": f"m{number}"} for number in range(101)]),
        "x" + json.dumps(DOCUMENT),
        json.dumps({"fields": DOCUMENT}),
        changed("padding", "x" * 300000),
    ],
)
def test_line_that_cloudwatch_would_drop_is_reported(line: str) -> None:
    with pytest.raises(Invalid):
        read(line)


def test_time_in_seconds_or_out_of_range_is_reported() -> None:
    now = DOCUMENT["_aws"]["Timestamp"]
    assert read(json.dumps(DOCUMENT), now + 86400e3)
    for wrong in (now / 1000, now - 3 * 3600e3, now + 15 * 86400e3):
        with pytest.raises(Invalid, match="Timestamp"):
            read(json.dumps(DOCUMENT), wrong)
