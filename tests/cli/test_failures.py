"""`cfn-gitops failures`, and the runbook's queries, with the events of a hook of a user."""

import io
import json
import re
from typing import Any
from unittest.mock import MagicMock

import jmespath
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.cli.answering import SCHEMAS, in_parts, project, projects, unread
from tests.cli.conftest import ROOT, FakeAccount, Run, environment_stack
from tests.cli.recorded import NAME, STACK, Recorded, arn, case_of


@pytest.fixture
def aws(account: FakeAccount) -> Recorded:
    """The deployed stack of the project shop, whose update has failed."""
    aws = Recorded(case_of("a failure of an earlier update"))
    account.session.client.return_value = aws
    account.known[NAME] = {"StackName": NAME, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    return aws


def test_runbooks_query_shows_the_message_of_a_hook() -> None:
    page = (ROOT / "docs/runbook/aws-cli.md").read_text()
    queries = re.findall(r'"((?:StackEvents|OperationEvents)\[.*?\])"', page, re.DOTALL)
    case = Recorded(case_of("https://github.com/Sceptre/sceptre/pull/1513"))
    hook = {
        "EventType": "HOOK_INVOCATION_ERROR",
        "HookStatusReason": "[CT.S3.PR.1]: no",
        "HookFailureMode": "FAIL",
    }
    found = {"StackEvents": case.events(), "OperationEvents": [hook]}
    assert len(queries) == 2
    assert all("[CT.S3.PR.1]" in str(jmespath.search(query, found)) for query in queries)


@pytest.mark.parametrize(
    ("status", "case", "said"),
    [
        (
            "UPDATE_ROLLBACK_COMPLETE",
            "a failure of an earlier update",
            "Queue (AWS::SQS::Queue): It exists already",
        ),
        (
            "UPDATE_COMPLETE",
            "a change set with a reason of its own",
            f"{NAME} ({STACK}): The role is not read",
        ),
        (
            "UPDATE_COMPLETE",
            "a deletion of a stack whose export is in use",
            "cannot be deleted as it is in use by other",
        ),
        (
            "UPDATE_ROLLBACK_FAILED",
            "a successful update after a failed one",
            "is in UPDATE_ROLLBACK_FAILED. CloudFormation gives no reason",
        ),
        (
            "UPDATE_COMPLETE",
            "a successful update after a failed one",
            "is in UPDATE_COMPLETE. Its latest operation has not failed",
        ),
    ],
)
def test_failed_end_is_status_1(
    status: str, case: str, said: str, account: FakeAccount, aws: Recorded, run: Run
) -> None:
    aws.case, account.known[NAME]["StackStatus"] = case_of(case), status
    ended = run("failures", NAME)
    assert ended.status == (0 if said.endswith("not failed") else 1) and said in ended.out
    document = json.loads(run("failures", NAME, "--json").out)
    assert (document["stack"], document["status"]) == (NAME, status)
    assert all(said in line for line in document["failures"])


@pytest.mark.parametrize("operation", ["describe_stack_events", "list_change_sets"])
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "ListChangeSets"),
        EndpointConnectionError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com"),
    ],
)
def test_list_that_is_not_read_is_not_without_failures(
    error: Exception, operation: str, aws: Recorded, run: Run
) -> None:
    aws.errors[operation] = error
    ended = run("failures", NAME)
    # A failure that was read is shown all the same.
    assert ended.status == 1 and "  Not everything was read: " in ended.out
    assert ("It exists already" in ended.out) == (operation == "list_change_sets")


def answers(account: FakeAccount, answer: Any) -> None:
    """Lets the function that reads answer. An error is raised."""
    aws, function = account.session.client.return_value, MagicMock()
    if isinstance(answer, Exception):
        function.invoke.side_effect = answer
    else:
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        answer = in_parts(answer)
        assert failed or not list(SCHEMAS["Projects"].iter_errors(answer))
        function.invoke.side_effect = lambda **_: {
            "Payload": io.BytesIO(json.dumps(answer).encode()),
            **failed,
        }
    account.session.client.side_effect = lambda service, **_: function if service == "lambda" else aws


DEPLOYMENT = {
    "ExecutionId": "e1",
    "At": "2026-11-27T12:00:00Z",
    "Commit": "4f2a9c1b0d3e",
    "Title": "Add a queue",
    "Stage": "Deploy",
    "Action": "Deploy",
    "Cause": "Queue: It exists already",
    "Resources": [{"Path": "Data/Queue", "Type": "AWS::SQS::Queue", "Reason": "It exists already"}],
    "MoreResources": 2,
    "Cancelled": 1,
    "StackName": "tables",
    "StackStatus": "UPDATE_ROLLBACK_COMPLETE",
    "Remedy": "Revert it",
}


