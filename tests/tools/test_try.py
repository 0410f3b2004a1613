"""`make try` without an account: its stories and observers, the cost, and the recorded responses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.conftest import ROOT  # it adds the scripts to the path
from tests.deployment import playing, scenarios

import try_assumptions  # noqa: E402
import try_costs  # noqa: E402
import try_observers  # noqa: E402
import try_stories  # noqa: E402
from try_report import Report, without_people  # noqa: E402

BY_ACTS = {name for file in ("try_assumptions", "try_approvals")
           for name in re.findall(r'(?m)(?:seen\.add\(\s*|^        \()"([a-z0-9-]+)"',
                                  (ROOT / f"tools/{file}.py").read_text())}
BY_ACTS |= {name for names in try_assumptions.IMPLIED.values() for name in names}
STORIES = {scenario.name: scenario for world in scenarios.WORLDS[1:] for scenario in scenarios.scenarios(world)}


def test_at_least_100_rows_have_an_observer() -> None:
    observed = BY_ACTS | try_observers.OBSERVERS.keys()
    assert observed - set(try_assumptions.all_names()) == set()
    assert len(observed) >= 100


@pytest.mark.parametrize("scenario", STORIES.values(), ids=STORIES)
def test_story_has_only_steps_that_are_performed(scenario: scenarios.Scenario) -> None:
    assert playing.is_performed(scenario)
    observed = {name for step in scenario.steps for name in step.observes}
    assert observed <= BY_ACTS | try_observers.OBSERVERS.keys()
    assert "account" not in scenario.worlds or "network" not in str(scenario.steps)


@pytest.mark.parametrize("changes", [
    {"steps": ["dance"]}, {"steps": [{"create": {}, "because": "it can"}]}, {"steps": [{"expect": {"moon": 1}}]},
    {"worlds": ["mars"]}, {"world": {"sync_takes": "1m"}}, {"moral": "none"},
])
def test_unknown_word_of_a_story_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(scenarios.UnknownWord):
        scenarios.parse("mirrors_a", {"story": "A story.", "steps": ["create"], **changes})


def test_stories_are_chosen_by_their_files() -> None:
    assert try_stories.chosen("") == []
    assert len(try_stories.chosen("mirrors_manual_change_corrected_in_one_project")) == 2
    with pytest.raises(SystemExit, match="unknown mirrors_of_the_moon"):
        try_stories.chosen("mirrors_of_the_moon")


def test_stories_and_observers_add_to_the_cost_and_the_time() -> None:
    alone = try_costs.cost_and_duration(17, [], 0)
    assert alone.startswith("It takes about 68 minutes and costs at most 0.") and "at most 21\nCodeCommit users" in alone
    more = try_costs.cost_and_duration(17, try_stories.chosen("all"), 70)
    assert "hours and costs at most 1." in more or "hours and costs at most 2." in more


def test_recorded_response_has_no_people() -> None:
    person = {"id": 1, "name": "Ann", "username": "ann", "public_email": "a@b.c"}
    branches = [{"name": "main", "committer_name": "Ann", "author_username": "ann"}]
    record = {"sourceIPAddress": "192.0.2.1", "userIdentity": {"accessKeyId": "ASIA"}}
    assert without_people(record) == {"sourceIPAddress": "<name>", "userIdentity": {"accessKeyId": "<name>"}}
    assert without_people({"author": person, "branches": branches, "ResponseMetadata": {}}) == {
        "author": {"id": 1, **dict.fromkeys(("name", "username", "public_email"), "<name>")},
        "branches": [{"name": "main", "committer_name": "<name>", "author_username": "<name>"}]}


def test_masked_arn_leaves_valid_json() -> None:
    loop = SimpleNamespace(passwords=set())
    gitlab = SimpleNamespace(token="glpat-1", url="https://gitlab.example.com")
    report = Report(SimpleNamespace(account_id="123456789012"),  # type: ignore[arg-type]
                    SimpleNamespace(gitlab=gitlab, project=SimpleNamespace(path="a/b")),  # type: ignore[arg-type]
                    SimpleNamespace(loop=loop, second_loop=loop))  # type: ignore[arg-type]
    text = json.dumps({"arn": "arn:aws:iam::123456789012:user/ann", "next": 1})
    assert json.loads(report.masked(text)) == {"arn": "arn:aws:iam::<account>:user/<caller>", "next": 1}
