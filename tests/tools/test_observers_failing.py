"""Observers, while requests fail for a reason that has nothing to do with their rows, or return nothing about them."""

import io
import io
import itertools
import json
import math
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import boto3
import pytest
import requests

from tests.tools.test_observers_later import (
    CALLER, COMMIT, DENIAL, FREE, LOOKS, NAMES, PROBE, PROTECTED, ROWS, Answers, clone, double, intruder, optional,
    rejected, replayed, repository, sequence, with_client, world)

from tools.trial.observers import NotSeen, World, people, repositories
from tools.trial.observers.repositories import Clone
from tools.trial.observers.scenes import Scene
from tests.play import steps
from tests.play.pipelines import Pipeline
from tests.play.steps import Login
from tools.trial.acts import TryStory
from tools.trial.gitlab import RemoteGitLab
from tools.trial.observing import OBSERVERS
from tools.trial.run import Options, RemoteSource

ACCOUNT, REGION = "111122223333", "eu-central-1"
# By failure: the code of AWS's error, and GitLab's status.
FAILURES = {"denied": ("AccessDeniedException", 403), "throttled": ("ThrottlingException", 429), "empty": ("", 200)}
OFFLINE = subprocess.CompletedProcess([], 128, "", "fatal: Could not resolve host")
# The session may assume the role if the policy does not require the key.
DENIAL_IS_THE_RESULT = ("assume-role-sends-resource-account", "AccessDenied", 2)
# A success without content, or a change that AWS does not show for minutes, refutes these rows.
EMPTY_IS_THE_RESULT = {"describe-secret-fresh-at-update", "differences-name-both-paths", "differences-of-a-long-page",
                       "rule-sources-in-iam", "tombstone-secret-shown-in-time"}