def test_deployment_is_shown_with_its_cause_first(account: FakeAccount, aws: Recorded, run: Run) -> None:
    holds = [{"Held": "held by the disabled event rule r", "Remedy": "Enable it"}]
    answers(
        account,
        projects(
            project("shop", 2, "Failed", Failure=DEPLOYMENT, Holds=holds),
            NotRead=unread("GitLab is silent"),
        ),
    )
    ended = run("failures", "shop")
    assert (ended.status, ended.out.splitlines()[1:]) == (
        1,
        [
            "Project shop: Deploy failed: Queue: It exists already",
            '  commit 4f2a9c1b "Add a queue", execution e1, 2026-11-27T12:00:00Z',
            "  Data/Queue (AWS::SQS::Queue): It exists already",
            "  2 more failed",
            "  1 other was cancelled, because one failed",
            "  The stack is in UPDATE_ROLLBACK_COMPLETE",
            "  Revert it",
            "  With CloudFormation's own reasons: cfn-gitops failures tables --env dev",
            "Project shop: held by the disabled event rule r. See: cfn-gitops status --env dev",
            "Not everything was read: GitLab is silent. Run this again",
        ],
    )
    document = json.loads(run("failures", "shop", "--json").out)
    assert document["ProjectID"] == "shop" and document["Failure"]["Resources"][0]["Path"] == "Data/Queue"
    # A stack that does not exist has no status.
    unknown = {name: value for name, value in DEPLOYMENT.items() if name != "StackStatus"}
    answers(account, projects(project("shop", 2, "Failed", Failure=unknown)))
    assert "own reasons" not in run("failures", "shop").out


def test_build_is_shown_without_a_stack(account: FakeAccount, aws: Recorded, run: Run) -> None:
    answers(account, projects(project("shop", 2, "Failed")))
    ended = run("failures", "shop")
    assert ended.status == 1 and "failures cfnstack" not in ended.out
    assert ended.out.splitlines()[1].startswith(
        "Project shop: Build failed: Error while executing command: make package. "
    )


def test_own_stack_of_a_project_is_read(account: FakeAccount, aws: Recorded, run: Run) -> None:
    owner = {"StackName": NAME, "StackId": arn(), "Status": "UPDATE_ROLLBACK_COMPLETE", "Exists": True}
    problem = {
        "Subject": f"stack {NAME}",
        "Problem": "its latest update failed",
        "Remedy": "See what failed: cfn-gitops failures shop --env dev",
    }
    answers(account, projects(project("shop", Owner=owner, Problems=[problem])))
    ended = run("failures", "shop")
    assert (ended.status, ended.out.splitlines()[1:]) == (
        1,
        [
            f"Stack {NAME}: what failed (docs/runbook/README.md, When an execution fails):",
            "  Queue (AWS::SQS::Queue): It exists already",
            f"Project shop: stack {NAME}: its latest update failed",
        ],
    )
    # The function concludes whether a status is a problem.
    child = {"Name": "gitops-dev-shop", "Status": "UPDATE_ROLLBACK_COMPLETE"}
    answers(account, projects(project("shop", ChildStack=child)))
    assert run("failures", "shop").out.splitlines()[1:] == ["Project shop has no failure"]


def test_rejection_is_not_a_failure(account: FakeAccount, aws: Recorded, run: Run) -> None:
    rejection = {"ExecutionId": "e2", "Commit": "9c8b7a6f5e4d", "By": "Ann", "Reason": "too early"}
    answers(account, projects(project("shop", 2, "Failed", Rejection=rejection)))
    ended = run("failures", "shop")
    assert (ended.status, ended.out.splitlines()[1:]) == (
        0,
        [
            "Project shop has no failure. Its newest execution was rejected by Ann: too early (commit"
            " 9c8b7a6f, execution e2)"
        ],
    )


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Invoke")


def test_stacks_are_read_without_the_function(account: FakeAccount, aws: Recorded, run: Run) -> None:
    answers(account, DENIED)
    ended = run("failures", "shop")
    obstacle, *lines = ended.out.splitlines()[1:]
    assert (
        ended.status == 1
        and "function cfn-gitops-dev-read" in obstacle
        and lines
        == [
            f"Stack {NAME}: what failed (docs/runbook/README.md, When an execution fails):",
            "  Queue (AWS::SQS::Queue): It exists already",
        ]
    )


