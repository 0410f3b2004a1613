"""Rollbacks: executions that repeat one stage of an earlier execution.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
"""

from __future__ import annotations

import json

from local.aws.codepipeline.pipelines import Execution, Pipeline


class NotATarget(Exception):
    """The execution cannot be rolled back to."""


def after_failure(held: Pipeline, failed: Execution) -> Execution | None:
    """The rollback of the stage in which `failed` ended with the result ROLLBACK. It takes over the stage's lock, so
    that no waiting execution enters before it. (?) The caller holds `held.changed`.

    `None` if the pipeline has no target: "your pipeline stage will auto-rollback only after there is a successful
    pipeline execution in the pipeline stage."
    """
    target = _target(held, failed)
    if target is None or held.deleted:
        return None
    # The format of the example in .../userguide/stage-rollback-view-listing.html.
    detail = json.dumps({"FailedPipelineExecutionId": failed.execution_id}, separators=(",", ":"))
    return add(held, target, failed.rolls_back, "AutomatedRollback", detail)


def _target(held: Pipeline, failed: Execution) -> Execution | None:
    """"When the stage fails, the stage is rolled back to the most recent successful execution." An execution
    that was itself rolled back is skipped, although its stage succeeded. (?)"""
    for each in reversed(held.executions):
        try:
            check_target(held, each, failed.rolls_back)
        except NotATarget:
            continue
        if each is not failed and not each.rolls_back:
            return each
    return None


def check_target(held: Pipeline, target: Execution, stage: str) -> None:
    if target.rollback_to:
        raise NotATarget("You cannot roll back to a target execution ID that is a rollback execution type")
    if target.version != held.declaration["version"]:
        raise NotATarget("The pipeline can only roll back to a previous execution if the previous execution was "
                         "started in the current pipeline structure version")
    if target.stages.get(stage) != "Succeeded":
        raise NotATarget(f"The execution {target.execution_id} was not successful in stage {stage}")


def add(held: Pipeline, target: Execution, stage: str, trigger: str, detail: str) -> Execution:
    """"CodePipeline will use the variables and artifacts from the execution to which it is rolling back." """
    made = Execution(
        held.declaration, {"triggerType": trigger, "triggerDetail": detail}, overrides=dict(target.overrides),
        given_variables=dict(target.given_variables), artifacts=dict(target.artifacts), rollback_to=target,
        namespaces={name: dict(values) for name, values in target.namespaces.items()})
    made.namespaces["codepipeline"] = {"PipelineExecutionId": made.execution_id}
    made.waits_for = stage
    held.executions.append(made)
    if made.mode != "PARALLEL":
        held.stage_holders[stage] = made.execution_id
    held.changed.notify_all()
    return made
