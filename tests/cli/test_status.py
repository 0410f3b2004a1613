"""`cfn-gitops status` prints the function's answer: each state of a project, what needs a person first, and
the exit status."""

import json
import re
import shlex
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import main
from cli.commands import status
from cli.shell.output import width
from cli.shell.times import read_time
from tests.cli.answering import CONSOLE, PUSHED, Answering, execution_id, project, projects, unread
from tests.cli.conftest import Run

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
OLIVIA = "arn:aws:iam::111122223333:user/olivia"
RULE = "event-rule-dev-codepipeline-exec-cfn-auth"
IMAGE_RULE = "event-rule-dev-codepipeline-exec-ecr-auth"
MIRROR = "the mirror of project platform/mail to repository codecommit-dev-cfn-mail"


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "now", lambda: NOW)


def every_state() -> dict[str, Any]:
    waiting = {
        "ExecutionId": execution_id(2),
        "Stage": "Deploy",
        "Action": "Approval",
        "Since": "2026-11-24T12:00:00Z",
        "Commit": PUSHED,
        "Title": "Raise the limit",
        "Url": f"{CONSOLE}/codepipeline-dev-cfn-billing/view?region=eu-central-1",
        "ChangeSet": {
            "Name": "pipeline",
            "Counts": {
                "Replaced": 1,
                "Removed": 0,
                "PossiblyReplaced": 0,
                "Undetermined": 0,
                "Modified": 2,
                "Added": 0,
                "Imported": 0,
            },
        },
    }
    hidden: dict[str, Any] = dict.fromkeys(("Deployed", "Newest", "Approvals", "Holds", "Mirrors"))
    hidden["NotRead"] = unread("reading the state of the pipeline: AccessDenied")
    own = project("pay")["Owner"] | {"Status": "ROLLBACK_COMPLETE"}
    return projects(
        project("api", 3, "Failed", "2026-11-27T11:35:00Z"),
        project(
            "auth",
            Holds=[
                {
                    "Held": f"held by the disabled event rule {RULE}, so a push starts nothing",
                    "Rule": RULE,
                    "Remedy": "To end the freeze: cfn-gitops thaw auth --env dev",
                },
                {
                    "Held": f"held by the disabled event rule {IMAGE_RULE}",
                    "Rule": IMAGE_RULE,
                    "Remedy": f"aws events enable-rule --name {IMAGE_RULE}",
                },
            ],
        ),
        project(
            "billing",
            2,
            "InProgress",
            Approvals=[waiting],
            Freeze={
                "Stage": "Deploy",
                "Rules": [],
                "Executions": [
                    *(
                        {"ExecutionId": each, "Stage": "Deploy", "IsWaitingBefore": True}
                        for each in ("e7", "e8")
                    ),
                    {"ExecutionId": "e9", "Stage": "Build", "IsWaitingBefore": True},
                ],
            },
        ),
        project(
            "busy",
            4,
            "Stopped",
            Holds=[
                {
                    "Held": "held by the disabled transition into stage Deploy",
                    "Stage": "Deploy",
                    "By": OLIVIA,
                    "Since": "2026-11-27T07:00:00Z",
                    "Reason": "sale\n\x1b[31m凍結",
                    "Remedy": "To end the freeze: cfn-gitops thaw busy --env dev",
                }
            ],
        ),
        project("fresh", HasPipeline=False, Deployed=None, Newest=None, Mirrors=None),
        *(
            project(
                name,
                Version=version,
                IsOutdated=True,
                Owner={"StackName": owner, "StackId": f"arn:of/{owner}", "LogicalId": "A", "Exists": True},
            )
            for name, version, owner in (
                ("legacy", 1, "project-dev-legacy"),
                ("legacy2", 1, "cfn-gitops-dev"),
                ("older", 0, "cfn-gitops-dev"),
            )
        ),
        project(
            "mail",
            Mirrors=[
                {
                    "Subject": MIRROR,
                    "Problem": "its latest push failed",
                    "Remedy": "Correct this cause",
                    "Code": "CFG-401",
                }
            ],
        ),
        {
            "ProjectID": "pay",
            "Owner": own,
            "NotRead": [],
            "Problems": [
                {
                    "Subject": "stack project-dev-pay",
                    "Problem": "its status is ROLLBACK_COMPLETE",
                    "Remedy": "See why: cfn-gitops failures pay --env dev",
                }
            ],
        },
        project(
            "refused",
            5,
            "Failed",
            "2026-11-27T11:00:00Z",
            Rejection={
                "ExecutionId": execution_id(5),
                "Commit": PUSHED,
                "At": "2026-11-27T11:00:00Z",
                "By": OLIVIA,
                "Reason": f"Rejected by {OLIVIA}: reject: not today",
            },
        ),
        project("shop"),
        project("vault", **hidden),
        project("vault2", **hidden | {"Holds": []}),
        project("web", 6, "InProgress", "2026-11-27T11:56:00Z"),
    )


