"""The observers from the options of a pipeline on: responses that show nothing about a row, because something else failed."""

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.test_observers_later import (
    CALLER, COMMIT, DENIAL, FREE, LOOKS, NAMES, PROBE, PROTECTED, ROWS, _without_a_clock, clone, double, intruder, optional, rejected,
    replayed, repository, sequence, with_client, world)

from observers import NotSeen, people, repositories

__all__ = ["_without_a_clock"]

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
