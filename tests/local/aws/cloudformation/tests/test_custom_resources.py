"""CloudFormation's side of the custom-resource protocol.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import queue
import re
import time
from datetime import datetime
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.cloudformation import response_urls
from tests.local.aws.settings import settings
from tests.local.aws.testing import Stack

# A resource's members beside its properties.
_ATTRIBUTES = ("DependsOn", "DeletionPolicy")
FAILS: dict[str, Any] = {"Id": "b", "OnCreate": "fail"}
UPDATE_FAILS = {"Id": "b", "DependsOn": "A", "OnUpdate": "fail"}


@pytest.fixture
def template(provider: str) -> Any:
    """The resources with these properties and attributes."""
    def made(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {name: {"Type": "Custom::Obedient", **{key: given[key] for key in _ATTRIBUTES if key in given},
                       "Properties": {"ServiceToken": provider, **{
                           key: value for key, value in given.items() if key not in _ATTRIBUTES}}}
                for name, given in resources.items()}

    return made


def requests(aws: LocalAws, stack: Stack) -> list[str]:
    """Kind, logical ID and physical ID. `*` is one that CloudFormation generated."""
    return [f"{sent['RequestType']} {sent['LogicalResourceId']} " + re.sub(
        rf"{stack.name}-{sent['LogicalResourceId']}-[A-Z0-9]{{12}}", "*", sent.get("PhysicalResourceId", "-"))
        for sent in aws.exchanges() if f":stack/{stack.name}/" in sent["StackId"]]


@pytest.mark.parametrize(("first", "second", "status", "expected"), [
    ({"A": {"Id": "a", "OnCreate": "fail"}}, None, "ROLLBACK_COMPLETE", "Create A -, Delete A a"),
    *(({"A": {"OnCreate": behaviour}}, None, "ROLLBACK_COMPLETE", "Create A -, Delete A *")
      for behaviour in ("fail without an id", "crash", "send too much")),
    ({"A": {"Id": "a"}, "B": {"Id": "b", "DependsOn": "A"}, "C": {"Id": "c", "DependsOn": "B", "OnCreate": "fail"}},
     None, "ROLLBACK_COMPLETE", "Create A -, Create B -, Create C -, Delete C c, Delete B b, Delete A a"),
    ({"A": {"Id": "a", "OnCreate": "fail", "OnDelete": "fail"}}, None, "ROLLBACK_FAILED", "Create A -, Delete A a"),
    ({"A": {"Id": "a"}}, {"A": {"Id": "a"}, "B": FAILS}, "UPDATE_ROLLBACK_COMPLETE",
     "Create A -, Create B -, Delete B b"),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html#crpg-ref-update
    ({"A": {"Id": "a"}}, {"A": {"Id": "new"}}, "UPDATE_COMPLETE", "Create A -, Update A a, Delete A a"),
    ({"A": {"Id": "a", "OnDelete": "fail"}}, {"A": {"Id": "new"}}, "UPDATE_COMPLETE",
     "Create A -, Update A a, Delete A a"),
    ({"A": {"Id": "a"}}, {"A": {"Id": "a", "OnUpdate": "fail"}}, "UPDATE_ROLLBACK_COMPLETE",
     "Create A -, Update A a, Update A a"),
    # github.com/aws/aws-cdk issues 13527, 17040 and 30012
    ({"A": {"Id": "a"}}, {"A": {"Id": "new", "OnUpdate": "fail"}}, "UPDATE_ROLLBACK_COMPLETE",
     "Create A -, Update A a, Delete A new"),
    # "If the stack update fails and a rollback occurs, the new physical resource id is sent in the Delete event."
    # stackoverflow.com/questions/50599602, which quotes AWS's knowledge centre
    ({"A": {"Id": "a"}, "B": {"Id": "b", "DependsOn": "A"}}, {"A": {"Id": "new"}, "B": UPDATE_FAILS},
     "UPDATE_ROLLBACK_COMPLETE", "Create A -, Create B -, Update A a, Update B b, Update B b, Delete A new"),
    ({"A": {"Id": "a"}, "B": {"Id": "b", "DependsOn": "A"}}, {"A": {"Id": "a", "Serial": "2"}, "B": UPDATE_FAILS},
     "UPDATE_ROLLBACK_COMPLETE", "Create A -, Create B -, Update A a, Update B b, Update A a, Update B b"),
    ({"A": {"Id": "a"}}, {"A": {"Id": "a"}, "B": {"Id": "b"}}, "UPDATE_COMPLETE", "Create A -, Create B -"),
])
def test_requests_of_an_operation_and_its_rollback(aws: LocalAws, stack: Stack, template: Any, first: dict[str, Any],
                                                   second: dict[str, Any] | None, status: str, expected: str) -> None:
    aws.set(first_retry_after_seconds=0, second_retry_after_seconds=0)
    ended = stack.create(template(first))
    if second is not None:
        assert ended == "CREATE_COMPLETE"
        ended = stack.update(template(second))
    assert ended == status
    assert requests(aws, stack) == expected.split(", ")


def test_properties_are_strings_and_attributes_can_be_read(stack: Stack, template: Any) -> None:
    assert stack.create(template({
        "A": {"Id": "an-a", "Number": 1, "Boolean": True, "List": [1, False]},
        "B": {"Id": {"Fn::GetAtt": ["A", "Echo"]}}})) == "CREATE_COMPLETE"
    echoed = stack.attributes("B")["PhysicalResourceId"]
    assert all(text in echoed for text in ('"Boolean": "true"', '"Number": "1"', '"List": ["1", "false"]'))


def test_each_request_has_the_properties_of_its_state(aws: LocalAws, stack: Stack, template: Any) -> None:
    stack.create(template({"A": {"Id": "a", "Serial": "1"}}))
    stack.update(template({"A": {"Id": "a", "Serial": "2", "OnUpdate": "fail"}}))
    failed, back = aws.exchanges("A")[-2:]
    assert back["ResourceProperties"] == failed["OldResourceProperties"]
    assert back["OldResourceProperties"] == failed["ResourceProperties"]
    assert re.search(r"Received response status \[FAILED] from custom resource\. Message returned: scripted failure "
                     r"\(RequestId: [0-9a-f-]{36}\)", str(stack.events()))
    stack.update(template({"A": {"Id": "new", "Serial": "3"}}))
    assert aws.exchanges("A")[-1]["ResourceProperties"]["Serial"] == "1"
    assert stack.attributes("A")["PhysicalResourceId"] == "new"


def test_failed_resource_is_deleted_and_a_retained_one_is_not(aws: LocalAws, stack: Stack, template: Any) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    assert stack.create(template({"A": {"Id": "a", "DeletionPolicy": "Retain"}, "B": {**FAILS, "DependsOn": "A"}}),
                        DisableRollback=True) == "CREATE_FAILED"
    assert stack.delete() == "DELETE_COMPLETE"
    assert requests(aws, stack) == ["Create A -", "Create B -", "Delete B b"]


def test_failed_function_is_retried_twice_with_same_request(aws: LocalAws, stack: Stack, template: Any) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    aws.set(first_retry_after_seconds=0.1, second_retry_after_seconds=0.1)
    stack.create(template({"A": {"OnCreate": "crash"}}))
    create = aws.exchanges("A")[0]
    assert "did not receive a response from your Custom Resource" in create["failure"]
    lines = [line["message"] for line in
             aws.client("logs").filter_log_events(logGroupName="/aws/lambda/provider")["events"]]
    assert len([line for line in lines if f"asked {create['RequestId']}" in line]) == 3


@pytest.mark.parametrize("behaviour", ["be silent", "succeed late"])
def test_ServiceTimeout_ends_the_wait_for_an_answer(aws: LocalAws, stack: Stack, template: Any, behaviour: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html, "ServiceTimeout"
    began = time.monotonic()
    assert stack.create(template({"A": {"OnCreate": behaviour, "ServiceTimeout": 1}})) == "ROLLBACK_COMPLETE"
    assert 1 <= time.monotonic() - began < 5
    # A Delete overtakes a Create that still runs, and responds after it.
    create, delete = aws.exchanges("A")
    assert delete["answer"]["Status"] == "SUCCESS" and "answer" not in create


def test_response_that_s3_or_cloudformation_would_reject(aws: LocalAws, stack: Stack, template: Any) -> None:
    # "The total size of the response body can't exceed 4096 bytes." A presigned address is for an empty content type:
    # https://qiita.com/y13i/items/46b58072daeba56b6ada
    stack.create(template({"A": {"OnCreate": "send a content type"}, "B": {"OnCreate": "send too much"}}))
    assert aws.exchanges("A")[0]["answer"]["Data"] == {"FirstStatus": "403"}
    assert aws.exchanges("B")[0]["failure"] == "Response object is too long."


def test_url_of_a_queued_request_was_signed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "requests_queued_seconds", 50)
    url = response_urls.issue("eu-central-1", "a stack", "A", "a request", queue.Queue())
    signed = datetime.strptime(url.split("X-Amz-Date=")[1][:16], "%Y%m%dT%H%M%S%z")
    assert 50 <= time.time() - signed.timestamp() < 60
