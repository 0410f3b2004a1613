"""The health check of a deployed environment: schedule, alarms, dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.gitlab import LocalGitLab
from tests.deployment.mirroring import Source
from tests.deployment.pipelines import eventually
from tests.deployment.steps import Environment, Working, decisions_of
from tests.deployment.watching import looks


def test_deleted_mirror_is_found_by_the_next_health_check(aws: LocalAws, environment: Environment,
                                                                 gitlab: LocalGitLab, name: str,
                                                                 tmp_path: Path) -> None:
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    pushed = Working(tmp_path / "work").push(source.developer(), source.project.url, to="refs/heads/development")
    assert pushed.accepted, pushed.output
    assert environment.change(**source.parameters()) == "UPDATE_COMPLETE", environment.failures()
    project, user, pipeline = source.project.path, environment.outputs()["UserName"], environment.outputs()["PipelineName"]
    # This push creates it, if no earlier push did.
    eventually(lambda: pipeline in [each["name"] for each in aws.client("codepipeline").list_pipelines()["pipelines"]], pipeline)
    well = looks(aws)
    assert well["HealthCheckFailed", ""] == 0
    assert well["MirrorHealthy", project] == 1
    assert 0 <= well["SecondsSinceMirrorSync", project] < 600
    assert 0 <= well["MirrorLagSeconds", project] < 600
    assert 0 <= well["CredentialAge", user] < 1
    assert well["ApprovalsWaiting", pipeline] >= 0
    [mirror] = source.project.mirrors()
    source.project.delete_mirror(mirror.id)
    ill = looks(aws)
    assert ill["HealthCheckFailed", ""] == 0
    assert ill["MirrorHealthy", project] == 0
    # The first token does not expire. This one lasts until midnight UTC of that day.
    assert ("GitLabTokenDaysLeft", source.secret_id) not in ill
    token = gitlab.add_token("expiring", expires_at=datetime.now(UTC).date() + timedelta(days=10))
    aws.client("secretsmanager").put_secret_value(SecretId=source.secret_id, SecretString=token.value)
    assert 8 < looks(aws)["GitLabTokenDaysLeft", source.secret_id] <= 10
    assert environment.change(GitLabProject="", GitLabTokenSecretId="") == "UPDATE_COMPLETE", environment.failures()
    assert not [metric for metric, about in looks(aws) if about == project]
    source.forget_token()


DAY = 86_400


@pytest.mark.parametrize(("values", "state"), [
    # Minutes ago, and the age in seconds of the oldest waiting approval.
    ([], "OK"),
    ([(0, DAY - 60)], "OK"),
    ([(0, DAY + 60)], "ALARM"),
    # Several pipelines of the environment are in one metric.
    ([(0, 60), (0, DAY + 60), (0, 300)], "ALARM"),
    # The latest check was late or did not run.
    ([(20, DAY + 60)], "ALARM"),
    # It was approved since.
    ([(60, DAY + 60)], "OK"),
    # All day an approval waited, but none for more than an hour.
    ([(minutes, 3600) for minutes in range(0, 24 * 60, 15)], "OK"),
])
def test_approvals_alarm_is_raised_after_a_day(aws: LocalAws, environment: Environment, name: str,
                                               values: list[tuple[int, int]], state: str) -> None:
    cloudwatch = aws.client("cloudwatch")
    [deployed] = cloudwatch.describe_alarms(AlarmNames=["alarm-dev-cfn-gitops-approvals"])["MetricAlarms"]
    # A copy in a namespace of its own, so that other tests' approvals do not count.
    copied = ("MetricName", "Dimensions", "Statistic", "ComparisonOperator", "Threshold", "Period", "EvaluationPeriods",
              "DatapointsToAlarm", "TreatMissingData")
    cloudwatch.put_metric_alarm(AlarmName=name, Namespace=name,
                                **{key: deployed[key] for key in copied if key in deployed})
    # The former metric, which a health check still writes: some approval waits at every check.
    for metric, found in (("SecondsSinceApprovalRequest", values), ("ApprovalsWaiting", [(minutes, 1) for minutes, _ in values])):
        for minutes, value in found:
            cloudwatch.put_metric_data(Namespace=name, MetricData=[{
                "MetricName": metric, "Dimensions": deployed["Dimensions"], "Value": value,
                "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes)}])
    [evaluated] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert evaluated["StateValue"] == state
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_users_of_another_environment_are_not_read(aws: LocalAws, environment: Environment,
                                                                name: str) -> None:
    # Secrets Manager lists secrets of prd beside those of dev, whether or not their users may be read.
    secrets, users = aws.client("secretsmanager"), [f"user-prd-{name}", f"user-dev-{name}"]
    for user in users:
        secrets.create_secret(Name=f"codecommit-mirror/{user}", SecretString="{}",
                              Tags=[{"Key": "cfn-gitops:user-name", "Value": user}])
    before = len(decisions_of(aws, environment.function_role))
    assert looks(aws)["HealthCheckFailed", ""] == 0
    decided = decisions_of(aws, environment.function_role)[before:]
    read_users = {user for user in users for decision in decided if decision["resource"].endswith(f"/{user}")}
    assert read_users == {f"user-dev-{name}"}
    assert [decision for decision in decided if not decision["allowed"]] == []
    for user in users:
        secrets.delete_secret(SecretId=f"codecommit-mirror/{user}", ForceDeleteWithoutRecovery=True)
