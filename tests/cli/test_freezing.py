"""`cfn-gitops freeze` and `thaw`: their lists, the calls that they make, and their lines after a failure."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.cli.answering import (
    COMMIT,
    CONSOLE,
    PIPELINE,
    Answering,
    project,
    projects,
    rejected,
    response,
    unread,
)
from tests.cli.conftest import Ended, Run

OLIVIA = "arn:aws:iam::111122223333:user/olivia"
PUSH, IMAGE, REVIEW = (f"event-rule-dev-codepipeline-exec-{kind}-shop" for kind in ("cfn", "ecr", "rev"))
DENIED = rejected("AccessDeniedException", "User: x is not authorized")
MISSING = rejected("ResourceNotFoundException", "Rule does not exist", 400)
CALLS = ("DisableStageTransition", "DisableRule", "EnableStageTransition", "EnableRule")
FROZEN = {
    "Held": "held by the disabled transition into stage Deploy: sale",
    "Stage": "Deploy",
    "By": OLIVIA,
    "Since": "2026-11-27T07:00:00Z",
    "Reason": "sale",
    "Remedy": "To end the freeze: cfn-gitops thaw shop --env dev",
}


def row(
    name: str = "shop",
    rules: tuple[str, ...] = ("cfn",),
    stage: str = "Deploy",
    executions: Any = (),
    **more: Any,
) -> dict[str, Any]:
    named = [f"event-rule-dev-codepipeline-exec-{kind}-{name}" for kind in rules]
    at = {"Stage": stage} if stage else {}
    return project(name, Freeze={**at, "Rules": named, "Executions": list(executions)}, **more)


def held(rule: str) -> dict[str, str]:
    return {
        "Held": f"held by the disabled event rule {rule}",
        "Rule": rule,
        "Remedy": "To end the freeze: cfn-gitops thaw shop --env dev",
    }


@pytest.fixture
def act(answering: Answering, run: Run) -> Callable[..., Ended]:
    """The command, for projects with these rows."""
    answering.responses |= dict.fromkeys(CALLS, {})

    def acted(
        command: str,
        *rows: dict[str, Any],
        options: tuple[str, ...] = ("shop", "--yes"),
        answer: str = "",
        **more: Any,
    ) -> Ended:
        answering.responses["Invoke"] = projects(*rows, **more)
        reason = ("--reason", "Sale until Monday - olivia") if command == "freeze" else ()
        ended = run(command, "--env", "dev", *options, *reason, answer=answer)
        assert "Traceback" not in ended.out + ended.err
        return ended

    return acted


def changes(answering: Answering) -> list[Any]:
    """The transitions and rules that were changed, in their order."""
    return [
        (call, body.get("Name") or (body["pipelineName"], body["stageName"]))
        for call, body in answering.requests
        if call in CALLS
    ]


def test_freeze_lists_what_it_does_not_hold(act: Callable[..., Ended], answering: Answering) -> None:
    waits = {
        "ExecutionId": "e1",
        "Stage": "Deploy",
        "Action": "Approval",
        "Url": f"{CONSOLE}/x",
        "Commit": COMMIT,
        "Title": "Add a queue",
    }
    ended = act(
        "freeze",
        row(
            rules=("cfn", "ecr", "rev"),
            Approvals=[waits],
            executions=[
                {"ExecutionId": "e2", "Commit": COMMIT, "Stage": "Build"},
                {"ExecutionId": "e3", "Stage": "Deploy", "IsWaitingBefore": True},
                {"ExecutionId": "e4", "Stage": "Deploy"},
                {"ExecutionId": "e5"},
            ],
        ),
        options=("shop", "--profile", "ops"),
        answer="freeze\n",
    )
    assert (ended.status, ended.err) == (0, "")
    assert (
        ended.out
        == f"""\
Account 111122223333, region eu-central-1, environment dev
- shop: the transition into stage Deploy of {PIPELINE}, event rule {PUSH}, event rule {IMAGE}, event rule {REVIEW} will be disabled
    execution e2 (commit 4f2a9c1b) is in stage Build. It will wait before stage Deploy
    execution e3 (its commit is not known) waits before stage Deploy. It stays there
!   execution e4 (its commit is not known) is in stage Deploy. The freeze does not hold it
    execution e5 (its commit is not known) has begun. It will wait before stage Deploy
