"""templates/repository.yaml deployed: the repository is retained when its stack is deleted."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.local.aws import LocalAws
from tests.deployed_templates.helpers import ended

TEMPLATE = (Path(__file__).parents[2] / "templates/repository.yaml").read_text()


def test_repository_has_urls_and_outlives_its_stack(aws: LocalAws) -> None:
    env_id = f"e{uuid.uuid4().hex[:8]}"
    topic = aws.client("sns").create_topic(Name=f"sns-{env_id}-notifications")["TopicArn"]
    given = {"EnvID": env_id, "ProjectID": "website", "TriggerTopicArn": topic, "TriggerEvents": "createReference,deleteReference"}
    cloudformation, codecommit = aws.client("cloudformation"), aws.client("codecommit")
    cloudformation.create_stack(
        StackName=f"repository-{env_id}", TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()])
    assert ended(aws, f"repository-{env_id}") == "CREATE_COMPLETE"
    stack = cloudformation.describe_stacks(StackName=f"repository-{env_id}")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    held = codecommit.get_repository(repositoryName=f"codecommit-{env_id}-website")["repositoryMetadata"]
    assert outputs == {"RepositoryName": held["repositoryName"], "RepositoryArn": held["Arn"],
                       "RepositoryCloneUrl": held["cloneUrlHttp"], "RepositoryCloneUrlSsh": held["cloneUrlSsh"]}
    cloudformation.delete_stack(StackName=stack["StackName"])
    assert ended(aws, stack["StackId"]) == "DELETE_COMPLETE"
    assert codecommit.get_repository(repositoryName=held["repositoryName"])["repositoryMetadata"]["Arn"] == held["Arn"]
