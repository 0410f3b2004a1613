"""`AWS::SecretsManager::Secret`, created, updated and deleted by a stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
"""

from __future__ import annotations

from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack, error_of


@pytest.fixture
def secrets(aws: LocalAws) -> Any:
    return aws.client("secretsmanager")


def resources(name: str, **properties: Any) -> dict[str, Any]:
    return {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, **properties}}}


def tag(key: str, value: str) -> dict[str, str]:
    return {"Key": key, "Value": value}


def tags(secrets: Any, name: str) -> dict[str, str]:
    return {found["Key"]: found["Value"] for found in secrets.describe_secret(SecretId=name)["Tags"]
            if not found["Key"].startswith("aws:")}


def test_a_secret_has_its_tags_and_its_arn_for_a_name(stack: Stack, secrets: Any, name: str) -> None:
    url = tag("cfn-gitops:gitlab-url", "https://gitlab.example.com")
    assert stack.create(resources(name, SecretString="token", Tags=[url, tag("a", "1")])) == "CREATE_COMPLETE"
    assert stack.attributes("Secret")["PhysicalResourceId"] == secrets.describe_secret(SecretId=name)["ARN"]
    assert tags(secrets, name) == {url["Key"]: url["Value"], "a": "1"}
    assert stack.update(resources(name, SecretString="token", Tags=[url, tag("b", "2")])) == "UPDATE_COMPLETE"
    assert tags(secrets, name) == {url["Key"]: url["Value"], "b": "2"}
    assert len(secrets.describe_secret(SecretId=name)["VersionIdsToStages"]) == 1
    stack.update(resources(name, SecretString="another", Tags=[url]))
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "another"
    stack.delete()
    assert error_of(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"


def test_secret_created_without_a_value_has_no_version(stack: Stack, secrets: Any, name: str) -> None:
    stack.create(resources(name))
    assert error_of(secrets.get_secret_value, SecretId=name)[0] == "ResourceNotFoundException"


def test_a_value_can_be_generated(stack: Stack, secrets: Any, name: str) -> None:
    stack.create(resources(name, GenerateSecretString={"PasswordLength": 20}))
    assert len(secrets.get_secret_value(SecretId=name)["SecretString"]) == 20


def test_taken_name_fails_stack_and_keeps_its_secret(stack: Stack, secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="mine")
    assert stack.create(resources(name, SecretString="theirs")) == "ROLLBACK_COMPLETE"
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "mine"


def test_unknown_property_fails_the_stack(stack: Stack, name: str) -> None:
    assert stack.create(resources(name, Value="a")) == "ROLLBACK_COMPLETE"
