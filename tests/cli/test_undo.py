"""`cfn-gitops undo`: the list from the function's answer, the started revisions, and the execution that is
followed."""

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from cli import main
from cli.commands import undo
from tests.cli.answering import (
    BAD,
    CONSOLE,
    GOOD,
    PIPELINE,
    Answering,
    deployment,
    deployments,
    execution,
    execution_id,
    failed,
    rejected,
    response,
    unread,
)
from tests.cli.conftest import Ended, Run

STARTED = execution_id(99)
IMAGE, OTHER_IMAGE = "sha256:" + "1f" * 32, "sha256:" + "2e" * 32
IMAGE_RULE = "event-rule-dev-codepipeline-exec-ecr-shop"
LOST = ConnectionClosedError(endpoint_url="https://codepipeline.eu-central-1.amazonaws.com")
WAITS = execution(
    "InProgress",
    "Source Succeeded",
    "Build Succeeded",
    "Approval InProgress",
    Stage="Deploy",
    WaitsForApproval={
        "Stage": "Deploy",
        "Action": "Approval",
        "Url": f"{CONSOLE}/{PIPELINE}/view?region=eu-central-1",
    },
)
DENIED = rejected("AccessDeniedException", "User: x is not authorized")


class Noon(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 11, 27, 12, tzinfo=UTC)


class Undo:
    """The command, for a project with this answer. `looks` are the states of the started execution."""

    def __init__(self, answering: Answering, run: Run) -> None:
        self._answering, self._run = answering, run
        self.answer = deployments()
        self.looks: list[Any] = [
            execution("InProgress", "Source Succeeded"),
            execution("InProgress", "Source Succeeded", "Build InProgress"),
            WAITS,
        ]
        answering.responses |= {
            "Invoke": self._look,
            "StartPipelineExecution": {"pipelineExecutionId": STARTED},
            "DisableRule": {},
        }

    def _look(self, asked: dict[str, Any]) -> Any:
        if "ExecutionId" not in asked["Deployments"]:
            return self.answer
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, BaseException):
            raise look
        return look

    def __call__(self, *arguments: str, answer: str = "") -> Ended:
        ended = self._run("undo", "shop", "--env", "dev", *arguments, answer=answer)
        assert "Traceback" not in ended.err + ended.out
        return ended

    @property
    def started(self) -> list[dict[str, Any]]:
        return self._answering.of("StartPipelineExecution")


@pytest.fixture
def shop(answering: Answering, run: Run, monkeypatch: pytest.MonkeyPatch) -> Undo:
    monkeypatch.setattr(undo, "datetime", Noon)
    return Undo(answering, run)


def with_images(shop: Undo) -> None:
    shop.answer = deployments(
        ImageRule=IMAGE_RULE,
        Deployments=[
            deployment(3, BAD, IsDeployedNow=True, Image=OTHER_IMAGE),
            deployment(2, GOOD, Image=IMAGE),
        ],
    )


