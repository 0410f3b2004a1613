"""`cfn-gitops approve` and `reject`: the request, its change set, and the one call that decides it."""

import json
import shlex
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from cli import main
from cli.commands import approve, reject
from cli.environment.account import Account
from cli.project import decision
from tests.cli.answering import (
    COMMIT,
    CONSOLE,
    PIPELINE,
    SESSION,
    Answering,
    execution_id,
    failed,
    project,
    projects,
    rejected,
    response,
    unread,
)
from tests.cli.conftest import Ended, Run

EXECUTION, REQUEST, OTHER_REQUEST = (
    execution_id(7),
    "a7c1e0d2-0000-4000-8000-000000000071",
    "b8d2f1e3-0000-4000-8000-000000000072",
)
TOKEN = "5e47c0de-4a1b-4c2d-8e3f-5ec4e75ec4e7"
OLIVIA, PAUL = (f"arn:aws:iam::111122223333:user/{name}" for name in ("olivia", "paul"))
PAGE, TIMELINE = (
    f"{CONSOLE}/{PIPELINE}/view?region=eu-central-1",
    f"{CONSOLE}/{PIPELINE}/executions/{EXECUTION}/timeline?region=eu-central-1",
)
LOST = ConnectionClosedError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com")
DENIED = rejected("AccessDeniedException", "User: x is not authorized", 400)
COMPLETED, INVALID = (
    rejected(f"{code}Exception", f"no request {TOKEN}", 400)
    for code in ("ApprovalAlreadyCompleted", "InvalidApprovalToken")
)
CHANGE_SET = {
    "Name": "changeset-dev-shop",
    "Counts": {
        "Replaced": 1,
        "Removed": 1,
        "PossiblyReplaced": 0,
        "Undetermined": 0,
        "Modified": 1,
        "Added": 1,
        "Imported": 0,
    },
    "Resources": [
        {
            "LogicalId": "Orders",
            "Type": "AWS::SQS::Queue",
            "Effect": "replaced",
            "ReplacedBecauseOf": ["QueueName"],
            "Properties": ["Tags"],
            "IsDeleted": True,
        },
        {
            "LogicalId": "Old\x1b[2J",
            "Type": "AWS::SNS::Topic",
            "Effect": "removed",
            "Properties": [],
            "IsDeleted": True,
        },
        {
            "LogicalId": "Site",
            "Type": "AWS::CloudFormation::Stack",
            "Effect": "modified",
            "Properties": ["TemplateURL", "and 2 more"],
        },
        {"LogicalId": "New", "Type": "AWS::SNS::Topic", "Effect": "added", "Properties": []},
    ],
}


def state(*waiting: str, stage: str = "Deploy", token: str = TOKEN, running: str = "Build") -> dict[str, Any]:
    """That of a pipeline in which these requests wait in the stage. Without one, an execution is in another
    stage."""
    latest = {"pipelineExecutionId": EXECUTION, "status": "InProgress"}
    asked = [
        {
            "actionName": "Approval",
            "latestExecution": {
                "actionExecutionId": each,
                "status": "InProgress",
                "lastStatusChange": 4950000000.5,
                **({"token": token} if token else {}),
            },
        }
        for each in waiting
    ]
    stages = [
        {
            "stageName": running,
            "latestExecution": latest,
            "actionStates": [{"actionName": running, "latestExecution": {"status": "InProgress"}}],
        }
    ]
    return {
        "pipelineName": PIPELINE,
        "stageStates": (
            stages
            if not waiting
            else [
                {"stageName": stage, "actionStates": [action], "latestExecution": latest} for action in asked
            ]
        ),
    }


def approval(**changes: Any) -> dict[str, Any]:
    found = {
        "ExecutionId": EXECUTION,
        "ActionExecutionId": REQUEST,
        "Stage": "Deploy",
        "Action": "Approval",
        "Since": "2026-11-27T06:00:00Z",
        "Commit": COMMIT,
        "Title": "Add a queue",
        "Url": "https://elsewhere.example.com",
        "ChangeSet": CHANGE_SET,
        "MissingRights": [],
    }
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def decided(status: str, by: str, summary: str = "read") -> dict[str, Any]:
    """The executions of the actions, after another request of the same execution."""
    result = {"output": {"executionResult": {"externalExecutionSummary": summary}}}
    return {
        "actionExecutionDetails": [
            {"actionExecutionId": OTHER_REQUEST, "status": "Failed", "updatedBy": PAUL},
            {"actionExecutionId": REQUEST, "status": status, "updatedBy": by, **result},
        ]
    }


