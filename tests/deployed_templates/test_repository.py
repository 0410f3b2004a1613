"""templates/repository.yaml deployed: the repository is retained when its stack is deleted."""

import uuid

from tests.deployed_templates.helpers import deleted, deployed, outputs_of
from tests.local.aws import LocalAws


def test_repository_has_urls_and_outlives_its_stack(aws: LocalAws) -> None:
    env_id = f"e{uuid.uuid4().hex[:8]}"
    topic = aws.client("sns").create_topic(Name=f"sns-{env_id}-notifications")["TopicArn"]
    stack, codecommit = f"repository-{env_id}", aws.client("codecommit")
    assert (
        deployed(
            aws,
            stack,
            "repository",
            EnvID=env_id,
            ProjectID="website",
            TriggerTopicArn=topic,
            TriggerEvents="createReference,deleteReference",
        )
        == "CREATE_COMPLETE"
    )
    held = codecommit.get_repository(repositoryName=f"codecommit-{env_id}-website")["repositoryMetadata"]
    assert outputs_of(aws, stack) == {
        "RepositoryName": held["repositoryName"],
        "RepositoryArn": held["Arn"],
        "RepositoryCloneUrl": held["cloneUrlHttp"],
        "RepositoryCloneUrlSsh": held["cloneUrlSsh"],
    }
    assert deleted(aws, stack) == "DELETE_COMPLETE"
    assert (
        codecommit.get_repository(repositoryName=held["repositoryName"])["repositoryMetadata"]["Arn"]
        == held["Arn"]
    )
