"""GitLab's mirror and the rotation of its login, in an environment and in a further project."""

import pytest

from tests.templates.companions import BOTH, environment
from tests.templates.deployed import source

GITLAB = {"GitLabProject": "platform/infra", "GitLabTokenSecretId": "gitlab/mirrors"}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB+a/b==\n-----END CERTIFICATE-----\n"


@BOTH
def test_without_gitlab_only_a_credential_is_created(deployed, pipeline):
    assert not {"GitLab", "Mirrors"} & deployed().properties("MirrorCredential").keys()


@BOTH
def test_gitlab_project_is_mirrored_to_the_pipeline_repository(deployed, pipeline):
    properties = deployed(**GITLAB).properties("MirrorCredential")
    assert properties["GitLab"] == {"Url": "https://gitlab.com", "TokenSecretId": "gitlab/mirrors"}
    assert properties["Mirrors"] == [{
        "GitLabProject": "platform/infra", "RepositoryName": f"{pipeline}.RepositoryName",
        # This reason is the only notification of a branch that GitLab does not mirror.
        "RequiredBranches": [f"{pipeline}.BranchName"],
    }]


@BOTH
def test_a_gitlab_of_ones_own_is_reached_as_its_parameters_say(deployed, pipeline):
    own = {"GitLabUrl": "https://git.example.com/gitlab", "GitLabCaCertificate": CERTIFICATE}
    assert deployed(**GITLAB, **own).properties("MirrorCredential")["GitLab"] == {
        "Url": "https://git.example.com/gitlab", "TokenSecretId": "gitlab/mirrors", "CaCertificate": CERTIFICATE}


@BOTH
@pytest.mark.parametrize(("given", "is_accepted"), [
    ({}, True),
    (GITLAB, True),
    ({"GitLabProject": "platform/infra"}, False),
    ({"GitLabTokenSecretId": "gitlab/mirrors"}, False),
    # An address alone configures nothing.
    ({"GitLabUrl": "https://git.example.com"}, True),
])
def test_project_and_token_need_each_other(deployed, pipeline, given, is_accepted):
    broken = deployed(**given).broken_rules()
    assert (not broken) == is_accepted
    assert all("is required with" in why for why in broken)


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
@pytest.mark.parametrize(("given", "is_made"), [
    (GITLAB, True), ({**GITLAB, "RotationDays": 0}, False), ({**GITLAB, "RotationDays": 1}, True), ({"RotationDays": 30}, False), ({}, False)])
def test_login_of_a_manual_mirror_is_not_rotated(deployed, pipeline, given, is_made):
    assert deployed(**given).is_made("MirrorRotation") == is_made


def test_rotation_days_are_within_secrets_managers_limits():
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html: 1 to 1000."""
    days = source()["Parameters"]["RotationDays"]
    assert (days["Type"], days["MinValue"], days["MaxValue"], days["Default"]) == ("Number", 0, 1000, 30)


# claim: function-permissions-name-one-source-key-each
def test_function_permissions_name_one_source_key_each():
    """EventBridge sends no account; a secret's ARN would allow the rotation of one secret only.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    """
    stack = environment(**GITLAB, FunctionApprovals="GitLab")
    permissions = {name: stack.properties(name) for name in stack.of_type("AWS::Lambda::Permission")}
    assert {name: (made["Principal"], made.keys() & {"SourceAccount", "SourceArn"}) for name, made in permissions.items()} == {
        "ApprovalTagPermission": ("events.amazonaws.com", {"SourceArn"}),
        "FirstPushPermission": ("events.amazonaws.com", {"SourceArn"}),
        "HealthCheckPermission": ("events.amazonaws.com", {"SourceArn"}),
        "ReportPermission": ("events.amazonaws.com", {"SourceArn"}),
        "ReviewPermission": ("events.amazonaws.com", {"SourceArn"}),
        "RotationPermission": ("secretsmanager.amazonaws.com", {"SourceAccount"}),
    }
