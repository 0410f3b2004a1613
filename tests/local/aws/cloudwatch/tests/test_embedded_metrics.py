"""The embedded metric format: accepted and dropped lines, and the metrics in CloudWatch.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import copy
import functools
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.loaders
import pytest

from tests.local.aws import LocalAws, testing
from tests.local.aws.cloudwatch import embedded_metrics
from tests.local.aws.cloudwatch.embedded_metrics import Invalid, Metric, read
from tests.local.aws.testing import TRUST_LAMBDA, allow, policy, provider_code

DOCUMENT: dict[str, Any] = {
    "_aws": {"Timestamp": 1700000000000, "CloudWatchMetrics": [{
        "Namespace": "Bakery", "Dimensions": [[], ["Shop"], ["Shop", "Oven"]],
        "Metrics": [{"Name": "Loaves", "Unit": "Count"}, {"Name": "Heat"}]}]},
    "Shop": "north", "Oven": "1", "Loaves": 12, "Heat": [180.5, 181], "level": "INFO", "message": "baked",
}
changed = functools.partial(testing.changed, DOCUMENT)


def test_every_metric_is_stored_in_every_dimension_set() -> None:
    found = read(json.dumps(DOCUMENT))
    north, oven = (("Shop", "north"),), (("Oven", "1"), ("Shop", "north"))
    assert {(metric.name, metric.dimensions) for metric in found} == {
        (name, dimensions) for name in ("Loaves", "Heat") for dimensions in ((), north, oven)}
    assert found[1] == Metric("Bakery", north, "Loaves", (12.0,), "Count", 1700000000000)
    assert (found[1].value, found[4].values, found[4].unit) == (12.0, (180.5, 181.0), "None")
    with pytest.raises(ValueError, match="Heat has 2 values"):
        _ = found[4].value


def test_other_lines_have_no_metrics() -> None:
    for line in ("START RequestId: 1 Version: $LATEST", "", "{}", "[1]", '{"message": "_aws"}', "3"):
        assert read(line) == []


METRICS = "_aws/CloudWatchMetrics/0"


@pytest.mark.parametrize("line", [
    changed("_aws/Timestamp", None), changed("_aws/Timestamp", "1700000000000"), changed("_aws/Timestamp", 1.5),
    changed("_aws/CloudWatchMetrics", None), changed(f"{METRICS}/Namespace", ""), changed(f"{METRICS}/Namespace", None),
    changed(f"{METRICS}/Dimensions", []), changed(f"{METRICS}/Dimensions", ["Shop"]),
    changed(f"{METRICS}/Dimensions", [["Street"]]), changed("Shop", 3), changed("Shop", ""), changed("Shop", "nörth"),
    changed("Shop", None), changed(f"{METRICS}/Metrics/0/Unit", "Loaves"), changed(f"{METRICS}/Metrics/0/Name", None),
    changed(f"{METRICS}/Metrics/1/Name", "Loaves"), changed(f"{METRICS}/Metrics/0/StorageResolution", 30),
    changed("Loaves", "12"), changed("Loaves", True), changed("Loaves", None), changed("Heat", []),
    changed("Heat", [1] * 101), changed("Loaves", {"n": 12}), changed("Loaves", float("nan")),
    changed(f"{METRICS}/Metrics", [{"Name": f"m{number}"} for number in range(101)]), "x" + json.dumps(DOCUMENT),
    json.dumps({"fields": DOCUMENT}), changed("padding", "x" * 300000),
])
def test_line_that_cloudwatch_would_drop_is_reported(line: str) -> None:
    with pytest.raises(Invalid):
        read(line)


def test_members_that_are_not_known_are_ignored() -> None:
    assert len(read(changed(f"{METRICS}/Metrics/0/Colour", "brown"))) == 6


def test_time_in_seconds_or_out_of_range_is_reported() -> None:
    now = DOCUMENT["_aws"]["Timestamp"]
    assert read(json.dumps(DOCUMENT), now + 86400e3)
    for wrong in (now / 1000, now - 3 * 3600e3, now + 15 * 86400e3):
        with pytest.raises(Invalid, match="Timestamp"):
            read(json.dumps(DOCUMENT), wrong)


def test_the_units_are_cloudwatchs() -> None:
    model = botocore.loaders.create_loader().load_service_model("cloudwatch", "service-2")
    assert sorted(embedded_metrics.UNITS) == sorted(model["shapes"]["StandardUnit"]["enum"])


def test_metrics_in_function_log_arrive_in_cloudwatch(aws: LocalAws, name: str) -> None:
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
    aws.client("lambda").create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role,
        Code={"ZipFile": provider_code("echo_function")})
    document = copy.deepcopy(DOCUMENT)
    document["_aws"] |= {"Timestamp": int(time.time() * 1000)}
    document["_aws"]["CloudWatchMetrics"][0]["Namespace"] = name
    said = json.dumps({"say": [json.dumps(document), "and no more"]})
    assert "FunctionError" not in aws.client("lambda").invoke(FunctionName=name, Payload=said)
    found = aws.metrics(f"/aws/lambda/{name}")
    assert [metric.value for metric in found if metric.name == "Loaves"] == [12.0] * 3
    now = datetime.now(UTC)
    statistics = aws.client("cloudwatch").get_metric_statistics(
        Namespace=name, MetricName="Heat", Dimensions=[{"Name": "Shop", "Value": "north"}], Period=60,
        StartTime=now - timedelta(minutes=2), EndTime=now + timedelta(minutes=2), Statistics=["Maximum", "SampleCount"])
    assert [(point["Maximum"], point["SampleCount"]) for point in statistics["Datapoints"]] == [(181.0, 2.0)]
    wrong = json.dumps({"say": [changed("_aws/Timestamp", 1)]})
    aws.client("lambda").invoke(FunctionName=name, Payload=wrong)
    with pytest.raises(Invalid):
        aws.metrics(f"/aws/lambda/{name}")