def test_chosen_deployment_is_started_after_a_prompt(shop: Undo, answering: Answering) -> None:
    rule = "event-rule-dev-codepipeline-exec-cfn-shop"
    shop.answer = deployments(
        NotRead=unread("titles were not read: AccessDenied"),
        Holds=[
            {
                "Holds": True,
                "Problem": "execution 4 waits for an approval, and this one would wait behind it",
                "Remedy": "Reject it first: cfn-gitops reject shop --env dev",
            },
            {
                "Holds": None,
                "Problem": (
                    "stage Deploy has the window * * 9-17 ? * MON-FRI in UTC: outside of it the execution"
                    " waits"
                ),
            },
            {
                "Holds": False,
                "Problem": f"event rule {rule} is disabled. It does not hold this one",
                "Remedy": f"To end it: aws events enable-rule --name {rule}",
            },
        ],
    )
    ended = shop("--profile", "ops", answer="2\nundo\n")
    assert (ended.status, ended.err) == (0, "")
    [start] = shop.started
    assert start["name"] == PIPELINE and re.fullmatch("[0-9a-f-]{36}", start["clientRequestToken"])
    assert start["sourceRevisions"] == [
        {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": GOOD}
    ]
    assert answering.of("Invoke")[:2] == [
        {"Deployments": {"ProjectID": "shop"}},
        {"Deployments": {"ProjectID": "shop", "ExecutionId": STARTED}},
    ]
    lines = [re.sub(r" +\d+ s ", "N s ", line).rstrip() for line in ended.out.splitlines()]
    assert (
        lines
        == f"""\
Account 111122223333, region eu-central-1, environment dev
   NO  AGE  COMMIT    AUTHOR  TITLE
*  1   1h   bad0bad0  Ben     Raise the limit
   2   30h  600d600d  Ann     Add a queue
"*" is deployed now
! execution 4 waits for an approval, and this one would wait behind it
    Reject it first: cfn-gitops reject shop --env dev --profile ops
? stage Deploy has the window * * 9-17 ? * MON-FRI in UTC: outside of it the execution waits
  event rule {rule} is disabled. It does not hold this one
    To end it: aws --profile ops events enable-rule --name {rule}
? titles were not read: AccessDenied
    Run this again
Which one? Its number, or its commit:
- {PIPELINE} will be started with commit 600d600d. It is built again, and waits for its approval
To start it, type undo:
ok      execution {STARTED} of {PIPELINE} is started
N s  Source          Succeeded
N s  Build           InProgress
N s  Build           Succeeded
N s  Approval        InProgress
It waits for an approval, in AWS: {CONSOLE}/{PIPELINE}/view?region=eu-central-1
Branch development in GitLab keeps its newest commit, and the next push deploys that. Revert it there too
""".splitlines()
    )


@pytest.mark.parametrize("to", [execution_id(2), GOOD[:7], GOOD[:8], GOOD])
def test_every_source_revision_is_passed(to: str, shop: Undo) -> None:
    with_images(shop)
    ended = shop("--to", to, "--yes", "--json")
    assert ended.status == 0 and [each["revisionValue"] for each in shop.started[0]["sourceRevisions"]] == [
        GOOD,
        IMAGE,
    ]
    document = json.loads(ended.out)
    assert (document["chosen"], document["result"], document["execution"]) == (
        execution_id(2),
        "waits for an approval",
        STARTED,
    )
    assert [(each["Commit"], each["Image"], each["IsDeployedNow"]) for each in document["Deployments"]] == [
        (BAD, OTHER_IMAGE, True),
        (GOOD, IMAGE, False),
    ]
    assert "1f1f1f1f1f1f  Ann" in shop("--to", to).out


ABSENT = {"Problem": "pipeline p does not exist", "Remedy": "See the projects: cfn-gitops status --env dev"}
OBSTACLE = {"Problem": "its mode is PARALLEL", "Remedy": "Revert it in GitLab"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (deployments(Obstacle=OBSTACLE), "its mode is PARALLEL. Revert it in GitLab"),
        (
            {
                "Format": 2,
                "EnvID": "dev",
                "ProjectID": "shop",
                "Pipeline": PIPELINE,
                "Obstacle": ABSENT,
                "Deployments": [],
                "Holds": [],
                "NotRead": [],
            },
            "pipeline p does not exist. See the projects",
        ),
        (
            deployments(
                Deployments=[deployment(3, BAD, IsDeployedNow=True), deployment(2, GOOD, Obstacle=OBSTACLE)]
            ),
            "its mode is PARALLEL",
        ),
        (
            deployments(Deployments=[deployment(3, BAD, IsDeployedNow=True)]),
            "600d600d is not one of the last 1 deployments. Revert the bad commit in GitLab",
        ),
        (
            deployments(Deployments=[deployment(3, BAD, IsDeployedNow=None), deployment(1, "01d0" * 10)]),
            "Choose one of: bad0bad0, 01d001d0. Revert",
        ),
        (
            deployments(Deployments=[deployment(3, GOOD, IsDeployedNow=True)]),
            "commit 600d600d is deployed now. Choose another one",
        ),
        (
            deployments(
                Deployments=[deployment(3, BAD), deployment(2, GOOD), deployment(1, GOOD[:10] + "0" * 30)]
            ),
            "is the beginning of several commits",
        ),
        (
            deployments(
                Deployments=[deployment(3, GOOD, Image=IMAGE), deployment(2, GOOD, Image=OTHER_IMAGE)]
            ),
            "deployed with several images",
        ),
    ],
    ids=range(8),
)
def test_deployment_that_cannot_be_repeated_starts_nothing(answer: Any, problem: str, shop: Undo) -> None:
    shop.answer = answer
    ended = shop("--to", GOOD[:8], "--yes")
    assert (ended.status, shop.started) == (1 if "PARALLEL" in problem or "now" in problem else 2, [])
    assert problem in ended.err and ended.err.count("\n") == 1