!   execution e1 (commit 4f2a9c1b "Add a queue") waits for its approval. The freeze does not hold it: after an approval it is deployed
    To reject it: cfn-gitops reject shop --env dev --profile ops
The freeze does not hold a deployment of a project's own stack, which may end the freeze. An undo and a start by hand build, and \
then wait before the stage
To freeze shop, type freeze:\x20
ok      the transition into stage Deploy of {PIPELINE} is disabled
ok      event rule {PUSH} is disabled
ok      event rule {IMAGE} is disabled
ok      event rule {REVIEW} is disabled
Frozen: shop
"""  # noqa: E501
    )
    assert changes(answering) == [
        ("DisableStageTransition", (PIPELINE, "Deploy")),
        *(("DisableRule", each) for each in (PUSH, IMAGE, REVIEW)),
    ]
    [asked] = answering.of("DisableStageTransition")
    assert (asked["transitionType"], asked["reason"]) == ("Inbound", "Sale until Monday - olivia")
    assert answering.of("Invoke") == [{"Projects": {"ProjectID": "shop"}}]


def test_execution_behind_the_approval_stage_is_not_held(
    act: Callable[..., Ended], answering: Answering
) -> None:
    ended = act(
        "freeze",
        row(
            stage="Approval",
            executions=[
                {"ExecutionId": each, "Stage": each, "IsWaitingBefore": True}
                for each in ("Approval", "Deploy")
            ],
        ),
    )
    assert "known) waits before stage Approval. It stays there\n" in ended.out
    assert "known) waits before stage Deploy. The freeze does not hold it" in ended.out
    assert changes(answering)[0] == ("DisableStageTransition", (PIPELINE, "Approval"))


@pytest.mark.parametrize("command", ["freeze", "thaw"])
def test_all_projects_without_those_that_are_not_read(
    command: str, act: Callable[..., Ended], answering: Answering
) -> None:
    holds = {} if command == "freeze" else {"Holds": [FROZEN]}
    broken = {
        "Subject": "stack s",
        "Problem": "its status is ROLLBACK_COMPLETE",
        "Remedy": "See why: cfn-gitops failures pay --env dev",
    }
    ended = act(
        command,
        row("api", **holds),
        project("bad", Problems=[broken]),
        project("pay", NotRead=unread("GetPipelineState is denied")),
        project("new"),
        row("web", **holds, NotRead=unread("GitLab is silent")),
        options=("--all", "--yes"),
    )
    assert (ended.status, ended.err) == (3, "") and answering.of("Invoke") == [{"Projects": {}}]
    lines = ended.out.splitlines()
    assert lines[1:7] == [
        "? project bad is left: its status is ROLLBACK_COMPLETE",
        "    See why: cfn-gitops failures pay --env dev",
        "? project pay is left: GetPipelineState is denied",
        "    Run this again",
        (
            "? project new is left: function cfn-gitops-dev-read is older than this command, and does not"
            " show the event rules"
        ),
        (
            "    Without the function: docs/how-to/freeze-and-thaw.md. Deploy this version of the"
            " environment: sam deploy --config-env dev"
        ),
    ]
    assert lines[-2:] == [
        f"{'Frozen' if command == 'freeze' else 'Thawed'}: api, web",
        "Not read: project bad, project pay, project new",
    ]
    assert "?   GitLab is silent\n    Run this again\n" in ended.out
    ended = act(command, project("new"), options=("--all", "--yes", "--json"))
    assert (ended.status, json.loads(ended.out)["left"]) == (
        3,
        [
            "project new is left: function cfn-gitops-dev-read is older than this command, and does not show"
            " the event rules"
        ],
    )
    answering.responses |= dict.fromkeys(CALLS, DENIED)
    assert act(command, row("api", **holds), project("new"), options=("--all", "--yes")).status == 1


@pytest.mark.parametrize(
    ("rows", "more", "said", "status"),
    [
        ([], {}, "environment dev has no project shop. See the projects: cfn-gitops status --env dev", 2),
        (
            [],
            {"NotRead": unread("DescribeStacks is denied")},
            "environment dev is left: DescribeStacks is denied. Run this again",
            3,
        ),
        (
            [project("shop", NotRead=unread("x is denied"))],
            {},
            "project shop is left: x is denied. Run this again",
            3,
        ),
    ],
)
def test_project_that_is_not_read_changes_nothing(
    rows: Any, more: Any, said: str, status: int, act: Callable[..., Ended], answering: Answering
) -> None:
    ended = act("freeze", *rows, **more)
    assert (ended.status, ended.err, changes(answering)) == (status, f"{said}\n", [])


def test_environment_without_a_project_has_nothing_to_freeze(act: Callable[..., Ended]) -> None:
    assert act("freeze", options=("--all",)).status == 0
    ended = act("thaw", options=("--all", "--yes"), NotRead=unread("DescribeStacks is denied"))
    assert (ended.status, ended.err) == (
        3,
        "environment dev is left: DescribeStacks is denied. Run this again\n",
    )


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Sale: until 5/12, ünlimited", "characters of !@().*?-, but not :/,ü"),
        ("freeze\n", "but not \\n"),
        ("x" * 301, "!@().*?-, but not these 301"),
        (" ", "accepts 1 to 300"),
        ("", "accepts 1 to 300"),
    ],
)
def test_other_reason_changes_nothing(reason: str, said: str, answering: Answering, run: Run) -> None:
    ended = run("freeze", "shop", "--yes", "--reason", reason)
    assert (
        (ended.status, answering.requests) == (2, [])
        and "argument --reason: " in ended.err
        and said in ended.err
    )


@pytest.mark.parametrize("arguments", [(), ("shop", "--all"), ("shop", "pay")])
def test_one_project_or_all_is_required(arguments: tuple[str, ...], run: Run, answering: Answering) -> None:
    assert [
        run("freeze", *arguments, "--reason", "sale").status,
        run("thaw", *arguments).status,
        run("freeze", "shop").status,
    ] == [2, 2, 2]
    assert answering.requests == []
    assert (
        "is required. Usage: cfn-gitops freeze (PROJECT | --all) --reason TEXT [OPTIONS]. Its arguments"
        in run("freeze", "--reason", "sale").err
    )
    assert "is required. Usage: cfn-gitops thaw (PROJECT | --all) [OPTIONS]. Its arguments" in run("thaw").err
    assert (
        "--reason. Usage: cfn-gitops freeze (PROJECT | --all) --reason TEXT [OPTIONS]. Its arguments"
        in run("freeze").err
    )


@pytest.mark.parametrize("command", ["freeze", "thaw"])
def test_manual_commands_are_named_without_an_answer(
    command: str, act: Callable[..., Ended], answering: Answering, run: Run
) -> None:
    answering.responses["Invoke"] = rejected("TooManyRequestsException", status=429)
    ended = run(command, "shop", "--yes", *(["--reason", "sale"] if command == "freeze" else []))
    assert (
        ended.status == 3
        and "AWS throttles calls of function cfn-gitops-dev-read. Without the function:"
        " docs/how-to/freeze-and-thaw.md. "
        in ended.err
    )


def test_project_without_a_pipeline_has_rules_alone(act: Callable[..., Ended], answering: Answering) -> None:
    first = row(stage="", HasPipeline=False, Newest=None, Deployed=None)
    ended = act("freeze", first)
    assert ended.status == 0 and changes(answering) == [("DisableRule", PUSH)]
    assert (
        "    It has no pipeline, and its first push will not create one. No event rule stores the reason\n"
        in ended.out
    )
    missing = {
        "Subject": "pipeline p",
        "Problem": "it does not exist",
        "Remedy": "Restore it: aws cloudformation deploy x",
    }
    ended = act("freeze", {**first, "Problems": [missing]})
    assert (
        "first push" not in ended.out
        and "!   pipeline p: it does not exist\n    Restore it: aws " in ended.out
    )
    answering.requests[:] = [each for each in answering.requests if each[0] == "DisableRule"][:1]
    assert "start-pipeline-execution" not in act("thaw", {**first, "Holds": [held(PUSH)]}).out and changes(
        answering
    )[1:] == [("EnableRule", PUSH)]


@pytest.mark.parametrize("command", ["freeze", "thaw"])
def test_event_rules_change_if_codepipeline_hangs(
    command: str, act: Callable[..., Ended], answering: Answering
) -> None:
    half = row(stage="", HasPipeline=True, NotRead=unread("the state was not read"))
    del half["Holds"]
    ended = act(command, half)
    call = "DisableRule" if command == "freeze" else "EnableRule"
    assert ended.status == 3 and changes(answering) == [(call, PUSH)]
    assert "?   the state was not read\n" in ended.out and "It has no pipeline" not in ended.out
    end = "Not completely frozen: shop" if command == "freeze" else "Not completely thawed: shop"
    assert ended.out.endswith(f"{end}\nNot read: the transition of {PIPELINE}\n")
    assert "does not hold executions that have begun" in ended.out or command == "thaw"
    assert "wait before the stage" not in ended.out
    assert ("so all event rules are enabled" in ended.out) == (command == "thaw")


def test_operation_that_may_end_the_freeze_is_named(act: Callable[..., Ended]) -> None:
    own = project("shop")["Owner"]
    updated = {
        "ChildStack": {"Name": "gitops-dev-shop", "Status": "UPDATE_IN_PROGRESS"},
        "Owner": {**own, "Status": "UPDATE_IN_PROGRESS"},
    }
    for command, stack in itertools.product(("freeze", "thaw"), ("gitops-dev-shop", "project-dev-shop")):
        ended = act(command, row(**updated, Holds=[] if command == "freeze" else [FROZEN]))
        assert (
            f"!   stack {stack} is in UPDATE_IN_PROGRESS, which may enable or replace an event rule. Run this"
            " again after its end\n" in ended.out
        )


def test_deleted_event_rule_is_named(act: Callable[..., Ended], answering: Answering) -> None:
    ended = act("freeze", row(rules=()))
    assert ended.status == 0 and changes(answering) == [("DisableStageTransition", (PIPELINE, "Deploy"))]
    assert (
        f"!   Event rule {PUSH} does not exist, so the health check starts a push, which then waits before"
        " stage Deploy\n" in ended.out
    )
    missing = {"Subject": "stack s", "Problem": f"event rule {PUSH} does not exist", "Remedy": "Restore it"}
    ended = act("freeze", row(rules=(), stage="", Problems=[missing]))
    assert (ended.status, ended.err) == (
        3,
        f"project shop is left: event rule {PUSH} does not exist. Restore it\n",
    )


def test_freeze_of_another_person_stays(act: Callable[..., Ended], answering: Answering) -> None:
    ended = act("freeze", row(rules=("cfn", "ecr"), Holds=[FROZEN, held(PUSH)]))
    assert ended.status == 0 and changes(answering) == [("DisableRule", IMAGE)]
    assert (
        f" by {OLIVIA}. This stays as it is\n    held by the disabled event rule {PUSH}. This stays as it"
        " is\n" in ended.out
    )
    ended = act("freeze", row(Holds=[FROZEN, held(PUSH)]), options=("shop",))
    assert (ended.status, ended.err, len(changes(answering))) == (0, "", 1)
    assert (
        "- shop: nothing is left to be disabled\n    held by the disabled transition into stage Deploy: sale,"
        " for " in ended.out
    )


@pytest.mark.parametrize(
    ("failing", "undone", "said"),
    [
        (
            "DisableStageTransition",
            f"the transition into stage Deploy of {PIPELINE}",
            "DisableStageTransition is denied: User: x is not authorized",
        ),
        ("DisableRule", f"event rule {PUSH}", "DisableRule is denied: User: x is not authorized"),
    ],
)
def test_rest_is_frozen_after_a_denial(
    failing: str, undone: str, said: str, act: Callable[..., Ended], answering: Answering
) -> None:
    answering.responses[failing] = [DENIED, {}]
    ended = act("freeze", row(rules=("cfn", "rev")), row("web"), options=("--all", "--yes", "--json"))
    document = json.loads(ended.out)
    assert ended.status == 1 and len(changes(answering)) == 5 and len(document["done"]) == 4
    [left] = document["left"]
    assert left.startswith(f"{undone} is not disabled: {said}. ")
    assert ended.err.endswith("Frozen: web\nNot completely frozen: shop\n")
    assert changes(answering)[:2] == [
        ("DisableStageTransition", (each, "Deploy")) for each in (PIPELINE, "codepipeline-dev-cfn-web")
    ]
    assert [(each["ProjectID"], each["Freeze"]["Stage"], each["Holds"]) for each in document["Projects"]] == [
        ("shop", "Deploy", []),
        ("web", "Deploy", []),
    ]


def test_pipeline_that_was_deleted_meanwhile_is_reported(
    act: Callable[..., Ended], answering: Answering
) -> None:
    for gone in ("Pipeline", "Stage"):
        answering.responses |= {
            "DisableStageTransition": rejected(f"{gone}NotFoundException", "no pipeline", 400)
        }
        ended = act("freeze", row())
        assert (
            ended.status == 1
            and "is not disabled: the pipeline has changed since the list. Run this again\n" in ended.out
        )
        assert f"ok      event rule {PUSH} is disabled\nNot completely frozen: shop\n" in ended.out


def test_event_rule_that_was_deleted_meanwhile_is_skipped(
    act: Callable[..., Ended], answering: Answering
) -> None:
    answering.responses |= {"DisableRule": [MISSING, {}], "EnableRule": MISSING}
    ended = act("freeze", row(rules=("cfn", "rev")))
    assert (
        ended.status == 0
        and f"{PUSH} is disabled" not in ended.out
        and f"ok      event rule {REVIEW} is disabled\nFrozen: shop\n" in ended.out
    )
    assert act("thaw", row(Holds=[held(PUSH)])).status == 0


EXPIRED, LOST = (
    rejected("ExpiredTokenException", "expired", 400),
    ConnectionClosedError(endpoint_url="https://events.eu-central-1.amazonaws.com"),
)


@pytest.mark.parametrize(
    ("lost", "state", "remedy"),
    [(EXPIRED, "not", "Log in, for example"), (LOST, "perhaps not", "Check the network")],
)
def test_lost_login_or_network_ends_all(
    lost: Any,
    state: str,
    remedy: str,
    act: Callable[..., Ended],
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    answering.responses["DisableRule"] = [{}, lost]
    ended = act(
        "freeze", *(row(name) for name in ("shop", "api", "web")), options=("--all", "--yes", "--json")
    )
    document, rules = (
        json.loads(ended.out),
        [f"event rule event-rule-dev-codepipeline-exec-cfn-{name} is" for name in ("shop", "api", "web")],
    )
    assert (
        ended.status == 1
        and ended.err.count(remedy) == 1
        and ended.err.endswith("Run this again for the rest\n")
    )
    assert (
        "Frozen: shop\nNot completely frozen: api, web\n" in ended.err
        and f"{rules[1]} {state} disabled: " in ended.err
    )
    assert "2 of 6 changes are left" in ended.err
    assert (
        document["left"] == [f"{rules[1]} {state} disabled", f"{rules[2]} not disabled"]
        and len(document["done"]) == 4
    )


@pytest.mark.parametrize("command", ["freeze", "thaw"])
def test_creation_of_a_pipeline_is_not_held(
    command: str, act: Callable[..., Ended], answering: Answering
) -> None:
    creating = row(
        stage="",
        HasPipeline=False,
        ChildStack={"Name": "gitops-dev-shop", "Status": "UPDATE_IN_PROGRESS"},
        NotRead=unread("GitLab is silent"),
    )
    ended = act(command, creating)
    assert (ended.status, changes(answering)) == (3, []) and "? project shop: GitLab is silent\n" in ended.out
    assert (
        ended.err
        == "project shop is left: stack gitops-dev-shop is in UPDATE_IN_PROGRESS, which may create or change"
        " its pipeline. Run this again after its end\n"
    )


def test_left_project_is_explained_by_its_own_cause(act: Callable[..., Ended]) -> None:
    missing = {
        "Subject": "stack gitops-dev-shop",
        "Problem": "its status is ROLLBACK_COMPLETE",
        "Remedy": "See why: cfn-gitops failures shop --env dev",
    }
    found = project(
        "shop", NotRead=unread("GitLab is silent"), Problems=[{**missing, "Subject": "the mirror"}, missing]
    )
    ended = act("freeze", found)
    assert (
        ended.err.startswith("project shop is left: its status is ROLLBACK_COMPLETE. See why")
        and "? project shop: GitLab is silent\n" in ended.out
    )
    found["NotRead"] = unread("GitLab is silent", f"the state of {PIPELINE}: denied")
    assert act("freeze", found).err.startswith(f"project shop is left: the state of {PIPELINE}: denied. ")


def test_texts_of_others_are_not_changed(act: Callable[..., Ended]) -> None:
    title = "Use cfn-gitops freeze shop --env dev"
    assert (
        f'"{title}")'
        in act(
            "freeze",
            row(executions=[{"ExecutionId": "e1", "Commit": COMMIT, "Title": title}]),
            options=("shop", "--profile", "ops"),
        ).out
    )


@pytest.mark.parametrize("command", ["freeze", "thaw"])
@pytest.mark.parametrize(
    "other",
    [
        {"Pipeline": "codepipeline-prd-cfn-pay"},
        {"Holds": [held("someone-elses-rule"), FROZEN]},
        {"Freeze": {"Stage": "Deploy", "Rules": [PUSH, "someone-elses-rule"], "Executions": []}},
    ],
)
def test_answer_that_names_others_changes_nothing(
    command: str, other: Any, act: Callable[..., Ended], answering: Answering
) -> None:
    ended = act(
        command,
        row("api", Holds=[] if command == "freeze" else [FROZEN]),
        {**row(), **other},
        options=("--all", "--yes"),
    )
    assert (
        ended.status == 1
        and ended.err.startswith("the answer about project shop names ")
        and changes(answering) == []
    )


@pytest.mark.parametrize("command", ["freeze", "thaw"])
@pytest.mark.parametrize("answer", ["", "\n", "yes\n", "freeze thaw\n"])
def test_another_answer_changes_nothing(
    command: str, answer: str, act: Callable[..., Ended], answering: Answering
) -> None:
    ended = act(command, row(Holds=[] if command == "freeze" else [FROZEN]), options=("shop",), answer=answer)
    assert (
        ended.status == 1 and changes(answering) == [] and "Nothing was changed: the answer is" in ended.err
    )


@pytest.mark.parametrize(("command", "past"), [("freeze", "disabled"), ("thaw", "enabled")])
def test_interrupt_says_that_the_changes_stay(
    command: str, past: str, act: Callable[..., Ended], answering: Answering
) -> None:
    answering.responses |= {"DisableRule": KeyboardInterrupt(), "EnableStageTransition": KeyboardInterrupt()}
    ended = act(command, row(Holds=[] if command == "freeze" else [FROZEN, held(PUSH)]))
    assert (
        ended.status == 130
        and f"Interrupted. What is {past} above stays so. Run this again for the rest\n" in ended.err
    )
    assert ended.out.count(f" is {past}\n") == 1


# --- thaw ---


def test_thaw_lists_what_starts_then(act: Callable[..., Ended], answering: Answering) -> None:
    ended = act(
        "thaw",
        row(
            rules=("cfn", "ecr", "rev"),
            Holds=[held(PUSH), held(IMAGE), held(REVIEW), {**FROZEN, "Since": "2126-11-27T07:00:00Z"}],
            executions=[
                {"ExecutionId": "e2", "Commit": COMMIT, "Stage": "Build"},
                {"ExecutionId": "e3", "Stage": "Deploy", "IsWaitingBefore": True},
            ],
        ),
        options=("shop", "--region", "eu-west-1"),
        answer="thaw\n",
    )
    assert (ended.status, ended.err) == (0, "")
    assert (
        ended.out
        == f"""\
