"""CloudWatch's alarms: created by a stack, rejected, raised, and their actions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code, error_of


@pytest.fixture
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


def alarm(name: str, **properties: Any) -> dict[str, Any]:
    """On the minimum of ten minutes, in periods of five. None removes a property."""
    wanted = {"AlarmName": name, "Namespace": name, "MetricName": "Healthy", "Statistic": "Minimum", "Threshold": 1,
              "Dimensions": [{"Name": "EnvID", "Value": "dev"}], "ComparisonOperator": "LessThanThreshold",
              "Period": 300, "EvaluationPeriods": 2, "TreatMissingData": "notBreaching", **properties}
    return {key: value for key, value in wanted.items() if value is not None}


def resources(name: str, **properties: Any) -> dict[str, Any]:
    return {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm(name, **properties)}}


def put(cloudwatch: Any, name: str, value: float, minutes_ago: float = 0, env: str = "dev") -> None:
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{
        "MetricName": "Healthy", "Dimensions": [{"Name": "EnvID", "Value": env}], "Value": value,
        "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago)}])


def state(cloudwatch: Any, name: str) -> str:
    found: str = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]
    return found


def reasons(stack: Stack) -> str:
    return "\n".join(event.get("ResourceStatusReason", "") for event in stack.events())


MATH = {key: None for key in ("Namespace", "MetricName", "Statistic", "Dimensions", "Period")}


def query(identifier: str, **more: Any) -> dict[str, Any]:
    return {"Id": identifier, "ReturnData": False, **more}


def measured(identifier: str, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "A", "MetricName": "B", "Dimensions": []}
    return query(identifier, MetricStat={"Metric": metric, "Period": 300, "Stat": "Sum"}, **more)


@pytest.mark.parametrize(("change", "expected_error"), [
    ({"MetricName": None}, "either MetricName or Metrics"), ({"Namespace": None}, "Namespace is required"),
    ({"Statistic": None}, "Statistic is required"), ({"ExtendedStatistic": "p90"}, "ExtendedStatistic is not part"),
    ({"Statistic": "Median"}, "enum value set"), ({"Period": None}, "Period is required"),
    ({"Period": 45}, "a multiple of 60"),
    ({"Period": 3000, "EvaluationPeriods": 30}, "more than 86400 seconds"),
    ({"Period": 86400, "EvaluationPeriods": 8}, "more than 604800 seconds"),
    ({"EvaluationPeriods": None}, "EvaluationPeriods"), ({"DatapointsToAlarm": 3}, "cannot be greater"),
    ({"ComparisonOperator": None}, "ComparisonOperator"), ({"ComparisonOperator": "Below"}, "enum value set"),
    ({"ComparisonOperator": "LessThanLowerThreshold"}, "LessThanLowerThreshold is not part"),
    ({"Threshold": None}, "Threshold is required"),
    ({"TreatMissingData": "good"}, "good for parameter TreatMissingData"),
    ({"AlarmActions": ["topic"]}, "Invalid arn syntax: topic"), ({"Unit": "Mirrors"}, "enum value set"),
    ({"AlarmActions": [f"arn:aws:sns:eu-central-1:1:t{number}" for number in range(6)]}, "AlarmActions"),
    ({"Dimensions": [{"Name": "EnvID", "Value": ""}]}, "Dimensions"),
    ({"Colour": "red"}, "extraneous key [Colour] is not permitted"),
    ({"Metrics": [measured("a", ReturnData=True)]}, "either MetricName or Metrics"),
    ({**MATH, "Metrics": [measured("a")]}, "Exactly one element of the metrics list should return data."),
    ({**MATH, "Metrics": [measured("a"), query("s", ReturnData=True, Expression="SUM(SEARCH('{A,B}', 'Sum'))")]},
     "SEARCH is not supported on Metric Alarms."),
    ({**MATH, "Metrics": [measured("a"), query("b", ReturnData=True, Expression="a / c")]}, "Unknown identifier"),
    ({**MATH, "Metrics": [measured("A", ReturnData=True)]}, "begins with a lowercase letter"),
    ({**MATH, "Metrics": [query("a", ReturnData=True)]}, "either Expression or MetricStat"),
    ({**MATH, "Statistic": "Sum", "Metrics": [measured("a", ReturnData=True)]}, "Statistic cannot be specified"),
])
def test_invalid_alarm_fails_its_stack(stack: Stack, name: str, change: dict[str, Any], expected_error: str) -> None:
    assert stack.create(resources(name, **change)) == "ROLLBACK_COMPLETE"
    assert expected_error in reasons(stack)


def test_api_rejects_the_same_values(cloudwatch: Any, name: str) -> None:
    assert error_of(cloudwatch.put_metric_alarm, **alarm(name, Period=45))[:2] == ("ValidationError", 400)
    cloudwatch.put_metric_alarm(**alarm(name))
    assert state(cloudwatch, name) == "OK"


def test_alarm_is_raised_by_its_own_metric_in_all_periods(cloudwatch: Any, name: str) -> None:
    cloudwatch.put_metric_alarm(**alarm(name))
    for minutes in (0, 6):
        put(cloudwatch, name, 0, minutes, env="prd")
    assert state(cloudwatch, name) == "OK"
    put(cloudwatch, name, 0, 6)
    assert state(cloudwatch, name) == "OK"
    put(cloudwatch, name, 0)
    assert state(cloudwatch, name) == "ALARM"
    changes = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert len(changes) >= 2


@pytest.mark.parametrize(("missing", "expected"), [
    ("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "INSUFFICIENT_DATA"),
])
def test_missing_data_are_treated_as_the_alarm_says(cloudwatch: Any, name: str, missing: str, expected: str) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    cloudwatch.put_metric_alarm(**alarm(name, TreatMissingData=missing))
    assert state(cloudwatch, name) == expected


def test_alarm_notifies_its_topic_of_both_states(aws: LocalAws, cloudwatch: Any, name: str) -> None:
    topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
    sqs, arn = aws.client("sqs"), f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}"
    # https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    admits = policy(allow("sqs:SendMessage", arn, Principal={"Service": "sns.amazonaws.com"}))
    queue = sqs.create_queue(QueueName=name, Attributes={"Policy": admits})["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch.put_metric_alarm(**alarm(name, EvaluationPeriods=1, Statistic="Average", AlarmActions=[topic],
                                        OKActions=[topic]))
    put(cloudwatch, name, 0)
    put(cloudwatch, name, 5)
    states: list[str] = []
    deadline = time.monotonic() + 10
    while len(states) < 3 and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            states.append(json.loads(json.loads(message["Body"])["Message"])["NewStateValue"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(states) == ["ALARM", "OK", "OK"]  # it is evaluated at its creation, and notBreaching


def test_a_function_that_fails_raises_the_alarm_on_its_errors(aws: LocalAws, cloudwatch: Any, name: str) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
    functions = aws.client("lambda")
    functions.create_function(FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role,
                              Code={"ZipFile": provider_code("echo_function")})
    cloudwatch.put_metric_alarm(**alarm(
        name, Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Threshold=0, EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold", Dimensions=[{"Name": "FunctionName", "Value": name}]))
    functions.invoke(FunctionName=name, Payload="{}")
    assert state(cloudwatch, name) == "OK"
    functions.invoke(FunctionName=name, Payload=json.dumps({"fail": "told to"}))
    assert state(cloudwatch, name) == "ALARM"
