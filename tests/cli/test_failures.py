"""`cfn-gitops failures`, and the runbook's queries, with the events of a hook of a user."""

import json
import re

import jmespath
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack
from tests.cli.recorded import NAME, STACK, Recorded, case_of


@pytest.fixture
def aws(account: FakeAccount) -> Recorded:
    """The deployed stack of the project shop, whose update has failed."""
    aws = Recorded(case_of("a failure of an earlier update"))
    account.session.client.return_value = aws
    account.known[NAME] = {"StackName": NAME, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    return aws


def test_runbooks_query_shows_the_message_of_a_hook() -> None:
    page = (ROOT / "docs/runbook/README.md").read_text()
    queries = re.findall(r'"((?:StackEvents|OperationEvents)\[.*?\])"', page, re.DOTALL)
    case = Recorded(case_of("https://github.com/Sceptre/sceptre/pull/1513"))
    hook = {"EventType": "HOOK_INVOCATION_ERROR", "HookStatusReason": "[CT.S3.PR.1]: no", "HookFailureMode": "FAIL"}
    found = {"StackEvents": case.events(), "OperationEvents": [hook]}
    assert len(queries) == 2
    assert all("[CT.S3.PR.1]" in str(jmespath.search(query, found)) for query in queries)


@pytest.mark.parametrize(("status", "case", "said"), [
    ("UPDATE_ROLLBACK_COMPLETE", "a failure of an earlier update", "Queue (AWS::SQS::Queue): It exists already"),
    ("UPDATE_COMPLETE", "a change set with a reason of its own", f"{NAME} ({STACK}): The role is not read"),
    ("UPDATE_COMPLETE", "a deletion of a stack whose export is in use", "cannot be deleted as it is in use by other"),
    ("UPDATE_ROLLBACK_FAILED", "a successful update after a failed one", "is in UPDATE_ROLLBACK_FAILED. CloudFormation gives no reason"),
    ("UPDATE_COMPLETE", "a successful update after a failed one", "is in UPDATE_COMPLETE. Its latest operation has not failed")])
def test_failed_end_is_status_1(status: str, case: str, said: str, account: FakeAccount, aws: Recorded, run: Run) -> None:
    aws.case, account.known[NAME]["StackStatus"] = case_of(case), status
    ended = run("failures", NAME)
    assert ended.status == (0 if said.endswith("not failed") else 1) and said in ended.out
    document = json.loads(run("failures", NAME, "--json").out)
    assert (document["stack"], document["status"]) == (NAME, status)
    assert all(said in line for line in document["failures"])


@pytest.mark.parametrize("operation", ["describe_stack_events", "list_change_sets"])
@pytest.mark.parametrize("error", [ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "ListChangeSets"),
                                   EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com")])
def test_list_that_is_not_read_is_not_without_failures(error: Exception, operation: str, aws: Recorded, run: Run) -> None:
    aws.errors[operation] = error
    ended = run("failures", NAME)
    told = "There may be more, because not everything was read: "
    assert ended.status == 1 and (told in ended.out or ended.err.startswith(("AWS throttles ", "cloudformation.eu-central-1.amazonaws.com does not")))
    assert (told in ended.out) == (operation == "list_change_sets")


def test_name_of_a_project_is_that_of_its_stack(aws: Recorded, run: Run) -> None:
    ended = run("failures", "shop")
    assert ended.status == 1 and f"Stack {NAME}: what failed" in ended.out and "It exists already" in ended.out


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


def test_denied_validation_is_unread_and_not_a_failure(aws: Recorded, run: Run) -> None:
    aws.case = case_of("a validation before the first resource")
    aws.errors["describe_events"] = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeEvents")
    told = "There may be more, because not everything was read: Allow cloudformation:DescribeEvents to "
    assert told in run("failures", NAME).out
