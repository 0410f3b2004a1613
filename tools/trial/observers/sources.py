"""The records and the resources of observers.

The first half reads records of the run. The second half creates resources for a probe and deletes them. Their
names contain the run's name and `-probe`, so tools/trial/cleanup.py finds them even if the process was
killed.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import ClientError

from tests.play import steps, waiting
from tests.play.steps import Account, Stack
from tools.run.story import Names
from tools.trial.gitlab import Answer, request
from tools.trial.observers import World
from tools.trial.ownership import probes


def trail(world: World, value: str, attribute: str = "EventName", **members: Any) -> list[dict[str, Any]]:
    """CloudTrail's management events of the run, newest first, with these members. They arrive within 15
    minutes: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html."""
    pages = (
        world.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[{"AttributeKey": attribute, "AttributeValue": value}],
            StartTime=world.story.environment.describe()["CreationTime"],
        )
    )
    texts = [event["CloudTrailEvent"] for page in pages for event in page["Events"]]
    records: list[dict[str, Any]] = [json.loads(text) for text in texts if world.story.names.first in text]
    return [record for record in records if all(record.get(name) == value for name, value in members.items())]


def logged(aws: Account, function: str) -> list[dict[str, Any]]:
    """The objects in the function's log, oldest first."""
    found = []
    for line in steps.function_log(aws, function).splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict)]


def bucket(world: World) -> str:
    """The artifact bucket."""
    aws = world.story.aws
    return f"{world.story.names.bucket_prefix}{aws.account_id}-{aws.region}"


def gitlab(
    world: World, method: str, path: str, token: str = "", below: str | None = None, **more: Any
) -> Answer:
    """GitLab's response to a path of the project, or below another path, with any status."""
    held = world.story.source.gitlab
    where = f"{held.url}/api/v4{world.project.api if below is None else below}{path}"
    return request(requests.Session(), method, where, headers={"PRIVATE-TOKEN": token or held.token}, **more)


CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_ABSENT = {"NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "NoSuchKey"}


@contextmanager
def absent_is_fine() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _ABSENT:
            raise


def probe(world: World) -> str:
    """The beginning of the names of probes."""
    return f"{world.story.names.first}-probe"


def limited(seconds: float, most: float) -> float:
    """Tests wait for some seconds only, because the local services need no more."""
    return seconds if waiting.PACE.interval >= 1 else min(seconds, most)


def seconds_until(look: Callable[[], Any], limit: float = 120) -> float:
    """How long it takes until `look` returns a value. Infinite if that is longer than `limit`."""
    began, limit = time.monotonic(), limited(limit, 10)
    while not look():
        if time.monotonic() - began > limit:
            return math.inf
        time.sleep(min(1, waiting.PACE.interval))
    return time.monotonic() - began


def delete_user(aws: Account, name: str) -> None:
    iam = aws.client("iam")
    with absent_is_fine():
        for credential in iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]:
            iam.delete_service_specific_credential(
                UserName=name, ServiceSpecificCredentialId=credential["ServiceSpecificCredentialId"]
            )
        for inline in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=inline)
        iam.delete_user(UserName=name)


def delete_role(aws: Account, name: str) -> None:
    iam = aws.client("iam")
    with absent_is_fine():
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=inline)
        iam.delete_role(RoleName=name)


def scene(name: str) -> str:
    """The text of a template."""
    return (Path(__file__).parents[1] / f"scenes/{name}.yaml").read_text()


@contextmanager
def stack(world: World, template: str, **more: Any) -> Iterator[Stack]:
    """The stack of a scene after its creation has ended, even if it failed."""
    made = Stack(world.story.aws, probe(world))
    try:
        made.id = world.client("cloudformation").create_stack(
            StackName=made.name, TemplateBody=scene(template), Capabilities=CAPABILITIES, **more
        )["StackId"]
        made.wait()
        yield made
    finally:
        delete_stack(world.story.aws, made.name)


def delete_stack(aws: Account, name: str) -> None:
    """Deletes the stack with the objects of its buckets, if it exists."""
    made = Stack(aws, name)
    if not made.exists():
        return
    made.wait()
    for each in made.resources():
        if each["ResourceType"] == "AWS::S3::Bucket" and each.get("PhysicalResourceId"):
            steps.empty_bucket(aws, each["PhysicalResourceId"])
    status = made.delete()
    if status != "DELETE_COMPLETE":
        raise RuntimeError(f"{name} is {status}: {made.failures()}")


def delete_bucket(aws: Account, name: str) -> None:
    steps.empty_bucket(aws, name)
    aws.client("s3").delete_bucket(Bucket=name)


def delete_function(aws: Account, name: str) -> None:
    with absent_is_fine():
        aws.client("lambda").delete_function(FunctionName=name)
    with absent_is_fine():
        aws.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")


def _at_once(_: str, delete: Callable[[], Any]) -> None:
    delete()


def delete_rule(aws: Account, name: str) -> None:
    events = aws.client("events")
    events.remove_targets(Rule=name, Ids=["target"])
    events.delete_rule(Name=name)


def delete_probes(
    aws: Account, names: Names, perform: Callable[[str, Callable[[], Any]], None] = _at_once
) -> None:
    """Deletes the resources that probes have left after the process was killed. `perform` receives each
    deletion with its name."""
    found = probes(steps.what_is_there(aws), names)

    def delete(*kinds: str) -> None:
        for kind in kinds:
            for name in found[kind]:
                perform(f"{name}, of the {kind}", partial(absent_is_fine()(_DELETIONS[kind]), aws, name))

    # A running execution would create its stack again. CloudFormation deletes no user that has a credential.
    delete("pipelines", "IAM users")
    # A stack may need the role or the function of an earlier one. A nested stack follows its root.
    stacks = [Stack(aws, name).describe() for name in found["stacks"] if Stack(aws, name).exists()]
    for each in sorted(stacks, key=itemgetter("CreationTime"), reverse=True):
        if "RootId" not in each:
            perform(f"stack {each['StackName']}", partial(delete_stack, aws, each["StackName"]))
    delete(*(kind for kind in _DELETIONS if kind not in ("pipelines", "IAM users")))


_DELETIONS: dict[str, Callable[[Account, str], Any]] = {
    "pipelines": lambda aws, name: aws.client("codepipeline").delete_pipeline(name=name),
    "build projects": lambda aws, name: aws.client("codebuild").delete_project(name=name),
    "functions": delete_function,
    "IAM users": delete_user,
    "IAM roles": delete_role,
    "event rules": delete_rule,
    "secrets": lambda aws, name: aws.client("secretsmanager").delete_secret(
        SecretId=name, ForceDeleteWithoutRecovery=True
    ),
    "log groups": lambda aws, name: aws.client("logs").delete_log_group(logGroupName=name),
    "repositories": lambda aws, name: aws.client("codecommit").delete_repository(repositoryName=name),
    "approval rule templates": lambda aws, name: aws.client("codecommit").delete_approval_rule_template(
        approvalRuleTemplateName=name
    ),
    "buckets": lambda aws, name: delete_bucket(aws, name),
}