class Decide:
    """A command, for a pipeline with this state, about which the function gives this answer."""

    def __init__(self, answering: Answering, run: Run, word: str) -> None:
        self._answering, self._run, self.word = answering, run, word
        self.answer(approval())
        answering.responses |= {"GetPipelineState": state(REQUEST), "PutApprovalResult": {}}

    def answer(self, *approvals: Any, **more: Any) -> None:
        self._answering.responses["Invoke"] = projects(
            project("shop", 7, "InProgress", Approvals=list(approvals), **more)
        )

    def __call__(self, *arguments: str, answer: str = "") -> Ended:
        ended = self._run(self.word, "shop", "--env", "dev", *arguments, answer=answer)
        assert "Traceback" not in ended.err + ended.out
        assert not any(part in ended.err + ended.out for part in (TOKEN[:8], TOKEN[-12:])), (
            "the token is shown"
        )
        return ended

    @property
    def put(self) -> list[dict[str, Any]]:
        return self._answering.of("PutApprovalResult")


@pytest.fixture
def olivia(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "connect", lambda *_: Account(SESSION, "111122223333", OLIVIA))
    monkeypatch.setattr(decision, "_PAUSES", (0, 0, 0))
    # botocore's pauses.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def approves(olivia: None, answering: Answering, run: Run) -> Decide:
    return Decide(answering, run, "approve")


@pytest.fixture
def rejects(olivia: None, answering: Answering, run: Run) -> Decide:
    return Decide(answering, run, "reject")


def test_shown_change_set_is_approved_after_a_prompt(approves: Decide, answering: Answering) -> None:
    approves.answer(
        approval(
            MissingRights=[
                {
                    "Problem": "Pipelines may not create AWS::SQS::Queue (sqs:CreateQueue) in dev",
                    "Remedy": "Add it: aws iam x",
                }
            ]
        ),
        NotRead=unread("the mirror was not read"),
    )
    ended = approves("--profile", "ops", "--reason", "Read with Ann", answer="approve\n")
    assert (ended.status, ended.err) == (0, "")
    # The token is read before the change set.
    assert [call for call, _ in answering.requests] == ["GetPipelineState", "Invoke", "PutApprovalResult"]
    assert answering.of("Invoke") == [{"Projects": {"ProjectID": "shop"}}]
    assert approves.put == [
        {
            "pipelineName": PIPELINE,
            "stageName": "Deploy",
            "actionName": "Approval",
            "token": TOKEN,
            "result": {"status": "Approved", "summary": "approve: Read with Ann"},
        }
    ]
    assert (
        ended.out
        == f"""\
Account 111122223333, region eu-central-1, environment dev
Execution {EXECUTION} of {PIPELINE} waits for an approval: commit {COMMIT[:8]} "Add a queue"
Change set changeset-dev-shop: 1 replaced, 1 removed, 1 modified, 1 added
  replaced              Orders (AWS::SQS::Queue): because of QueueName; also Tags; the present one is deleted
  removed               Old\\x1b[2J (AWS::SNS::Topic): the present one is deleted
  modified              Site (AWS::CloudFormation::Stack): TemplateURL, and 2 more
  added                 New (AWS::SNS::Topic)
Changes inside nested stacks are not listed
! Pipelines may not create AWS::SQS::Queue (sqs:CreateQueue) in dev
    Add it: aws --profile ops iam x
? the mirror was not read
    Run this again
To approve it, type approve:{" "}
ok      execution {EXECUTION} of {PIPELINE} is approved
It goes on: {TIMELINE}
"""
    )
    answering.requests.clear()
    ended = approves("--yes")
    assert (ended.status, approves.put) == (1, []) and "no deployment that lacks rights" in ended.err


