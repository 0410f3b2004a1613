"""templates/repository.yaml deployed: the repository is retained when its stack is deleted."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import error_of
from tests.deployed_templates.helpers import ended

TEMPLATE = (Path(__file__).parents[2] / "templates/repository.yaml").read_text()


def deploy(aws: LocalAws, env_id: str, **parameters: str) -> str:
    given = {"EnvID": env_id, "ProjectID": "website", **parameters}
    aws.client("cloudformation").create_stack(
        StackName=f"repository-{env_id}", TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()])
    return ended(aws, f"repository-{env_id}")


@pytest.fixture
def env_id() -> str:
    return f"e{uuid.uuid4().hex[:8]}"


def test_repository_has_urls_and_outlives_its_stack(aws: LocalAws, env_id: str) -> None:
    topic = aws.client("sns").create_topic(Name=f"sns-{env_id}-notifications")["TopicArn"]
    assert deploy(aws, env_id, TriggerTopicArn=topic, TriggerEvents="createReference,deleteReference") == "CREATE_COMPLETE"
    cloudformation, codecommit = aws.client("cloudformation"), aws.client("codecommit")
    stack = cloudformation.describe_stacks(StackName=f"repository-{env_id}")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    held = codecommit.get_repository(repositoryName=f"codecommit-{env_id}-website")["repositoryMetadata"]
    assert outputs == {"RepositoryName": held["repositoryName"], "RepositoryArn": held["Arn"],
                       "RepositoryCloneUrl": held["cloneUrlHttp"], "RepositoryCloneUrlSsh": held["cloneUrlSsh"]}
    cloudformation.delete_stack(StackName=stack["StackName"])
    assert ended(aws, stack["StackId"]) == "DELETE_COMPLETE"
    assert codecommit.get_repository(repositoryName=held["repositoryName"])["repositoryMetadata"]["Arn"] == held["Arn"]


@pytest.mark.parametrize("wrong", [
    {"ProjectID": "cfn-website"}, {"TriggerEvents": "pushed"}, {"TriggerTopicArn": "sns-dev-notifications"},
    {"RepositoryKmsKeyArn": "alias/mine"}])
def test_invalid_parameters_are_rejected_before_creation(aws: LocalAws, env_id: str, wrong: dict[str, str]) -> None:
    assert error_of(deploy, aws=aws, env_id=env_id, **wrong)[0] == "ValidationError"
