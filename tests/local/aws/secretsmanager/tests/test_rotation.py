"""Rotation as AWS does it: rejections, order of the steps, and the resulting versions. tests/deployment/test_gitlab.py
rotates with the product's function, and resumes a rotation that is pending.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.secretsmanager.tests.rotation_scene import FIRST, a_function, labels, permit, secret, secrets
from tests.local.aws.testing import a_user_with, allow, error_of

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
RULES = {"AutomaticallyAfterDays": 30}


@pytest.fixture(scope="session")
def function(running: LocalAws) -> str:
    arn = a_function(running, "rotation")
    permit(running, arn, SourceAccount=running.account_id)
    return arn


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
    assert "RotationEnabled" not in secrets.describe_secret(SecretId=secret)
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)["VersionId"]
    run = aws.rotated(secret)
    assert (uuid.UUID(token).version, run["token"], steps(run), run["events"]) == (
        4, token, STEPS, ["RotationStarted", "RotationSucceeded"])
    assert labels(aws, secret) == {FIRST: ["AWSPREVIOUS"], token: ["AWSCURRENT"]}
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == f"value-{token}"
    seen = events_of(aws, function, token)
    assert [event["step"] for event in seen] == STEPS
    assert seen[0] == {"step": "createSecret", "token": token, "secret": run["secret"], "labels": ["AWSPENDING"],
                       "members": ["ClientRequestToken", "RotationToken", "SecretId", "Step"]}
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
    assert aws.days_later(secret, 20) is None
    # A value that is put counts as a rotation.
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
    secrets.put_secret_value(SecretId=secret, SecretString="by hand")
    assert aws.days_later(secret, 20) is None
    assert aws.days_later(secret, 10)


@pytest.mark.parametrize(("script", "ran", "event"), [
    *(({"fail": step}, STEPS[:number], "RotationFailed") for number, step in enumerate(STEPS, 1)),
    ({"crash": "setSecret"}, STEPS[:2], "RotationFailed"),
    ({"finish": "not at all"}, STEPS, "RotationFailed"),
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
    ({"finish": "remove pending"}, STEPS, "RotationFailed"),
    ({"finish": "write and move"}, STEPS, "RotationSucceeded"),
])
def test_rotation_ends_as_its_function_does(aws: LocalAws, secrets: Any, secret: str, function: str,
                                            script: dict[str, str], ran: list[str], event: str) -> None:
    set_script(secrets, secret, **script)
    token = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules=RULES)["VersionId"]
    run = aws.rotated(secret)
    assert (steps(run), run["events"][-1]) == (ran, event)
    if ran != STEPS:
        assert labels(aws, secret) == {FIRST: ["AWSCURRENT"], token: ["AWSPENDING"]}
        assert "LastRotatedDate" not in secrets.describe_secret(SecretId=secret)
    if script == {"fail": "createSecret"}:
        # The pending version is empty.
        assert error_of(secrets.get_secret_value, SecretId=secret, VersionStage="AWSPENDING")[0] == (
            "ResourceNotFoundException")


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


def test_caller_needs_rotate_and_invoke_permissions(aws: LocalAws, secret: str, name: str, function: str) -> None:
    mine = {"StringEqualsIfExists": {"secretsmanager:RotationLambdaARN": function}}
    rotating = allow("secretsmanager:RotateSecret", "*", Condition=mine)
    arguments = {"SecretId": secret, "RotationLambdaARN": function}
    without = aws.client("secretsmanager", a_user_with(aws, name, rotating))
    assert "lambda:InvokeFunction" in error_of(without.rotate_secret, **arguments)[2]
    able = aws.client("secretsmanager", a_user_with(aws, f"{name}-b", rotating, allow("lambda:InvokeFunction", "*")))
    assert error_of(able.rotate_secret, SecretId=secret, RotationLambdaARN=f"{function}-other")[0] == (
        "AccessDeniedException")
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
    assert shown["RotationEnabled"] is False and "NextRotationDate" not in shown
    assert aws.days_later(secret, 60) is None


@pytest.mark.parametrize(("given", "code"), [
    ({"RotationRules": {"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(30 days)"}}, "InvalidParameter"),
    ({"RotationRules": {"ScheduleExpression": "rate(30 days)"}}, "InvalidParameter"),
    ({"RotationRules": {"AutomaticallyAfterDays": 1001}}, "InvalidParameter"),
    ({"RotationLambdaARN": None}, "InvalidRequest"), ({"SecretId": "absent"}, "ResourceNotFound"),
    ({"ClientRequestToken": FIRST}, "ResourceExists"),
])
def test_invalid_rotation_is_rejected(secrets: Any, secret: str, function: str, given: dict[str, Any],
                                      code: str) -> None:
    arguments = {"SecretId": secret, "RotationLambdaARN": function, **given}
    assert error_of(secrets.rotate_secret, **{key: value for key, value in arguments.items() if value})[:2] == (
        f"{code}Exception", 400)
    assert "RotationEnabled" not in secrets.describe_secret(SecretId=secret)


def test_the_same_token_again_is_the_same_rotation(aws: LocalAws, secrets: Any, secret: str, function: str) -> None:
    set_script(secrets, secret, wait="createSecret")
    token = str(uuid.uuid4())
    for _ in range(2):
        assert secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function,
                                     ClientRequestToken=token)["VersionId"] == token
    assert steps(aws.rotated(secret)) == STEPS
    assert len(aws.rotations(secret)) == 1
