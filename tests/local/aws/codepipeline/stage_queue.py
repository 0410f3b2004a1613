"""Decides which execution may enter a stage. A stage is locked for one execution.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

import time

from tests.local.aws.codepipeline import transitions
from tests.local.aws.codepipeline.pipelines import Execution, Pipeline


def why_it_ends(execution: Execution) -> str:
    """Empty for a running one."""
    if execution.status == "Superseded":
        return "Superseded"
    if execution.outdated:
        return "Cancelled"
    return "Stopped" if execution.stop_reason is not None else ""


def enter(held: Pipeline, execution: Execution, stage: str) -> bool:
    """Waits for the stage. False if the execution ends before.

    "Stages are locked when an execution is being processed." QUEUED: "executions are processed one by one in
    the order that they are queued." SUPERSEDED: "waiting executions are superseded by more recent
    executions."
    """
    with held.changed:
        # It joins the next stage's queue before it leaves the last stage to the next execution.
        execution.waits_for = stage
        supersede(held, execution)
        release(held, execution, except_for=stage)
        held.changed.notify_all()
        while True:
            if why_it_ends(execution):
                execution.waits_for = ""
                held.changed.notify_all()
                return False
            if not transitions.holds(held, execution, stage) and _may_enter(held, execution, stage):
                break
            held.changed.wait()
        execution.waits_for = ""
        held.stage_holders[stage] = execution.execution_id
        held.changed.notify_all()
        return True


def supersede(held: Pipeline, execution: Execution) -> None:
    """A rollback is newer than the waiting executions, but does not supersede them. (?)"""
    if execution.mode != "SUPERSEDED" or execution.rollback_to:
        return
    for older in held.executions:
        if older is execution:
            break
        if older.waits_for == execution.waits_for and older.status == "InProgress" and not older.rollback_to:
            older.status, older.updated = "Superseded", time.time()
            older.summary = f"Superseded by {execution.execution_id}"


def _may_enter(held: Pipeline, execution: Execution, stage: str) -> bool:
    holder = held.stage_holders.get(stage)
    if holder is not None:
        return holder == execution.execution_id  # a rollback takes over the failed execution's lock
    waiting = [
        each
        for each in held.executions
        if each.waits_for == stage
        and each.status == "InProgress"
        and not transitions.holds(held, each, stage)
    ]
    return bool(waiting) and waiting[0] is execution


def release(held: Pipeline, execution: Execution, except_for: str = "") -> None:
    for stage, holder in list(held.stage_holders.items()):
        if holder == execution.execution_id and stage != except_for:
            del held.stage_holders[stage]
