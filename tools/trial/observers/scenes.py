"""Probes that several observers share. A scene is opened for its first row, looks at all its rows, and is closed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar, cast

import boto3
from botocore.exceptions import ClientError

from tests.play.steps import Stack
from tests.play.waiting import eventually
from tools.trial.observers import Seen, World, observes
from tools.trial.observers.sources import policy, probe, stack

S = TypeVar("S")


class Scene(Generic[S]):
    """The observers of one probe, which look in the order in which they are defined.

        @Scene
        @contextmanager
        def repository(world: World) -> Iterator[Repository]: ...

        @repository.observes("differences-of-a-long-page")
        def long_page(probe: Repository) -> Seen | None: ...
    """

    def __init__(self, opens: Callable[[World], AbstractContextManager[S]]) -> None:
        self.opens = opens  # its name is unique
        self.looks: dict[str, Callable[[S], Seen | None]] = {}

    def observes(self, name: str) -> Callable[[Callable[[S], Seen | None]], Callable[[S], Seen | None]]:
        def register(look: Callable[[S], Seen | None]) -> Callable[[S], Seen | None]:
            self.looks[name] = look
            observes(name)(lambda world: self._result(world, name))
            return look

        return register

    def _result(self, world: World, name: str) -> Seen | None:
        found = world.kept.get(self.opens.__name__) or self._look(world)
        world.kept[self.opens.__name__] = found
        if isinstance(found[name], Exception):
            raise found[name]
        return cast("Seen | None", found[name])

    def _look(self, world: World) -> dict[str, Any]:
        """The result of each row, or its exception."""
        found: dict[str, Any] = {}
        try:
            with self.opens(world) as opened:
                for name, look in self.looks.items():
                    found[name] = _outcome(look, opened)
        except Exception as error:  # noqa: BLE001: each other row of the scene reports it
            found = {name: error for name in self.looks} | found
        return found


def _outcome(look: Callable[[S], Seen | None], opened: S) -> Any:
    try:
        return look(opened)
    except Exception as error:  # noqa: BLE001: the other rows have to be looked at
        return error


def error_of(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the message of the error with which AWS rejects the call. Empty if it succeeds."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


@contextmanager
def scratch(world: World, template: dict[str, Any], suffix: str = "") -> Iterator[Stack]:
    """A stack that was created. Everything in it is deleted with it, even the objects of its buckets."""
    with stack(world, template, probe(world) + suffix) as made:
        if (status := made.status()) != "CREATE_COMPLETE":
            raise RuntimeError(f"{made.name} is {status}: {made.failures()}")
        yield made


def role_of(principal: dict[str, Any], *statements: dict[str, Any]) -> dict[str, Any]:
    """A role in a template."""
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    policies = [{"PolicyName": "probe", "PolicyDocument": policy(*statements)}] if statements else []
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy(trust), "Policies": policies}}


def arn_of(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def session(world: World, role_arn: str) -> boto3.Session:
    """A session of this role, which is not yet assumable for some seconds after its creation."""
    def assume() -> dict[str, str] | None:
        try:
            return dict(world.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="probe")["Credentials"])
        except ClientError:
            return None

    held = eventually(assume, "the role can be assumed", 120)
    return boto3.Session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"],
                         region_name=world.story.aws.region)
