"""cli/environment/stack_failures.py, `cfn-gitops failures`, and the runbook's query, with the events of a hook of a user.

The members are those of StackEvent and OperationEvent in CloudFormation's API reference, and
github.com/Sceptre/sceptre issue 1343 has a listing. github.com/aws/aws-cdk issue 21674: the resource's own reason has
only the hook's name.
"""

import json
import re
from datetime import datetime, timezone
from typing import Any

import jmespath
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cli.environment.stack_failures import StackFailures
from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack

STACK, HOOK = "arn:aws:cloudformation:eu-central-1:1:stack/s/1", "AWS::ControlTower::Hook"
MESSAGE = "Hook failed with message: [CT.LAMBDA.PR.3] use a VPC"
LINE = f"Function (AWS::Lambda::Function): {MESSAGE}"


def event(number: int, **members: str) -> dict[str, Any]:
    return {"StackId": STACK, "EventId": str(number), "LogicalResourceId": "Function", "ResourceType": "AWS::Lambda::Function",
            "Timestamp": datetime(2026, 11, 1, 0, 0, number, tzinfo=timezone.utc), **members}


def hook(number: int, message: str, mode: str) -> dict[str, Any]:
    return event(number, ResourceStatus="CREATE_IN_PROGRESS", HookType=HOOK, HookStatus="HOOK_COMPLETE_FAILED",
                 HookStatusReason=message, HookFailureMode=mode)


EVENTS = [event(5, ResourceStatus="CREATE_FAILED", ResourceStatusReason=f"The following hook(s) failed: [{HOOK}]"),
          hook(4, MESSAGE, "FAIL"), hook(3, "a warning", "WARN"), event(2, ResourceStatus="CREATE_IN_PROGRESS")]
OPERATION = [{**hook(6, MESSAGE, "FAIL"), "EventType": "HOOK_INVOCATION_ERROR"},
             {**hook(7, "a warning", "WARN"), "EventType": "HOOK_INVOCATION_ERROR"}]


KEYS = {"describe_stack_events": "StackEvents", "list_change_sets": "Summaries", "describe_events": "OperationEvents"}


