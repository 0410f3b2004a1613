"""Runs a stage of an execution: its entry condition, its actions, its result on failure, its success
condition.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
"""

from typing import Any

from tests.local.aws.codepipeline import action_runs, conditions, stage_queue
from tests.local.aws.codepipeline import events as pipeline_events
from tests.local.aws.codepipeline.pipelines import Execution, Pipeline


def go_through(held: Pipeline, execution: Execution, stage: dict[str, Any]) -> str:
    """Returns the execution's outcome so far.

    The execution holds the stage's lock while a condition is evaluated. (?)
    """
    name = stage["name"]
    if not stage_queue.enter(held, execution, name):
        return stage_queue.why_it_ends(execution)
    execution.stages[name] = "InProgress"
    pipeline_events.stage(held, execution, name, "InProgress")
    status = outcome = _status(held, execution, stage)
    if status == "Succeeded":
        status, outcome = _on_success(held, execution, stage)
    elif (
        status == "Failed"
        and stage.get("onFailure")
        and not execution.rollback_to
        and any(run.stage == name for run in execution.actions)
    ):
        # A failed rollback is not rolled back. Neither is a stage whose entry condition failed. (?)
        execution.rolls_back = name
    if execution.outdated:
        status = outcome = "Cancelled"
        execution.rolls_back = ""
    with held.changed:
        execution.stages[name] = status
        held.changed.notify_all()
    pipeline_events.stage(held, execution, name, status)
    return outcome


def _status(held: Pipeline, execution: Execution, stage: dict[str, Any]) -> str:
    # Whether the conditions apply to a rollback is not documented. (?)
    engaged = "" if execution.rollback_to else conditions.evaluate(held, execution, stage, "beforeEntry")
    if engaged == conditions.ENDED:
        return stage_queue.why_it_ends(execution) or "Stopped"
    if engaged:
        return "Failed"
    return _run_actions(held, execution, stage)


def _run_actions(held: Pipeline, execution: Execution, stage: dict[str, Any]) -> str:
    status = "Succeeded"
    actions = [each for each in stage["actions"] if (stage["name"], each["name"]) not in execution.kept]
    for order in sorted({each["runOrder"] for each in actions}):
        status = stage_queue.why_it_ends(execution) or action_runs.run_at_once(
            held, execution, stage["name"], [each for each in actions if each["runOrder"] == order]
        )
        if status != "Succeeded":
            break
    return status


def _on_success(held: Pipeline, execution: Execution, stage: dict[str, Any]) -> tuple[str, str]:
    """The status of the stage and the outcome of the execution.

    "OnSuccess | Rollback | Succeeded", "OnSuccess | Fail | Failed": the condition's kind, its result, and the
    stage's status. The execution's status after a rollback is not documented. (?)
    """
    engaged = "" if execution.rollback_to else conditions.evaluate(held, execution, stage, "onSuccess")
    if engaged == conditions.ENDED:
        ended = stage_queue.why_it_ends(execution) or "Stopped"
        return ended, ended
    if engaged == "ROLLBACK":
        execution.rolls_back = stage["name"]
        return "Succeeded", "Failed"
    return ("Failed", "Failed") if engaged else ("Succeeded", "Succeeded")
