"""Rollbacks: executions that repeat one stage of an earlier execution.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
"""

import json

from tests.local.aws.codepipeline.pipelines import Execution, Pipeline


def after_failure(held: Pipeline, failed: Execution) -> Execution | None:
    """The rollback of the stage in which `failed` ended with the result ROLLBACK. It takes over the stage's lock, so
    that no waiting execution enters before it. (?) The caller holds `held.changed`.

    `None` if the pipeline has no target: "your pipeline stage will auto-rollback only after there is a successful
    pipeline execution in the pipeline stage."
    """
    target = _target(held, failed)
    if target is None or held.deleted:
        return None
    made = Execution(
        held.declaration,
        # The format of the example in .../userguide/stage-rollback-view-listing.html.
        {"triggerType": "AutomatedRollback", "triggerDetail": json.dumps(
            {"FailedPipelineExecutionId": failed.execution_id}, separators=(",", ":"))},
        # "CodePipeline will use the variables and artifacts from the execution to which it is rolling back."
        overrides=dict(target.overrides), artifacts=dict(target.artifacts), rollback_to=target,
        namespaces={name: dict(values) for name, values in target.namespaces.items()})
    made.namespaces["codepipeline"] = {"PipelineExecutionId": made.execution_id}
    made.waits_for = failed.rolls_back
    held.executions.append(made)
    held.stage_holders[failed.rolls_back] = made.execution_id
    held.changed.notify_all()
    return made


def _target(held: Pipeline, failed: Execution) -> Execution | None:
    """"When the stage fails, the stage is rolled back to the most recent successful execution." An execution
    that was itself rolled back is skipped, although its stage succeeded. (?)

    "You cannot roll back to a target execution ID that is a rollback execution type", and "the previous execution was
    started in the current pipeline structure version".
    """
    return next((each for each in reversed(held.executions)
                 if each is not failed and not each.rolls_back and not each.rollback_to
                 and each.version == held.declaration["version"]
                 and each.stages.get(failed.rolls_back) == "Succeeded"), None)