TABLE = f"""\
Account 111122223333, region eu-central-1, environment dev
   PROJECT  DEPLOYED  SINCE  STATE (AGE)  FROZEN  OUTDATED  MIRROR
!  api      4f2a9c1b  9d     failed 25m   no      no        ok
!  pay      -         -      broken       -       -         -
!  vault    ?         ?      ?            ?       no        ?
!  vault2   ?         ?      ?            no      no        ?
!  mail     4f2a9c1b  9d     deployed     no      no        broken
!  billing  4f2a9c1b  9d     approval 3d  no      no        ok
!  auth     4f2a9c1b  9d     deployed     yes     no        ok
!  busy     4f2a9c1b  9d     stopped 9d   yes     no        ok
!  legacy   4f2a9c1b  9d     deployed     no      yes       ok
!  legacy2  4f2a9c1b  9d     deployed     no      yes       ok
!  older    4f2a9c1b  9d     deployed     no      yes       ok
   fresh    -         -      no push yet  no      no        -
   refused  4f2a9c1b  9d     rejected 1h  no      no        ok
   shop     4f2a9c1b  9d     deployed     no      no        ok
   web      4f2a9c1b  9d     running 4m   no      no        ok

api: Build failed 25m ago, commit 9c8b7a6f "請求書を追加"
    Error while executing command: make package. Reason: exit status 2\\n\\x1b[2Jforged
    See why: cfn-gitops failures api --env dev
pay: stack project-dev-pay: its status is ROLLBACK_COMPLETE
    See why: cfn-gitops failures pay --env dev
? vault, vault2: reading the state of the pipeline: AccessDenied
    Run this again
mail: {MIRROR}
    its latest push failed
    Correct this cause - CFG-401
billing: Approval has waited for 3d, commit 9c8b7a6f "Raise the limit". 2 executions wait behind it
    Its change set: 1 replaced, 2 modified
    Approve it with `cfn-gitops approve billing --env dev`, or reject it with `cfn-gitops reject billing --env dev`, or in the console: {CONSOLE}/codepipeline-dev-cfn-billing/view?region=eu-central-1
auth: held by the disabled event rule {RULE}, so a push starts nothing
auth: held by the disabled event rule {IMAGE_RULE}
    To end the freeze: cfn-gitops thaw auth --env dev
busy: held by the disabled transition into stage Deploy, for 5h by {OLIVIA}: sale\\n\\x1b[31m凍結
    To end the freeze: cfn-gitops thaw busy --env dev
legacy: its pipeline has version 1, which is older than the function's
    If its template is its own, deploy that with another RenderingSerial. If it is templates/project.yaml, deploy that of this release, with --role-arn if the stack has a role: aws cloudformation deploy --template-file templates/project.yaml --stack-name project-dev-legacy --capabilities CAPABILITY_NAMED_IAM
legacy2: its pipeline has version 1, which is older than the function's
older: its pipeline has version 0, which is older than the function's
    Deploy the environment again: sam deploy --config-env dev
fresh: no push yet, and no mirror is known
    Set GitLabProject, or push to its repository
refused: rejected 1h ago by {OLIVIA}, commit 9c8b7a6f
    not today
15 projects: 1 failed, 1 broken, 2 not read, 1 with a broken mirror, 1 waiting for approval, 2 frozen, 3 outdated
"""  # noqa: E501