Account 111122223333, region eu-central-1, environment dev
- shop: event rule {PUSH}, event rule {IMAGE}, event rule {REVIEW}, the transition into stage Deploy of {PIPELINE} will be enabled
    held by the disabled event rule {PUSH}
    held by the disabled event rule {IMAGE}
    held by the disabled event rule {REVIEW}
    held by the disabled transition into stage Deploy: sale, for 0s by {OLIVIA}
    execution e2 (commit 4f2a9c1b) is in stage Build. It will not wait before stage Deploy
    execution e3 (its commit is not known) goes on into stage Deploy, unless a newer one replaces it or the freeze lasted 30 days
!   Each execution that starts or goes on is deployed, perhaps without an approval
    If function cfn-gitops-dev works, its health check starts the branch's latest commit, by default within 15 minutes, unless an execution has it
    It does not after an undo. If the bad commit is reverted then, or the function does not work, start it: aws --region eu-west-1 codepipeline start-pipeline-execution --name {PIPELINE}
    A push of the image deploys the branch's newest commit again. After an undo, first revert the bad commit
    If function cfn-gitops-dev works, its health check starts the missing builds of review branches, within an hour
To thaw shop, type thaw:\x20
ok      event rule {PUSH} is enabled
ok      event rule {IMAGE} is enabled
ok      event rule {REVIEW} is enabled
ok      the transition into stage Deploy of {PIPELINE} is enabled
Thawed: shop
"""  # noqa: E501
    )
    assert changes(answering) == [
        *(("EnableRule", each) for each in (PUSH, IMAGE, REVIEW)),
        ("EnableStageTransition", (PIPELINE, "Deploy")),
    ]


def test_thaw_of_a_project_that_is_not_frozen(act: Callable[..., Ended], answering: Answering) -> None:
    ended = act("thaw", row(), options=("shop",))
    assert (ended.status, ended.err, changes(answering)) == (0, "", []) and ended.out.endswith(
        "- shop: nothing is left to be enabled\n"
    )


def test_parts_that_were_not_read_are_enabled(act: Callable[..., Ended], answering: Answering) -> None:
    for holds in ({"Holds": None}, {"Holds": [FROZEN]}):
        answering.requests.clear()
        ended = act(
            "thaw", row(rules=("cfn", "ecr"), **holds, NotRead=unread(f"the state of {PUSH}: denied"))
        )
        assert ended.status == 0 and changes(answering) == [
            ("EnableRule", PUSH),
            ("EnableRule", IMAGE),
            ("EnableStageTransition", (PIPELINE, "Deploy")),
        ]
        assert (
            f"?   the state of {PUSH}: denied\n    Run this again\n" in ended.out
            and "nothing is left" not in ended.out
        )
    assert (
        "nothing that was read is left to be enabled"
        in act("thaw", row(NotRead=unread("GitLab is silent"))).out
    )


def test_reason_is_shown_once(act: Callable[..., Ended]) -> None:
    held_by = {
        **FROZEN,
        "Held": "held by the disabled transition into stage Deploy",
        "Reason": "stage",
        "Since": "2126-11-27T07:00:00Z",
    }
    assert (
        f"    held by the disabled transition into stage Deploy, for 0s by {OLIVIA}: stage\n"
        in act("thaw", row(Holds=[held_by])).out
    )
    assert act("thaw", row(Holds=[FROZEN])).out.count("sale") == 1


def test_thaw_of_all_counts_those_that_are_not_frozen(act: Callable[..., Ended]) -> None:
    ended = act("thaw", row("api"), row(Holds=[FROZEN]), row("web"), options=("--all", "--yes"))
    assert (
        "- 2 of 3 projects: nothing is left to be enabled\n" in ended.out
        and "api" not in ended.out
        and ended.out.endswith("\nThawed: shop\n")
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "is deployed, perhaps without an approval"),
        ({"HasApproval": False}, "!   Each execution that starts or goes on is deployed without an approval"),
        ({"HasApproval": True}, ""),
    ],
)
def test_thaw_says_whether_an_approval_follows(
    more: Any, said: str, act: Callable[..., Ended], answering: Answering, run: Run
) -> None:
    found = row(Holds=[FROZEN])
    found["Freeze"] |= more
    # Not compared with the schema, because older functions have no HasApproval.
    answering.responses["Invoke"] = response(projects(found))
    shown = run("thaw", "shop", "--env", "dev").out
    assert said in shown if said else "To thaw shop" in shown and "without an" not in shown
    assert "without an" not in act("thaw", row(stage="Approval", Holds=[{**FROZEN, "Stage": "Approval"}])).out


def test_thaw_says_that_it_ends_the_freeze_of_an_undo(
    act: Callable[..., Ended], answering: Answering
) -> None:
    ended = act("thaw", row(rules=("cfn", "ecr"), Holds=[held(IMAGE)]))
    assert ended.status == 0 and changes(answering) == [("EnableRule", IMAGE)]
    assert (
        "!   The pipeline's transition is enabled, so this is a part of a freeze, or the freeze of an image"
        " by `cfn-gitops undo`\n" in ended.out
    )
    assert (
        "After an undo, first revert the bad commit" in ended.out and "health check starts" not in ended.out
    )


def test_both_transitions_that_deploy_are_enabled(act: Callable[..., Ended], answering: Answering) -> None:
    by_hand = {**FROZEN, "Stage": "Build", "Remedy": "To end the freeze: aws codepipeline x"}
    ended = act("thaw", row(stage="Approval", Holds=[FROZEN, {**FROZEN, "Stage": "Approval"}, by_hand]))
    assert changes(answering) == [
        ("EnableStageTransition", (PIPELINE, stage)) for stage in ("Approval", "Deploy")
    ]
    assert f" by {OLIVIA}. Not ended here. To end the freeze: aws codepipeline x\n" in ended.out
