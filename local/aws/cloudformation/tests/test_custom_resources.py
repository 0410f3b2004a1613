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

from local.aws import LocalAws
from local.aws.cloudformation import response_urls
from local.aws.settings import settings
from local.aws.testing import Stack


@pytest.fixture
def resource(provider: str) -> Any:
    def make(depends_on: str = "", **properties: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"Type": "Custom::Obedient", "Properties": {"ServiceToken": provider, **properties}}
        if depends_on:
            made["DependsOn"] = depends_on
        return made

    return make


def requests(aws: LocalAws, stack: Stack) -> list[tuple[str, str, str | None]]:
    return [(sent["RequestType"], sent["LogicalResourceId"], sent.get("PhysicalResourceId"))
            for sent in aws.exchanges() if f":stack/{stack.name}/" in sent["StackId"]]


def test_scalars_arrive_as_strings_and_attributes_can_be_read(stack: Stack, resource: Any) -> None:
    assert stack.create({
        "A": resource(Id="an-a", Number=1, Boolean=True, List=[1, False]),
        "B": resource(Id={"Fn::GetAtt": ["A", "Echo"]}),
    }) == "CREATE_COMPLETE"
    echoed = stack.attributes("B")["PhysicalResourceId"]
    assert '"Boolean": "true"' in echoed
    assert '"Number": "1"' in echoed
    assert '"List": ["1", "false"]' in echoed


def test_failed_create_is_followed_by_delete_of_answered_id(aws: LocalAws, stack: Stack, resource: Any) -> None:
    assert stack.create({"A": resource(Id="would-have-been", OnCreate="fail")}) == "ROLLBACK_COMPLETE"
    assert requests(aws, stack) == [("Create", "A", None), ("Delete", "A", "would-have-been")]
    reasons = [event.get("ResourceStatusReason", "") for event in stack.events()]
    assert any(re.fullmatch(r"Received response status \[FAILED] from custom resource\. Message returned: scripted failure "
                            r"\(RequestId: [0-9a-f-]{36}\)", reason) for reason in reasons)


@pytest.mark.parametrize("behaviour", ["fail without an id", "crash", "send too much"])
def test_failed_create_without_answer_deletes_generated_id(aws: LocalAws, stack: Stack, resource: Any,
                                                           behaviour: str) -> None:
    aws.set(first_retry_after_seconds=0, second_retry_after_seconds=0)
    assert stack.create({"A": resource(OnCreate=behaviour)}) == "ROLLBACK_COMPLETE"
    (_, _, _), (kind, _, physical_id) = requests(aws, stack)
    assert kind == "Delete"
    assert re.fullmatch(rf"{stack.name}-A-[A-Z0-9]{{12}}", str(physical_id))


def test_rollback_deletes_in_reverse_order_failed_one_first(aws: LocalAws, stack: Stack, resource: Any) -> None:
    assert stack.create({"A": resource(Id="a"), "B": resource("A", Id="b"),
                         "C": resource("B", Id="c", OnCreate="fail")}) == "ROLLBACK_COMPLETE"
    assert requests(aws, stack) == [
        ("Create", "A", None), ("Create", "B", None), ("Create", "C", None),
        ("Delete", "C", "c"), ("Delete", "B", "b"), ("Delete", "A", "a")]


def test_failed_delete_in_rollback_ends_in_rollback_failed(stack: Stack, resource: Any) -> None:
    assert stack.create({"A": resource(OnCreate="fail", OnDelete="fail")}) == "ROLLBACK_FAILED"


def test_disabled_rollback_sends_delete_with_stack_deletion(aws: LocalAws, stack: Stack, resource: Any) -> None:
    assert stack.create({"A": resource(Id="a", OnCreate="fail")}, DisableRollback=True) == "CREATE_FAILED"
    assert requests(aws, stack) == [("Create", "A", None)]
    assert stack.delete() == "DELETE_COMPLETE"
    assert requests(aws, stack)[1:] == [("Delete", "A", "a")]


