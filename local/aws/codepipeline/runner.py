"""Runs the executions of pipelines, each in a thread.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import logging
import time
from typing import Any

from ministack.core.concurrency import spawn_background

from local.aws.codepipeline import events as pipeline_events, rollbacks, stage_queue, stages
from local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline
from local.aws.settings import settings

_log = logging.getLogger("codepipeline")
# https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html, concurrent executions of one pipeline
MOST_AT_ONCE = 50


class TooMany(Exception):
    pass


def start(held: Pipeline, trigger_type: str, trigger_detail: str = "",
          overrides: list[dict[str, str]] | None = None, variables: dict[str, str] | None = None) -> Execution:
    declaration = held.declaration
    execution = Execution(
        declaration, {"triggerType": trigger_type, "triggerDetail": trigger_detail},
        overrides={each["actionName"]: each for each in overrides or []})
    execution.namespaces["codepipeline"] = {"PipelineExecutionId": execution.execution_id}
    execution.given_variables = {each["name"]: (variables or {}).get(each["name"], each.get("defaultValue", ""))
                                 for each in declaration.get("variables", [])}
    if execution.given_variables:
        execution.namespaces["variables"] = execution.given_variables
    with held.changed:
        running = sum(not each.ended for each in held.executions)
        if execution.mode != "SUPERSEDED" and running >= MOST_AT_ONCE:
            raise TooMany
        held.executions.append(execution)
        # In the order of their start, not in that of their threads.
        execution.waits_for = declaration["stages"][0]["name"]
        stage_queue.supersede(held, execution)
        held.changed.notify_all()
    _begin(held, execution, declaration["stages"][0]["name"], set())
    return execution


def retry(held: Pipeline, execution: Execution, stage: str, all_actions: bool) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html"""
    done = set() if all_actions else stages.succeeded_actions(execution, stage)
    with held.changed:
        execution.status, execution.summary, execution.updated = "InProgress", "", time.time()
        execution.waits_for, execution.rolls_back, execution.stop_reason = stage, "", None
        execution.abandoned.clear()
        execution.attempt += 1
        execution.retried[stage] = execution.updated
        execution.retries[stage] = execution.retries.get(stage, 0) + 1
    _begin(held, execution, stage, done)


def roll_back(held: Pipeline, target: Execution, stage: str, caller: str) -> Execution:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-manual.html"""
    with held.changed:
        made = rollbacks.add(held, target, stage, "ManualRollback", caller)
    _begin(held, made, stage, set())
    return made


def stop(held: Pipeline, execution: Execution, reason: str, abandon: bool) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html"""
    with held.changed:
        execution.stop_reason, execution.updated = reason, time.time()
        execution.status = "Stopping"
        if abandon:
            execution.abandoned.set()
        held.changed.notify_all()
    pipeline_events.pipeline(held, execution, "Stopping")


def cancel(held: Pipeline) -> None:
    """After an update: running actions complete, and then their stages and executions end.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html; the status is called Cancelled in
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
    """
    there = {(stage["name"], action["name"]) for stage in held.declaration["stages"] for action in stage["actions"]}
    with held.changed:
        for execution in held.executions:
            if execution.ended:
                continue
            execution.outdated = True
            # An approval that the pipeline no longer contains cannot be given.
            if any(run.status == "InProgress" and ((run.stage, run.name) not in there or _is_abandoned_approval(run))
                   for run in execution.actions):
                execution.abandoned.set()
        held.changed.notify_all()


def _is_abandoned_approval(run: ActionRun) -> bool:
    return bool(settings.updates_cancel_approvals) and run.declaration["actionTypeId"]["category"] == "Approval"


def _begin(held: Pipeline, execution: Execution, stage: str, done: set[str]) -> None:
    """Runs the execution from this stage, without its `done` actions. A rollback has one stage. (?)"""
    declared = execution.declaration["stages"]
    first = next(index for index, each in enumerate(declared) if each["name"] == stage)
    last = first + 1 if execution.rollback_to else len(declared)
    spawn_background(_run, held, execution, declared[first:last], done, thread_name=f"pipeline-{held.name}")


def _run(held: Pipeline, execution: Execution, remaining: list[dict[str, Any]], done: set[str]) -> None:
    pipeline_events.pipeline(held, execution, "Resumed" if execution.stages else "InProgress")
    outcome = "Succeeded"
    try:
        for stage in remaining:
            outcome = stages.go_through(held, execution, stage, done)
            done = set()
            if outcome == "Succeeded" and execution.stop_reason is not None and stage is not remaining[-1]:
                outcome = "Stopped"
            if outcome != "Succeeded" or execution.rolls_back:
                break
    except Exception:
        _log.exception("the execution %s of %s broke", execution.execution_id, held.name)
        outcome = "Failed"
    with held.changed:
        rollback = rollbacks.after_failure(held, execution) if execution.rolls_back else None
        stage_queue.release(held, execution)
        execution.waits_for = ""
        execution.status = execution.status if execution.status == "Superseded" else outcome
        execution.updated = time.time()
        held.changed.notify_all()
    pipeline_events.pipeline(held, execution, execution.status)
    if rollback:
        _begin(held, rollback, execution.rolls_back, set())