def test_environment_with_a_project_in_each_state(answering: Answering, run: Run) -> None:
    answering.responses["Invoke"] = every_state()
    ended = run("status")
    assert (ended.status, ended.err, ended.out) == (1, "", TABLE)
    # Nothing else is read.
    assert answering.requests == [("Invoke", {"Projects": {}})]
    assert max(map(width, TABLE.partition("\n\n")[0].splitlines())) <= 80


def test_wider_table_is_two_that_do_not_wrap(
    answering: Answering, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = every_state()
    answer["Projects"].append(project("a" * 27, 7, "ReplacedByAnother"))
    answering.responses["Invoke"] = answer
    whole = [line.split() for line in run("status").out.partition("\n\n")[0].splitlines()[1:]]
    monkeypatch.setattr(status, "columns", lambda: 80)
    first, second, _ = run("status").out.split("\n\n", 2)
    assert max(map(width, [*first.splitlines(), *second.splitlines()])) <= 80
    for line, deployed, settings in zip(whole, first.splitlines()[1:], second.splitlines(), strict=True):
        mark_and_name = 2 if line[0] == "!" else 1
        assert line == deployed.split() + settings.split()[mark_and_name:]


@pytest.mark.parametrize(("is_terminal", "columns"), [(True, 80), (False, float("inf"))])
def test_only_a_terminal_has_columns(
    is_terminal: bool, columns: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert status.columns() == columns


def test_json_has_every_member_of_the_answer(answering: Answering, run: Run) -> None:
    answering.responses["Invoke"] = every_state()
    found = json.loads(run("status", "--json").out)
    assert (found["account"], found["region"], found["environment"]) == (
        "111122223333",
        "eu-central-1",
        "dev",
    )
    assert found["counts"] == {
        "failed": 1,
        "broken": 1,
        "unread": 2,
        "mirror": 1,
        "approval": 1,
        "frozen": 2,
        "outdated": 3,
    }
    by_name = {each["ProjectID"]: each for each in found["Projects"]}
    assert list(by_name) == re.findall("^[! ]  ([a-z0-9]+) ", TABLE, re.MULTILINE)
    billing = by_name["billing"]
    assert (billing["concerns"], billing["state"], billing["since"]) == (
        ["approval"],
        "approval",
        "2026-11-24T12:00:00Z",
    )
    assert billing["Deployed"]["ExecutionId"] == execution_id(1)
    assert (
        by_name["vault"]["NotRead"][0]["Problem"] == "reading the state of the pipeline: AccessDenied"
        and by_name["vault"]["state"] is None
    )


@pytest.mark.parametrize(
    ("answer", "expected", "shown"),
    [
        (projects(), 0, "Environment dev has no project yet"),
        (projects(project("shop")), 0, "1 project: none needs a person"),
        (
            projects(
                project(
                    "shop",
                    2,
                    "InProgress",
                    Holds=[{"Held": "held", "Remedy": "Thaw it"}],
                    Approvals=[{"ExecutionId": "e", "Stage": "Deploy", "Action": "Mine", "Url": "https://"}],
                )
            ),
            0,
            "shop: Mine has waited for ?, its commit is not known",
        ),
        # Even with no project: nothing deploys.
        (
            projects(
                Stack={
                    "Name": "cfn-gitops-dev",
                    "Status": "ROLLBACK_COMPLETE",
                    "Problem": "its status is ROLLBACK_COMPLETE",
                    "Remedy": "See why: cfn-gitops failures --env dev",
                }
            ),
            1,
            (
                "stack cfn-gitops-dev: its status is ROLLBACK_COMPLETE\n    See why: cfn-gitops failures"
                " --env dev\n"
            ),
        ),
        (
            projects(project("a"), project("b"), NotRead=unread("listing the stacks: AccessDenied")),
            3,
            "? listing the stacks: AccessDenied\n    Run",
        ),
        (
            projects(*(project(name, NotRead=unread("GitLab does not answer")) for name in "ab")),
            3,
            "? all projects: GitLab does not answer\n    Run",
        ),
        # Neither twice the same project, nor the environment, makes all.
        (
            projects(project("a", NotRead=unread("AccessDenied", "AccessDenied")), project("b")),
            3,
            "? a: AccessDenied\n    Run",
        ),
        (
            projects(
                project("a", NotRead=unread("AccessDenied")), project("b"), NotRead=unread("AccessDenied")
            ),
            3,
            "? AccessDenied\n? a: AccessDenied\n    Run",
        ),
        (
            projects(project("z"), *(project(name, NotRead=unread("x")) for name in "abcdefg")),
            3,
            "? a, b, c, d, e and 2 more: x\n",
        ),
        (projects(project("a", 2, "Failed"), NotRead=unread("AccessDenied")), 1, "? AccessDenied\n"),
        (projects(project("a" * 117)), 0, f"  {'a' * 29}…  4f2a9c1"),
    ],
)
def test_status_is_that_of_what_needs_a_person(
    answer: Any, expected: int, shown: str, answering: Answering, run: Run
) -> None:
    answering.responses["Invoke"] = answer
    ended = run("status")
    assert (ended.status, ended.err) == (expected, "") and shown in ended.out


@pytest.mark.parametrize(
    ("changes", "state", "concerns"),
    [
        (
            {
                "HasPipeline": False,
                "Problems": [
                    {"Subject": "its pipeline", "Problem": "it does not exist", "Remedy": "Restore it"}
                ],
            },
            "no pipeline",
            ["broken"],
        ),
        (
            {
                "HasPipeline": None,
                "Newest": None,
                "ChildStack": {"Name": "s", "Status": "CREATE_IN_PROGRESS"},
            },
            "creating",
            [],
        ),
        ({"HasPipeline": None, "Newest": None, "ChildStack": None}, None, []),
        ({"Newest": None, "Deployed": None}, "no execution", []),
        ({"Newest": {"ExecutionId": "e", "Status": "Succeeded", "IsRollback": True}}, "rolled back", []),
        ({"Newest": {"ExecutionId": "e", "Status": "ReplacedByAnother"}}, "ReplacedByAnother", []),
        ({"Mirrors": []}, "deployed", []),
    ],
)
def test_state_of_a_project(
    changes: dict[str, Any], state: str | None, concerns: list[str], answering: Answering, run: Run
) -> None:
    answering.responses["Invoke"] = projects(project("shop", **changes))
    [found] = json.loads(run("status", "--json").out)["Projects"]
    assert (found["state"], found["concerns"]) == (state, concerns)
    assert ("none" in run("status").out.splitlines()[2]) == ("Mirrors" in changes)


def test_approval_that_waits_longest_has_its_age(answering: Answering, run: Run) -> None:
    [waiting] = next(
        each["Approvals"] for each in every_state()["Projects"] if each["ProjectID"] == "billing"
    )
    later = {**waiting, "Stage": "Approval", "Since": "2026-11-27T07:00:00Z"}
    answering.responses["Invoke"] = projects(project("shop", Approvals=[later, waiting]))
    [found] = json.loads(run("status", "--json").out)["Projects"]
    assert found["since"] == waiting["Since"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("0", "0 is not between 1 and 310"),
        ("nan", "nan is not between 1 and 310"),
        ("311", "311 is not between 1 and 310"),
        ("abc", "abc is not a number of seconds"),
        ("", "an empty text is not a number of seconds"),
    ],
)
def test_wrong_time_to_wait_is_wrong_use(wrong: str, why: str, run: Run) -> None:
    ended = run("status", f"--wait={wrong}")
    assert ended.status == 2 and f"argument --wait: {why}" in ended.err


def test_examples_can_be_pasted() -> None:
    for example in status.EXAMPLES:
        main.parser().parse_args(shlex.split(example, comments=True)[1:])


def test_remedies_of_the_document_select_the_profile(answering: Answering, run: Run) -> None:
    answering.responses["Invoke"] = every_state()
    assert "cfn-gitops thaw auth --env dev --profile ops" in run("status", "--json", "--profile", "ops").out


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172_799, "47h"), (172_800, "2d")],
)
def test_age_has_one_unit(seconds: int, shown: str) -> None:
    assert status.age(NOW - timedelta(seconds=seconds), NOW) == shown and status.age(None, NOW) == "?"


@pytest.mark.parametrize("text", ["2026-11-27T12:00:00Z", "2026-11-27T12:00:00.123456789Z"])
def test_times_of_answers_are_read(text: str) -> None:
    assert read_time(text) == NOW