def test_failed_addition_in_update_is_followed_by_delete(aws: LocalAws, stack: Stack, resource: Any) -> None:
    stack.create({"A": resource(Id="a")})
    assert stack.update({"A": resource(Id="a"), "B": resource(Id="b", OnCreate="fail")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert requests(aws, stack) == [("Create", "A", None), ("Create", "B", None), ("Delete", "B", "b")]


def test_changed_id_deletes_old_id_with_old_properties(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html#crpg-ref-update
    stack.create({"A": resource(Id="first")})
    assert stack.update({"A": resource(Id="second")}) == "UPDATE_COMPLETE"
    assert requests(aws, stack) == [("Create", "A", None), ("Update", "A", "first"), ("Delete", "A", "first")]
    update, delete = aws.exchanges("A")[-2:]
    assert (update["OldResourceProperties"]["Id"], update["ResourceProperties"]["Id"]) == ("first", "second")
    assert delete["ResourceProperties"]["Id"] == "first"
    assert stack.attributes("A")["PhysicalResourceId"] == "second"


def test_a_cleanup_delete_that_fails_does_not_fail_the_update(stack: Stack, resource: Any) -> None:
    stack.create({"A": resource(Id="first", OnDelete="fail")})
    assert stack.update({"A": resource(Id="second")}) == "UPDATE_COMPLETE"


def test_failed_update_is_followed_by_update_with_old_properties(aws: LocalAws, stack: Stack, resource: Any) -> None:
    stack.create({"A": resource(Id="a", Serial="1")})
    assert stack.update({"A": resource(Id="a", Serial="2", OnUpdate="fail")}) == "UPDATE_ROLLBACK_COMPLETE"
    failed, back = aws.exchanges("A")[-2:]
    assert back["RequestType"] == "Update"
    assert back["ResourceProperties"] == failed["OldResourceProperties"]
    assert back["OldResourceProperties"] == failed["ResourceProperties"]


def test_failed_update_with_new_id_deletes_only_that_id(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # github.com/aws/aws-cdk issues 13527, 17040 and 30012
    stack.create({"A": resource(Id="old")})
    assert stack.update({"A": resource(Id="new", OnUpdate="fail")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert requests(aws, stack) == [("Create", "A", None), ("Update", "A", "old"), ("Delete", "A", "new")]
    assert stack.attributes("A")["PhysicalResourceId"] == "old"


def test_rolled_back_replacement_is_deleted_by_new_id(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # "If the stack update fails and a rollback occurs, the new physical resource id is sent in the Delete event."
    # stackoverflow.com/questions/50599602, which quotes AWS's knowledge centre
    stack.create({"A": resource(Id="old"), "B": resource("A", Id="b")})
    assert stack.update({"A": resource(Id="new"),
                         "B": resource("A", Id="b", OnUpdate="fail")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert [sent[0::2] for sent in requests(aws, stack) if sent[1] == "A"] == [
        ("Create", None), ("Update", "old"), ("Delete", "new")]
    assert stack.attributes("A")["PhysicalResourceId"] == "old"


def test_succeeded_update_is_reverted_if_another_resource_fails(aws: LocalAws, stack: Stack, resource: Any) -> None:
    stack.create({"A": resource(Id="a", Serial="1"), "B": resource("A", Id="b")})
    assert stack.update({"A": resource(Id="a", Serial="2"),
                         "B": resource("A", Id="b", OnUpdate="fail")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert [sent["ResourceProperties"]["Serial"] for sent in aws.exchanges("A")] == ["1", "2", "1"]


def test_an_update_without_changes_to_the_resource_sends_nothing(aws: LocalAws, stack: Stack, resource: Any) -> None:
    stack.create({"A": resource(Id="a")})
    stack.update({"A": resource(Id="a"), "B": resource(Id="b")})
    assert [sent["RequestType"] for sent in aws.exchanges("A")] == ["Create"]


def test_a_retained_resource_gets_no_delete(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    stack.create({"A": {**resource(Id="a"), "DeletionPolicy": "Retain"}})
    assert stack.delete() == "DELETE_COMPLETE"
    assert requests(aws, stack) == [("Create", "A", None)]


def test_failed_function_is_retried_twice_with_same_request(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    aws.set(first_retry_after_seconds=0.1, second_retry_after_seconds=0.1)
    stack.create({"A": resource(OnCreate="crash")})
    create = aws.exchanges("A")[0]
    assert "did not receive a response from your Custom Resource" in create["failure"]
    lines = [line["message"] for line in
             aws.client("logs").filter_log_events(logGroupName="/aws/lambda/provider")["events"]]
    assert len([line for line in lines if f"asked {create['RequestId']}" in line]) == 3


def test_ServiceTimeout_ends_the_wait_for_an_answer(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html, "ServiceTimeout"
    began = time.monotonic()
    assert stack.create({"A": resource(OnCreate="be silent", ServiceTimeout=1)}) == "ROLLBACK_COMPLETE"
    assert 1 <= time.monotonic() - began < 5
    assert [kind for kind, _, _ in requests(aws, stack)] == ["Create", "Delete"]


def test_a_delete_can_overtake_a_create_that_timed_out(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # The Create still runs, and responds after its Delete.
    assert stack.create({"A": resource(OnCreate="succeed late", ServiceTimeout=1)}) == "ROLLBACK_COMPLETE"
    create, delete = aws.exchanges("A")
    assert delete["answer"]["Status"] == "SUCCESS"
    assert "answer" not in create


def test_response_above_4096_bytes_is_rejected(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # "The total size of the response body can't exceed 4096 bytes."
    stack.create({"A": resource(OnCreate="send too much")})
    assert aws.exchanges("A")[0]["failure"] == "Response object is too long."


def test_an_answer_with_a_content_type_is_403(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://qiita.com/y13i/items/46b58072daeba56b6ada reports it; the presigned address is for an empty one.
    stack.create({"A": resource(OnCreate="send a content type")})
    assert aws.exchanges("A")[0]["answer"]["Data"] == {"FirstStatus": "403"}


def test_a_request_can_be_delivered_twice_at_once(aws: LocalAws, stack: Stack, resource: Any) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    aws.set(deliveries_of_each_request=2)
    assert stack.create({"A": resource(Id="a")}) == "CREATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def test_url_of_a_queued_request_was_signed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "requests_queued_seconds", 50)
    url = response_urls.issue("eu-central-1", "a stack", "A", "a request", queue.Queue())
    signed = datetime.strptime(url.split("X-Amz-Date=")[1][:16], "%Y%m%dT%H%M%S%z")
    assert 50 <= time.time() - signed.timestamp() < 60
