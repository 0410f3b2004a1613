"""The update of a stack by a change set whose responses are lost, with botocore's own attempts."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.environment import change_set
from cli.shell.failure import Failure
from cli.shell.output import Output
from tests.cli.aws_server import ERROR, Answering, AwsServer, running

STACK = {"StackName": "shop", "StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/shop/1"}
ID = "arn:aws:cloudformation:eu-central-1:111122223333:changeSet/Updates/1"
CHANGE = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>A</LogicalResourceId></ResourceChange></member>"  # noqa: E501


class CloudFormation:
    """It does each request, and loses the response of the first one of these actions, or with `always` of
    each one."""

    def __init__(self, *lost: str, always: bool = False) -> None:
        self.lost, self.always, self.tokens, self.calls = {*lost}, always, {}, []  # type: ignore[var-annotated]

    def __call__(self, handler: Answering) -> None:
        given = {name: values[0] for name, values in parse_qs(handler.body).items()}
        action = given["Action"]
        self.calls.append((action, given.get("ChangeSetName")))
        token = given.get("ClientToken") or given.get("ClientRequestToken")
        is_repeated = action in self.tokens
        if is_repeated and (token is None or token != self.tokens[action]):
            return handler.send(
                400, ERROR.format("ChangeSetNotFound", "it is executed, or there is one of this name")
            )
        if action in ("CreateChangeSet", "ExecuteChangeSet"):
            self.tokens[action] = token
        if action in self.lost and (self.always or not is_repeated):
            handler.close_connection = True
            return None
        # The update begins with its execution.
        result = RESULTS.get(action, "").format(
            self.tokens.get("ExecuteChangeSet"),
            "EXECUTE_IN_PROGRESS" if "ExecuteChangeSet" in self.tokens else "AVAILABLE",
        )
        return handler.send(
            200, f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
        )


RESULTS = {
    "CreateChangeSet": f"<Id>{ID}</Id>",
    "DescribeChangeSet": (
        f"<Status>CREATE_COMPLETE</Status><ExecutionStatus>{{1}}</ExecutionStatus><Changes>{CHANGE}</Changes>"
    ),
    "DescribeStackEvents": (
        f"<StackEvents><member><EventId>1</EventId><ClientRequestToken>{{0}}</ClientRequestToken><StackId>{STACK['StackId']}</StackId><PhysicalResourceId>{STACK['StackId']}"
        "</PhysicalResourceId><LogicalResourceId>shop</LogicalResourceId><ResourceStatus>UPDATE_COMPLETE</ResourceStatus>"
        "<Timestamp>2026-11-20T00:00:00Z</Timestamp></member></StackEvents>"
    ),
    "ListChangeSets": "<Summaries></Summaries>",
    "DescribeEvents": "<OperationEvents></OperationEvents>",
    "DescribeStacks": "<Stacks><member><StackStatus>UPDATE_COMPLETE</StackStatus></member></Stacks>",
}


@pytest.fixture
def client() -> Iterator[Any]:
    with running(AwsServer()) as server:
        yield (
            boto3.client(
                "cloudformation",
                endpoint_url=server.url,
                region_name="eu-central-1",
                aws_access_key_id="a",
                aws_secret_access_key="a",
            ),
            server,
        )


def update(client: Any, others: Callable[[change_set.ChangeSet], list[str]] = lambda _: []) -> None:
    change_set.update(
        client, STACK, "Updates", contextlib.nullcontext({"UsePreviousTemplate": True}), others, Output()
    )


@pytest.mark.parametrize(
    "lost", [["CreateChangeSet"], ["ExecuteChangeSet"], ["CreateChangeSet", "ExecuteChangeSet"]], ids=str
)
def test_lost_response_is_asked_for_again(lost: list[str], client: Any) -> None:
    cloudformation, server = client
    server.other = fake = CloudFormation(*lost)
    update(cloudformation)
    named = dict(fake.calls)
    assert (
        named["CreateChangeSet"] == "Updates"
        and named["ExecuteChangeSet"] == named["DescribeChangeSet"] == ID
    )
    assert all(name == "Updates" for action, name in fake.calls if action == "DeleteChangeSet")


def test_change_set_of_other_changes_is_deleted_by_its_id(client: Any) -> None:
    cloudformation, server = client
    server.other = fake = CloudFormation()
    with pytest.raises(change_set.OtherChanges, match="A, B"):
        update(cloudformation, lambda _: ["A", "B"])
    assert fake.calls[-1] == ("DeleteChangeSet", ID) and "ExecuteChangeSet" not in dict(fake.calls)


def test_execution_without_any_response_is_waited_for(client: Any) -> None:
    cloudformation, server = client
    server.other = fake = CloudFormation("ExecuteChangeSet", always=True)
    update(cloudformation)
    assert ("DeleteChangeSet", ID) not in fake.calls


@pytest.mark.parametrize("error", ["CreateChangeSet", "DescribeChangeSet", "GetTemplate", "ExecuteChangeSet"])
def test_change_set_is_deleted_in_every_end_but_its_execution(error: str, client: Any) -> None:
    cloudformation, server = client
    fake = CloudFormation()

    def rejected(handler: Answering) -> None:
        if f"Action={error}&" in handler.body:
            fake.calls.append((error, None))
            return handler.send(400, ERROR.format("InsufficientCapabilities", "no"))
        return fake(handler)

    server.other = rejected
    fake.calls = []
    with pytest.raises((ClientError, Failure), match="no$|is not read"):
        update(
            cloudformation,
            lambda _: (
                [cloudformation.get_template(StackName="shop")["TemplateBody"]]
                if error == "GetTemplate"
                else []
            ),
        )
    assert fake.calls[-1] == ("DeleteChangeSet", "Updates" if error == "CreateChangeSet" else ID)
    # A rejected call or look is not repeated.
    assert [action for action, _ in fake.calls].count("DescribeChangeSet") == (error != "CreateChangeSet")


def test_change_set_that_is_not_deleted_is_named(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cloudformation, server = client
    fake = CloudFormation()

    def denied(handler: Answering) -> None:
        if fake.calls and "Action=DeleteChangeSet&" in handler.body and "Updates%2F1" in handler.body:
            return handler.send(403, ERROR.format("AccessDenied", "no"))
        return fake(handler)

    server.other = denied
    with pytest.raises(change_set.OtherChanges):
        update(cloudformation, lambda _: ["A"])
    assert (
        f"Change set {ID} of stack shop may be left: An error occurred (AccessDenied)"
        in capsys.readouterr().out
    )