def test_reads_before_an_obstacle_are_shown(shop: Undo) -> None:
    shop.answer = deployments(
        Obstacle=OBSTACLE,
        NotRead=[{"Problem": "GetPipeline is denied", "Remedy": "Ask an operator", "Code": "CFG-401"}],
    )
    assert shop().out.splitlines()[1:] == ["? GetPipeline is denied", "    Ask an operator - CFG-401"]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            {"Pipeline": "codepipeline-prd-cfn-pay"},
            "the answer is about pipeline codepipeline-prd-cfn-pay and event rule none, not about",
        ),
        (
            {"ImageRule": "someone-elses-rule"},
            f"the answer is about pipeline {PIPELINE} and event rule someone-elses-rule, not about",
        ),
        (
            {"ProjectID": "pay"},
            "the answer of function cfn-gitops-dev-read is not that of this version: it is about project pay",
        ),
    ],
)
def test_answer_about_something_else_changes_nothing(
    others: Any, said: str, shop: Undo, answering: Answering
) -> None:
    shop.answer |= others
    ended = shop("--to", GOOD, "--yes")
    # For the remedy.
    also = {"DescribeStacks"} if "ProjectID" in others else set()
    assert (
        ended.status == (3 if also else 1)
        and ended.err.startswith(said)
        and {call for call, _ in answering.requests} == {"Invoke", *also}
    )


@pytest.mark.parametrize(
    ("later", "shown"),
    [
        (
            "Failed",
            "failed: execution 9 (commit 9c8b7a6f)\n    See why: cfn-gitops failures shop --env dev\n",
        ),
        ("InProgress", "is in progress: execution 9 (commit 9c8b7a6f)\n"),
        ("Paused", "is Paused: execution 9 (commit 9c8b7a6f)\n"),
    ],
)
def test_latest_deployment_is_repeated_after_a_later_attempt(later: str, shown: str, shop: Undo) -> None:
    shop.answer = deployments(
        Deployments=[deployment(3, GOOD, IsDeployedNow=None, IsRollback=True)],
        Later={"ExecutionId": "9", "Status": later, "Commit": "9c8b7a6f00"},
    )
    ended = shop("--to", GOOD, "--yes")
    assert (
        ended.status == 0
        and f'"*" was deployed last\n! a later deployment {shown}' in ended.out
        and len(shop.started) == 1
    )
    assert "Add a queue (rollback)\n" in ended.out


def test_latest_deployment_is_repeated_after_its_alarm(shop: Undo) -> None:
    shop.answer = deployments(Deployments=[deployment(3, GOOD, IsDeployedNow=True, HasFailed=True)])
    ended = shop("--to", GOOD, "--yes")
    assert ended.status == 0 and len(shop.started) == 1
    assert (
        f'"*" is deployed now\n! execution {execution_id(3)} of "*" failed after its deployment' in ended.out
    )


@pytest.mark.parametrize("answer", ["", "\n", "2\n", "2\nno\n", "2\nyes\n", "3\n", "x\n"])
def test_without_an_answer_nothing_is_started(answer: str, shop: Undo) -> None:
    ended = shop(answer=answer)
    assert ended.status in (1, 2) and shop.started == [] and ended.err


def test_wrong_choice_asks_again(shop: Undo) -> None:
    shop.answer = deployments()
    ended = shop("--no-wait", answer="3\n1\n2\nundo\n")
    assert ended.status == 0 and len(shop.started) == 1
    assert (
        "3 is neither a number of the list nor at least 7 characters of a commit. Choose again\n" in ended.out
    )
    assert "is deployed now. Choose another one\n" in ended.out