def test_rejection_warns_of_the_next_push(rejects: Decide) -> None:
    ended = rejects(answer="reject\n")
    assert (ended.status, ended.err) == (0, "") and [each["result"] for each in rejects.put] == [
        {"status": "Rejected", "summary": "reject"}
    ]
    assert ended.out.endswith(
        f"\nok      execution {EXECUTION} of {PIPELINE} is rejected\nNothing of it is deployed. But its"
        " commit stays on the branch, so the next push deploys it as well\n"
    )


def test_document_has_the_request_and_the_result(approves: Decide) -> None:
    ended = approves("--yes", "--json")
    document = json.loads(ended.out)
    assert (document["project"], document["pipeline"], document["result"]) == ("shop", PIPELINE, "approved")
    assert (document["approval"]["ExecutionId"], document["approval"]["ChangeSet"]["Counts"]["Replaced"]) == (
        EXECUTION,
        1,
    )
    # The prompt is never without what it is about.
    shown = approves("--json", answer="approve\n").err
    assert shown.index("Orders (AWS::SQS::Queue)") < shown.index("To approve it, type approve:")


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "reject\n", "Approve\n"])
def test_another_answer_at_the_prompt_approves_nothing(answer: str, approves: Decide) -> None:
    ended = approves(answer=answer)
    assert (ended.status, approves.put) == (1, []) and ended.err.startswith(
        "Nothing was changed: the answer is "
    )


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ([], f"the request of execution {EXECUTION} has ended meanwhile"),
        (
            [approval(ActionExecutionId=OTHER_REQUEST)],
            f"another request waits now, not that of execution {EXECUTION}",
        ),
        (
            [approval(ExecutionId=execution_id(8))],
            f"another request waits now, not that of execution {EXECUTION}",
        ),
    ],
    ids=range(3),
)
def test_request_that_changed_meanwhile_is_not_decided(
    now: Any, said: str, approves: Decide, rejects: Decide
) -> None:
    for command in (approves, rejects):
        command.answer(*now)
        ended = command("--yes")
        assert (ended.status, command.put, "Orders" in ended.out) == (1, [], False)
        assert ended.err == f"nothing was changed: {said}. Run this again\n"


NOT_JSON = response(b"<html>")
BAD_FORM = projects(project("shop", Approvals=[{"ActionExecutionId": REQUEST}]))


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (DENIED, "you may not ask function cfn-gitops-dev-read: User: x is not authorized"),
        (rejected("TooManyRequestsException", status=429), "AWS throttles calls of function"),
        (LOST, "codepipeline.eu-central-1.amazonaws.com did not answer in time"),
        (failed("UnknownEvent"), "function cfn-gitops-dev-read is older than this command"),
        (failed("Unhandled", "out of memory"), "function cfn-gitops-dev-read failed: out of memory"),
        (NOT_JSON, "the answer of function cfn-gitops-dev-read is not JSON"),
        (response(BAD_FORM), "is not that of this version: Action is missing"),
        (response({**projects(), "EnvID": "prd"}), "its EnvID is prd"),
        (projects(NotRead=unread("listing the stacks: denied")), "listing the stacks: denied"),
        (
            projects(project("shop", 7, "InProgress", Approvals=[approval(ActionExecutionId=None)])),
            (
                "? function cfn-gitops-dev-read is older than this command, and does not name the request in"
                " its answer\n    Deploy this version of the environment: sam deploy"
            ),
        ),
        (
            rejected("ResourceNotFoundException", status=404),
            "function cfn-gitops-dev-read does not exist in account 111122223333",
        ),
    ],
    ids=range(11),
)
def test_request_is_rejected_while_the_function_is_broken(
    answered: Any, said: str, approves: Decide, rejects: Decide, answering: Answering
) -> None:
    answering.responses |= {"Invoke": answered, "DescribeStacks": LOST}
    ended = approves("--yes")
    assert (ended.status, approves.put) == (3, [])
    waited = "... AWS throttles calls of function cfn-gitops-dev-read\n" if "throttles" in said else ""
    assert ended.err.startswith(waited)
    assert (
        ended.err.removeprefix(waited)
        == "nothing was approved, because the change set was not read. Correct the cause above and run this"
        f" again, or decide in the console: {PAGE}\n"
    )
    assert rejects().status == 1 and rejects.put == []
    ended = rejects(answer="reject\n")
    assert (ended.status, ended.err, [each["token"] for each in rejects.put]) == (
        0,
        waited,
        [TOKEN],
    ) and said in ended.out
    assert (
        f"Execution {EXECUTION} of {PIPELINE} waits for an approval: action Approval in stage Deploy, for"
        " 0s\n? its commit" in ended.out
    )


