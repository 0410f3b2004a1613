"""The health check, its alarms and its dashboard: alarms reach people, and use metrics that the function
emits."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from tests.templates.deployed import ACCOUNT, PROVIDER_STACK, REGION, TEMPLATES, Deployed, source
from tests.templates.renderings import NAMES, rendering

ROOT = Path(__file__).parents[2]
# Generated from the function's table of metrics.
EMITTED = json.loads((ROOT / "docs/metrics.json").read_text())
NAMESPACE = EMITTED["namespace"]
INTERVALS = source()["Parameters"]["HealthCheckMinutes"]["AllowedValues"]

# The dimension of each metric in addition to the environment, if it has one.
METRICS = {metric["name"]: metric["dimension"] for metric in EMITTED["metrics"]}
# A mirror without commits to push is healthy. A waiting approval raises an alarm after a day. A stack without
# an owner causes no damage until it is deleted. An outdated pipeline stack works as before. A failed report
# is in the log, and no deployment depends on it.
WITHOUT_ALARM = {
    "SecondsSinceMirrorSync",
    "ApprovalsWaiting",
    "OrphanedPipelineStacks",
    "OutdatedPipelineStacks",
    "ReportFailures",
}


def alarms(stack):
    return {name: stack.properties(name) for name in stack.of_type("AWS::CloudWatch::Alarm")}


def dashboard(stack):
    return json.loads(stack.properties("Dashboard")["DashboardBody"])


def widgets(stack, kind):
    return [widget["properties"] for widget in dashboard(stack)["widgets"] if widget["type"] == kind]


def health_check(stack):
    """The input of the schedule."""
    (target,) = stack.properties("HealthCheck")["Targets"]
    return json.loads(target["Input"])["HealthCheck"]


@pytest.mark.parametrize("minutes", INTERVALS)
def test_the_health_check_is_called_by_schedule(minutes):
    """test_events.py has its whole input."""
    stack = Deployed(EnvID="dev", HealthCheckMinutes=minutes)
    rule = stack.properties("HealthCheck")
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html: more than one
    # are minutes.
    assert minutes > 1 and rule["ScheduleExpression"] == f"rate({minutes} minutes)"
    assert rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    assert target["Arn"] == stack.arn("Function")
    assert health_check(stack)["Minutes"] == minutes


@pytest.mark.parametrize("names", ["", "gitlab-*", "a+=,.@_*?-b"])
def test_schedule_passes_the_user_patterns_of_the_function(names):
    stack = Deployed(EnvID="dev", MirrorUserNames=names)
    patterns = health_check(stack)["UserNames"]
    (granted,) = [
        statement["Resource"]
        for policy in stack.properties("FunctionRole")["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "CredentialsOfTheMirrorUsers"
    ]
    assert granted == f"arn:aws:iam::{ACCOUNT}:user/{patterns}"
    assert patterns == (names or "user-dev-*")


@pytest.mark.parametrize(
    "given", [{}, {"ProjectID": ""}, {"MirrorUserNames": "gitlab-*", "CredentialAgeAlarmDays": 77}]
)
def test_function_that_reads_has_the_environment_of_the_schedule(given):
    stack = Deployed(EnvID="dev", **given)
    environment = json.loads(stack.properties("ReadFunction")["Environment"]["Variables"]["ENVIRONMENT"])
    assert environment.pop("StackId") == PROVIDER_STACK
    assert environment == {name: value for name, value in health_check(stack).items() if name != "Minutes"}


def test_health_metric_has_an_alarm_with_its_limit(dev):
    ours = [alarm for alarm in alarms(dev).values() if alarm["Namespace"] == NAMESPACE]
    assert sorted(alarm["MetricName"] for alarm in ours) == sorted(METRICS.keys() - WITHOUT_ALARM)
    wrong = {metric["name"]: metric["wrong"] for metric in EMITTED["metrics"]}
    for alarm in ours:
        assert alarm["Dimensions"] == [{"Name": "EnvID", "Value": "dev"}]
        # A value that raises the alarm is written for its subject, too.
        side = {"LessThanThreshold": "Below", "GreaterThanThreshold": "Above"}[alarm["ComparisonOperator"]]
        assert wrong[alarm["MetricName"]] == {side: int(alarm["Threshold"])}, alarm["MetricName"]
        # The environment's metric has the values of all its mirrors, users or pipelines: one of them raises
        # the alarm.
        assert alarm["Statistic"] == {"Below": "Minimum", "Above": "Maximum"}[side], alarm["MetricName"]


def test_alarm_of_lambda_counts_and_has_its_limit(dev):
    of_lambda = {name: alarm for name, alarm in alarms(dev).items() if alarm["Namespace"] != NAMESPACE}
    assert {
        name: (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"])
        for name, alarm in of_lambda.items()
    } == {
        "FunctionAlarm": ("Sum", "GreaterThanThreshold", 0),
        "DroppedEventsAlarm": ("Sum", "GreaterThanThreshold", 0),
        "SilenceAlarm": ("Sum", "LessThanThreshold", 1),
    }


@pytest.mark.parametrize("minutes", INTERVALS)
def test_alarm_periods_contain_a_health_check(minutes):
    stack = Deployed(EnvID="dev", HealthCheckMinutes=minutes)
    for name, alarm in alarms(stack).items():
        period, times = int(alarm["Period"]), alarm["EvaluationPeriods"]
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        assert period % 60 == 0 and period * times <= (604800 if period >= 3600 else 86400), name
        if alarm["Namespace"] == NAMESPACE:
            assert period >= minutes * 60, name
    approvals = alarms(stack)["ApprovalsAlarm"]
    # An approval may wait for a day. One late check does not end the alarm.
    assert (approvals["Threshold"], approvals["Statistic"]) == (24 * 3600, "Maximum")
    assert (int(approvals["Period"]), approvals["EvaluationPeriods"], approvals["DatapointsToAlarm"]) == (
        minutes * 60,
        2,
        1,
    )


def test_drift_alarm_lasts_until_the_next_comparison(dev):
    """Each stack is compared once a day."""
    alarm = alarms(dev)["DriftAlarm"]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Statistic"]) == (24 * 3600, 1, "Maximum")
    assert "DatapointsToAlarm" not in alarm


def test_silence_is_one_fault_and_raises_one_alarm(dev):
    breaching = [name for name, alarm in alarms(dev).items() if alarm["TreatMissingData"] == "breaching"]
    assert breaching == ["SilenceAlarm"]
    assert {alarm["TreatMissingData"] for alarm in alarms(dev).values()} == {"breaching", "notBreaching"}
    # The evaluated time should contain at least two checks.
    silence = alarms(dev)["SilenceAlarm"]
    assert silence["Period"] * silence["EvaluationPeriods"] >= 2 * 60 * max(INTERVALS)
    assert silence["Dimensions"] == [{"Name": "FunctionName", "Value": dev.name("Function")}]


def test_the_age_of_a_credential_is_a_parameter():
    stack = Deployed(EnvID="dev", CredentialAgeAlarmDays=77)
    assert alarms(stack)["CredentialAgeAlarm"]["Threshold"] == "77"
    assert health_check(stack)["CredentialAgeAlarmDays"] == 77
    (line,) = [
        widget["annotations"]["horizontal"][0]["value"]
        for widget in widgets(stack, "metric")
        if "annotations" in widget
    ]
    assert line == 77
    parameters = source()["Parameters"]
    assert parameters["CredentialAgeAlarmDays"]["Default"] > parameters["RotationDays"]["Default"] + 7


def test_alarm_has_a_description(dev):
    for name, alarm in alarms(dev).items():
        assert re.fullmatch(r"alarm-dev-cfn-gitops-[a-z-]+", alarm["AlarmName"]), name
        assert 40 < len(alarm["AlarmDescription"]) <= 1024, name
    assert len({alarm["AlarmName"] for alarm in alarms(dev).values()}) == len(alarms(dev))


@pytest.mark.parametrize("minutes", INTERVALS)
@pytest.mark.parametrize("given", [{}, {"GitLabProject": "a/b", "GitLabTokenSecretId": "t"}])
def test_the_dashboard_is_json_whatever_the_parameters_are(minutes, given):
    body = dashboard(Deployed(EnvID="dev", HealthCheckMinutes=minutes, **given))
    assert body["widgets"]
    assert "${" not in json.dumps(body)


def test_the_dashboard_shows_every_alarm(dev):
    (shown,) = widgets(dev, "alarm")
    assert sorted(shown["alarms"]) == sorted(dev.arn(name) for name in alarms(dev))


def test_dashboard_shows_each_metric_of_all_and_of_the_wrong(dev):
    found = {}
    shown = [metric for widget in widgets(dev, "metric") for metric in widget["metrics"]]
    for expression in [metric[0]["expression"] for metric in shown if isinstance(metric[0], dict)]:
        match = re.fullmatch(
            r"SEARCH\('\{CfnGitOps,EnvID,(\w+)\} EnvID=\"dev\" MetricName=\"(\w+)\"', '(\w+)', 900\)",
            expression,
        )
        assert match, expression
        found[match[2]] = match[1]
    assert found == {name: dimension for name, dimension in METRICS.items() if dimension}
    single = [metric[:4] for metric in shown if isinstance(metric[0], str)]
    # While all is well, the environment's metrics are the only ones.
    assert {name for namespace, name, *_ in single if namespace == NAMESPACE} == {*found, "HealthCheckFailed"}
    assert all(metric[2:] == ["EnvID", "dev"] for metric in single if metric[0] == NAMESPACE)
    for function in ("Function", "ReadFunction"):
        assert ["AWS/Lambda", "Errors", "FunctionName", dev.name(function)] in single


def test_the_dashboard_shows_what_the_function_warns_of(dev):
    (log,) = widgets(dev, "log")
    assert f"SOURCE '{dev.name('FunctionLogGroup')}'" in log["query"]


def test_no_widget_covers_another_and_each_has_its_region(dev):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""
    places = [
        {(x, y) for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])}
        for w in dashboard(dev)["widgets"]
    ]
    assert all(x < 24 for place in places for x, _ in place)
    assert not any(first & second for first, second in combinations(places, 2))
    for widget in widgets(dev, "metric") + widgets(dev, "log"):
        assert widget["region"] == REGION


def test_environments_and_regions_have_separate_dashboards():
    """A dashboard's name is unique in the account, across all regions."""
    names = {
        Deployed(region, EnvID=env_id).name("Dashboard")
        for region in (REGION, "us-east-1")
        for env_id in ("dev", "prd")
    }
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name) for name in names)