EMPTY: dict[str, Any] = {"list": [], "map": {}, "string": "a value that is unknown", "integer": 0, "long": 0, "float": 0.0,
                         "double": 0.0, "boolean": False, "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}


def empty(shape: Any, depth: int = 3) -> Any:
    """A response with all members, but without a further page, and with empty lists."""
    if shape is None or shape.type_name == "structure":
        return {name: empty(member, depth - 1) for name, member in shape.members.items()
                if not re.search("(?i)token|marker|deleted", name)} if shape and depth else {}
    return io.BytesIO() if shape.type_name == "blob" else EMPTY[shape.type_name]


class Account:
    """An account whose services answer every valid request in the same way."""

    account_id, region = ACCOUNT, REGION

    def __init__(self, code: str) -> None:
        self._code, self._clients = code, dict[str, Any]()

    def environment(self) -> dict[str, str]:
        return {}

    def client(self, service: str, **_: Any) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(service, REGION, aws_access_key_id="a", aws_secret_access_key="b")
            self._clients[service].meta.events.register("before-call", self._answer)
        return self._clients[service]

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        metadata = {"HTTPHeaders": {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}}
        if self._code:
            return SimpleNamespace(status_code=400), {"Error": {"Code": self._code, "Message": self._code}}
        return SimpleNamespace(status_code=200), {**empty(model.output_shape), "ResponseMetadata": metadata}


def filled(kind: Any, world: World, directory: Path) -> Any:
    """An opened scene, or a member of it, with any values."""
    if is_dataclass(kind) and kind not in (World, Login):
        hints = get_type_hints(kind)
        return kind(**{each.name: filled(hints[each.name], world, directory) for each in fields(kind)})
    aws = world.story.aws
    values = {World: world, str: PROBE, int: 1, list[str]: [COMMIT, COMMIT], Login: Login("", "", ""), boto3.Session: aws,
              steps.Stack: steps.Stack(aws, PROBE), Pipeline: Pipeline(aws, NAMES.first, "probe")}
    if kind in values:
        return values[kind]
    return kind(directory / str(time.time_ns())) if kind is Clone else defaultdict(str)


def looks(world: World, directory: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The observers by their rows. Those of a scene look at it as if it had been opened."""
    scenes = [each for module in sys.modules.copy() if module.startswith("tools.trial.observers.")
              for each in vars(sys.modules[module]).values() if isinstance(each, Scene)]
    of_scenes = {name: look for scene in scenes for name, look in scene.looks.items()}
    for name, look in (OBSERVERS | of_scenes).items():
        kind = next(iter(get_type_hints(look).values())) if name in of_scenes else World
        yield name, lambda look=look, kind=kind: look(filled(kind, world, directory))  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=10)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))


@pytest.mark.parametrize("failure", FAILURES)
def test_observer_of_a_failing_account_sees_nothing(failure: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, status = FAILURES[failure]

    def respond(*_: Any, **__: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.raw = status, io.BytesIO(b"[]" if status == 200 else b'{"message": "rejected"}')
        return response

    for owner, name, replaced in (
            (requests.Session, "request", respond), (steps, "what_is_there", lambda _: {}),
            (Login, "status", lambda *_: 500), (steps.Working, "_git", lambda *_, **__: OFFLINE)):
        monkeypatch.setattr(owner, name, replaced)
    aws: Any = Account(code)
    source = RemoteSource(Options(aws, RemoteGitLab("https://gitlab.invalid", "token"), "a/b", NAMES, 0))
    world = World(TryStory(aws, source, NAMES, tmp_path), source.project)  # type: ignore[arg-type]
    results = {name: result(look) for name, look in looks(world, tmp_path)}
    own = EMPTY_IS_THE_RESULT if failure == "empty" else set()
    assert {name: seen for name, seen in results.items() if seen and name not in own} == {}


def result(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except Exception:  # noqa: BLE001: the report has it as the reason
        return None


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "Throttling"])
@pytest.mark.parametrize("name", ROWS)
def test_failed_call_does_not_reverse_a_result(name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call in turn fails while all others return what holds or refutes."""
    calls, fails, answer = itertools.count(), 0, Answers._answer

    def failing(client: Answers, operation: str) -> Any:
        if next(calls) == fails:
            raise rejected(code, "Rate exceeded, or not authorized")
        return answer(client, operation)

    monkeypatch.setattr(Answers, "_answer", failing)
    for held in (True, False):
        for fails in range(100):
            calls = itertools.count()
            seen = result(lambda held=held: LOOKS[name](  # type: ignore[misc]
                ROWS[name].look_at(ROWS[name].held if held else ROWS[name].refuted)))
            assert not seen or seen.held is held or (name, code, fails) == DENIAL_IS_THE_RESULT, (fails, seen)
            if next(calls) <= fails:
                break


# By row: responses that show neither.
UNCLEAR: dict[str, list[Any]] = {
    "codecommit-rejected-push-message": [repository(pushes=lambda *_: ([PROTECTED], ""))],
    "codecommit-judges-each-reference": [repository(pushes=lambda *_: ([], "error: HTTP 403"))],
    "mirrored-wildcard": [world(SimpleNamespace(branches_matching=lambda _: [NAMES.review_branch]))],
    "event-history-has-git-pushes": [world(cloudtrail={"lookup_events": {"Events": []}})],
    "unexplained-denial-did-nothing": [with_client(intruder(create_secret=answer)) for answer in (
        {}, rejected("AccessDeniedException", "because no policy allows it"), rejected("ThrottlingException"))],
    "rule-sources-in-iam": [double(puts_rule=lambda *given: "" if given == ("example.probe",) else "LimitExceededException")],
    "notification-rule-key": [with_client(intruder(create_notification_rule=rejected("ValidationException")), sts=CALLER)],
    "assume-role-sends-resource-account": [intruder(assume_role=DENIAL), intruder(assume_role=[{}, rejected("Throttling")])],
    "replayed-events-carry-a-name": [replayed()],
    "whole-numbers-in-configuration": [optional(
        pipeline={"status": "Failed", "error": "not authorized"}, approved=lambda: "Failed")],
    "alarm-already-raised-fails-at-once": [optional(pipeline={"status": "Failed", "ran": [("Deploy", "Failed")]})],
    "waiting-window-holds-the-stage": [optional(waiting=["c", "d"], passes=lambda _: math.inf)],
    "window-cron-open-in-matching-minutes": [optional(
        pipeline={"status": "InProgress"}, set=sequence(rejected("ThrottlingException"), None))],
    "triggers-and-alarms-send-source-arn": [people.Notified(world(), {})],
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_row_is_not_seen_with_another_response(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people.Notified, "has", lambda *_: False)
    for response in UNCLEAR[name]:
        with pytest.raises(NotSeen):
            LOOKS[name](response)


@pytest.mark.parametrize("name", ["event-history-has-git-pushes", "single-tag-has-an-event"])
def test_recorded_part_of_a_response_has_no_person(name: str) -> None:
    recorded = json.dumps(LOOKS[name](ROWS[name].look_at(ROWS[name].held)).recorded)
    assert not [each for each in ("192.0.2.1", "author", "userIdentity", COMMIT) if each in recorded], recorded


def test_failed_git_is_not_a_result() -> None:
    offline = repositories.Repository(world(), PROBE, "", clone(
        push_together=lambda *_: "Could not resolve host", all_references=lambda *_: {}), None, "user")  # type: ignore[arg-type]
    with pytest.raises(NotSeen, match="resolve host"):
        offline.pushes(FREE)
