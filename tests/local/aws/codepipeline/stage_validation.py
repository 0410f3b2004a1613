"""Validates the conditions and rollbacks of a pipeline's stages.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageDeclaration.html (shapes, limits)

Those pages describe valid stages. The texts and the code of the errors are not documented. (?)
"""

from collections.abc import Iterator
from typing import Any

from tests.local.aws.codepipeline import deployment_window
from tests.local.aws.json_api import Rejected

LOCALLY = "is not part of this local CodePipeline"


# Each condition's rule, with its required and its optional configuration. AWS has further rules for each.
_RULES = {
    # .../userguide/rule-reference-DeploymentWindow.html
    "beforeEntry": ("DeploymentWindow", {"Cron"}, {"TimeZone"}),
    # .../userguide/rule-reference-CloudWatchAlarm.html
    "onSuccess": ("CloudWatchAlarm", {"AlarmName"}, {"WaitTime"}),
}
# "Entry: [...] Fail or Skip. On Failure: [...] Rollback. On Success: [...] Rollback or Fail". Only
# LambdaInvoke and VariableCheck can skip. CloudFormation's schema also allows RETRY for OnFailure. Both are
# not part of this one.
_RESULTS = {"beforeEntry": ("FAIL",), "onSuccess": ("ROLLBACK", "FAIL"), "onFailure": ("ROLLBACK",)}


def check(made: dict[str, Any]) -> None:
    if made["executionMode"] == "PARALLEL":
        raise Rejected("InvalidStructureException", f"The execution mode PARALLEL {LOCALLY}")
    for index, stage in enumerate(made["stages"]):
        on_failure = stage.get("onFailure") or {}
        if not on_failure and not any(stage.get(kind) for kind in _RULES):
            continue
        if made["pipelineType"] != "V2":
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-types.html
            raise Rejected(
                "InvalidStructureException",
                f"Stage conditions of stage {stage['name']} are not supported "
                f"for pipeline type {made['pipelineType']}",
            )
        for member in sorted(on_failure.keys() - {"result"}):
            raise _reject(f"{member} in onFailure of stage {stage['name']} {LOCALLY}")
        if on_failure:
            _check_result(stage["name"], "onFailure", on_failure.get("result"))
        for kind, condition in conditions(stage):
            _check_condition(stage["name"], kind, condition)
        if "ROLLBACK" in {
            on_failure.get("result"),
            *(condition.get("result") for _, condition in conditions(stage)),
        }:
            _check_rollback(stage["name"], index)


def conditions(stage: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stage's conditions, each with its kind. The service model allows one of each kind."""
    for kind in _RULES:
        for condition in (stage.get(kind) or {}).get("conditions", []):
            yield kind, condition


def _reject(message: str) -> Rejected:
    return Rejected("InvalidStageDeclarationException", message)


def _check_rollback(stage: str, index: int) -> None:
    if index == 0:
        raise _reject(f"Stage {stage}: you cannot roll back a source stage")


def _check_result(stage: str, kind: str, result: str | None) -> None:
    if result not in _RESULTS[kind]:
        raise _reject(f"{kind} of stage {stage} must have one of the results {', '.join(_RESULTS[kind])}")


def _check_condition(stage: str, kind: str, condition: dict[str, Any]) -> None:
    _check_result(stage, kind, condition.get("result"))
    rules = condition.get("rules", [])
    if not rules:
        raise _reject(f"The condition {kind} of stage {stage} has no rules")
    names = [rule["name"] for rule in rules]
    if len(set(names)) < len(names):
        raise _reject(f"Rule names must be unique within the condition {kind} of stage {stage}")
    for rule in rules:
        _check_rule(f"Rule {rule['name']} of stage {stage}", kind, rule)


def _check_rule(where: str, condition: str, rule: dict[str, Any]) -> None:
    provider, required, optional = _RULES[condition]
    kind = rule["ruleTypeId"]
    if (kind["provider"], kind.get("owner", "AWS"), kind.get("version", "1")) != (provider, "AWS", "1"):
        raise _reject(
            f"{where}: RuleType (Provider: '{kind['provider']}', Version: '{kind.get('version')}') in "
            f"{condition} {LOCALLY}"
        )
    for member in sorted(rule.keys() - {"name", "ruleTypeId", "configuration"}):
        raise _reject(f"{where}: {member} {LOCALLY}")
    given = rule.get("configuration", {})
    for key in sorted(given.keys() - required - optional):
        raise _reject(f"{where}: unknown configuration '{key}'")
    for key in sorted(required - given.keys()):
        raise _reject(f"{where}: missing required configuration '{key}'")
    if not given.get("WaitTime", "0").isdecimal():
        raise _reject(f"{where}: WaitTime must be a number of minutes")
    if provider == "DeploymentWindow":
        try:
            deployment_window.parse(given)
        except deployment_window.Malformed as fault:
            raise _reject(f"{where}: {fault}") from None
