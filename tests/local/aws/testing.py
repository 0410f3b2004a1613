"""Helpers of the tests that use the local AWS: policies, users, roles, functions and stacks."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws import LocalAws

OTHER_ACCOUNT = "111122223333"  # beside the local AWS's own


def error_of(call: Any, **arguments: Any) -> tuple[str, int, str]:
    """The code, status and message of the error that a call returns."""
    with pytest.raises(ClientError) as rejected:
        call(**arguments)
    answer = rejected.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def a_user_with(aws: LocalAws, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """An IAM user with one inline policy, and an access key of its own."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return iam.create_access_key(UserName=name)["AccessKey"]


class Stack:
    def __init__(self, aws: LocalAws, name: str) -> None:
        self.name = name
        self._id = ""  # a deleted stack is found only by its ID
        self._cloudformation = aws.client("cloudformation")

    def create(self, resources: dict[str, Any], **more: Any) -> str:
        self._cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=json.dumps({"Resources": resources}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **more,
        )
        return self.wait()

    def delete(self) -> str:
        self._id = self._describe()["StackId"]
        self._cloudformation.delete_stack(StackName=self.name)
        return self.wait(self._id)

    def _describe(self, name: str = "") -> dict[str, Any]:
        return self._cloudformation.describe_stacks(StackName=name or self.name)["Stacks"][0]

    def wait(self, name: str = "") -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status: str = self._describe(name)["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                return status
            time.sleep(0.05)
        raise AssertionError(f"{self.name} is still {status}")

    def events(self) -> list[dict[str, Any]]:
        """The stack's events, oldest first."""
        stack = self._id or self.name
        return self._cloudformation.describe_stack_events(StackName=stack)["StackEvents"][::-1]


def eventually(look: Callable[[], Any], fine: Callable[[Any], Any] = bool, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if fine(found):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s the value is still {found}")
        time.sleep(0.05)


def trust(service: str, **conditions: Any) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sts:AssumeRole",
                    **conditions,
                }
            ],
        }
    )
