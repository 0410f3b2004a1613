"""What watches an environment, as it is there after the deployment: schedule, alarms, dashboard."""

from __future__ import annotations

import json

from local_aws import LocalAws
from local_deploy.steps import Environment

RULE = "event-rule-dev-cfn-gitops-health"


def test_the_dashboard_shows_alarms_that_are_there(aws: LocalAws, environment: Environment) -> None:
    cloudwatch = aws.client("cloudwatch")
    alarms = {alarm["AlarmArn"] for page in cloudwatch.get_paginator("describe_alarms").paginate() for alarm in page["MetricAlarms"]
              if alarm["AlarmName"].startswith("alarm-dev-")}
    body = json.loads(cloudwatch.get_dashboard(DashboardName=environment.outputs()["DashboardName"])["DashboardBody"])
    [shown] = [widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm"]
    assert set(shown) == alarms
    assert len(alarms) == len(shown) > 5


def test_the_schedule_is_on_and_its_target_lets_it_in(aws: LocalAws, environment: Environment) -> None:
    events, function = aws.client("events"), environment.outputs()["ServiceToken"]
    rule = events.describe_rule(Name=RULE)
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "rate(15 minutes)")
    [target] = events.list_targets_by_rule(Rule=RULE)["Targets"]
    assert target["Arn"] == function
    assert json.loads(target["Input"]) == {"HealthCheck": {"EnvID": "dev"}}
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=function)["Policy"])
    admitted = [statement for statement in policy["Statement"]
                if statement["Principal"] == {"Service": "events.amazonaws.com"} and rule["Arn"] in json.dumps(statement["Condition"])]
    assert len(admitted) == 1


def test_secrets_manager_of_this_account_may_call_the_function(aws: LocalAws, environment: Environment) -> None:
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=environment.outputs()["ServiceToken"])["Policy"])
    [statement] = [statement for statement in policy["Statement"] if statement["Principal"] == {"Service": "secretsmanager.amazonaws.com"}]
    assert aws.account_id in json.dumps(statement["Condition"])
