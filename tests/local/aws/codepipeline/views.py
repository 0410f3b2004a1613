"""Pipelines and executions in the form of CodePipeline's responses.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Types.html
"""

from typing import Any

from tests.local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline, Transition


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    """Leaves out empty members, as AWS does."""
    return {key: value for key, value in members.items() if value not in (None, "", [], {})}


def state(held: Pipeline) -> dict[str, Any]:
    return {
        "pipelineName": held.name,
        "pipelineVersion": held.declaration["version"],
        "created": held.created,
        "updated": held.updated,
        "stageStates": [_stage(held, stage) for stage in held.declaration["stages"]],
    }


def _stage(held: Pipeline, stage: dict[str, Any]) -> dict[str, Any]:
    name = stage["name"]
    been_here = [each for each in held.executions if name in each.stages]
    # If there are several, the one that entered last.
    latest = max(been_here, key=lambda each: _entered(each, name), default=None)
    waiting = [
        {"pipelineExecutionId": each.execution_id, "status": "InProgress"}
        for each in held.executions
        if each.waits_for == name and each.status == "InProgress"
    ]
    shown: dict[str, Any] = {
        "stageName": name,
        "inboundTransitionState": _transition(held.transitions.get(name)),
        "actionStates": [_action(latest, name, action) for action in stage["actions"]],
    }
    if waiting:
        shown["inboundExecution"], shown["inboundExecutions"] = waiting[0], waiting
    if latest:
        shown["latestExecution"] = {"pipelineExecutionId": latest.execution_id, "status": latest.stages[name]}
        if latest.rollback_to:
            # The example in .../userguide/stage-rollback-view-details.html shows the type only for a
            # rollback.
            shown["latestExecution"]["type"] = latest.execution_type
    return shown


def _transition(changed: Transition | None) -> dict[str, Any]:
    if changed is None:
        return {"enabled": True}
    return _filled(
        {
            "enabled": changed.enabled,
            "lastChangedBy": changed.by,
            "lastChangedAt": changed.at,
            "disabledReason": changed.reason,
        }
    )


def _entered(execution: Execution, stage: str) -> float:
    """The time of its latest activity in the stage."""
    return max((run.started for run in execution.actions if run.stage == stage), default=execution.started)


def _action(execution: Execution | None, stage: str, declaration: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"actionName": declaration["name"]}
    run = execution.latest(stage, declaration["name"]) if execution else None
    if run is None or execution is None:
        return shown
    waits = run.status == "InProgress" and run.approval is None
    token = run.approval_token if waits else ""
    shown["latestExecution"] = _filled(
        {
            "actionExecutionId": run.action_id,
            "status": run.status,
            "summary": run.summary,
            "lastStatusChange": run.updated,
            "token": token,
            "lastUpdatedBy": run.updated_by,
            "externalExecutionId": run.external_id,
            "externalExecutionUrl": run.external_url,
            "errorDetails": run.error,
        }
    )
    if run.revision:
        shown["currentRevision"] = {
            "revisionId": run.revision["revisionId"],
            "revisionChangeId": run.revision["revisionId"],
            "created": run.revision["created"],
        }
        shown["revisionUrl"] = shown["entityUrl"] = run.external_url
    elif run.external_url:
        shown["entityUrl"] = run.external_url
    return shown


def execution(held: Pipeline, run: Execution) -> dict[str, Any]:
    return _filled(
        {
            "pipelineName": held.name,
            "pipelineVersion": run.version,
            "pipelineExecutionId": run.execution_id,
            "status": run.status,
            "statusSummary": run.summary,
            "trigger": run.trigger,
            "executionMode": run.mode,
            **_type(run),
            "artifactRevisions": [
                _filled({"name": name, **(action.revision or {})})
                for action in run.sources()
                for name in action.outputs
            ],
        }
    )


def summary(run: Execution) -> dict[str, Any]:
    return _filled(
        {
            "pipelineExecutionId": run.execution_id,
            "status": run.status,
            "statusSummary": run.summary,
            "startTime": run.started,
            "lastUpdateTime": run.updated,
            "trigger": run.trigger,
            "executionMode": run.mode,
            **_type(run),
            "sourceRevisions": _revisions(run),
            "stopTrigger": None if run.stop_reason is None else {"reason": run.stop_reason},
        }
    )


def _revisions(run: Execution) -> list[dict[str, Any]]:
    found = {
        action.name: {
            "actionName": action.name,
            **{key: value for key, value in action.revision.items() if key != "created"},
        }
        for action in run.sources()
        if action.revision
    }
    return list(found.values())


def _type(run: Execution) -> dict[str, Any]:
    target = run.rollback_to
    return {
        "executionType": run.execution_type,
        **(
            {"rollbackMetadata": {"rollbackTargetPipelineExecutionId": target.execution_id}} if target else {}
        ),
    }


def action_execution(held: Pipeline, run: Execution, action: ActionRun) -> dict[str, Any]:
    declaration = action.declaration

    def artifacts(of: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
        return [{"name": name, "s3location": dict(where)} for name, where in of.items()]

    return _filled(
        {
            "pipelineExecutionId": run.execution_id,
            "actionExecutionId": action.action_id,
            "pipelineVersion": run.version,
            "stageName": action.stage,
            "actionName": action.name,
            "startTime": action.started,
            "lastUpdateTime": action.updated,
            "updatedBy": action.updated_by,
            "status": action.status,
            "input": _filled(
                {
                    "actionTypeId": declaration["actionTypeId"],
                    "configuration": declaration.get("configuration", {}),
                    "resolvedConfiguration": action.configuration,
                    "roleArn": declaration.get("roleArn"),
                    "region": held.region,
                    "inputArtifacts": artifacts(action.inputs),
                    "namespace": declaration.get("namespace"),
                }
            ),
            "output": _filled(
                {
                    "outputArtifacts": artifacts(action.outputs),
                    "outputVariables": action.variables,
                    "executionResult": _filled(
                        {
                            "externalExecutionId": action.external_id,
                            "externalExecutionSummary": action.summary,
                            "externalExecutionUrl": action.external_url,
                            "errorDetails": action.error,
                        }
                    ),
                }
            ),
        }
    )