@pytest.mark.parametrize("to", ["2", "600d60", "shop", "", GOOD.upper(), f"{GOOD}0"])
def test_other_form_of_a_deployment_is_wrong_use(to: str, shop: Undo) -> None:
    ended = shop(f"--to={to}", "--yes")
    assert (ended.status, shop.started) == (2, []) and "argument --to: " in ended.err


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"Contained": True}, ""),
        (
            {"Contained": False},
            "! branch development in GitLab does not contain commit 600d600d: its history was rewritten\n",
        ),
        (
            {"Contained": False, "Problem": "the branch does not exist"},
            "commit 600d600d: the branch does not exist\n",
        ),
        (
            {
                "Contained": None,
                "Problem": "GitLab rejects the token",
                "Remedy": "Replace it",
                "Code": "CFG-401",
            },
            (
                "? whether branch development in GitLab contains commit 600d600d was not checked: GitLab"
                " rejects the token\n    Replace it - CFG-401\n"
            ),
        ),
    ],
)
def test_plan_shows_whether_gitlab_contains_the_commit(found: Any, line: str, shop: Undo) -> None:
    shop.answer = deployments(
        HasApproval=False,
        Deployments=[deployment(3, BAD, IsDeployedNow=True), deployment(2, GOOD, InBranch=found)],
    )
    ended = shop("--to", GOOD, "--yes")
    assert (
        ended.status == 0
        and line in ended.out
        and ("contain" in ended.out) == bool(line)
        and "is deployed without an approval" in ended.out
    )


# --- the image ---

THAW = f"\n        Then end the freeze of the image: aws events enable-rule --name {IMAGE_RULE}\n"


def test_rule_of_the_image_is_frozen_before_the_start(shop: Undo, answering: Answering) -> None:
    """A push of the image would deploy the branch's newest commit again."""
    with_images(shop)
    out = shop("--to", GOOD, "--yes").out
    assert [call for call, _ in answering.requests if call != "Invoke"] == [
        "DisableRule",
        "StartPipelineExecution",
    ]
    assert out.index(f"- Event rule {IMAGE_RULE} will be disabled") < out.index(
        f"ok      event rule {IMAGE_RULE} is disabled"
    )
    assert out.index(THAW) < out.index("ok      execution")


def test_freeze_of_the_image_is_named_if_the_start_fails(shop: Undo, answering: Answering) -> None:
    with_images(shop)
    answering.responses["StartPipelineExecution"] = DENIED
    ended = shop("--to", GOOD, "--yes")
    assert ended.status == 1 and THAW in ended.out and "may have started" not in ended.err
    # No remedy advises a right by which one can deploy.
    assert (
        ended.err
        == "StartPipelineExecution is denied: User: x is not authorized. Name another profile with --profile,"
        " or ask an administrator of the account\n"
    )


@pytest.mark.parametrize(
    ("found", "status", "shown"),
    [
        (
            DENIED,
            1,
            (
                f"! event rule {IMAGE_RULE} is not disabled: DisableRule is denied: User: x is not"
                " authorized. Until it is, a push of the image deploys the newest commit\n    Ask an"
                f" operator to disable it: aws events disable-rule --name {IMAGE_RULE}\n"
            ),
        ),
        (rejected("ResourceNotFoundException", status=400), 0, ""),
    ],
)
def test_rule_of_the_image_does_not_stop_the_undo(
    found: Any, status: int, shown: str, shop: Undo, answering: Answering
) -> None:
    with_images(shop)
    answering.responses["DisableRule"] = found
    ended = shop("--to", GOOD, "--yes")
    assert (
        (ended.status, len(shop.started)) == (status, 1)
        and shown in ended.out
        and "Then end the freeze" not in ended.out
    )
    left = json.loads(shop("--to", GOOD, "--yes", "--json").out).get("left", [])
    assert [each["Problem"].split(":")[0] for each in left] == [
        f"event rule {IMAGE_RULE} is not disabled"
    ] * status


# --- the start and its end ---

