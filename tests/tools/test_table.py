"""The player of `make try`'s tables, without an account."""

import copy
import json
import re
import time
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml

from tests.play.calls import PLACEHOLDER, Calls
from tools.trial import assumptions, table
from tools.trial.observers import NotSeen, Seen, World
from tools.trial.run import names_of

PASSWORD = "a-password-of-codecommit"
READ = "iam:GetUser, {UserName: u}"


@cache
def client(service: str) -> Any:
    return boto3.client(service, Account.region, aws_access_key_id="a", aws_secret_access_key="b")


class Account:
    """An account that gives the answers in order, and repeats the last one. A text is the code of an
    error."""

    account_id, region = "111122223333", "eu-central-1"

    def __init__(self, *answers: Any) -> None:
        self._answers, self.calls = list(answers), list[str]()

    def client(self, service: str) -> Any:
        made = client(service)
        made.meta.events.unregister("before-call", unique_id="account")
        made.meta.events.register("before-call", self._answer, unique_id="account")
        return made

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls.append(model.name)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": answer, "Message": "rejected"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {}}


def world(aws: Account) -> World:
    names, of = names_of("tryabcde"), SimpleNamespace(name="x", id="x", function_name="x")
    project = SimpleNamespace(**dict.fromkeys(("name", "repository", "stack_name"), "x"))
    loop = SimpleNamespace(project=project, passwords=set())
    return World(SimpleNamespace(aws=aws, names=names, loop=loop, environment=of, failing=of), None)  # type: ignore[arg-type]


def played(steps: str, *answers: Any) -> dict[str, str]:
    """The result of each row."""
    found = table.played(world(Account(*answers)), {"calls": yaml.safe_load(steps)})
    return {
        name: ("held" if each.held else "refuted") if isinstance(each, Seen) else "not seen"
        for name, each in found.items()
    }


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"User": {"UserName": name, **more}}


@pytest.mark.parametrize(
    ("row", "answer", "result"),
    [
        (f"{READ}, {{UserName: a}}", user("a"), "held"),
        (f"{READ}, {{UserName: a}}", user("b"), "refuted"),
        (f"{READ}, {{UserName: a}}", "AccessDenied", "not seen"),
        (f"{READ}, {{UserName: a}}, {{UserName: b}}", user("b"), "refuted"),
        (f"{READ}, {{UserName: a}}, {{UserName: b}}", user("c"), "not seen"),
        (f"{READ}, {{UserName: a}}, Rejected", "Rejected", "refuted"),
        (f"{READ}, {{UserName: a}}, Rejected", "Throttling", "not seen"),
        (f"{READ}, NoSuchEntity", "NoSuchEntity", "held"),
        (f"{READ}, NoSuchEntity", "AccessDenied", "not seen"),
        (f"{READ}, NoSuchEntity", user("a"), "refuted"),
        (f"{READ}, {{UserName: $unknown}}", user("a"), "not seen"),
        ("iam:GetUser, {UserName: $unknown}, {UserName: a}", user("a"), "not seen"),
        (f"{READ}, {{'Tags[0.Key': a}}", user("a"), "not seen"),
        (f"{READ}, {{Numbers: ['1']}}", user("a", Numbers=[1]), "refuted"),
    ],
)
def test_answer_decides_about_a_row(row: str, answer: Any, result: str) -> None:
    assert played(f"[name: [{row}]]", answer) == {"name": result}


def test_unknown_name_of_a_rule_is_an_error() -> None:
    with pytest.raises(KeyError, match="mistake"):
        Calls({}, client, lambda *_: None).wanted("iam:GetUser", {"UserName": "$mistake"})


