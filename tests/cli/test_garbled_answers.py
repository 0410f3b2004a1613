"""Answers of another form, and with texts that would forge lines of the terminal: one clear line, and never a
traceback."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.answering import (
    COMMIT,
    GOOD,
    PIPELINE,
    Answering,
    deployments,
    execution,
    execution_id,
    project,
    projects,
    response,
    unread,
)
from tests.cli.conftest import Ended, Run
from tests.cli.test_decision import REQUEST, approval, state
from tests.cli.test_doctor import FOUND, HELD, NOT_LOOKED_AT, SOUND, doctor
from tests.cli.test_freezing import CALLS

LINE = "is not that of this version: "
REMOVED = object()
WRONG = (REMOVED, None, "text", ["text"])
HOSTILE = "\x1b[2J\r\nforged \u202e\u2028" + "x" * 10_000
CHANGE_SET = {
    "Name": "c",
    "Counts": {
        "Replaced": 1,
        "Removed": 0,
        "PossiblyReplaced": 0,
        "Undetermined": 0,
        "Modified": 0,
        "Added": 0,
        "Imported": 0,
    },
}
HOLD = {
    "Held": "held by a transition",
    "Stage": "Deploy",
    "Remedy": "Enable it",
    "Since": "2026-11-26T06:00:00Z",
    "By": "ann",
    "Reason": "sale",
}
FAILURE = {
    "ExecutionId": "e1",
    "At": "2026-11-27T12:00:00Z",
    "Commit": COMMIT,
    "Title": "Add a queue",
    "Stage": "Deploy",
    "Action": "Deploy",
    "Cause": "Queue: It exists already",
    "Resources": [{"Path": "Queue", "Type": "AWS::SQS::Queue", "Reason": "exists"}],
    "MoreResources": 2,
    "Cancelled": 1,
    "StackStatus": "UPDATE_ROLLBACK_COMPLETE",
    "Remedy": "Revert it",
}
PROJECTS = projects(
    project(
        "shop",
        2,
        "Failed",
        Failure=FAILURE,
        Holds=[HOLD],
        Problems=[{"Subject": "stack s", "Problem": "it failed", "Remedy": "See it"}],
        Approvals=[
            {
                "ExecutionId": "e",
                "Stage": "Deploy",
                "Action": "Approval",
                "Since": "2026-11-26T06:00:00Z",
                "Url": "https://x",
                "Commit": COMMIT,
                "ChangeSet": CHANGE_SET,
            }
        ],
        NotRead=unread("x"),
    ),
    NotRead=unread("GitLab is silent"),
)
FREEZE = projects(
    {
        "ProjectID": "shop",
        "Pipeline": PIPELINE,
        "Holds": [HOLD],
        "Problems": [],
        "NotRead": [],
        "Freeze": {
            "Stage": "Deploy",
            "Rules": ["event-rule-dev-codepipeline-exec-cfn-shop"],
            "Executions": [
                {
                    "ExecutionId": "e",
                    "Commit": COMMIT,
                    "Title": "x",
                    "Stage": "Deploy",
                    "IsWaitingBefore": True,
                }
            ],
        },
    }
)
DEPLOYMENTS = deployments(
    Holds=[{"Holds": True, "Problem": "held", "Remedy": "Enable it"}],
    NotRead=unread("x"),
    Later={
        "ExecutionId": execution_id(4),
        "Status": "Failed",
        "At": "2026-11-27T11:30:00Z",
        "Commit": COMMIT,
    },
    ImageRule="r",
)
WAITING = projects(
    project(
        "shop",
        Approvals=[approval(MissingRights=[{"Problem": "x", "Remedy": "Add it"}])],
        NotRead=unread("x"),
    )
)
LOOK = execution(
    "Failed", "Source Succeeded", "Deploy Failed", Stage="Deploy", Failure={**FAILURE, "Resources": []}
)
ANSWERS: dict[str, dict[str, Any]] = {
    "doctor": doctor(SOUND, HELD, NOT_LOOKED_AT, FOUND, not_checked=("x",)),
    "status": PROJECTS,
    "failures": PROJECTS,
    "undo": DEPLOYMENTS,
    "follow": LOOK,
    "approve": WAITING,
    "freeze": FREEZE,
    "thaw": FREEZE,
}


def changed(answer: Any, values: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """The answer with one part replaced, for each part and each of its `values`."""

    def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        for key, value in (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        ):
            yield (*path, key)
            yield from places(value, (*path, key))

    for path in places(answer):
        whole: Any = copy.deepcopy(answer)
        *outer, last = path
        part = whole
        for key in outer:
            part = part[key]
        for value in values(part[last]):
            before = part[last]
            if value is REMOVED:
                del part[last]
            else:
                part[last] = value
            yield f"{path}: {value!r:.20}", whole
            if isinstance(part, list) and value is REMOVED:
                part.insert(last, before)
            else:
                part[last] = before


@pytest.fixture
def ask(answering: Answering, run: Run) -> Callable[[str, Any], Ended]:
    """The command with this answer."""
    missing = (
        b"<R><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></R>"
    )

    def asked(command: str, answer: Any) -> Ended:
        garbled, waits = (
            response(answer),
            execution(
                "InProgress", WaitsForApproval={"Stage": "Deploy", "Action": "Approval", "Url": "https://x"}
            ),
        )
        looks = [garbled, waits]

        def answered(question: Any) -> Any:
            if command != "follow":
                return garbled if "ExecutionId" not in question.get("Deployments", {}) else waits
            return (
                looks.pop(0)
                if "ExecutionId" in question["Deployments"] and len(looks) > 1
                else waits
                if "ExecutionId" in question["Deployments"]
                else deployments()
            )

        answering.responses |= {
            "Invoke": answered,
            "DescribeStacks": lambda _: response(missing, 400),
            **dict.fromkeys((*CALLS, "PutApprovalResult"), {}),
            "GetPipelineState": state(REQUEST),
            "StartPipelineExecution": {"pipelineExecutionId": execution_id(99)},
        }
        name = {
            "failures": ["shop"],
            "undo": ["shop", "--yes", "--to", GOOD],
            "follow": ["shop", "--yes", "--to", GOOD],
            "approve": ["shop", "--yes"],
            "freeze": ["shop", "--yes", "--reason", "sale"],
            "thaw": ["shop", "--yes"],
        }.get(command, [])
        return run("undo" if command == "follow" else command, *name)

    return asked


@pytest.mark.parametrize("command", ANSWERS)
def test_garbled_answer_is_one_line(command: str, ask: Callable[[str, Any], Ended]) -> None:
    lines = 0
    for place, answer in changed(ANSWERS[command], lambda _: WRONG):
        ended = ask(command, answer)
        assert "Traceback" not in ended.err and ended.status in range(4) and ended.err.count("\n") <= 1, (
            place,
            ended,
        )
        lines += LINE in ended.out + ended.err
    assert lines > 15


@pytest.mark.parametrize("command", ANSWERS)
def test_hostile_text_is_shown_harmlessly(command: str, ask: Callable[[str, Any], Ended]) -> None:
    sound = ask(command, ANSWERS[command]).out.count("\n")
    for place, answer in changed(ANSWERS[command], lambda value: [HOSTILE] if isinstance(value, str) else []):
        ended = ask(command, answer)
        assert (
            not re.search("[\x1b\r\u202e\u2028]|^forged", ended.out + ended.err, re.MULTILINE)
            and "Traceback" not in ended.err
        ), place
        assert ended.out.count("\n") <= sound + 3, place
