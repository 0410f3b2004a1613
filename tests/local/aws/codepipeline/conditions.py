"""Evaluates a stage's conditions: deployment windows before its entry, alarms after its success.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works-conditions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html

"A condition state will be Failed if any of the rules in the condition are failed and Succeeded if all the
rules succeed." The rules run concurrently. One that fails ends the others. (?)
"""

import time
from typing import Any

from ministack.services import cloudwatch

from tests.local.aws.codepipeline import (
    actions as pipeline_actions,
)
from tests.local.aws.codepipeline import (
    deployment_window,
    stage_queue,
    stage_validation,
)
from tests.local.aws.codepipeline.actions import ActionFailed
from tests.local.aws.codepipeline.pipelines import Execution, Pipeline
from tests.local.aws.iam import service_roles
from tests.local.aws.settings import settings

ENDED = "ENDED"  # the execution ended while a condition was evaluated


def evaluate(held: Pipeline, execution: Execution, stage: dict[str, Any], kind: str) -> str:
    """The result that the stage engages, FAIL or ROLLBACK, or `ENDED` if the execution ended.

    Empty if the condition is met, or if the stage has none.
    """
    declared = dict(stage_validation.conditions(stage)).get(kind)
    running, started = list(declared["rules"]) if declared else [], time.time()
    while running:
        minutes = (time.time() - started) / settings.rule_minute_seconds
        for rule in list(running):
            try:
                if _is_met(held, execution, rule, minutes):
                    running.remove(rule)
            except (ActionFailed, service_roles.Denied) as fault:
                # The execution's statusSummary in this case is not documented. (?)
                execution.summary = f"Rule {rule['name']} failed: {fault.message}"
                return str(declared["result"])
        with held.changed:
            # AWS's page on stopped executions describes only actions. (?)
            if running and (stage_queue.why_it_ends(execution) or execution.abandoned.is_set()):
                return ENDED
            if running:
                held.changed.wait(min(1.0, max(0.05, settings.rule_minute_seconds / 60)))
    return ""


def _is_met(held: Pipeline, execution: Execution, rule: dict[str, Any], minutes: float) -> bool:
    """False while the rule runs. Its failure is an exception."""
    configuration = rule["configuration"]
    if rule["ruleTypeId"]["provider"] == "CloudWatchAlarm":
        return _is_quiet(held, execution, configuration, minutes)
    # The rule waits until the window opens: "it is possible that the CloudWatchAlarm alarm might succeed
    # before the deployment window for the DeploymentWindow rule opens".
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
    return deployment_window.parse(configuration).is_open(time.time())


def _is_quiet(held: Pipeline, execution: Execution, configuration: dict[str, str], minutes: float) -> bool:
    """ "Roll back the changes if a CloudWatch alarm goes into ALARM state within 60 minutes", and "OK and
    INSUFFICIENT_DATA meet the criteria". An alarm that is in ALARM at the start fails the condition. (?)

    https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-CloudWatchAlarm.html
    """
    name = configuration["AlarmName"]
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    pipeline_actions.pipeline_role(held, execution).require(
        "cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{held.region}:{held.account}:alarm:{name}"
    )
    cloudwatch._evaluate_all_alarms()
    found = cloudwatch._alarms.get(name)
    if found is None:
        raise ActionFailed("ConfigurationError", f"The alarm {name} does not exist")  # (?)
    if found["StateValue"] == "ALARM":
        raise ActionFailed("JobFailed", f"The alarm {name} is in the state ALARM")
    return minutes >= int(configuration.get("WaitTime", "0"))
