"""`AWS::SecretsManager::RotationSchedule`, as far as tests/deployment/test_project_template.py does not show it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.secretsmanager.tests.rotation_scene import FIRST, a_function, labels, secret, secrets
from tests.local.aws.testing import Stack


@pytest.fixture(scope="session")
def function(running: LocalAws) -> str:
    return a_function(running, "scheduled")


def resources(function: str, secret: str, permitted: bool = True, **properties: Any) -> dict[str, Any]:
    wanted = {"SecretId": secret, "RotationLambdaARN": function, "RotationRules": {"AutomaticallyAfterDays": 30},
              "RotateImmediatelyOnUpdate": False, **properties}
    schedule: dict[str, Any] = {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {
        key: value for key, value in wanted.items() if value is not None}}
    if not permitted:
        return {"Schedule": schedule}
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": function, "Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"}}}
    return {"Permission": permission, "Schedule": {**schedule, "DependsOn": "Permission"}}


def reasons(stack: Stack) -> str:
    return "\n".join(event.get("ResourceStatusReason", "") for event in stack.events())


def test_schedule_rotates_at_once_by_default(aws: LocalAws, stack: Stack, secrets: Any, secret: str,
                                             function: str) -> None:
    assert stack.create(resources(function, secret, RotateImmediatelyOnUpdate=None)) == "CREATE_COMPLETE"
    assert aws.rotated(secret)["kind"] == "rotation"
    assert labels(aws, secret)[FIRST] == ["AWSPREVIOUS"]
    rules = {"AutomaticallyAfterDays": 7}
    assert stack.update(resources(function, secret, RotationRules=rules)) == "UPDATE_COMPLETE"
    assert secrets.describe_secret(SecretId=secret)["RotationRules"] == rules
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert stack.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(("change", "expected"), [
    ({"RotationRules": {"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(1 day)"}},
     "only RotationRules with AutomaticallyAfterDays alone"),
    ({"RotationRules": {"Days": 30}}, "#/RotationRules: extraneous key [Days] is not permitted"),
    ({"RotateImmediately": False}, "#: extraneous key [RotateImmediately] is not permitted"),
    ({"SecretId": None}, "#: required key [SecretId] not found"),
    ({"SecretId": "of-nobody"}, "Secrets Manager can't find the specified secret. (Service: SecretsManager"),
    ({"RotationLambdaARN": None}, "doesn't already have a Lambda function ARN configured"),
])
def test_invalid_schedule_fails_its_stack(aws: LocalAws, stack: Stack, secrets: Any, secret: str, function: str,
                                                 change: dict[str, Any], expected: str) -> None:
    assert stack.create(resources(function, secret, **change)) == "ROLLBACK_COMPLETE"
    assert expected in reasons(stack)
    assert not secrets.describe_secret(SecretId=secret).get("RotationEnabled")


def test_a_schedule_needs_the_permission_first(aws: LocalAws, stack: Stack, secret: str, name: str) -> None:
    function = a_function(aws, name)  # the other one has permissions of other tests' stacks
    assert stack.create(resources(function, secret, permitted=False)) == "ROLLBACK_COMPLETE"
    assert "Secrets Manager cannot invoke the specified Lambda function." in reasons(stack)


def test_a_function_that_fails_its_test_fails_the_stack(aws: LocalAws, stack: Stack, secrets: Any, secret: str,
                                                        function: str) -> None:
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": "fail", "Value": "testSecret"}])
    assert stack.create(resources(function, secret)) == "ROLLBACK_COMPLETE"
    assert "The rotation function failed its test: testSecret: scripted failure of testSecret" in reasons(stack)
    assert labels(aws, secret) == {FIRST: ["AWSCURRENT"]}
    assert secrets.describe_secret(SecretId=secret)["RotationEnabled"] is False


def test_a_secret_has_one_schedule(aws: LocalAws, stack: Stack, secret: str, function: str, name: str) -> None:
    stack.create(resources(function, secret))
    another = Stack(aws, f"{name}-b")
    assert another.create(resources(function, secret)) == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons(another)