FAILURE = {"ExecutionId": STARTED, "Stage": "Build", "Action": "Build", "Cause": "exit status 2\x1b[2J"}


@pytest.mark.parametrize(
    ("look", "status", "line"),
    [
        (execution("Succeeded", "Deploy Succeeded"), 0, "commit 600d600d is deployed\n"),
        (
            execution("Failed", "Build Failed", Failure=FAILURE),
            1,
            "Build failed: exit status 2\\x1b[2J. See why: cfn-gitops failures shop --env dev\n",
        ),
        (
            execution("Failed", Failure={**FAILURE, "Action": "Deploy"}, HasDeployed=True),
            1,
            "Deploy failed, after it had deployed the commit: exit",
        ),
        (
            execution("Failed", Rejection={"ExecutionId": STARTED, "By": "olivia"}),
            1,
            f"execution {STARTED} was rejected by olivia. See the execution: https://",
        ),
        (execution("Superseded"), 1, f"a newer execution replaced execution {STARTED}"),
        (
            execution("Stopped", Summary="why it ended"),
            1,
            f"execution {STARTED} ended as Stopped: why it ended. See the execution: https://",
        ),
    ],
    ids=range(6),
)
def test_end_of_the_execution_is_the_result(look: Any, status: int, line: str, shop: Undo) -> None:
    shop.looks = [look]
    ended = shop("--to", GOOD, "--yes")
    assert ended.status == status and line in (ended.err if status else ended.out)
    document = json.loads(shop("--to", GOOD, "--yes", "--json").out)
    assert (document["execution"], document["result"]) == (STARTED, look["Execution"]["Status"]) and (
        "error" in document
    ) == bool(status)


def test_without_waiting_it_ends_after_the_start(shop: Undo, answering: Answering) -> None:
    ended = shop("--to", GOOD, "--yes", "--no-wait")
    assert (ended.status, ended.err, len(shop.started), len(answering.of("Invoke"))) == (0, "", 1, 1)
    assert (
        f"\nIt goes on: {CONSOLE}/{PIPELINE}/executions/{STARTED}/timeline?region=eu-central-1\n" in ended.out
    )
    assert json.loads(shop("--to", GOOD, "--yes", "--no-wait", "--json").out)["result"] == "started"


