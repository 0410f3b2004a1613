"""`AWS::SecretsManager::RotationSchedule` for MiniStack's CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
"""

from typing import Any

from ministack.services import secretsmanager as service
from ministack.services.cloudformation import provisioners, stacks

from tests.local.aws.cloudformation import resource_types
from tests.local.aws.secretsmanager import rotation, rotation_runs

TYPE = "AWS::SecretsManager::RotationSchedule"
# Lambda's longest timeout is 900 s, and a test is one invocation.
_TEST_SECONDS = 900


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "delete": _delete}
    # The function calls this AWS while the resource waits for it.
    ministack_rule = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda resource_type: (
        resource_type == TYPE or ministack_rule(resource_type)
    )


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    # "Specifies whether to rotate the secret immediately or wait until the next scheduled rotation window".
    # Without it, RotateSecret's own default applies, which is to rotate.
    at_once = str(props.get("RotateImmediatelyOnUpdate", True)).lower() != "false"
    days = int(props["RotationRules"]["AutomaticallyAfterDays"])  # templates write numbers as strings, too
    with resource_types.rejections_of("SecretsManager"):
        response = rotation.rotate_secret(
            {
                "SecretId": props["SecretId"],
                "RotationLambdaARN": props["RotationLambdaARN"],
                "RotationRules": {"AutomaticallyAfterDays": days},
                "RotateImmediately": at_once,
            }
        )
    if not at_once:
        _await_test(response["ARN"])
    return response["ARN"], {"Id": response["ARN"]}  # "Id: The ARN of the secret."


def _await_test(arn: str) -> None:
    """A configuration whose test fails is invalid. CloudFormation's reaction is not documented. A failure is
    the one that a test cannot miss."""
    run = rotation_runs.of(arn)
    if run is None or not rotation_runs.wait(run, _TEST_SECONDS):
        raise ValueError("The test of the rotation function did not end.")
    if run.reason:
        rotation.cancel_rotate_secret({"SecretId": arn})
        raise ValueError(f"The rotation function failed its test: {run.reason}")


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    """A missing secret, or one that is being deleted, has no schedule."""
    _, held = service._resolve(physical_id)
    if held is not None and not held.get("DeletedDate") and held.get("RotationLambdaARN"):
        rotation.cancel_rotate_secret({"SecretId": physical_id})
