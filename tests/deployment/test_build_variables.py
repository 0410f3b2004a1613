"""Build variables from Parameter Store and Secrets Manager, with the environment's build role."""

import json
from collections.abc import Iterator

import pytest

from tests.local.aws import LocalAws
from tests.play.pipelines import ProjectStack
from tests.play.steps import Environment

NAMES = {"BuildParameterNames": "/build/dev/*", "BuildSecretNames": "build/dev/*"}
VARIABLES = [
    {"Name": "LICENCE", "Type": "PARAMETER_STORE", "Value": "/build/dev/licence"},
    {"Name": "TOKEN", "Type": "SECRETS_MANAGER", "Value": "build/dev/registry:token"},
]
# Lengths, because CodeBuild masks the values.
SHOWN = '      - echo "lengths ${#LICENCE} and ${#TOKEN}"\n'
OF_A_MIRROR = "codecommit-mirror/user-dev-codecommit-mirroring"


@pytest.fixture
def stored(aws: LocalAws, environment: Environment) -> Iterator[None]:
    """A parameter and a secret that builds may read."""
    ssm, secrets = aws.client("ssm"), aws.client("secretsmanager")
    ssm.put_parameter(Name="/build/dev/licence", Type="String", Value="licence")
    secrets.create_secret(Name="build/dev/registry", SecretString=json.dumps({"token": "registry-token"}))
    assert environment.change(**NAMES) == "UPDATE_COMPLETE", environment.failures()
    aws.put_iam_into_effect()
    yield
    assert environment.change(**dict.fromkeys(NAMES, "")) == "UPDATE_COMPLETE", environment.failures()
    secrets.delete_secret(SecretId="build/dev/registry", ForceDeleteWithoutRecovery=True)
    ssm.delete_parameter(Name="/build/dev/licence")


# claim: build-variables-read-only-what-is-named
@pytest.mark.usefixtures("stored", "expected_denials")
def test_build_reads_what_is_named_and_no_mirrors_secret(stack: ProjectStack) -> None:
    def made(*variables: dict[str, str]) -> dict[str, object]:
        return {"Approval": {"Required": False}, "Build": {"EnvironmentVariables": [*VARIABLES, *variables]}}

    project = stack.project
    assert stack.make(**made()) == "CREATE_COMPLETE", stack.failures()
    pushed = project.push(
        buildspec=project.buildspec.replace("      - mkdir out\n", f"      - mkdir out\n{SHOWN}")
    )
    assert project.ended(project.execution_of(pushed.commit)) == "Succeeded", project.said()
    assert "lengths 7 and 14" in project.build_log()

    for kind, value, denied in (
        ("SECRETS_MANAGER", f"{OF_A_MIRROR}:password", "explicit deny"),
        ("PARAMETER_STORE", "/build/prd/licence", "ssm:GetParameters"),
    ):
        assert stack.change(**made({"Name": "OTHER", "Type": kind, "Value": value})) == "UPDATE_COMPLETE"
        execution = project.execution_of(project.push().commit)
        assert project.ended(execution) == "Failed"
        assert denied in project.said()