def test_it_never_waits_silently(shop: Undo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.environment.waiting.REMINDER", 0)
    held = {
        "Holds": True,
        "Problem": "held by the disabled transition into stage Deploy",
        "Remedy": "To end the freeze: aws codepipeline x",
    }
    waiting = execution("InProgress", "Build Succeeded", holds=[held], Stage="Deploy")
    shop.looks = [execution(), execution("InProgress", "Build InProgress"), waiting, waiting, WAITS]
    out = shop("--to", GOOD, "--yes").out
    assert [line.split(" s  ")[1] for line in out.splitlines() if " s  ..." in line] == [
        "... CodePipeline has not begun the next action yet",
        "... Build goes on",
        *["... it waits at stage Deploy: held by the disabled transition into stage Deploy"] * 2,
    ]
    # With the command once.
    assert out.count("\n         To end the freeze: aws codepipeline x\n") == 1


def test_lost_response_of_the_start_starts_one_execution(shop: Undo, answering: Answering) -> None:
    answering.responses["StartPipelineExecution"] = [LOST, {"pipelineExecutionId": STARTED}]
    assert shop("--to", GOOD, "--yes").status == 0
    # CodePipeline starts one execution for both: assumption `start-token-outlives-a-delivery`.
    assert len(shop.started) == 2 and len({each["clientRequestToken"] for each in shop.started}) == 1


UNKNOWN = (
    "The execution may have started. Before you run this again, look for one of commit 600d600d: "
    f"aws codepipeline list-pipeline-executions --pipeline-name {PIPELINE} --max-items 5"
)


@pytest.mark.parametrize(
    "lost",
    [
        ReadTimeoutError(endpoint_url="https://codepipeline"),
        rejected("InternalFailure", status=500),
        # A rejected repetition proves nothing about the first call.
        [LOST, rejected("ThrottlingException", status=400)],
        [LOST, rejected("ExpiredTokenException", status=400)],
    ],
    ids=range(4),
)
def test_start_without_a_response_is_not_a_failed_one(
    lost: Any, shop: Undo, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    # botocore's pauses.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    answering.responses["StartPipelineExecution"] = lost
    ended = shop("--to", GOOD, "--yes", "--json")
    assert ended.status == 1 and UNKNOWN in ended.err and json.loads(ended.out)["result"] == "unknown"


def test_lost_look_does_not_end_it(shop: Undo, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    # A time ends it, not a number, and the same problem is one line.
    hidden = execution() | {
        "Execution": {"ExecutionId": STARTED, "Actions": [], "IsEnd": False, "HasDeployed": False},
        "NotRead": unread("CodePipeline does not list it"),
    }
    monkeypatch.setattr("cli.environment.waiting.REMINDER", 1000)
    shop.looks = [*[LOST] * 50, failed("Sandbox.Timedout", "Task timed out"), hidden, WAITS]
    ended = shop("--to", GOOD, "--yes")
    assert "... not read: CodePipeline does not list it" in ended.out
    assert ended.status == 0 and len(re.findall("[.]{3} not read: .* closed the connection", ended.out)) == 1
    assert (
        "... not read: function cfn-gitops-dev-read failed: Task timed out" in ended.out
        and len(shop.started) == 1
    )
    shop.looks = [DENIED]
    assert (
        f"execution {STARTED} goes on, but is not read: you may not ask function"
        in shop("--to", GOOD, "--yes").err
    )
    missing = (
        b"<R><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></R>"
    )
    answering.responses["DescribeStacks"] = lambda _: response(missing, 400)
    shop.looks = [rejected("ResourceNotFoundException", "Function not found", 404)]
    assert (
        f"execution {STARTED} goes on, but is not read: stack cfn-gitops-dev does not exist"
        in shop("--to", GOOD, "--yes").err
    )
    monkeypatch.setattr("cli.environment.waiting.MAX_LOSS", 0)
    shop.looks = [LOST]
    assert f"execution {STARTED} goes on, but is not read: " in shop("--to", GOOD, "--yes").err


def interrupted(_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arrange", "text"),
    [
        (
            lambda shop, answering: answering.responses.update(Invoke=interrupted),
            "Interrupted. Nothing was changed",
        ),
        (
            lambda shop, answering: answering.responses.update(StartPipelineExecution=interrupted),
            f"Interrupted. {UNKNOWN}",
        ),
        (
            lambda shop, answering: (with_images(shop), answering.responses.update(DisableRule=interrupted)),
            (
                f"Interrupted. Nothing was started. Event rule {IMAGE_RULE} may be disabled. To enable it:"
                f" aws events enable-rule --name {IMAGE_RULE}"
            ),
        ),
        (
            lambda shop, answering: setattr(shop, "looks", [KeyboardInterrupt()]),
            (
                f"Interrupted. Execution {STARTED} goes on. To stop it: aws codepipeline"
                f" stop-pipeline-execution --pipeline-name {PIPELINE} --pipeline-execution-id {STARTED}"
                " --reason undo"
            ),
        ),
    ],
    ids=range(4),
)
def test_interrupt_says_what_goes_on(
    arrange: Callable[..., Any], text: str, shop: Undo, answering: Answering
) -> None:
    arrange(shop, answering)
    ended = shop("--to", GOOD, "--yes")
    assert (ended.status, ended.err) == (130, f"\n{text}\n")


def test_texts_of_others_have_no_effect_on_the_terminal(shop: Undo) -> None:
    shop.answer = deployments(
        Deployments=[
            deployment(
                3, BAD, Author="A\x1b[31mnn\u202e", Title="Add\ta queue\x07 and a much longer title than it"
            )
        ]
    )
    out = shop().out
    assert (
        "\x1b" not in out
        and "\x07" not in out
        and "A\\x1b[31mnn\\u202e" in out
        and "Add\\ta queue\\x07 and a much longer titl" in out
    )


def test_examples_can_be_pasted() -> None:
    for example in undo.EXAMPLES:
        main.parser().parse_args(shlex.split(example, comments=True)[1:])
