"""The observers from the options of a pipeline on that the local AWS can play. tests/tools has responses for all."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.play import steps

from tools.trial.observers import OBSERVERS, NotSeen, World
from tools.trial.observers import attackers, builds, change_sets, repositories, scenes, sources
from tools.trial.run import names_of

SCENES = (repositories.repository, change_sets.changing, change_sets.transformed, builds.building, attackers.intruder)
# The local services lack validations of change sets, notification rules of disabled pipelines, and a key
# that Secrets Manager uses for the caller. They do not name the change set that was executed.
NOT_SHOWN = {"describe-events-of-change-sets", "notification-rule-key",
             "review-build-is-started-again", "direct-update-drops-the-change-set",
             "unexplained-denial-did-nothing"}
# MiniStack fails such a change set. AWS's behaviour is not documented. The local AWS has no limit of builds, and does not
# compare a deleted resource.
REFUTED = {"build-limit-is-an-error", "change-set-of-outputs-only", "drift-of-a-deleted-resource"}


class Administrator:
    """STS lets no root user assume a role."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.account_id, self.region = aws, aws.account_id, aws.region
        aws.client("iam").create_user(UserName="administrator")
        aws.client("iam").put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=json.dumps(
            sources.policy(sources.allows("*"))))
        self._key = aws.client("iam").create_access_key(UserName="administrator")["AccessKey"]

    def client(self, service: str) -> Any:
        return self.aws.client(service, self._key) if service == "sts" else self.aws.client(service)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a repository of two commits, as the first project has it."""
    with LocalAws() as aws, ExitStack() as stack:
        # Scenes look at what only AWS has.
        aws.raises_complaints = False
        story = SimpleNamespace(aws=Administrator(aws), names=names_of("tryabcde"), directory=tmp_path_factory.mktemp("story"),
                                loop=SimpleNamespace(passwords=set()))
        made = World(story, None)  # type: ignore[arg-type]
        first = World(SimpleNamespace(**vars(story) | {"names": names_of("trydeployed")}), None)  # type: ignore[arg-type]
        held = stack.enter_context(repositories.repository.opens(first))
        held.clone.push(held.login, held.url, {"change": "1\n"}, f"refs/heads/{story.names.branch}")
        story.loop.project = SimpleNamespace(
            repository=held.name, name="none", mirrored=lambda: held.clone.all_references(held.login, held.url))
        yield made


def test_scenes_show_what_the_local_services_do(world: World) -> None:
    seen = {}
    for name in [name for scene in SCENES for name in scene.looks]:
        try:
            seen[name] = OBSERVERS[name](world)
        except Exception as error:  # noqa: BLE001: the local AWS lacks an operation
            assert isinstance(error, NotSeen) or "not part of this local" in str(error), (name, error)
            seen[name] = None
    assert {name for name, found in seen.items() if found is None} == NOT_SHOWN, seen
    refuted = {name: found for name, found in seen.items() if found and not found.held}
    assert set(refuted) == REFUTED, refuted
    assert left_of_probes(world) == []


def test_left_probes_and_scenes_are_deleted(world: World) -> None:
    aws, name = world.story.aws, sources.probe(world)
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{name}-bucket"}}
    with ExitStack() as kept:
        kept.enter_context(sources.user(world))
        role = kept.enter_context(sources.role(world, {"Service": "lambda.amazonaws.com"}))
        kept.enter_context(sources.function(world, role))
        aws.client("secretsmanager").create_secret(Name=name)
        for suffix in ("", "-further"):
            kept.enter_context(scenes.scratch(world, {"Resources": {"Handle": sources.HANDLE, **(
                {} if suffix else {"Bucket": bucket})}}, suffix))
        aws.client("s3").put_object(Bucket=f"{name}-bucket", Key="key", Body=b"")
        aws.client("codecommit").create_repository(repositoryName=name)
        assert len(left_of_probes(world)) == 8
        sources.delete_probes(aws, world.story.names)
        assert left_of_probes(world) == []


def left_of_probes(world: World) -> list[str]:
    there = steps.what_is_there(world.story.aws)
    return [name for names in there.values() for name in names if sources.probe(world) in name]