def test_freeze_and_problem_are_shown_before_the_prompt(approves: Decide) -> None:
    hold = {
        "Held": "held by the disabled transition into stage Deploy: sale",
        "Stage": "Deploy",
        "By": PAUL,
        "Since": "2126-11-27T06:00:00Z",
        "Reason": "sale",
        "Remedy": "To end the freeze: cfn-gitops thaw shop --env dev",
    }
    broken = {
        "Subject": "stack cfnstack-dev-shop",
        "Problem": "its status is UPDATE_ROLLBACK_FAILED",
        "Remedy": "Continue: aws cloudformation continue-x",
    }
    approves.answer(approval(), Holds=[hold], Problems=[broken])
    shown = approves("--region", "eu-west-1").out
    assert (
        f"! held by the disabled transition into stage Deploy: sale, for 0s by {PAUL}\n    To end the"
        " freeze: cfn-gitops thaw shop --env dev --region eu-west-1\n! stack cfnstack-dev-shop: its status is"
        " UPDATE_ROLLBACK_FAILED\n    Continue: aws --region eu-west-1 cloudformation continue-x\nTo approve"
        in shown
    )
    ended = approves("--yes")
    assert ended.status == 1 and "no deployment in a freeze" in ended.err


def test_unread_change_set_is_rejected_but_not_approved(approves: Decide, rejects: Decide) -> None:
    for command in (approves, rejects):
        command.answer(
            approval(ChangeSet=None, MissingRights=None),
            NotRead=unread("the change set of execution 7 was not read: Throttling"),
        )
        ended = command("--yes")
        assert (
            "? its change set was not read\n? the change set of execution 7 was not read: Throttling\n    Run"
            " this again\n" in ended.out
        )
        assert ended.status == (3 if command is approves else 0)
    assert (
        "nothing was approved, because the change set was not read. Correct the cause above and run this"
        f" again, or decide in the console: {PAGE}\n" in approves("--yes").err
    )
    assert [each["result"]["status"] for each in approves.put] == ["Rejected"]


def test_pipeline_without_a_change_set_has_only_a_commit(approves: Decide, answering: Answering) -> None:
    answering.responses["GetPipelineState"] = state(REQUEST, stage="Approval")
    approves.answer(approval(Stage="Approval", ChangeSet=None, MissingRights=None))
    ended = approves("--yes")
    assert (
        ended.status == 0
        and f"Pipeline {PIPELINE} has no change set. The commit is all that you can read\n" in ended.out
    )
    assert [(each["stageName"], each["token"]) for each in approves.put] == [("Approval", TOKEN)]


def test_more_resources_than_a_list_has_are_counted(approves: Decide, answering: Answering) -> None:
    counts = {**CHANGE_SET["Counts"], "Added": 170}  # type: ignore[dict-item]
    approves.answer(approval(ChangeSet={"Name": "changeset-dev-shop", "Counts": counts}, MissingRights=None))
    ended = approves(answer="approve\n")
    assert (
        ended.status == 0
        and "? whether the deployment lacks rights was not compared, because it has a role of its own\n"
        in ended.out
        and "1 replaced, 1 removed, 1 modified, 170 added\n" in ended.out
    )
    assert (
        f"Its resources are too many for a list. Read them in the console: {PAGE}\nTo approve it" in ended.out
    )
    answering.requests.clear()
    ended = approves("--yes")
    assert (ended.status, approves.put) == (1, []) and "--yes approves only what was shown" in ended.err


