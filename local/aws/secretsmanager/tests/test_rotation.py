"""Rotation as AWS does it: rejections, order of the steps, and the resulting versions.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.secretsmanager.tests.rotation_scene import RIGHTS, a_function, labels, permit
from local.aws.testing import a_user_with, allow, error_of

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
RULES = {"AutomaticallyAfterDays": 30}
FIRST = "1" * 32


@pytest.fixture(scope="session")
def function(running: LocalAws) -> str:
    arn = a_function(running, "rotation")
    permit(running, arn, SourceAccount=running.account_id)
    return arn


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


@pytest.fixture
def secret(secrets: Any, name: str) -> str:
    secrets.create_secret(Name=name, SecretString="old", ClientRequestToken=FIRST)
    return name


def set_script(secrets: Any, secret: str, **tags: str) -> None:
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def steps(run: dict[str, Any]) -> list[str]:
    return [step["Step"] for step in run["steps"]]


def events_of(aws: LocalAws, function: str, token: str) -> list[dict[str, Any]]:
    """The events that the function received in one rotation, from its own log."""
    group = f"/aws/lambda/{function.rsplit(':', 1)[-1]}"
    found = [json.loads(event["message"]) for event in aws.client("logs").filter_log_events(
        logGroupName=group)["events"] if event["message"].startswith("{")]
    return [event for event in found if event["token"] == token]


def test_rotation_runs_four_steps_and_keeps_previous_value(aws: LocalAws, secrets: Any, secret: str,
                                                           function: str) -> None:
    started = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)
    token, run = started["VersionId"], aws.rotated(secret)
    assert (uuid.UUID(token).version, run["token"], steps(run), run["events"]) == (
        4, token, STEPS, ["RotationStarted", "RotationSucceeded"])
    assert labels(aws, secret) == {FIRST: ["AWSPREVIOUS"], token: ["AWSCURRENT"]}
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == f"value-{token}"


def test_function_receives_arn_and_finds_empty_staged_version(aws: LocalAws, secrets: Any, secret: str,
                                                              function: str) -> None:
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    arn = aws.rotated(secret)["secret"]
    seen = events_of(aws, function, token)
    assert [event["step"] for event in seen] == STEPS
    assert seen[0] == {"step": "createSecret", "token": token, "secret": arn, "labels": ["AWSPENDING"],
                       "members": ["ClientRequestToken", "RotationToken", "SecretId", "Step"]}


def test_a_rotation_is_shown_with_its_dates(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    assert "RotationEnabled" not in secrets.describe_secret(SecretId=secret)
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)
    aws.rotated(secret)
    shown = secrets.describe_secret(SecretId=secret)
    assert (shown["RotationEnabled"], shown["RotationLambdaARN"], shown["RotationRules"]) == (True, function, RULES)
    day = shown["LastRotatedDate"].astimezone().date() - shown["NextRotationDate"].astimezone().date()
    assert abs(day + timedelta(days=30)) <= timedelta(days=1)


def test_secret_is_rotated_when_due_and_not_before(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)
    first = aws.rotated(secret)
    assert aws.days_later(secret, 28) is None
    begun = aws.days_later(secret, 2)
    run = aws.rotated(secret)
    assert begun and begun["token"] == run["token"] != first["token"]
    assert labels(aws, secret) == {first["token"]: ["AWSPREVIOUS"], run["token"]: ["AWSCURRENT"]}
    assert aws.days_later(secret, 28) is None
    assert aws.days_later(secret, 2)


def test_a_value_that_is_put_counts_as_a_rotation(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)
    aws.rotated(secret)
    assert aws.days_later(secret, 20) is None
    secrets.put_secret_value(SecretId=secret, SecretString="by hand")
    assert aws.days_later(secret, 20) is None
    assert aws.days_later(secret, 10)


def test_without_first_rotation_only_the_test_runs(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES, RotateImmediately=False)
    run = aws.rotated(secret)
    assert (run["kind"], steps(run), run["events"]) == (
        "test", ["testSecret"], ["TestRotationStarted", "TestRotationSucceeded"])
    assert [event["labels"] for event in events_of(aws, function, run["token"])] == [["AWSPENDING"]]
    assert labels(aws, secret) == {FIRST: ["AWSCURRENT"]}
    shown = secrets.describe_secret(SecretId=secret)
    assert "LastRotatedDate" not in shown and shown["NextRotationDate"]
    assert aws.days_later(secret, 30)


@pytest.mark.parametrize("step", STEPS)
def test_failed_step_ends_rotation_and_version_stays_pending(aws: LocalAws, secrets: Any, secret: str, function: str,
                                                             step: str) -> None:
    set_script(secrets, secret, fail=step)
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)["VersionId"]
    run = aws.rotated(secret)
    assert steps(run) == STEPS[:STEPS.index(step) + 1]
    assert (run["events"], run["reason"]) == (["RotationStarted", "RotationFailed"], f"{step}: scripted failure of {step}")
    assert labels(aws, secret) == {FIRST: ["AWSCURRENT"], token: ["AWSPENDING"]}
    assert "LastRotatedDate" not in secrets.describe_secret(SecretId=secret)
    # The pending version may be empty.
    found = step != "createSecret"
    get = {"SecretId": secret, "VersionStage": "AWSPENDING"}
    if found:
        assert secrets.get_secret_value(**get)["SecretString"] == f"value-{token}"
    else:
        assert error_of(secrets.get_secret_value, **get)[0] == "ResourceNotFoundException"


def test_a_function_that_dies_in_a_step_failed_it(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    set_script(secrets, secret, crash="setSecret")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    assert steps(aws.rotated(secret)) == STEPS[:2]


def test_pending_version_prevents_a_rotation(aws: LocalAws, secrets: Any, secret: str,
                                                            function: str) -> None:
    set_script(secrets, secret, fail="setSecret")
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    aws.rotated(secret)
    for more in ({}, {"RotateImmediately": False}, {"RotationRules": RULES}):
        assert error_of(secrets.rotate_secret, SecretId=secret, **more) == (
            "InvalidRequestException", 400,
            "A previous rotation isn't complete. That rotation will be reattempted.")
    secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=token)
    set_script(secrets, secret, fail="no step")
    secrets.rotate_secret(SecretId=secret)
    assert aws.rotated(secret)["events"] == ["RotationStarted", "RotationSucceeded"]


def test_a_failed_rotation_is_attempted_again_with_its_version(aws: LocalAws, secrets: Any, secret: str,
                                                               function: str) -> None:
    set_script(secrets, secret, fail="testSecret")
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)["VersionId"]
    aws.rotated(secret)
    set_script(secrets, secret, fail="no step")
    aws.days_later(secret, 1)
    run = aws.rotated(secret)
    assert (run["token"], steps(run), run["reason"]) == (token, STEPS, "")
    assert labels(aws, secret) == {FIRST: ["AWSPREVIOUS"], token: ["AWSCURRENT"]}


def test_a_rotation_can_be_attempted_again_at_once(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    aws.set(rotation_retries=2, rotation_retry_after_seconds=0)
    set_script(secrets, secret, fail="setSecret")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    run = aws.rotated(secret)
    assert (steps(run), run["events"]) == (STEPS[:2] * 3, ["RotationStarted", "RotationFailed"] * 3)


def test_a_function_that_does_not_move_AWSCURRENT_did_not_rotate(aws: LocalAws, secrets: Any, secret: str,
                                                                function: str) -> None:
    set_script(secrets, secret, finish="not at all")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    run = aws.rotated(secret)
    assert (steps(run), run["events"][-1]) == (STEPS, "RotationFailed")


@pytest.mark.parametrize(("fails", "event"), [(1, "RotationFailed"), (0, "RotationSucceeded")])
def test_separate_removal_of_pending_label_can_fail_rotation(aws: LocalAws, secrets: Any, secret: str, function: str,
                                                             fails: int, event: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    aws.set(pending_removed_separately_fails=fails)
    set_script(secrets, secret, finish="remove pending")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    assert aws.rotated(secret)["events"][-1] == event


def test_the_pending_label_can_stay_on_the_current_version(aws: LocalAws, secrets: Any, secret: str,
                                                          function: str) -> None:
    aws.set(current_takes_pending_away=0)
    for _ in range(2):
        token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
        assert aws.rotated(secret)["events"][-1] == "RotationSucceeded"
        assert labels(aws, secret)[token] == ["AWSCURRENT", "AWSPENDING"]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_new_version_abandons_the_rotation_that_is_pending(aws: LocalAws, secrets: Any, secret: str, function: str,
                                                            which: int) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html (RotationAbandoned)
    aws.set(new_versions_abandon_rotations=which)
    set_script(secrets, secret, fail="setSecret")
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    aws.rotated(secret)
    secrets.put_secret_value(SecretId=secret, SecretString="a", VersionStages=["mine"])
    assert labels(aws, secret).get(token) == (None if which == 2 else ["AWSPENDING"])
    secrets.put_secret_value(SecretId=secret, SecretString="b")
    assert labels(aws, secret).get(token) == (None if which else ["AWSPENDING"])
    assert ("RotationAbandoned" in aws.rotated(secret)["events"]) == (which > 0)


def test_last_step_writing_its_own_version_succeeds(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    set_script(secrets, secret, finish="write and move")
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)["VersionId"]
    assert aws.rotated(secret)["events"] == ["RotationStarted", "RotationAbandoned", "RotationSucceeded"]
    assert labels(aws, secret) == {f"own-{token}": ["AWSPREVIOUS"], token: ["AWSCURRENT"]}


def test_function_without_invoke_permission_is_rejected(aws: LocalAws, secrets: Any, secret: str, name: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_rotation.html
    function = a_function(aws, name)
    rotate = {"SecretId": secret, "RotationLambdaARN": function}
    rejected = ("AccessDeniedException", 400,
               "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
               "access to the principal secretsmanager.amazonaws.com.")
    assert error_of(secrets.rotate_secret, **rotate) == rejected
    assert error_of(secrets.rotate_secret, SecretId=secret, RotationLambdaARN=f"{function}-x") == rejected
    mine = secrets.describe_secret(SecretId=secret)["ARN"]
    for condition, admitted in (({"SourceAccount": "111122223333"}, False), ({"SourceArn": f"{mine}x"}, False),
                                ({"SourceArn": mine, "SourceAccount": aws.account_id}, True)):
        permit(aws, function, **condition)
        if admitted:
            secrets.rotate_secret(**rotate)
            assert aws.rotated(secret)["reason"] == ""
        else:
            assert error_of(secrets.rotate_secret, **rotate) == rejected
            assert "RotationEnabled" not in secrets.describe_secret(SecretId=secret)
        aws.client("lambda").remove_permission(FunctionName=function, StatementId="rotation")
    # Lambda evaluates its policy at every invocation.
    assert error_of(secrets.rotate_secret, SecretId=secret) == rejected


def test_the_function_has_its_roles_rights_alone(aws: LocalAws, secrets: Any, secret: str, name: str) -> None:
    function = a_function(aws, name, [right for right in RIGHTS if not right.endswith("VersionStage")])
    permit(aws, function)
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    run = aws.rotated(secret)
    assert steps(run) == STEPS
    assert "not authorized to perform: secretsmanager:UpdateSecretVersionStage on resource" in run["reason"]


def test_caller_needs_rotate_and_invoke_permissions(aws: LocalAws, secret: str, name: str, function: str) -> None:
    rotating = allow("secretsmanager:RotateSecret", "*")
    arguments = {"SecretId": secret, "RotationLambdaARN": function}
    without = aws.client("secretsmanager", a_user_with(aws, name, rotating))
    assert "lambda:InvokeFunction" in error_of(without.rotate_secret, **arguments)[2]
    invoking = allow("lambda:InvokeFunction", function)
    able = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", rotating, invoking))
    able.rotate_secret(**arguments)
    assert aws.rotated(secret)["reason"] == ""
    assert "secretsmanager:CancelRotateSecret" in error_of(able.cancel_rotate_secret, SecretId=secret)[2]


def test_cancelled_rotation_ends_after_its_step(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html
    assert error_of(secrets.cancel_rotate_secret, SecretId=secret)[0] == "InvalidRequestException"
    set_script(secrets, secret, wait="createSecret")
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)["VersionId"]
    assert secrets.cancel_rotate_secret(SecretId=secret)["VersionId"] == token
    run = aws.rotated(secret)
    assert len(steps(run)) <= 1 and run["events"][-1] == "RotationFailed"
    assert labels(aws, secret)[token] == ["AWSPENDING"]
    shown = secrets.describe_secret(SecretId=secret)
    assert (shown["RotationEnabled"], shown["RotationLambdaARN"], shown["RotationRules"]) == (False, function, RULES)
    assert "NextRotationDate" not in shown
    assert aws.days_later(secret, 60) is None


@pytest.mark.parametrize(("rules", "days"), [
    ({"ScheduleExpression": "rate(10 days)"}, 10), ({"ScheduleExpression": "rate(4 hours)", "Duration": "4h"}, 1),
    ({"ScheduleExpression": "cron(0 16 1,15 * ? *)", "Duration": "2h"}, None), ({"AutomaticallyAfterDays": 1000}, 1000),
    ({"ScheduleExpression": "cron(0 8 ? * 2#1 *)"}, None),
])
def test_valid_schedule_is_accepted(aws: LocalAws, secrets: Any, secret: str, function: str, rules: dict[str, Any],
                             days: int | None) -> None:
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False)
    shown = secrets.describe_secret(SecretId=secret)
    calculated = shown["RotationRules"].pop("AutomaticallyAfterDays")
    assert (calculated == days if days else 13 <= calculated <= 35) and shown["NextRotationDate"]
    assert {**rules, "AutomaticallyAfterDays": 0} == {**shown["RotationRules"], "AutomaticallyAfterDays": 0}


@pytest.mark.parametrize("rules", [
    {"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(30 days)"}, {"Duration": "3h"},
    {"ScheduleExpression": "rate(3 hours)"}, {"ScheduleExpression": "rate(1000 days)"},
    {"ScheduleExpression": "rate(5 minutes)"}, {"ScheduleExpression": "cron(5 8 * * ? *)"},
    {"ScheduleExpression": "cron(0 8 * * * *)"}, {"ScheduleExpression": "cron(0 8 * * ? 2030)"},
    {"ScheduleExpression": "rate(4 hours)", "Duration": "5h"}, {"ScheduleExpression": "at(2030-01-01)"},
    {"ScheduleExpression": "cron(0 22 * * ? *)", "Duration": "3h"}, {"ScheduleExpression": "cron(0 0/2 * * ? *)"},
])
def test_invalid_schedule_is_rejected(secrets: Any, secret: str, function: str, rules: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
    assert error_of(secrets.rotate_secret, SecretId=secret, RotationLambdaARN=function,
                   RotationRules=rules)[:2] == ("InvalidParameterException", 400)
    assert "RotationEnabled" not in secrets.describe_secret(SecretId=secret)


def test_rotation_without_function_or_secret_is_rejected(secrets: Any, secret: str) -> None:
    assert error_of(secrets.rotate_secret, SecretId=secret)[:2] == ("InvalidRequestException", 400)
    assert error_of(secrets.rotate_secret, SecretId=f"{secret}-x")[:2] == ("ResourceNotFoundException", 400)


def test_the_same_token_again_is_the_same_rotation(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    set_script(secrets, secret, wait="createSecret")
    token = str(uuid.uuid4())
    for _ in range(2):
        assert secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function,
                                     ClientRequestToken=token)["VersionId"] == token
    assert steps(aws.rotated(secret)) == STEPS
    assert len(aws.rotations(secret)) == 1
