"""templates/notifications.yaml deployed: the recipients of each message."""

import json
import uuid
from pathlib import Path

import pytest

from tests.deployed_templates.helpers import a_queue_of, deployed, git, mirrored
from tests.local.aws import LocalAws
from tests.local.aws.testing import eventually


class World:
    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.aws, self.env_id, self.work = aws, f"e{uuid.uuid4().hex[:8]}", directory
        url, mirror = mirrored(aws, self.env_id, directory)
        self.url = mirror.git_url(url)

    def deploy(self, **parameters: str) -> None:
        status = deployed(
            self.aws,
            f"notifications-{self.env_id}",
            "notifications",
            EnvID=self.env_id,
            ProjectID="shop",
            PipelineEvents="None",
            **parameters,
        )
        assert status == "CREATE_COMPLETE"
        topic = f"arn:aws:sns:{self.aws.region}:{self.aws.account_id}:sns-{self.env_id}-notifications"
        self.queue = a_queue_of(self.aws, topic, f"queue-{self.env_id}")

    def push(self, *references: str) -> None:
        git(self.work, "commit", "-q", "--allow-empty", "-m", uuid.uuid4().hex)
        git(self.work, "push", "-q", self.url, *references)

    def told(self, until: str) -> list[tuple[str, str]]:
        """Event and branch of each message, up to the first about `until`. Events are sent in the order of
        pushes."""
        sqs, found = self.aws.client("sqs"), []

        def received() -> list[tuple[str, str]]:
            for message in sqs.receive_message(QueueUrl=self.queue).get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                detail = json.loads(json.loads(message["Body"])["Message"])["detail"]
                found.append((detail["event"], detail["referenceName"]))
            return found

        return list(eventually(received, lambda messages: any(branch == until for _, branch in messages)))


@pytest.fixture
def world(aws: LocalAws, tmp_path: Path) -> World:
    return World(aws, tmp_path)


def test_topic_is_notified_of_branch_changes(world: World) -> None:
    world.deploy(RepositoryEvents="Everything", EmailAddress="team@example.com")
    world.push("HEAD:refs/heads/development")
    world.push("HEAD:refs/heads/development", "HEAD:refs/heads/old")
    world.push(":refs/heads/old")
    world.push("HEAD:refs/heads/last")
    assert world.told(until="last") == [
        ("referenceCreated", "development"),
        ("referenceUpdated", "development"),
        ("referenceCreated", "old"),
        ("referenceDeleted", "old"),
        ("referenceCreated", "last"),
    ]


def test_mirror_repository_does_not_notify_of_every_push(world: World) -> None:
    world.deploy(RepositoryEvents="Mirror")
    for branch in ("development", "development", "last"):
        world.push(f"HEAD:refs/heads/{branch}")
    assert world.told(until="last") == [("referenceCreated", "development"), ("referenceCreated", "last")]