def test_rights_that_were_not_read_have_their_own_reason(approves: Decide) -> None:
    approves.answer(approval(MissingRights=None), NotRead=unread("the rights of role r: Throttling"))
    ended = approves("--yes")
    assert (
        ended.status == 0
        and "? the rights of role r: Throttling\n" in ended.out
        and "not compared" not in ended.out
    )


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            state(),
            f"no approval waits in {PIPELINE}: execution {EXECUTION} is in stage Build. See it: {PAGE}",
        ),
        (
            {
                "stageStates": [
                    {
                        "stageName": "Deploy",
                        "inboundExecutions": [{"pipelineExecutionId": EXECUTION, "status": "InProgress"}],
                    }
                ]
            },
            f"no approval waits in {PIPELINE}: execution {EXECUTION} is before stage Deploy. See it: {PAGE}",
        ),
        (
            {
                "stageStates": [
                    {
                        "stageName": "Deploy",
                        "inboundTransitionState": {"enabled": False},
                        "latestExecution": {"pipelineExecutionId": EXECUTION, "status": "Succeeded"},
                    }
                ]
            },
            (
                f"no approval waits in {PIPELINE}: no execution is in progress, and stage Deploy is frozen. "
                f"See it: {PAGE}"
            ),
        ),
        (
            state(REQUEST, OTHER_REQUEST),
            (
                f"several approvals may wait in {PIPELINE}, of change sets with one name: {EXECUTION},"
                f" {EXECUTION}. Decide in the console: {PAGE}"
            ),
        ),
        (
            state(REQUEST, token=""),
            (
                f"several approvals may wait in {PIPELINE}, of change sets with one name: {EXECUTION}. Decide"
                f" in the console: {PAGE}"
            ),
        ),
        (
            rejected("PipelineNotFoundException", status=400),
            (
                f"pipeline {PIPELINE} does not exist in account 111122223333, region eu-central-1. Correct"
                " the project's name or --env, or name another place with --profile or --region. Before the"
                " first push, a project has no pipeline"
            ),
        ),
    ],
    ids=range(6),
)
def test_without_one_request_nothing_is_decided(
    found: Any, line: str, rejects: Decide, answering: Answering
) -> None:
    answering.responses["GetPipelineState"] = found
    ended = rejects("--yes")
    assert (ended.status, ended.err) == (2 if "does not exist" in line else 1, f"{line}\n")
    assert [call for call, _ in answering.requests] == ["GetPipelineState"]


@pytest.mark.parametrize(("call", "status"), [("GetPipelineState", 3), ("PutApprovalResult", 1)])
def test_denial_names_the_approvers_and_no_right(
    call: str, status: int, approves: Decide, answering: Answering
) -> None:
    answering.responses[call] = DENIED
    ended = approves("--yes")
    assert (
        ended.err
        == f"{call} is denied: User: x is not authorized. Only approvers may decide: ask one of them"
        " (docs/how-to/approvers.md)\n"
    )
    assert ended.status == status and "is approved" not in ended.out


@pytest.mark.parametrize("answered", [COMPLETED, INVALID], ids=["completed", "invalid"])
def test_request_that_another_person_decided_is_named(
    answered: Any, approves: Decide, answering: Answering
) -> None:
    answering.responses |= {
        "PutApprovalResult": answered,
        "ListActionExecutions": decided("Failed", PAUL, "not\x1btoday"),
    }
    ended = approves("--yes")
    assert ended.status == 1 and "is approved" not in ended.out
    assert (
        ended.err
        == f"the request of execution {EXECUTION} of {PIPELINE} has ended already: rejected by {PAUL}"
        f" (not\\x1btoday). See it: {TIMELINE}\n"
    )
    # It was approved, but not by this call.
    for by in (PAUL, OLIVIA):
        answering.responses["ListActionExecutions"] = decided("Succeeded", by, "read")
        ended = approves("--yes")
        assert (
            ended.status == 1
            and f"has ended already: approved by {by} (read). See it" in ended.err
            and "ok " not in ended.out
        )
    answering.responses["ListActionExecutions"] = DENIED
    assert (
        f"the request of execution {EXECUTION} of {PIPELINE} has ended already, and this call decided"
        f" nothing. See it: {TIMELINE}\n" == approves("--yes").err
    )
    # After seven days CodePipeline fails it.
    answering.responses["ListActionExecutions"] = {
        "actionExecutionDetails": [{"actionExecutionId": REQUEST, "status": "Failed"}]
    }
    assert "has ended already: Failed (no reason). See it" in approves("--yes").err


