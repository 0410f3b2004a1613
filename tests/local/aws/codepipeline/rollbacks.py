"""Rollbacks: executions that repeat one stage of an earlier execution.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
"""

import json
from typing import Any

from tests.local.aws.codepipeline.pipelines import Execution, Pipeline


def after_failure(held: Pipeline, failed: Execution) -> Execution | None:
    """The rollback of the stage in which `failed` ended with the result ROLLBACK. It takes over the stage's
    lock, so that no waiting execution enters before it. (?) The caller holds `held.changed`.

    `None` if the pipeline has no target: "your pipeline stage will auto-rollback only after there is a
    successful pipeline execution in the pipeline stage."
    """
    target = _target(held, failed)
    if target is None or held.deleted:
        return None
    # The format of the example in .../userguide/stage-rollback-view-listing.html.
    made = _rollback(
        held,
        failed.rolls_back,
        target,
        "AutomatedRollback",
        json.dumps({"FailedPipelineExecutionId": failed.execution_id}, separators=(",", ":")),
    )
    held.stage_holders[failed.rolls_back] = made.execution_id
    held.changed.notify_all()
    return made


def by_hand(held: Pipeline, stage: str, target: Execution, by: str) -> Execution:
    """RollbackStage. It waits until the stage is free. (?) The caller holds `held.changed`.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-manual.html
    """
    made = _rollback(held, stage, target, "ManualRollback", by)
    held.changed.notify_all()
    return made


def why_not(held: Pipeline, stage: dict[str, Any], target: Execution) -> tuple[str, str] | None:
    """The error of a RollbackStage that is rejected, by the considerations of stage-rollback.html. `None` for
    another one.

    No page of AWS is about a stage with an approval: assumption `rollback-of-a-stage-with-an-approval`. It is
    rejected here, so that nothing relies on a rollback that deploys without this approval, or on one that
    requests it again.
    """
    name = stage["name"]
    unable = "UnableToRollbackStageException"
    # "You cannot roll back a source stage."
    if any(action["actionTypeId"]["category"] == "Source" for action in stage["actions"]):
        return unable, f"Unable to roll back stage {name}: a source stage cannot be rolled back"
    if any(action["actionTypeId"]["category"] == "Approval" for action in stage["actions"]):
        return (
            unable,
            (
                f"Unable to roll back stage {name}: AWS does not document a rollback of a stage with an"
                " approval, so it is not part of this local CodePipeline"
            ),
        )
    # "The pipeline can only roll back to a previous execution if the previous execution was started in the
    # current pipeline structure version."
    if target.version != held.declaration["version"]:
        return (
            "PipelineExecutionOutdatedException",
            f"The pipeline execution {target.execution_id} was started in another version of the pipeline",
        )
    # "You cannot roll back to a target execution ID that is a rollback execution type."
    if target.rollback_to:
        return unable, f"Unable to roll back stage {name}: {target.execution_id} is a rollback"
    # "You can roll back a stage to an execution that was successful in that stage."
    if target.stages.get(name) != "Succeeded":
        return unable, f"Unable to roll back stage {name}: {target.execution_id} was not successful in it"
    return None


def _rollback(held: Pipeline, stage: str, target: Execution, trigger: str, detail: str) -> Execution:
    made = Execution(
        held.declaration,
        {"triggerType": trigger, "triggerDetail": detail},
        # "CodePipeline will use the variables and artifacts from the execution to which it is rolling back."
        overrides=dict(target.overrides),
        artifacts=dict(target.artifacts),
        rollback_to=target,
        namespaces={name: dict(values) for name, values in target.namespaces.items()},
    )
    made.namespaces["codepipeline"] = {"PipelineExecutionId": made.execution_id}
    made.waits_for = stage
    held.executions.append(made)
    return made


def _target(held: Pipeline, failed: Execution) -> Execution | None:
    """ "When the stage fails, the stage is rolled back to the most recent successful execution." An execution
    that was itself rolled back is skipped, although its stage succeeded. (?)

    "You cannot roll back to a target execution ID that is a rollback execution type", and "the previous
    execution was started in the current pipeline structure version".
    """
    return next(
        (
            each
            for each in reversed(held.executions)
            if each is not failed
            and not each.rolls_back
            and not each.rollback_to
            and each.version == held.declaration["version"]
            and each.stages.get(failed.rolls_back) == "Succeeded"
        ),
        None,
    )