def test_row_with_several_calls_needs_all() -> None:
    rows = f"[{{a: [{READ}, {{UserName: a}}]}}, {{a: [{READ}, {{UserName: b}}]}}]"
    assert played(rows, user("a"), user("b")) == {"a": "held"}
    assert played(rows, user("b"), user("b")) == played(rows, user("a"), user("a")) == {"a": "refuted"}
    assert played(rows, "Throttling", user("a")) == {"a": "refuted"}
    assert played(rows, "Throttling", user("b")) == played(rows, user("a"), "Throttling") == {"a": "not seen"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause takes four times its seconds, of another clock."""
    clock = [0.0]
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.append(clock[-1] + 4 * seconds))
    monkeypatch.setattr(time, "monotonic", lambda: clock[-1])
    monkeypatch.setattr(table.waiting.PACE, "interval", 5)


@pytest.mark.usefixtures("quick")
def test_row_is_held_only_in_time() -> None:
    row = f"[name: [within 10 s {READ}, {{UserName: a}}]]"
    assert played(row, *[user("b")] * 2, user("a")) == {"name": "held"}
    assert played(row, *[user("b")] * 3, user("a")) == {"name": "refuted"}
    assert played(row, user("b")) == {"name": "refuted"}
    assert played(row, "Throttling") == {"name": "not seen"}
    assert played(row.replace("within", "after 60 s within"), user("a")) == {"name": "held"}


@pytest.mark.usefixtures("quick")
def test_row_with_a_refutation_waits_without_a_limit() -> None:
    row = f"[name: [within 10 s {READ}, {{UserName: a}}, {{UserName: b}}]]"
    assert played(row, *[user("b")] * 3, user("a")) == {"name": "held"}
    assert played(row, user("b")) == {"name": "refuted"}


def test_group_ends_with_its_calls_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(table, "note", notes.append)
    aws = Account(user("a"), "NoSuchEntity", "Throttling", {})
    found = table.played(
        world(aws),
        {
            "calls": yaml.safe_load("""
        - - [iam:GetUser, {UserName: u}, {Arn: null}]
          - end: [iam:DeleteUser, {UserName: u}]
          - end: [iam:DeleteLoginProfile, {UserName: u}]
          - [iam:GetUser, {UserName: u}]
          - first: [iam:ListUsers]
        - second: [iam:ListUsers]
    """)
        },
    )
    assert aws.calls == ["GetUser", "GetUser", "DeleteLoginProfile", "DeleteUser", "ListUsers"]
    assert [isinstance(found[name], Seen) for name in ("first", "second")] == [False, True]
    assert notes == ['iam:DeleteLoginProfile answered error "Throttling", message "rejected", http 400']


def test_password_of_an_answer_is_hidden() -> None:
    made = world(
        Account(
            {"ServiceSpecificCredential": {"ServicePassword": PASSWORD}},
            {
                "stageStates": [
                    {"stageName": "a"},
                    {"actionStates": [{"latestExecution": {"token": "a-token-of-an-approval"}}]},
                ]
            },
        )
    )
    table.played(
        made,
        {
            "calls": [
                ["iam:CreateServiceSpecificCredential", {"UserName": "u", "ServiceName": "c"}],
                ["codepipeline:GetPipelineState", {"name": "p"}],
            ]
        },
    )
    assert made.story.loop.passwords == {PASSWORD, "a-token-of-an-approval"}


CALLS = [
    (name, call) for play in table.tables() for name, call in table.calls(play["calls"]) if name != "end"
]
PLAYER = table.Player(world(Account({})), {})
ROWS = [each for each in CALLS if each[0]]
# These rows and calls look at a denial.
DENIED = {
    "AccessDenied": {"", "assume-role-sends-resource-account", "permission-set-in-principal-arn"},
    "AccessDeniedException": {"", "rule-sources-in-iam"},
}
# These rows look whether a list has a new member in time.
REFUTED_BY_EMPTY = {"list-stacks-within-1min", "merge-requests-of-a-pushed-commit"}


def result_of(
    name: str, call: list[Any], answer: Callable[[table.Player, str], dict[str, Any]]
) -> bool | None:
    """Whether the row holds with this answer, or the call that rows need has it. `None` if it is not seen."""
    player = copy.copy(PLAYER)
    player.seen = {
        given: ["1", "2", "3"] for given, _ in re.findall(PLACEHOLDER, json.dumps(call))
    } | player.seen
    player.ask = lambda operation, _: answer(player, operation)  # type: ignore[method-assign]
    try:
        return player._row(*call).held if name else player._prepare(*call) is None
    except NotSeen:
        return None


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "AccessDeniedException"])
def test_failed_call_shows_nothing(code: str) -> None:
    shown = {
        name
        for name, call in CALLS
        if result_of(name, call, lambda *_: {"error": code, "message": "Rate exceeded", "http": 429})
        is not None
    }
    assert shown == DENIED.get(code, set())


@pytest.mark.usefixtures("quick")
def test_empty_answer_shows_nothing() -> None:
    results = [
        (name, result_of(name, call, lambda player, operation: player.wanted(operation, {})))
        for name, call in ROWS
    ]
    assert {name: held for name, held in results if held is not None} == dict.fromkeys(
        REFUTED_BY_EMPTY, False
    )


@pytest.mark.usefixtures("quick")
def test_each_row_can_be_refuted() -> None:
    for name, (operation, _, held, *refuted) in ROWS:
        members = held.keys() - {"http"} if isinstance(held, dict) else ()
        others = refuted or [dict.fromkeys(members, value) for value in (None, "other")]
        results = [
            result_of(
                name,
                [operation, None, held, *refuted],
                lambda player, asked, other=other: {
                    key: example(value) for key, value in player.wanted(asked, other).items()
                },
            )
            for other in others
        ]
        assert False in results, (name, operation)


def example(wanted: Any) -> Any:
    """A value that is the wanted one."""
    if not isinstance(wanted, str) or wanted[:1] not in ("~", "!"):
        return wanted
    plain = re.sub(r"\(\?\w+\)|\([^()]*\)\?|\[[^]]*\]\?|\.\*", "", wanted[1:]).replace(r"\d", "1")
    text = "other" if wanted[0] == "!" else re.sub(r"\(([^|()]*)[^()]*\)", r"\1", plain).split("|")[0]
    return int(text) if text.isdigit() else text


def test_expressions_are_read_as_they_look() -> None:
    """`!a.b` is `(!a).b`, which is never true, and a result `true` does not show what AWS answered."""
    wanted = [(name, each) for name, call in CALLS for each in call[2:] if isinstance(each, dict)]
    assert [
        each for each in {key for _, members in wanted for key in members} if re.search(r"![\w-]+\.", each)
    ] == []
    assert {
        name
        for name, each in wanted
        if name
        and each
        and all(
            value is True and re.search(r"[=<>(]", re.sub(r"\[.*?\]", "", key)) for key, value in each.items()
        )
    } == set()


def test_row_with_a_limit_has_it_in_its_claim() -> None:
    limited = {name for name, (operation, *more) in ROWS if "within" in operation and len(more) < 3}
    assert {
        name
        for name in limited
        if not re.search("second|minute|by the time", assumptions.rows()[name]["claim"])
    } == set()
