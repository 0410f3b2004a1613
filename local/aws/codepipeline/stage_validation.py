"""Validates the conditions and rollbacks of a pipeline's stages.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageDeclaration.html (shapes, limits)

Those pages describe valid stages. The texts and the code of the errors are not documented. (?)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.aws.codepipeline import deployment_window

LOCALLY = "is not part of this local CodePipeline"
CONDITIONS = ("beforeEntry", "onSuccess")


class Invalid(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class RuleType:
    required: frozenset[str]
    optional: frozenset[str]


RULE_TYPES = {
    # .../userguide/rule-reference-CloudWatchAlarm.html. AlarmStates is "the desired CloudWatch alarm states for the
    # rule to monitor": whether a state in it meets the rule or fails it is not documented, so it is rejected here.
    "CloudWatchAlarm": RuleType(frozenset({"AlarmName"}), frozenset({"WaitTime"})),
    # .../userguide/rule-reference-DeploymentWindow.html
    "DeploymentWindow": RuleType(frozenset({"Cron"}), frozenset({"TimeZone"})),
}
# "Entry: [...] Fail or Skip. On Failure: [...] Rollback. On Success: [...] Rollback or Fail". CloudFormation's schema
# also allows RETRY for OnFailure, which is not part of this local CodePipeline.
_RESULTS = {"beforeEntry": ("FAIL", "SKIP"), "onSuccess": ("ROLLBACK", "FAIL"), "onFailure": ("ROLLBACK",)}


def check(made: dict[str, Any], region: str) -> None:
    for index, stage in enumerate(made["stages"]):
        on_failure = stage.get("onFailure") or {}
        if not on_failure and not any(stage.get(kind) for kind in CONDITIONS):
            continue
        if made["pipelineType"] != "V2":
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-types.html
            raise Invalid("InvalidStructureException", f"Stage conditions of stage {stage['name']} are not supported "
                                                       f"for pipeline type {made['pipelineType']}")
        _check_on_failure(stage["name"], on_failure)
        for kind, condition in conditions(stage):
            _check_condition(stage["name"], kind, condition, region)
        if _rolls_back(stage):
            _check_rollback(stage["name"], index, made["executionMode"])


def conditions(stage: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stage's conditions, each with its kind. The service model allows one of each kind."""
    for kind in CONDITIONS:
        for condition in (stage.get(kind) or {}).get("conditions", []):
            yield kind, condition


def _reject(message: str) -> Invalid:
    return Invalid("InvalidStageDeclarationException", message)


def _rolls_back(stage: dict[str, Any]) -> bool:
    return "ROLLBACK" in {(stage.get("onFailure") or {}).get("result"),
                          *(condition.get("result") for _, condition in conditions(stage))}


def _check_rollback(stage: str, index: int, mode: str) -> None:
    if index == 0:
        raise _reject(f"Stage {stage}: you cannot roll back a source stage")
    if mode == "PARALLEL":
        # "For pipelines in PARALLEL mode, stage rollback is not available. Similarly, failure conditions with a
        # rollback result type cannot be added to a PARALLEL mode pipeline."
        # https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html
        raise _reject(f"Stage {stage}: the result ROLLBACK is not available in execution mode PARALLEL")


def _check_on_failure(stage: str, on_failure: dict[str, Any]) -> None:
    if on_failure.get("conditions"):
        raise _reject(f"Conditions in onFailure of stage {stage} {LOCALLY}")
    if on_failure.get("result") == "RETRY" or "retryConfiguration" in on_failure:
        raise _reject(f"An automatic retry of stage {stage} {LOCALLY}")
    if on_failure:
        _check_result(stage, "onFailure", on_failure.get("result"))


def _check_result(stage: str, kind: str, result: str | None) -> None:
    if result not in _RESULTS[kind]:
        raise _reject(f"{kind} of stage {stage} must have one of the results {', '.join(_RESULTS[kind])}")


def _check_condition(stage: str, kind: str, condition: dict[str, Any], region: str) -> None:
    _check_result(stage, kind, condition.get("result"))
    rules = condition.get("rules", [])
    if not rules:
        raise _reject(f"The condition {kind} of stage {stage} has no rules")
    names = [rule["name"] for rule in rules]
    if len(set(names)) < len(names):
        raise _reject(f"Rule names must be unique within the condition {kind} of stage {stage}")
    for rule in rules:
        _check_rule(stage, rule, region)
        if condition["result"] == "SKIP":
            # "For Entry conditions that use the Skip result to skip the stage if the condition fails, only the
            # LambdaInvoke and VariableCheck rules are supported."
            raise _reject(f"The result SKIP of stage {stage} does not support the rule "
                          f"{rule['ruleTypeId']['provider']}")


def _check_rule(stage: str, rule: dict[str, Any], region: str) -> None:
    where, kind = f"Rule {rule['name']} of stage {stage}", rule["ruleTypeId"]
    known = RULE_TYPES.get(kind["provider"])
    if known is None or kind.get("owner", "AWS") != "AWS" or kind.get("version", "1") != "1":
        raise _reject(f"{where}: RuleType (Provider: '{kind['provider']}', Version: '{kind.get('version')}') {LOCALLY}")
    for member in ("commands", "inputArtifacts"):
        if rule.get(member):
            raise _reject(f"{where}: {kind['provider']} does not accept {member}")
    if rule.get("region", region) != region:
        raise _reject(f"{where}: region {rule['region']} {LOCALLY}")
    given = rule.get("configuration", {})
    for key in sorted(given.keys() - known.required - known.optional):
        raise _reject(f"{where}: unknown configuration '{key}'")
    for key in sorted(known.required - given.keys()):
        raise _reject(f"{where}: missing required configuration '{key}'")
    if not given.get("WaitTime", "0").isdecimal():
        raise _reject(f"{where}: WaitTime must be a number of minutes")
    if kind["provider"] == "DeploymentWindow":
        try:
            deployment_window.parse(given)
        except deployment_window.Malformed as fault:
            raise _reject(f"{where}: {fault}") from None
