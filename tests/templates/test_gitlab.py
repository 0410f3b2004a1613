"""GitLab's mirror and the rotation of its login, in an environment and in a further project."""

import pytest

from tests.templates.companions import BOTH, environment
from tests.templates.deployed import source

GITLAB = {"GitLabProject": "platform/infra", "GitLabTokenSecretId": "gitlab/mirrors"}


@BOTH
def test_the_login_that_gitlab_has_is_rotated_by_schedule(deployed, pipeline):
    stack = deployed(**GITLAB, RotationDays=90)
    assert stack.is_made("MirrorRotation")
    rotation = stack.properties("MirrorRotation")
    # The credential's Ref is its secret.
    assert rotation["SecretId"] == stack.name("MirrorCredential")
    assert rotation["RotationLambdaARN"] == stack.properties("MirrorCredential")["ServiceToken"]
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": "90"}
    # The schedule starts with a new password.
    assert rotation["RotateImmediatelyOnUpdate"] is False


@BOTH
@pytest.mark.parametrize(
    ("given", "is_made"),
    [
        (GITLAB, True),
        ({**GITLAB, "RotationDays": 0}, False),
        ({**GITLAB, "RotationDays": 1}, True),
        ({"RotationDays": 30}, False),
        ({}, False),
    ],
)
def test_login_of_a_manual_mirror_is_not_rotated(deployed, pipeline, given, is_made):
    assert deployed(**given).is_made("MirrorRotation") == is_made


def test_rotation_days_are_within_secrets_managers_limits():
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html: 1 to
    1000."""
    days = source()["Parameters"]["RotationDays"]
    assert (days["Type"], days["MinValue"], days["MaxValue"], days["Default"]) == ("Number", 0, 1000, 30)


# claim: function-permissions-name-one-source-key-each
def test_function_permissions_name_one_source_key_each():
    """EventBridge sends no account; a secret's ARN would allow the rotation of one secret only.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    """
    stack = environment(**GITLAB)
    permissions = {name: stack.properties(name) for name in stack.of_type("AWS::Lambda::Permission")}
    assert {
        name: (made["Principal"], made.keys() & {"SourceAccount", "SourceArn"})
        for name, made in permissions.items()
    } == {
        "FirstPushPermission": ("events.amazonaws.com", {"SourceArn"}),
        "HealthCheckPermission": ("events.amazonaws.com", {"SourceArn"}),
        "ReportPermission": ("events.amazonaws.com", {"SourceArn"}),
        "ReviewPermission": ("events.amazonaws.com", {"SourceArn"}),
        "RotationPermission": ("secretsmanager.amazonaws.com", {"SourceAccount"}),
    }
