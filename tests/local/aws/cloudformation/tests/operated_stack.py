"""A stack whose operations a test starts and observes one by one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack


def parameters(*names: str, value: str = "x") -> dict[str, Any]:
    return {name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}} for name in names}


def body(resources: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Resources": resources, **more})


def broken(name: str = "Z") -> dict[str, Any]:
    return {name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Colour": "red"}}}


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.02)
    return found


class Operated(Stack):
    def __init__(self, aws: LocalAws, name: str) -> None:
        super().__init__(aws, name)
        self.client = aws.client("cloudformation")

    def begin(self, resources: dict[str, Any], **more: Any) -> str:
        self._id = self.client.create_stack(StackName=self.name, TemplateBody=body(resources), **more)["StackId"]
        return self._id

    def status(self) -> str:
        status: str = self._describe(self._id)["StackStatus"]
        return status

    def of_the_stack(self) -> list[tuple[str, str]]:
        return [(event["ResourceStatus"], event.get("ResourceStatusReason", "")) for event in self.events()
                if event["PhysicalResourceId"] == event["StackId"]]

    def tokens(self, since: str) -> set[str | None]:
        """The events of the stack's last operation, which began with the status `since`."""
        events = self.events()
        begun = max(index for index, event in enumerate(events) if event["ResourceStatus"] == since
                    and event["PhysicalResourceId"] == event["StackId"])
        return {event.get("ClientRequestToken") for event in events[begun:]}


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Operated:
    return Operated(aws, name)


@pytest.fixture
def slow(aws: LocalAws) -> LocalAws:
    aws.set(stack_resource_takes_seconds=60)
    return aws


def quick(aws: LocalAws) -> None:
    aws.set(stack_resource_takes_seconds=0)
