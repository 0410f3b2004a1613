"""The events that CodePipeline sends when a pipeline, a stage or an action changes its state.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from ministack.services import eventbridge

from .pipelines import ActionRun, Execution, Pipeline

_log = logging.getLogger("codepipeline")
# The API's words for a state, and the events'.
_STATES = {"InProgress": "STARTED", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Superseded": "SUPERSEDED",
           "Cancelled": "CANCELED", "Stopped": "STOPPED", "Stopping": "STOPPING", "Abandoned": "ABANDONED", "Resumed": "RESUMED"}


def pipeline(held: Pipeline, execution: Execution, state: str) -> None:
    _send(held, execution, "Pipeline", {"state": _STATES[state], "execution-trigger": {
        "trigger-type": execution.trigger["triggerType"], "trigger-detail": execution.trigger["triggerDetail"]}})


def stage(held: Pipeline, execution: Execution, name: str, state: str) -> None:
    _send(held, execution, "Stage", {"stage": name, "state": _STATES[state]})


def action(held: Pipeline, execution: Execution, run: ActionRun) -> None:
    detail: dict[str, Any] = {
        "stage": run.stage, "action": run.name, "state": _STATES[run.status], "region": held.region,
        "action-execution-id": run.action_id, "type": dict(run.declaration["actionTypeId"])}
    for what, artifacts in (("input-artifacts", run.inputs), ("output-artifacts", run.outputs)):
        if artifacts:
            detail[what] = [{"name": name, "s3location": dict(artifact)} for name, artifact in artifacts.items()]
    if run.external_id or run.error:
        detail["execution-result"] = {
            "external-execution-id": run.external_id, "external-execution-url": run.external_url,
            "external-execution-summary": run.summary, **({"error-code": run.error["code"]} if run.error else {})}
    _send(held, execution, "Action", detail)


def _send(held: Pipeline, execution: Execution, level: str, detail: dict[str, Any]) -> None:
    about = {"pipeline": held.name, "execution-id": execution.execution_id, "version": execution.version, **detail}
    try:
        eventbridge._dispatch_event({
            "EventId": str(uuid.uuid4()), "Source": "aws.codepipeline",
            "DetailType": f"CodePipeline {level} Execution State Change", "Detail": json.dumps(about),
            "EventBusName": "default", "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "Resources": [held.arn], "Account": held.account, "Region": held.region,
        })
    except Exception:
        # A rule's target that breaks is not the pipeline's fault.
        _log.exception("an event of %s was not sent", held.name)
