"""The events that CodePipeline sends when a pipeline, a stage or an action changes its state.

The members and their types are those of the examples on the page. Every number is a float there: `"version":
3.0`,
`"pipeline-execution-attempt": 1.0`. The version of an action's type is a string.
https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from datetime import UTC, datetime
from typing import Any

from tests.local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline
from tests.local.aws.events import sending

# The API's states, and their names in events.
_STATES = {
    "InProgress": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Superseded": "SUPERSEDED",
    "Resumed": "RESUMED",
    "Cancelled": "CANCELED",
    "Stopped": "STOPPED",
    "Stopping": "STOPPING",
    "Abandoned": "ABANDONED",
}


def pipeline(held: Pipeline, execution: Execution, state: str) -> None:
    detail: dict[str, Any] = {"start-time": _time(execution.started), "state": _STATES[state]}
    if state == "InProgress":  # For a pipeline without a connection, no other example has the trigger.
        detail["execution-trigger"] = {
            "trigger-type": execution.trigger["triggerType"],
            "trigger-detail": execution.trigger["triggerDetail"],
        }
    _send(held, execution, "Pipeline", detail)


def stage(held: Pipeline, execution: Execution, name: str, state: str) -> None:
    _send(
        held,
        execution,
        "Stage",
        {"start-time": _time(execution.started), "stage": name, "state": _STATES[state]},
    )


def action(held: Pipeline, execution: Execution, run: ActionRun) -> None:
    detail: dict[str, Any] = {
        "start-time": _time(run.started),
        "stage": run.stage,
        "action": run.name,
        "state": _STATES[run.status],
        "region": held.region,
        "action-execution-id": run.action_id,
        "type": dict(run.declaration["actionTypeId"]),
    }
    for what, artifacts in (("input-artifacts", run.inputs), ("output-artifacts", run.outputs)):
        if artifacts:
            detail[what] = [
                {"name": name, "s3location": dict(artifact)} for name, artifact in artifacts.items()
            ]
    if run.external_id or run.error:
        result = {
            "external-execution-id": run.external_id,
            "external-execution-url": run.external_url,
            "external-execution-summary": run.summary,
            "error-code": run.error["code"] if run.error else "",
        }
        detail["execution-result"] = {key: value for key, value in result.items() if value}
    _send(held, execution, "Action", detail)


def _time(seconds: float) -> str:
    """With milliseconds, as in the examples: 2023-10-26T13:49:39.208Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _send(held: Pipeline, execution: Execution, level: str, detail: dict[str, Any]) -> None:
    about = {
        "pipeline": held.name,
        "execution-id": execution.execution_id,
        **detail,
        "version": float(execution.version),
        "pipeline-execution-attempt": float(execution.attempt),
    }
    sending.send("aws.codepipeline", f"CodePipeline {level} Execution State Change", about, [held.arn])
