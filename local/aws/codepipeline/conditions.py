"""Evaluates a stage's conditions, with the rules CloudWatchAlarm and DeploymentWindow.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html

"A condition state will be Failed if any of the rules in the condition are failed and Succeeded if all the rules
succeed." The rules run concurrently. One that fails ends the others. (?)
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services import cloudwatch

from local.aws.codepipeline import actions as pipeline_actions, deployment_window, stage_queue, stage_validation
from local.aws.codepipeline.actions import ActionFailed, Role
from local.aws.codepipeline.pipelines import ConditionRun, Execution, Pipeline, RuleRun
from local.aws.iam import service_roles
from local.aws.settings import settings

ENDED = "ENDED"  # the execution ended while a condition was evaluated


def evaluate(held: Pipeline, execution: Execution, stage: dict[str, Any], kind: str) -> str:
    """The result that the stage engages, FAIL or ROLLBACK, or `ENDED` if the execution ended.

    Empty if the condition is met or overridden, or if the stage has none.
    """
    declared = dict(stage_validation.conditions(stage)).get(kind)
    if declared is None:
        return ""
    run = ConditionRun(stage["name"], kind, declared["result"], [RuleRun(rule) for rule in declared["rules"]])
    with held.changed:
        execution.conditions.append(run)
    roles: dict[str, Role] = {}
    while run.status == "InProgress":
        for rule in run.rules:
            if rule.status == "InProgress":
                _poll(held, execution, run, rule, roles)
        with held.changed:
            _decide(execution, run)
            held.changed.notify_all()
            if run.status == "InProgress":
                held.changed.wait(min(1.0, max(0.05, settings.rule_minute_seconds / 60)))
    if run.status == "Failed":
        # The execution's statusSummary in this case is not documented. (?)
        execution.summary = run.summary
        return run.result
    return "" if run.status in {"Succeeded", "Overridden"} else ENDED


def override(run: ConditionRun) -> None:
    """"The rule status is Abandoned due to the override." The caller holds the pipeline's `changed`."""
    _end(run, "Overridden", "The condition was overridden")


def _decide(execution: Execution, run: ConditionRun) -> None:
    if run.status != "InProgress":
        return
    failed = [rule for rule in run.rules if rule.status == "Failed"]
    if failed:
        _end(run, "Failed", f"Rule {failed[0].name} failed: {failed[0].summary}")
    elif all(rule.status == "Succeeded" for rule in run.rules):
        _end(run, "Succeeded", "")
    elif stage_queue.why_it_ends(execution) or execution.abandoned.is_set():
        # AWS's page on stopped executions describes only actions. (?)
        _end(run, "Cancelled" if execution.outdated else "Abandoned", "The execution ended")


def _end(run: ConditionRun, status: str, summary: str) -> None:
    run.status, run.summary, run.updated = status, summary, time.time()
    for rule in run.rules:
        if rule.status == "InProgress":
            rule.status, rule.updated = "Abandoned", run.updated


def _poll(held: Pipeline, execution: Execution, run: ConditionRun, rule: RuleRun, roles: dict[str, Role]) -> None:
    minutes = (time.time() - rule.started) / settings.rule_minute_seconds
    # The default timeout of a rule is not documented, and a template cannot declare one. (?)
    timeout = rule.declaration.get("timeoutInMinutes")
    try:
        if rule.declaration["ruleTypeId"]["provider"] == "CloudWatchAlarm":
            if rule.rule_id not in roles:
                roles[rule.rule_id] = pipeline_actions.action_role(held, execution, rule.declaration)
            verdict = _alarm(held, run.kind, rule, roles[rule.rule_id], minutes)
        else:
            verdict = _window(rule)
        if verdict == ("", "") and timeout and minutes >= timeout:
            raise ActionFailed("JobFailed", f"The rule timed out after {timeout} minutes")
    except ActionFailed as fault:
        verdict, rule.error = ("Failed", fault.message), {"code": fault.code, "message": fault.message}
    except service_roles.Denied as rejected:
        fault = pipeline_actions.failed(rejected)
        verdict, rule.error = ("Failed", fault.message), {"code": fault.code, "message": fault.message}
    if verdict[0]:
        with held.changed:
            if rule.status == "InProgress":
                (rule.status, rule.summary), rule.updated = verdict, time.time()


def _alarm(held: Pipeline, kind: str, rule: RuleRun, role: Role, minutes: float) -> tuple[str, str]:
    """The rule's status and summary. Both are empty while the rule runs.

    Entry: "Wait time: the amount of time CodePipeline will wait if the alarm is in ALARM state when it is first
    evaluated. If the alarm is OK state when the rule is first checked, the rule will immediately succeed." On Success:
    "roll back the changes if a CloudWatch alarm goes into ALARM state within 60 minutes", and "OK and INSUFFICIENT_DATA
    meet the criteria". Not documented: INSUFFICIENT_DATA is like OK on entry, and an alarm that is in ALARM
    at the start fails the success condition. (?)
    """
    configuration = rule.declaration.get("configuration", {})
    name, wait = configuration["AlarmName"], int(configuration.get("WaitTime", "0"))
    # "You can't return information about composite alarms if your cloudwatch:DescribeAlarms permission has a narrower
    # scope" than *. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    composite = cloudwatch._composite_alarms.get(name)
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    role.require("cloudwatch:DescribeAlarms", "*" if composite else (
        f"arn:aws:cloudwatch:{held.region}:{held.account}:alarm:{name}"))
    cloudwatch._evaluate_all_alarms()
    found = cloudwatch._alarms.get(name) or composite
    if found is None:
        raise ActionFailed("ConfigurationError", f"The alarm {name} does not exist")  # (?)
    in_alarm, waited = found["StateValue"] == "ALARM", minutes >= wait
    if in_alarm and (kind == "onSuccess" or waited):
        return "Failed", f"The alarm {name} is in the state ALARM"
    if not in_alarm and (kind == "beforeEntry" or waited):
        return "Succeeded", f"The alarm {name} is in the state {found['StateValue']}"
    return "", ""


def _window(rule: RuleRun) -> tuple[str, str]:
    """The rule waits until the window opens: "it is possible that the CloudWatchAlarm alarm might succeed before the
    deployment window for the DeploymentWindow rule opens".

    https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
    """
    window = deployment_window.parse(rule.declaration["configuration"])
    if window.is_open(time.time() + settings.deployment_windows_ahead_seconds):
        return "Succeeded", "The deployment window is open"
    return "", ""