class CloudFormation:
    """Each list of events in pages of one. Empty when the operation begins."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}

    def get_paginator(self, operation: str) -> Any:
        key = KEYS[operation]
        pages = [{key: [one]} for one in self.lists.get(operation, [])] or [{key: []}]
        return type("Paginator", (), {"paginate": staticmethod(lambda **_: pages)})


@pytest.mark.parametrize("lists", [["describe_stack_events"], ["describe_events"], ["describe_stack_events", "describe_events"]])
def test_message_of_a_hook_is_printed_once(lists: list[str]) -> None:
    account = CloudFormation()
    failures = StackFailures(account, "s")
    given = {"describe_stack_events": EVENTS, "describe_events": OPERATION}
    account.lists = {name: given[name] for name in lists}
    lines = failures.lines()
    assert lines.count(LINE) == 1 and not any("warning" in line for line in lines), lines


def test_runbooks_query_shows_the_message_of_a_hook() -> None:
    page = (ROOT / "docs/runbook/README.md").read_text()
    queries = re.findall(r'"((?:StackEvents|OperationEvents)\[.*?\])"', page, re.DOTALL)
    assert len(queries) == 2
    for query, key, events in zip(queries, ["StackEvents", "OperationEvents"], [EVENTS, OPERATION], strict=True):
        found = jmespath.search(query, {key: events})
        assert MESSAGE in str(found), query


def test_failures_of_a_stack_are_status_1_and_a_list(account: FakeAccount, run: Run) -> None:
    account.known["s"] = {"StackName": "s", "StackStatus": "CREATE_FAILED"}
    fake = CloudFormation()
    account.session.client.return_value = fake
    ended = run("failures", "s")
    assert ended.status == 0 and ended.out.endswith(
        "Stack s is in CREATE_FAILED. Its latest operation has no failed resource\n")
    fake.lists["describe_stack_events"] = EVENTS
    ended = run("failures", "s")
    assert ended.status == 1 and ended.out.splitlines()[1:] == [
        "Stack s: what failed (docs/runbook/a-failed-deploy.md):", f"  {LINE}",
        f"  Function (AWS::Lambda::Function): The following hook(s) failed: [{HOOK}]"]
    ended = run("failures", "s", "--json")
    document = json.loads(ended.out)
    assert ended.status == 1 and (document["stack"], document["status"], document["failures"][0]) == ("s", "CREATE_FAILED", LINE)


@pytest.mark.parametrize("operation", KEYS)
@pytest.mark.parametrize("error", [ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "ListChangeSets"),
                                   EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com")])
def test_list_that_is_not_read_is_not_without_failures(error: Exception, operation: str, account: FakeAccount, run: Run,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    account.known["s"] = {"StackName": "s", "StackStatus": "CREATE_COMPLETE"}
    fake = CloudFormation()
    account.session.client.return_value = fake
    working = fake.get_paginator

    def fails(**_: Any) -> None:
        raise error

    monkeypatch.setattr(fake, "get_paginator", lambda asked: type("Paginator", (), {"paginate": staticmethod(fails)})
                        if asked == operation else working(asked))
    ended = run("failures", "s")
    assert ended.status == 1 and ended.err.startswith(("AWS throttles ListChangeSets. ", "cloudformation.eu-central-1.amazonaws.com does not"))
    fake.lists = {"describe_stack_events": EVENTS, "describe_events": OPERATION}
    ended = run("failures", "s")
    assert ended.status == 1 and LINE in ended.out and "There may be more, because not everything was read: " in ended.out


def test_name_of_a_project_is_that_of_its_stack(account: FakeAccount, run: Run) -> None:
    account.known["cfnstack-dev-shop"] = {"StackName": "cfnstack-dev-shop", "StackStatus": "ROLLBACK_COMPLETE"}
    account.session.client.return_value = fake = CloudFormation()
    fake.lists["describe_stack_events"] = EVENTS
    ended = run("failures", "shop")
    assert ended.status == 1 and "Stack cfnstack-dev-shop: what failed" in ended.out and LINE in ended.out


@pytest.mark.parametrize(("name", "question"), [("cfn-gitops-dve", ". Did you mean cfn-gitops-dev? "), ("nosuch", ". ")])
def test_stack_that_does_not_exist_is_status_1(name: str, question: str, account: FakeAccount, run: Run) -> None:
    account.known["cfn-gitops-dev"] = {"StackName": "cfn-gitops-dev"}
    ended = run("failures", name)
    assert (ended.status, ended.err) == (1, f"stack {name} does not exist in account 111122223333, region eu-central-1{question}"
                                            "Name a deleted one by its ID\n")


def test_misspelled_stack_name_of_the_table_is_named(account: FakeAccount, run: Run) -> None:
    account.known["cfn-gitops-dve"] = environment_stack() | {"StackName": "cfn-gitops-dve"}
    ended = run("failures")
    assert ended.status == 1 and "stack cfn-gitops-dev does not exist in account 111122223333, region eu-central-1. Did you mean cfn-gitops-dve? " in ended.err
    account.known["cfn-gitops-dev"] = environment_stack("prd")
    assert "stack cfn-gitops-dev does not have EnvID dev and the export cfn-gitops-dev-ServiceToken. " in run("failures").err


@pytest.mark.parametrize(("reason", "status"), [
    ("The submitted information didn't contain changes. Submit different information to create a change set.", 0),
    ("No updates are to be performed.", 0), ("The role is not read", 1)])
def test_change_set_without_changes_is_not_a_failure(reason: str, status: int, account: FakeAccount, run: Run) -> None:
    account.known["s"] = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE"}
    account.session.client.return_value = fake = CloudFormation()
    fake.lists["list_change_sets"] = [{"ChangeSetId": "1", "Status": "FAILED", "StatusReason": reason,
                                       "CreationTime": datetime(2026, 11, 2, tzinfo=timezone.utc)}]
    ended = run("failures", "s")
    assert ended.status == status and (reason in ended.out) == bool(status)
    # It does not hide the failures of the latest operation either.
    fake.lists["describe_stack_events"] = EVENTS
    assert (LINE in run("failures", "s").out) == (status == 0)


def test_denied_validation_is_unread_and_not_a_failure(account: FakeAccount, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    account.known["s"] = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE"}
    account.session.client.return_value = fake = CloudFormation()
    denied, hint = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeEvents"), "Allow cloudformation:DescribeEvents to "
    working = fake.get_paginator

    def paginator(operation: str) -> Any:
        if operation == "describe_events":
            raise denied
        return working(operation)

    monkeypatch.setattr(fake, "get_paginator", paginator)
    ended = run("failures", "s")
    assert ended.status == 1 and f"has no failed resource\nBut not everything was read. {hint}" in ended.out and "what failed" not in ended.out
    document = json.loads(run("failures", "s", "--json").out)
    assert document["failures"] == [] and document["unread"][0].startswith(hint)
    fake.lists["describe_stack_events"] = EVENTS
    ended = run("failures", "s")
    assert ended.status == 1 and LINE in ended.out and f"There may be more, because not everything was read: {hint}" in ended.out


@pytest.mark.parametrize(("status", "reason", "hides"), [
    ("IMPORT_IN_PROGRESS", "User Initiated", True), ("ROLLBACK_IN_PROGRESS", "User Initiated", True),
    ("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", True), ("DELETE_IN_PROGRESS", "User Initiated", True),
    # CloudFormation's own, of the same operation.
    ("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Function].", False), ("ROLLBACK_IN_PROGRESS", "", False)])
def test_failures_before_the_latest_operation_are_left_out(status: str, reason: str, hides: bool, account: FakeAccount, run: Run) -> None:
    account.known["s"] = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE"}
    account.session.client.return_value = fake = CloudFormation()
    begins = event(8, LogicalResourceId="s", PhysicalResourceId=STACK, ResourceStatus=status, ResourceStatusReason=reason)
    fake.lists["describe_stack_events"] = [begins, *EVENTS]
    assert (LINE in run("failures", "s").out) != hides
