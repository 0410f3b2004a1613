"""templates/notifications.yaml deployed: the recipients of each message."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import allow, policy
from tests.deployed_templates.helpers import a_login, ended, git, git_at

TEMPLATE = Path(__file__).parents[2] / "templates/notifications.yaml"


@dataclass
class World:
    aws: LocalAws
    env_id: str
    work: Path
    url: str
    queue: str = ""

    @property
    def topic(self) -> str:
        return f"arn:aws:sns:{self.aws.region}:{self.aws.account_id}:sns-{self.env_id}-notifications"

    def deploy(self, stack: str = "", **parameters: str) -> str:
        stack = stack or f"notifications-{self.env_id}"
        given = {"EnvID": self.env_id, "RepositoryEvents": "Everything", "PipelineEvents": "None", **parameters}
        self.aws.client("cloudformation").create_stack(
            StackName=stack, TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()])
        status = ended(self.aws, stack)
        if status == "CREATE_COMPLETE" and not self.queue:
            self._listen()
        return status

    def _listen(self) -> None:
        sqs = self.aws.client("sqs")
        self.queue = sqs.create_queue(QueueName=f"queue-{self.env_id}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy(
            {**allow("sqs:SendMessage", arn), "Principal": {"Service": "sns.amazonaws.com"}})})
        self.aws.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def push(self, *references: str) -> None:
        git(self.work, "commit", "-q", "--allow-empty", "-m", uuid.uuid4().hex)
        pushed = git_at("push", "-q", self.url, *references, at=self.work)
        assert pushed.returncode == 0, pushed.stderr

    def told(self, until: str) -> list[tuple[str, str]]:
        """Event and branch of each message, up to the first about `until`. Events are sent in the order of pushes."""
        found, deadline = [], time.monotonic() + 10
        while time.monotonic() < deadline:
            for message in self.aws.client("sqs").receive_message(QueueUrl=self.queue).get("Messages", []):
                self.aws.client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                detail = json.loads(json.loads(message["Body"])["Message"])["detail"]
                found.append((detail["event"], detail["referenceName"]))
            if any(branch == until for _, branch in found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"no message about {until}, only {found}")


@pytest.fixture
def world(aws: LocalAws, tmp_path: Path) -> World:
    aws.set(credential_accepted_after_seconds=0)
    env_id = f"e{uuid.uuid4().hex[:8]}"
    made = aws.client("codecommit").create_repository(repositoryName=f"codecommit-{env_id}-cfn-shop")["repositoryMetadata"]
    mirror = a_login(aws, f"user-{env_id}-shop-mirror", allow(["codecommit:GitPull", "codecommit:GitPush"], made["Arn"]))
    git(tmp_path, "init", "-q", "-b", "development")
    return World(aws, env_id, tmp_path, mirror.git_url(made["cloneUrlHttp"]))


def test_topic_is_notified_of_branch_changes(world: World) -> None:
    assert world.deploy(ProjectID="shop", EmailAddress="team@example.com") == "CREATE_COMPLETE"
    world.push("HEAD:refs/heads/development")
    world.push("HEAD:refs/heads/development", "HEAD:refs/heads/old")
    world.push(":refs/heads/old")
    world.push("HEAD:refs/heads/last")
    assert world.told(until="last") == [
        ("referenceCreated", "development"), ("referenceUpdated", "development"), ("referenceCreated", "old"),
        ("referenceDeleted", "old"), ("referenceCreated", "last")]


def test_mirror_repository_does_not_notify_of_every_push(world: World) -> None:
    assert world.deploy(ProjectID="shop", RepositoryEvents="Mirror") == "CREATE_COMPLETE"
    for branch in ("development", "development", "last"):
        world.push(f"HEAD:refs/heads/{branch}")
    assert world.told(until="last") == [("referenceCreated", "development"), ("referenceCreated", "last")]


def test_further_project_has_rules_for_same_topic_and_channel(world: World) -> None:
    channel = {"SlackWorkspaceId": "T01234567", "SlackChannelId": uuid.uuid4().hex[:9].upper()}
    assert world.deploy(**channel) == "CREATE_COMPLETE"
    stack = world.aws.client("cloudformation").describe_stacks(StackName=f"notifications-{world.env_id}")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["TopicArn"] == world.topic
    assert world.deploy(stack=f"notifications-{world.env_id}-shop", ProjectID="shop", **outputs) == "CREATE_COMPLETE"
    world.push("HEAD:refs/heads/development")
    assert world.told(until="development") == [("referenceCreated", "development")]


def test_stack_deletion_deletes_everything(world: World) -> None:
    assert world.deploy(ProjectID="shop", SlackWorkspaceId="T01234567", SlackChannelId=uuid.uuid4().hex[:9]) == "CREATE_COMPLETE"
    cloudformation = world.aws.client("cloudformation")
    made: Any = cloudformation.describe_stacks(StackName=f"notifications-{world.env_id}")["Stacks"][0]
    cloudformation.delete_stack(StackName=made["StackName"])
    assert ended(world.aws, made["StackId"]) == "DELETE_COMPLETE"
    assert world.topic not in [topic["TopicArn"] for topic in world.aws.client("sns").list_topics()["Topics"]]
