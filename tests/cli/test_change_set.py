"""The update of a stack by a change set whose responses are lost, with botocore's own attempts."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from cli.environment import change_set
from cli.shell.output import Output
from tests.cli.aws_server import ERROR, Answering, AwsServer, running

STACK = {"StackName": "shop", "StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/shop/1"}
ID = "arn:aws:cloudformation:eu-central-1:111122223333:changeSet/Updates/1"
CHANGE = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>A</LogicalResourceId></ResourceChange></member>"


class CloudFormation:
    """It does each request, and loses the response of the first one of these actions."""

    def __init__(self, *lost: str) -> None:
        self.lost, self.tokens, self.calls = {*lost}, {}, []  # type: ignore[var-annotated]

    def __call__(self, handler: Answering) -> None:
        given = {name: values[0] for name, values in parse_qs(handler.body).items()}
        action = given["Action"]
        self.calls.append((action, given.get("ChangeSetName")))
        token = given.get("ClientToken") or given.get("ClientRequestToken")
        is_repeated = action in self.tokens
        if is_repeated and (token is None or token != self.tokens[action]):
            return handler.send(400, ERROR.format("ChangeSetNotFound", "it is executed, or there is one of this name"))
        if action in ("CreateChangeSet", "ExecuteChangeSet"):
            self.tokens[action] = token
        if action in self.lost and not is_repeated:
            handler.close_connection = True
            return None
        return handler.send(200, f"<{action}Response><{action}Result>{RESULTS.get(action, '')}</{action}Result></{action}Response>")


RESULTS = {
    "CreateChangeSet": f"<Id>{ID}</Id>", "DescribeChangeSet": f"<Status>CREATE_COMPLETE</Status><Changes>{CHANGE}</Changes>",
    "DescribeStackEvents": "<StackEvents></StackEvents>", "ListChangeSets": "<Summaries></Summaries>",
    "DescribeEvents": "<OperationEvents></OperationEvents>", "DescribeStacks": "<Stacks><member><StackStatus>UPDATE_COMPLETE</StackStatus></member></Stacks>"}


@pytest.fixture
def client() -> Iterator[Any]:
    with running(AwsServer()) as server:
        yield boto3.client("cloudformation", endpoint_url=server.url, region_name="eu-central-1", aws_access_key_id="a",
                           aws_secret_access_key="a"), server


def update(client: Any, others: list[str]) -> None:
    change_set.update(client, STACK, "Updates", contextlib.nullcontext({"UsePreviousTemplate": True}), lambda _: others, Output())


@pytest.mark.parametrize("lost", [["CreateChangeSet"], ["ExecuteChangeSet"], ["CreateChangeSet", "ExecuteChangeSet"]], ids=str)
def test_lost_response_is_asked_for_again(lost: list[str], client: Any) -> None:
    cloudformation, server = client
    server.other = fake = CloudFormation(*lost)
    update(cloudformation, [])
    named = dict(fake.calls)
    assert named["CreateChangeSet"] == "Updates" and named["ExecuteChangeSet"] == named["DescribeChangeSet"] == ID
    assert all(name == "Updates" for action, name in fake.calls if action == "DeleteChangeSet")


def test_change_set_of_other_changes_is_deleted_by_its_id(client: Any) -> None:
    cloudformation, server = client
    server.other = fake = CloudFormation()
    with pytest.raises(change_set.OtherChanges, match="A, B"):
        update(cloudformation, ["A", "B"])
    assert fake.calls[-1] == ("DeleteChangeSet", ID) and "ExecuteChangeSet" not in dict(fake.calls)
