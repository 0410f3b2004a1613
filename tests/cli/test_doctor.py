"""A freeze in `doctor`: it is shown with the command that ends it, and is not a failure."""

import json
from unittest.mock import MagicMock

import pytest

from cli.commands import doctor
from cli.commands.doctor import rule_check
from cli.environment import diagnosis
from cli.shell.output import Found, Output, Sound

RULE = "event-rule-dev-codepipeline-exec-cfn-shop"


@pytest.mark.parametrize(("name", "state", "result"), [
    (RULE, "ENABLED", "sound"),
    (RULE, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "sound"),
    (RULE, "DISABLED", "held"),
    ("event-rule-dev-codepipeline-exec-rev-shop", "DISABLED", "held"),
    (RULE, "PAUSED", "found"),
    (RULE, None, "found"),
    # Those of the environment, without which nothing is reported or checked.
    ("event-rule-dev-cfn-gitops-report", "DISABLED", "found"),
    ("event-rule-dev-forward-shop", "DISABLED", "found"),
    ("event-rule-prd-codepipeline-exec-cfn-shop", "DISABLED", "found"),
])
def test_only_a_pipelines_disabled_rule_is_a_freeze(name: str, state: str, result: str) -> None:
    finding = rule_check("dev", name, state)
    assert finding.result == result
    assert (f"aws events enable-rule --name {name}" in finding.remedy) == (result != "sound")


def test_freeze_is_shown_and_is_not_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {"Subject": "pipeline p", "Held": "held by the disabled transition into stage Deploy: sale",
             "Remedy": "To end the freeze: aws codepipeline enable-stage-transition --pipeline-name p"}
    findings = [diagnosis.finding(shown["Subject"], shown), rule_check("dev", RULE, "DISABLED"), Sound("stack s")]
    assert Output(selection="--profile ops").findings(findings) == 0
    assert capsys.readouterr().out.splitlines() == [
        "held         pipeline p",
        "               held by the disabled transition into stage Deploy: sale",
        "               To end the freeze: aws --profile ops codepipeline enable-stage-transition --pipeline-name p",
        f"held         event rule {RULE}",
        f"               held by the disabled event rule {RULE}",
        f"               To end the freeze: aws --profile ops events enable-rule --name {RULE}",
        "sound        stack s",
        "3 checks: 0 found, 1 sound, 2 held, 0 not checked"]
    output = Output(as_json=True)
    assert output.findings(findings) == 0
    assert json.loads(json.dumps(output.document))["checks"][0] == {
        "subject": "pipeline p", "result": "held", "remedy": shown["Remedy"], "held": shown["Held"]}


def test_freeze_that_the_function_shows_is_listed_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {"Subject": "pipeline p", "Held": f"held by the disabled event rule {RULE}", "Remedy": "To end the freeze: aws"}
    monkeypatch.setattr(doctor, "stack_check", lambda *_: Sound("stack s"))
    monkeypatch.setattr(doctor, "client_of", lambda _: None)
    monkeypatch.setattr(doctor, "function_checks", lambda *_: [diagnosis.finding("pipeline p", shown)])
    monkeypatch.setattr(doctor, "rule_checks", lambda _: [rule_check("dev", each, "DISABLED") for each in (RULE, RULE.replace("cfn", "ecr"))])
    assert doctor.run(MagicMock(), None, Output()) == 0
    assert capsys.readouterr().out.endswith("3 checks: 0 found, 1 sound, 2 held, 0 not checked\n")


def test_freeze_beside_a_problem_is_a_failure() -> None:
    assert Output(as_json=True).findings([rule_check("dev", RULE, "DISABLED"), Found("stack s", "it is gone")]) == 1
