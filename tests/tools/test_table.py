"""The player of `make try`'s tables, without an account."""

import itertools
import time
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml

from tools.trial import table
from tools.trial.observers import Seen, World, sources
from tools.trial.run import names_of

PASSWORD = "a-password-of-codecommit"
READ = "iam:GetUser, {UserName: u}"


@cache
def client(service: str) -> Any:
    return boto3.client(service, Account.region, aws_access_key_id="a", aws_secret_access_key="b")


class Account:
    """An account that gives the answers in order, and repeats the last one. A text is the code of an error."""

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
            return SimpleNamespace(status_code=400), {"Error": {"Code": answer, "Message": "rejected"}, "ResponseMetadata": {
                "HTTPStatusCode": 400}}
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {}}


def world(aws: Account) -> World:
    names, of = names_of("tryabcde"), SimpleNamespace(name="x", function_name="x")
    project = SimpleNamespace(**dict.fromkeys(("name", "repository", "review_project", "event_rule", "stack_name"), "x"),
                              deployed=of)
    loop = SimpleNamespace(project=project, passwords=set())
    return World(SimpleNamespace(aws=aws, names=names, loop=loop, environment=of, failing=of), None)  # type: ignore[arg-type]


def played(steps: str, *answers: Any) -> dict[str, str]:
    """The result of each row."""
    found = table.played(world(Account(*answers)), {"calls": yaml.safe_load(steps)})
    return {name: ("held" if each.held else "refuted") if isinstance(each, Seen) else "not seen" for name, each in found.items()}


def user(name: str, **more: str) -> dict[str, Any]:
    return {"User": {"UserName": name, **more}}


@pytest.mark.parametrize(("row", "answer", "result"), [
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
])
def test_answer_decides_about_a_row(row: str, answer: Any, result: str) -> None:
    assert played(f"[name: [{row}]]", answer) == {"name": result}


def test_row_with_several_calls_needs_all() -> None:
    rows = f"[{{a: [{READ}, {{UserName: a}}]}}, {{a: [{READ}, {{UserName: b}}]}}]"
    assert played(rows, user("a"), user("b")) == {"a": "held"}
    assert played(rows, user("b"), user("b")) == played(rows, user("a"), user("a")) == {"a": "refuted"}
    assert played(rows, "Throttling", user("b")) == played(rows, user("a"), "Throttling") == {"a": "not seen"}


def test_row_is_held_only_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(table.waiting.PACE, "interval", 5)
    row = f"[name: [within 10 s {READ}, {{UserName: a}}]]"
    assert played(row, *[user("b")] * 8, user("a")) == {"name": "held"}
    assert played(row, *[user("b")] * 20, user("a")) == {"name": "refuted"}
    assert played(row, "Throttling") == {"name": "not seen"}


def test_group_ends_with_its_calls_after_a_failure() -> None:
    aws = Account(user("a"), "NoSuchEntity", {})
    found = table.played(world(aws), {"calls": yaml.safe_load("""
        - - [iam:GetUser, {UserName: u}, {Arn: null}]
          - end: [iam:DeleteUser, {UserName: u}]
          - end: [iam:DeleteLoginProfile, {UserName: u}]
          - [iam:GetUser, {UserName: u}]
          - first: [iam:ListUsers]
        - second: [iam:ListUsers]
    """)})
    assert aws.calls == ["GetUser", "GetUser", "DeleteLoginProfile", "DeleteUser", "ListUsers"]
    assert [isinstance(found[name], Seen) for name in ("first", "second")] == [False, True]


def test_password_of_an_answer_is_hidden() -> None:
    made = world(Account({"ServiceSpecificCredential": {"ServicePassword": PASSWORD}}))
    table.played(made, {"calls": [["iam:CreateServiceSpecificCredential", {"UserName": "u", "ServiceName": "c"}]]})
    assert made.story.loop.passwords == {PASSWORD}


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_failing_account_shows_nothing(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=10)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sources, "gitlab", lambda *_, **__: SimpleNamespace(status_code=403, text="", headers={}))
    failing = world(Account(code))
    for play in table.tables():
        found = table.played(failing, play)
        assert [name for name, each in found.items() if isinstance(each, Seen)] == []
        assert set(found) == set(table.rows(play["calls"]))
