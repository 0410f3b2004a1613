"""`make try` without an account: its stories and observers, the cost, and the recorded responses."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.play import playing, scenarios
from tests.tools.conftest import ROOT
from tools.trial import assumptions as try_assumptions
from tools.trial import observing as try_observers
from tools.trial import run as try_run
from tools.trial import stories as try_stories
from tools.trial.acts import STEPS
from tools.trial.gitlab import GitLabError, RemoteProject
from tools.trial.report import Report

BY_ACTS = {
    name
    for file in ("assumptions", "approvals")
    for name in re.findall(r'seen\.add\(\s*"([a-z0-9-]+)"', (ROOT / f"tools/trial/{file}.py").read_text())
}
STORIES = {
    scenario.name: scenario for world in scenarios.WORLDS[1:] for scenario in scenarios.scenarios(world)
}


def test_rows_without_another_way_are_observed() -> None:
    """A row that `make try` shows in some accounts only also has a way by hand."""
    expected = {
        name
        for name, row in try_assumptions.rows().items()
        if "act" not in row and "`make try`" in row.get("by hand", "`make try`")
    }
    assert expected == BY_ACTS | try_observers.observed()
    acts = {row["act"] for row in try_assumptions.rows().values() if "act" in row}
    assert acts and acts <= {step.name for step in STEPS}


@pytest.mark.parametrize("scenario", STORIES.values(), ids=STORIES)
def test_story_has_only_steps_that_are_performed(scenario: scenarios.Scenario) -> None:
    assert playing.is_performed(scenario)
    assert "account" not in scenario.worlds or "network" not in str(scenario.steps)
    assert set(scenario.observes) <= try_assumptions.rows().keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": ["dance"]},
        {"steps": [{"create": {}, "because": "it can"}]},
        {"steps": [{"expect": {"moon": 1}}]},
        {"worlds": ["mars"]},
        {"world": {"sync_takes": "1m"}},
        {"moral": "none"},
    ],
)
def test_unknown_word_of_a_story_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(scenarios.UnknownWord):
        scenarios.parse("mirrors_a", {"story": "A story.", "steps": ["create"], **changes})


def test_stories_are_chosen_by_their_files() -> None:
    assert try_stories.chosen("") == []
    assert len(try_stories.chosen("mirrors_manual_change_corrected_in_one_project")) == 2
    with pytest.raises(SystemExit, match="unknown mirrors_of_the_moon"):
        try_stories.chosen("mirrors_of_the_moon")


def test_story_that_mirrors_unprotected_branches_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    update = {"update": {"Mirrors": [{"OnlyProtectedBranches": "false"}]}}
    story = scenarios.parse("mirrors_a", {"story": "A story.", "steps": ["create", update]})
    monkeypatch.setattr(scenarios, "scenarios", lambda _: [story])
    with pytest.raises(SystemExit, match="unprotected branches"):
        try_stories.chosen("all")


@pytest.fixture
def report() -> Report:
    loop = SimpleNamespace(passwords={"SENTINEL-token"})
    gitlab = SimpleNamespace(token="SENTINEL-glpat", url="https://SENTINEL.example.com")
    story = SimpleNamespace(loop=loop, second_loop=loop, names=SimpleNamespace(first="tryabcde"))
    return Report(
        SimpleNamespace(account_id="123456789012"),  # type: ignore[arg-type]
        SimpleNamespace(gitlab=gitlab, project=SimpleNamespace(path="SENTINEL/b")),
        story,
    )  # type: ignore[arg-type]


PERSON = {"id": 987654, "name": "SENTINEL", "username": "SENTINEL", "public_email": "x", "state": "active"}
# Each contains a sentinel: the text SENTINEL, the number 987654, or an address.
PRIVATE: list[Any] = [
    {"author": PERSON, "reviewers": [PERSON]},
    {"user": {"id": 987654, "name": "SENTINEL"}},
    {"committer": "SENTINEL"},
    {"author": {"name": "SENTINEL", "email": "sentinel@example.com", "date": 1}},
    {"reviewers": ["SENTINEL"]},
    {
        "author_id": 987654,
        "target_project_id": 987654,
        "project_id": 987654,
        "user_id": 987654,
        "author_email": "SENTINEL",
    },
    {"author_username": "SENTINEL", "committer_name": "SENTINEL", "name_with_namespace": "SENTINEL"},
    {
        "userIdentity": {
            "principalId": "AROAEXAMPLEEXAMPLE12:SENTINEL",
            "userName": "SENTINEL",
            "accessKeyId": "SENTINEL",
        }
    },
    {"onBehalfOf": {"userId": "SENTINEL"}, "sourceIPAddress": "SENTINEL", "userAgent": "SENTINEL"},
    "AROAEXAMPLEEXAMPLE12:SENTINEL",
    "arn:aws:sts::123456789012:assumed-role/SENTINEL/SENTINEL",
    "arn:aws:sts::210987654321:assumed-role/role-tryother/SENTINEL",
    "by sentinel.s+1@mail.example.com",
    "arn:aws:iam::123456789012:user/path/SENTINEL",
    "123456789012",
    "from 192.0.2.1",
    "SENTINEL-token",
    "SENTINEL-glpat",
    "https://SENTINEL.example.com/SENTINEL/b",
    "SENTINEL/b",
    "approved by @SENTINEL.x",
]


@pytest.mark.parametrize("response", PRIVATE, ids=str)
def test_recorded_response_is_public(report: Report, response: Any) -> None:
    public = report.public({"source": ["git or GitLab"], "response": [response, {"next": 1}]})
    assert not re.search("(?i)sentinel|987654|123456789012|192\\.0", public), public
    assert json.loads(public)["response"][1] == {"next": 1}


@pytest.mark.parametrize("text", ["\ud800", "a\x9b31m", "\u202e", "\u2066", "\u2028", "Ünïcode 🎉"])
def test_recorded_response_is_plain_json(report: Report, text: str) -> None:
    public = report.public({"response": {"title": text, text: "ünï@example.com by @someone"}})
    assert public.isascii() and public.replace("\n", "").isprintable()
    assert json.loads(public) == {"response": {"title": text, text: "<email> by <name>"}}


def test_files_of_a_report_do_not_depend_on_the_locale(
    report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    encodings: list[Any] = []
    monkeypatch.setattr(
        Path, "write_text", lambda _, text, encoding=None: encodings.append(encoding or text.isascii())
    )
    monkeypatch.setattr("tools.trial.report.ROOT", tmp_path)
    monkeypatch.setattr(Report, "lines", lambda _: iter(["é"]))
    report.story.seen = SimpleNamespace(
        rows=list, recorded={"a": {"response": "é \ud800"}}, count=lambda _: 0
    )  # type: ignore[assignment]
    monkeypatch.setattr("tools.trial.report.table", lambda _: None)
    report.print()
    assert encodings == ["utf-8", True]


def test_recorded_response_keeps_what_is_not_private(report: Report) -> None:
    kept = {
        "id": 5,
        "pipeline_id": 7,
        "branches": [{"name": "main"}],
        "actionTypeId": {"owner": "AWS"},
        "version": "1.2.3",
        "arn": "arn:aws:sts::<account>:assumed-role/role-tryabcde-x/AWSCodeBuild-1",
    }
    assert json.loads(report.public({"response": kept | {"ResponseMetadata": {}}}))["response"] == kept | {
        "arn": "arn:aws:sts::<account>:assumed-role/role-<run>-x/AWSCodeBuild-1"
    }


def test_prompt_names_what_observers_create_and_leave() -> None:
    text = try_run.of_stories(SimpleNamespace(names=try_run.names_of("tryabcde"), scenarios=(1,)))  # type: ignore[arg-type]
    for each in (
        "access token",
        "build projects",
        "alarms",
        "repositories",
        "IAM users that push",
        "KMS key",
        "EventBridge replay",
        "AWSServiceRoleForCodeStarNotifications",
    ):
        assert each in text


def test_access_tokens_of_observers_are_revoked() -> None:
    sent: list[str] = []

    def send(method: str, path: str, **_: Any) -> Any:
        sent.append(f"{method} {path.rsplit('/', 1)[-1]}")
        return SimpleNamespace(status_code=202 if path.endswith("/3") else 204)

    def listed(*numbers: int) -> Any:
        tokens = [
            {"id": number, "name": name, "active": True}
            for number, name in zip(numbers, ("tryabcde-probe", "mine", "tryabcde-probe"), strict=False)
        ]
        return RemoteProject(SimpleNamespace(pages=lambda *_, **__: tokens, send=send), "a/b")

    listed(1, 2).revoke_access_tokens("tryabcde-probe")
    assert sent == ["DELETE 1"]
    with pytest.raises(GitLabError, match="may be active"):
        listed(3).revoke_access_tokens("tryabcde-probe")


@pytest.mark.parametrize(("level", "status", "fails"), [(40, 401, False), (30, 401, True), (40, 500, True)])
def test_denied_list_of_access_tokens_fails_for_no_maintainer(level: int, status: int, fails: bool) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise GitLabError("denied", status)

    project = RemoteProject(
        SimpleNamespace(
            pages=denied, read=lambda *_: {"permissions": {"project_access": {"access_level": level}}}
        ),
        "a/b",
    )
    with pytest.raises(GitLabError) if fails else nullcontext():
        project.revoke_access_tokens("tryabcde-probe")
