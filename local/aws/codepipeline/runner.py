"""Runs the executions of pipelines, each in a thread.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from botocore.exceptions import ClientError

from ministack.core.concurrency import spawn_background

from local.aws.codepipeline import (
    actions as pipeline_actions,
    approval_action,
    bucket_deploy_action,
    build_action,
    deploy_action,
    events as pipeline_events,
    image_source_action,
    source_action,
)
from local.aws.codepipeline.actions import Abandoned, Action, ActionFailed
from local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline
from local.aws.iam import service_roles

_log = logging.getLogger("codepipeline")
_PROVIDERS = {"CodeCommit": source_action.run, "ECR": image_source_action.run, "CodeBuild": build_action.run,
              "Manual": approval_action.run, "CloudFormation": deploy_action.run, "S3": bucket_deploy_action.run}
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
        # In the order of their start, whichever thread runs first.
        execution.waits_for = declaration["stages"][0]["name"]
        _supersede(held, execution)
        held.changed.notify_all()
    spawn_background(_run, held, execution, 0, set(), thread_name=f"pipeline-{held.name}")
    return execution


def retry(held: Pipeline, execution: Execution, stage: str, all_actions: bool) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html"""
    names = [each["name"] for each in execution.declaration["stages"]]
    done = set() if all_actions else {run.name for run in execution.actions
                                      if run.stage == stage and run.status == "Succeeded"}
    with held.changed:
        execution.status, execution.summary, execution.updated = "InProgress", "", time.time()
        execution.waits_for = stage
        execution.attempt += 1
        execution.retried[stage] = execution.updated
    spawn_background(_run, held, execution, names.index(stage), done, thread_name=f"pipeline-{held.name}")


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
            if any(run.status == "InProgress" and (run.stage, run.name) not in there for run in execution.actions):
                execution.abandoned.set()
        held.changed.notify_all()


def _run(held: Pipeline, execution: Execution, first: int, done: set[str]) -> None:
    pipeline_events.pipeline(held, execution, "Resumed" if execution.stages else "InProgress")
    stages = execution.declaration["stages"][first:]
    outcome = "Succeeded"
    try:
        for stage in stages:
            outcome = _go_through(held, execution, stage, done)
            done = set()
            if outcome != "Succeeded":
                break
    except Exception:
        _log.exception("the execution %s of %s broke", execution.execution_id, held.name)
        outcome = "Failed"
    with held.changed:
        _release(held, execution)
        execution.waits_for = ""
        execution.status = execution.status if execution.status == "Superseded" else outcome
        execution.updated = time.time()
        held.changed.notify_all()
    pipeline_events.pipeline(held, execution, execution.status)


def _go_through(held: Pipeline, execution: Execution, stage: dict[str, Any], done: set[str]) -> str:
    name = stage["name"]
    if not _enter(held, execution, name):
        return _why_it_ends(execution)
    is_retry = name in execution.stages
    execution.stages[name] = "InProgress"
    pipeline_events.stage(held, execution, name, "Resumed" if is_retry else "InProgress")
    outcome = "Succeeded"
    for order in sorted({each["runOrder"] for each in stage["actions"]}):
        outcome = _why_it_ends(execution)
        if outcome:
            break
        outcome = _run_at_once(held, execution, name, [
            each for each in stage["actions"] if each["runOrder"] == order and each["name"] not in done])
        if outcome != "Succeeded":
            break
    if execution.outdated:
        outcome = "Cancelled"
    with held.changed:
        execution.stages[name] = outcome
        held.changed.notify_all()
    pipeline_events.stage(held, execution, name, outcome)
    if outcome == "Succeeded" and execution.stop_reason is not None and name != _last_stage(execution):
        return "Stopped"
    return outcome


def _why_it_ends(execution: Execution) -> str:
    """Empty for a running one."""
    if execution.status == "Superseded":
        return "Superseded"
    if execution.outdated:
        return "Cancelled"
    return "Stopped" if execution.stop_reason is not None else ""


def _last_stage(execution: Execution) -> str:
    return str(execution.declaration["stages"][-1]["name"])


# --- entering a stage ---------------------------------------------------------------