INVALID = {"errorType": "InvalidQuestion", "errorMessage": "Projects.ProjectID is not the ID of a project"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (DENIED, "you may not ask function cfn-gitops-dev-read"),
        (projects(NotRead=unread("ListStacks is throttled")), "ListStacks is throttled. Run this again"),
        (
            ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "Invoke"),
            "AWS throttles Invoke",
        ),
    ],
)
def test_stack_with_the_name_of_a_project_hides_nothing(
    answer: Any, why: str, account: FakeAccount, aws: Recorded, run: Run
) -> None:
    """The project may be red."""
    answers(account, answer)
    account.known["shop"] = {"StackName": "shop", "StackStatus": "UPDATE_COMPLETE"}
    ended = run("failures", "shop")
    assert (
        ended.status == 1
        and ended.out.splitlines()[1].startswith(why)
        and f"Stack {NAME}: what failed" in ended.out
    )
    document = json.loads(run("failures", "shop", "--json").out)
    assert (
        document["NotRead"][0]["Problem"].startswith(why.partition(".")[0]) and len(document["stacks"]) == 2
    )
    account.known.clear()
    ended = run("failures", "shop")
    assert ended.out.splitlines()[1].startswith(why) and "stack shop does not exist" in ended.err


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        (
            "other",
            projects(),
            "environment dev has no project other. See the projects: cfn-gitops status --env dev\n",
        ),
        (
            "Other",
            INVALID,
            "environment dev has no project Other. See the projects: cfn-gitops status --env dev\n",
        ),
        ("shop", DENIED, "you may not ask function cfn-gitops-dev-read"),
        (NAME, DENIED, "DescribeStacks is denied"),
        (arn(), DENIED, "DescribeStacks is denied"),
    ],
)
def test_project_needs_no_right_to_describe_stacks(
    name: str,
    answer: Any,
    said: str,
    account: FakeAccount,
    aws: Recorded,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def denied(name: str) -> None:
        asked.append(name)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")

    monkeypatch.setattr(account, "stack", denied)
    answers(account, projects(project("shop")))
    assert run("failures", "shop").status == 0 and asked == []
    answers(account, answer)
    assert run("failures", name).err.startswith(said)


def test_only_remedies_select_the_account(account: FakeAccount, aws: Recorded, run: Run) -> None:
    failure = {**DEPLOYMENT, "Cause": "run aws s3 rb s3://b", "Remedy": "Run: aws s3 ls"}
    answers(account, projects(project("shop", 2, "Failed", Failure=failure)))
    out = run("failures", "shop", "--region", "eu-west-1").out
    assert "failed: run aws s3 rb s3://b\n" in out and "  Run: aws --region eu-west-1 s3 ls\n" in out


@pytest.mark.parametrize(
    ("name", "question"), [("cfn-gitops-dve", ". Did you mean cfn-gitops-dev? "), ("nosuch", ". ")]
)
def test_stack_that_does_not_exist_is_wrong_use(
    name: str, question: str, account: FakeAccount, run: Run
) -> None:
    account.known["cfn-gitops-dev"] = {"StackName": "cfn-gitops-dev"}
    answers(account, projects())
    ended = run("failures", name)
    assert (ended.status, ended.err) == (
        2,
        (
            f"stack {name} does not exist in account 111122223333, region eu-central-1{question}"
            "Name a project or a stack, or a deleted stack by its ID\n"
        ),
    )


def test_misspelled_stack_name_of_the_table_is_named(account: FakeAccount, run: Run) -> None:
    # After `leave`, the stacks of the pipelines stay.
    account.known["gitops-dev-shop"] = {"StackName": "gitops-dev-shop", "StackStatus": "UPDATE_COMPLETE"}
    assert "Did you mean" not in run("failures").err
    account.known["cfn-gitops-dve"] = environment_stack() | {"StackName": "cfn-gitops-dve"}
    ended = run("failures")
    assert (
        ended.status == 1
        and "stack cfn-gitops-dev does not exist in account 111122223333, region eu-central-1. Did you mean cfn-gitops-dve? "  # noqa: E501
        in ended.err
    )
    account.known["cfn-gitops-dev"] = environment_stack("prd")
    assert (
        "stack cfn-gitops-dev does not have EnvID dev and the export cfn-gitops-dev-ServiceToken. "
        in run("failures").err
    )


def test_denied_validation_is_unread_and_not_a_failure(aws: Recorded, run: Run) -> None:
    aws.case = case_of("a validation before the first resource")
    aws.errors["describe_events"] = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeEvents"
    )
    assert "  Not everything was read: Allow cloudformation:DescribeEvents to " in run("failures", NAME).out
