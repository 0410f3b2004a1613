"""Builds whose environment variables are in Parameter Store or Secrets Manager.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_EnvironmentVariable.html
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env.secrets-manager
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import Scene

PRINTS = """version: 0.2
phases: {build: {commands: ['printf "%s" "$VALUE" > value', 'echo "it is $VALUE"']}}
artifacts: {files: [value]}
"""
PARAMETER, SECRET = "value of a parameter", "value of a secret"


class StoredScene(Scene):
    def prepare(self, files: dict[str, str] | None = None, buildspec: str = PRINTS) -> None:
        self.secret_name, self.parameter = f"secret-{self.name}", f"/stored/{self.name}"
        secrets = self.aws.client("secretsmanager")
        secret = secrets.create_secret(Name=self.secret_name, SecretString=json.dumps({"key": "older", "n": 1}))
        secrets.put_secret_value(SecretId=self.secret_name, SecretString=json.dumps({"key": SECRET, "n": 2}))
        self.secret_arn = secret["ARN"]
        ssm = self.aws.client("ssm")
        ssm.put_parameter(Name=self.parameter, Type="SecureString", Value="older")
        ssm.put_parameter(Name=self.parameter, Type="SecureString", Value=PARAMETER, Overwrite=True)
        self.rights["build"] |= {
            "ssm:GetParameters": (self.arn("ssm", f"parameter{self.parameter}"), {}),
            "secretsmanager:GetSecretValue": (self.arn("secretsmanager", f"secret:{self.secret_name}-??????"), {})}
        super().prepare(files, buildspec)

    def reference(self, text: str) -> str:
        return text.format(parameter=self.parameter, secret=self.secret_name, arn=self.secret_arn)

    def build_with(self, kind: str, value: str, name: str = "VALUE", **configuration: str) -> str:
        """The execution whose build has this variable, after its end."""
        settings = self.project_settings()["environment"]
        settings["environmentVariables"].append({"name": name, "value": self.reference(value), "type": kind})
        self.aws.client("codebuild").update_project(name=self.project, environment=settings)
        run = self.create([self.build(**configuration)])
        self.ended(run)
        return run

    def value(self, run: str) -> str:
        assert self.status(run) == "Succeeded", self.actions(run)
        return self.artifact(self.action(run, "Build")["output"]["outputArtifacts"][0]["s3location"])["value"]

    def record(self, run: str) -> dict[str, Any]:
        build = self.action(run, "Build")["output"]["executionResult"]["externalExecutionId"]
        found: dict[str, Any] = self.aws.client("codebuild").batch_get_builds(ids=[build])["builds"][0]
        return found


SCENE = StoredScene


@pytest.mark.parametrize(("kind", "reference", "value"), [
    ("PARAMETER_STORE", "{parameter}", PARAMETER), ("PARAMETER_STORE", "{parameter}:1", "older"),
    ("SECRETS_MANAGER", "{secret}:key", SECRET), ("SECRETS_MANAGER", "{arn}:key", SECRET),
    ("SECRETS_MANAGER", "{secret}", json.dumps({"key": SECRET, "n": 2})), ("SECRETS_MANAGER", "{secret}:n", "2"),
    ("SECRETS_MANAGER", "{arn}:key:AWSPREVIOUS", "older"), ("SECRETS_MANAGER", "{secret}:key::", SECRET),
    ("PLAINTEXT", "{secret}:key", "{secret}:key"),
])
def test_stored_variable_has_the_stored_value(scene: StoredScene, kind: str, reference: str, value: str) -> None:
    run = scene.build_with(kind, reference)
    assert scene.value(run) == (scene.reference(value) if kind == "PLAINTEXT" else value)


def test_stored_value_is_masked_in_the_log(scene: StoredScene) -> None:
    scene.build_with("SECRETS_MANAGER", "{secret}:key")
    assert "it is ***" in scene.log()
    assert SECRET not in str(scene.log())


def test_variable_of_the_action_overrides_the_projects(scene: StoredScene) -> None:
    given = [{"name": "VALUE", "value": scene.parameter, "type": "PARAMETER_STORE"}]
    run = scene.build_with("SECRETS_MANAGER", "{secret}:key", EnvironmentVariables=json.dumps(given))
    assert scene.value(run) == PARAMETER


@pytest.mark.parametrize(("kind", "reference", "status", "message"), [
    ("PARAMETER_STORE", "{parameter}-absent", "Decrypted Variables Error",
     "not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:"),
    ("PARAMETER_STORE", "{parameter}:9", "Decrypted Variables Error", "parameter does not exist: {parameter}:9"),
    ("SECRETS_MANAGER", "{secret}-absent", "Secrets Manager Error",
     "not authorized to perform: secretsmanager:GetSecretValue on resource: "),
    ("SECRETS_MANAGER", "{secret}:key:NOSTAGE", "Secrets Manager Error", "ResourceNotFoundException"),
    ("SECRETS_MANAGER", "{secret}:absent", "Secrets Manager Error", "has no key absent"),
])
def test_unreadable_variable_fails_the_download_of_the_source(scene: StoredScene, kind: str, reference: str,
                                                              status: str, message: str) -> None:
    run = scene.build_with(kind, reference)
    assert scene.status(run) == "Failed"
    last = scene.record(run)["phases"][-2]
    assert (last["phaseType"], last["phaseStatus"]) == ("DOWNLOAD_SOURCE", "FAILED")
    assert last["contexts"][0]["statusCode"] == status
    assert scene.reference(message) in last["contexts"][0]["message"]
    code, text = scene.error(run, "Build")
    assert (code, scene.reference(message) in text) == ("JobFailed", True)


def test_reserved_variable_fails_the_build_and_not_the_project(scene: StoredScene) -> None:
    run = scene.build_with("PLAINTEXT", "main", name="CODEBUILD_GIT_BRANCH")
    assert scene.status(run) == "Failed"
    assert "No user environment variables can start with" in scene.error(run, "Build")[1]


def test_parameter_with_a_customer_key_needs_its_decryption(scene: StoredScene) -> None:
    # https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    key, name = scene.aws.client("kms").create_key()["KeyMetadata"]["Arn"], f"{scene.parameter}-key"
    scene.aws.client("ssm").put_parameter(Name=name, Type="SecureString", Value=PARAMETER, KeyId=key)
    more = {**scene.rights["build"], "ssm:GetParameters": (scene.arn("ssm", f"parameter{scene.parameter}*"), {})}
    scene.allow("build", more)
    run = scene.build_with("PARAMETER_STORE", name)
    assert "kms:Decrypt" in scene.error(run, "Build")[1]
    scene.allow("build", {**more, "kms:Decrypt": (key, {"Condition": {"StringEquals": {
        "kms:ViaService": f"ssm.{scene.region}.amazonaws.com"}}})})
    again = scene.start()
    scene.ended(again)
    assert scene.value(again) == PARAMETER
