"""Runs the executions of pipelines, each in a thread.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

import logging
import time
from typing import Any

from ministack.core.concurrency import spawn_background

from tests.local.aws.codepipeline import events as pipeline_events
from tests.local.aws.codepipeline import rollbacks, stage_queue, stages
from tests.local.aws.codepipeline.pipelines import Execution, Pipeline

_log = logging.getLogger("codepipeline")


def start(
    held: Pipeline, trigger_type: str, trigger_detail: str = "", overrides: list[dict[str, str]] | None = None
) -> Execution:
    declaration = held.declaration
    execution = Execution(
        declaration,
        {"triggerType": trigger_type, "triggerDetail": trigger_detail},
        overrides={each["actionName"]: each for each in overrides or []},
    )
    execution.namespaces["codepipeline"] = {"PipelineExecutionId": execution.execution_id}
    with held.changed:
        held.executions.append(execution)
        # In the order of their start, not in that of their threads.
        execution.waits_for = declaration["stages"][0]["name"]
        stage_queue.supersede(held, execution)
        held.changed.notify_all()
    _begin(held, execution, declaration["stages"][0]["name"])
    return execution


def roll_back(held: Pipeline, stage: str, target: Execution, by: str) -> Execution:
    made = rollbacks.by_hand(held, stage, target, by)
    _begin(held, made, stage)
    return made


def stop(held: Pipeline, execution: Execution, reason: str) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html ("Stop and abandon")"""
    with held.changed:
        execution.stop_reason, execution.updated = reason, time.time()
        execution.status = "Stopping"
        execution.abandoned.set()
        held.changed.notify_all()
    pipeline_events.pipeline(held, execution, "Stopping")


def retry(held: Pipeline, execution: Execution, stage: str, mode: str) -> None:
    """ "Retrying a failed stage retries all actions in the stage from the first action in the stage, and
    retrying failed actions retries all failed actions in the stage." The execution continues after the stage.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
    """
    with held.changed:
        latest = {(run.stage, run.name): run for run in execution.actions if run.stage == stage}
        execution.kept = {
            key for key, run in latest.items() if run.status == "Succeeded" and mode == "FAILED_ACTIONS"
        }
        execution.status, execution.updated, execution.waits_for = "InProgress", time.time(), stage
        execution.attempt, execution.rolls_back = execution.attempt + 1, ""
        held.changed.notify_all()
    _begin(held, execution, stage)


def cancel(held: Pipeline) -> None:
    """After an update: running actions complete, and then their stages and executions end.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html; the status is called
    Cancelled in https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
    """
    there = {
        (stage["name"], action["name"]) for stage in held.declaration["stages"] for action in stage["actions"]
    }
    with held.changed:
        for execution in held.executions:
            if execution.ended:
                continue
            execution.outdated = True
            # An approval that the pipeline no longer contains cannot be given.
            if any(
                run.status == "InProgress" and (run.stage, run.name) not in there for run in execution.actions
            ):
                execution.abandoned.set()
        held.changed.notify_all()


def _begin(held: Pipeline, execution: Execution, stage: str) -> None:
    """Runs the execution from this stage. A rollback has one stage. (?)"""
    declared = execution.declaration["stages"]
    first = next(index for index, each in enumerate(declared) if each["name"] == stage)
    last = first + 1 if execution.rollback_to else len(declared)
    spawn_background(_run, held, execution, declared[first:last], thread_name=f"pipeline-{held.name}")


def _run(held: Pipeline, execution: Execution, remaining: list[dict[str, Any]]) -> None:
    pipeline_events.pipeline(held, execution, "InProgress" if execution.attempt == 1 else "Resumed")
    outcome = "Succeeded"
    try:
        for stage in remaining:
            outcome = stages.go_through(held, execution, stage)
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
        _begin(held, rollback, execution.rolls_back)