@pytest.mark.parametrize("gone", ["Pipeline", "Stage"])
def test_pipeline_that_changed_meanwhile_is_named(gone: str, approves: Decide, answering: Answering) -> None:
    answering.responses["PutApprovalResult"] = rejected(f"{gone}NotFoundException", status=400)
    ended = approves("--yes")
    assert (ended.status, ended.err) == (1, "the pipeline has changed since the list. Run this again\n")


@pytest.mark.parametrize(("word", "status"), [("approve", "Succeeded"), ("reject", "Failed")])
def test_lost_response_is_found_by_the_request(
    word: str, status: str, olivia: None, answering: Answering, run: Run
) -> None:
    command = Decide(answering, run, word)
    answering.responses |= {
        "PutApprovalResult": [LOST, COMPLETED],
        "ListActionExecutions": [decided("InProgress", ""), decided(status, OLIVIA)],
    }
    ended = command("--yes")
    assert (ended.status, ended.err) == (
        0,
        "",
    ) and f"ok      execution {EXECUTION} of {PIPELINE} is {word}" in ended.out
    assert [each["token"] for each in command.put] == [TOKEN] * 2
    assert answering.of("ListActionExecutions")[0]["filter"] == {"pipelineExecutionId": EXECUTION}


@pytest.mark.parametrize(("status", "by"), [("Succeeded", PAUL), ("Failed", OLIVIA)])
def test_lost_response_may_be_anothers_decision(
    status: str, by: str, approves: Decide, answering: Answering
) -> None:
    answering.responses |= {
        "PutApprovalResult": [LOST, COMPLETED],
        "ListActionExecutions": decided(status, by),
    }
    ended = approves("--yes")
    assert (
        ended.status == 1
        and f"has ended already: {'approved' if by == PAUL else 'rejected'} by {by} (read)" in ended.err
        and "ok " not in ended.out
    )


@pytest.mark.parametrize(
    "look", [decided("InProgress", ""), {"actionExecutionDetails": []}, DENIED, LOST], ids=range(4)
)
@pytest.mark.parametrize(
    "lost",
    [
        LOST,
        rejected("InternalFailure", status=500),
        [LOST, COMPLETED],
        [LOST, rejected("ThrottlingException", status=400)],
    ],
    ids=range(4),
)
def test_unknown_answer_is_never_guessed(
    lost: Any, look: Any, approves: Decide, answering: Answering
) -> None:
    answering.responses |= {
        "PutApprovalResult": list(lost) if isinstance(lost, list) else lost,
        "ListActionExecutions": look,
    }
    ended = approves("--yes", "--json")
    assert (
        ended.status == 1
        and "result" not in json.loads(ended.out)
        and "is approved" not in ended.err.split("Whether")[0]
    )
    assert (
        f"Whether execution {EXECUTION} of {PIPELINE} is approved is not known. See it: {TIMELINE}"
        in ended.err
    )


def test_interrupt_during_the_call_leaves_it_unknown(approves: Decide, answering: Answering) -> None:
    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    answering.responses["PutApprovalResult"] = interrupted
    ended = approves("--yes")
    assert (ended.status, ended.err) == (
        130,
        (
            f"\nInterrupted. Whether execution {EXECUTION} of {PIPELINE} is approved is not known. See it:"
            f" {TIMELINE}\n"
        ),
    )


def test_reason_has_the_length_that_codepipeline_takes(approves: Decide, answering: Answering) -> None:
    assert (
        approves("--yes", "--reason", "ä" * 503).status == 0
        and len(approves.put[0]["result"]["summary"]) == 512
    )
    answering.requests.clear()
    ended = approves("--yes", "--reason", "ä" * 504)
    assert (ended.status, answering.requests) == (
        2,
        [],
    ) and "argument --reason: it has 504 characters, and at most 503 are" in ended.err


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "\x1b[2J", "\udce4"])
def test_reason_without_plain_text_is_wrong_use(
    reason: str, approves: Decide, rejects: Decide, answering: Answering
) -> None:
    for command in (approves, rejects):
        ended = command("--yes", "--reason", reason)
        assert (ended.status, answering.requests) == (
            2,
            [],
        ) and "argument --reason: it is empty, or has a control character" in ended.err


@pytest.mark.parametrize("module", [approve, reject])
def test_examples_can_be_pasted(module: Any) -> None:
    for example in module.EXAMPLES:
        main.parser().parse_args(shlex.split(example)[1:])