def _enter(held: Pipeline, execution: Execution, stage: str) -> bool:
    """Waits for the stage. False if the execution ends before.

    "Stages are locked when an execution is being processed." QUEUED: "executions are processed one by one in the order
    that they are queued." SUPERSEDED: "waiting executions are superseded by more recent executions." PARALLEL:
    "executions don't wait for other runs".
    """
    with held.changed:
        # It joins the next stage's queue before it leaves the last stage to the next execution.
        execution.waits_for = stage
        _supersede(held, execution)
        _release(held, execution)
        held.changed.notify_all()
        while True:
            if _why_it_ends(execution):
                execution.waits_for = ""
                held.changed.notify_all()
                return False
            if execution.mode == "PARALLEL" or (stage not in held.stage_holders and _is_next(held, execution, stage)):
                break
            held.changed.wait()
        execution.waits_for = ""
        if execution.mode != "PARALLEL":
            held.stage_holders[stage] = execution.execution_id
        held.changed.notify_all()
        return True


def _supersede(held: Pipeline, execution: Execution) -> None:
    if execution.mode != "SUPERSEDED":
        return
    for older in held.executions:
        if older is execution:
            break
        if older.waits_for == execution.waits_for and older.status == "InProgress":
            older.status, older.updated = "Superseded", time.time()
            older.summary = f"Superseded by {execution.execution_id}"


def _is_next(held: Pipeline, execution: Execution, stage: str) -> bool:
    waiting = [each for each in held.executions if each.waits_for == stage and each.status == "InProgress"]
    return bool(waiting) and waiting[0] is execution


def _release(held: Pipeline, execution: Execution) -> None:
    for stage, holder in list(held.stage_holders.items()):
        if holder == execution.execution_id:
            del held.stage_holders[stage]


# --- actions -----------------------------------------------------------------------------


def _run_at_once(held: Pipeline, execution: Execution, stage: str, declarations: list[dict[str, Any]]) -> str:
    """"To specify parallel actions, use the same integer for each action you want to run in parallel."

    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-requirements.html
    """
    runs = [ActionRun(stage, declaration) for declaration in declarations]
    with held.changed:
        execution.actions.extend(runs)
        held.changed.notify_all()
    threads: list[threading.Thread] = [
        spawn_background(_run_action, held, execution, run, thread_name=f"pipeline-{held.name}-{run.name}")
        for run in runs[1:]]
    for run in runs[:1]:
        _run_action(held, execution, run)
    for thread in threads:
        thread.join()
    statuses = {run.status for run in runs}
    return "Failed" if "Failed" in statuses else "Stopped" if "Abandoned" in statuses else "Succeeded"


def _run_action(held: Pipeline, execution: Execution, run: ActionRun) -> None:
    pipeline_events.action(held, execution, run)
    status, error = "Succeeded", None
    try:
        run.configuration = pipeline_actions.resolved(execution, run.declaration)
        run.inputs = {each["name"]: _artifact(held, execution, each["name"])
                      for each in run.declaration.get("inputArtifacts", [])}
        role = pipeline_actions.action_role(held, execution, run.declaration)
        run.role_arn = role.session.role_arn
        _PROVIDERS[run.declaration["actionTypeId"]["provider"]](Action(held, execution, run, role))
    except Abandoned:
        status = "Abandoned"
    except ActionFailed as fault:
        status, error = "Failed", {"code": fault.code, "message": fault.message[:5000]}
    except (ClientError, service_roles.Denied) as rejected:
        fault = pipeline_actions.failed(rejected)
        status, error = "Failed", {"code": fault.code, "message": fault.message[:5000]}
    except Exception as fault:
        _log.exception("the action %s of %s broke", run.name, held.name)
        status, error = "Failed", {"code": "SystemUnavailable", "message": f"{type(fault).__name__}: {fault}"[:5000]}
    with held.changed:
        run.error, run.updated = error, time.time()
        run.status = status
        execution.updated = run.updated
        if status == "Succeeded":
            execution.artifacts.update(run.outputs)
            if "namespace" in run.declaration:
                execution.namespaces[run.declaration["namespace"]] = dict(run.variables)
        held.changed.notify_all()
    pipeline_events.action(held, execution, run)


def _artifact(held: Pipeline, execution: Execution, name: str) -> dict[str, str]:
    artifact = execution.artifacts.get(name)
    if artifact is None:
        # Declared, but its action created none: for example a build without `artifacts`.
        raise ActionFailed("ConfigurationError", f"The input artifact {name} was not made by the action that declares "
                                                 "it as its output")
    return artifact