def rows(heading):
    page = (ROOT / "docs/runbook/watching.md").read_text()
    table = page.split(heading)[1].split("\n\n")[0]
    return [[cell.strip(" `") for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


def test_the_page_lists_the_alarms(dev):
    listed = {name: when for name, when, _ in rows("| Alarm `alarm-<EnvID>-cfn-gitops-…` |")}
    assert sorted(f"alarm-dev-cfn-gitops-{name}" for name in listed) == sorted(
        dev.name(name) for name in alarms(dev)
    )
    # Thresholds in the page's words.
    assert listed["approvals"] == "one approval has waited for more than a day"
    assert (
        listed["token-expiry"]
        == f"a GitLab token expires in less than {alarms(dev)['TokenExpiryAlarm']['Threshold']} days"
    )
    assert listed["drift"] == "a deployed stack with `Drift: Report` differs from its template"


def deleted():
    """The tables of deleted resources by their headings: the first two cells of each row."""
    page = (ROOT / "docs/runbook/deleted-resources.md").read_text()
    parts = {part.splitlines()[0]: part for part in page.split("\n## ")[1:]}
    return {
        heading: [line.split(" | ")[:2] for line in part.splitlines() if line.startswith("| ")][1:]
        for heading, part in parts.items()
    }


def test_page_has_each_resource_that_may_be_deleted_in_one_row():
    tables = deleted()
    named = {
        heading: sorted(re.findall(r"`([A-Z]\w+)`", " ".join(row[0] for row in table)))
        for heading, table in tables.items()
    }
    in_stacks = {*source()["Resources"], *source(TEMPLATES / "project.yaml")["Resources"]}
    assert sorted(named["Resources of a project"] + named["Resources of the environment"]) == sorted(
        in_stacks
    )
    assert set(source(TEMPLATES / "project.yaml")["Resources"]) <= set(named["Resources of a project"])
    assert named["Resources of a pipeline's stack"] == sorted(
        {name for each in NAMES for name in rendering(each)["Resources"]}
    )
    assert named["Records of the function"] == []


def test_page_finds_deleted_resources_by_alarms_of_the_template(dev):
    found_by = [row[1] for table in deleted().values() for row in table]
    assert len(found_by) > 40
    names = {name for cell in found_by for name in re.findall(r"\b[Aa]larms? `([a-z-]+)`", cell)}
    assert {f"alarm-dev-cfn-gitops-{name}" for name in names} <= {dev.name(name) for name in alarms(dev)}
