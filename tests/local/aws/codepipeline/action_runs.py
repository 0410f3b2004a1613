"""Runs the actions of a stage."""

import logging
import threading
import time
from typing import Any

from botocore.exceptions import ClientError
from ministack.core.concurrency import spawn_background

from tests.local.aws.codepipeline import (
    actions as pipeline_actions,
)
from tests.local.aws.codepipeline import (
    approval_action,
    bucket_deploy_action,
    build_action,
    deploy_action,
    image_source_action,
    source_action,
)
from tests.local.aws.codepipeline import (
    events as pipeline_events,
)
from tests.local.aws.codepipeline.actions import Abandoned, Action, ActionFailed
from tests.local.aws.codepipeline.pipelines import ActionRun, Execution, Pipeline
from tests.local.aws.iam import service_roles

_log = logging.getLogger("codepipeline")
_PROVIDERS = {
    "CodeCommit": source_action.run,
    "ECR": image_source_action.run,
    "CodeBuild": build_action.run,
    "Manual": approval_action.run,
    "CloudFormation": deploy_action.run,
    "S3": bucket_deploy_action.run,
}


def run_at_once(held: Pipeline, execution: Execution, stage: str, declarations: list[dict[str, Any]]) -> str:
    """ "To specify parallel actions, use the same integer for each action you want to run in parallel."

    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-requirements.html
    """
    runs = [ActionRun(stage, declaration) for declaration in declarations]
    with held.changed:
        execution.actions.extend(runs)
        held.changed.notify_all()
    threads: list[threading.Thread] = [
        spawn_background(_run_action, held, execution, run, thread_name=f"pipeline-{held.name}-{run.name}")
        for run in runs[1:]
    ]
    _run_action(held, execution, runs[0])
    for thread in threads:
        thread.join()
    statuses = {run.status for run in runs}
    return "Failed" if "Failed" in statuses else "Stopped" if "Abandoned" in statuses else "Succeeded"


def _run_action(held: Pipeline, execution: Execution, run: ActionRun) -> None:
    pipeline_events.action(held, execution, run)
    status, error = "Succeeded", None
    try:
        run.configuration = pipeline_actions.resolved(execution, run.declaration)
        run.inputs = {
            each["name"]: _artifact(held, execution, each["name"])
            for each in run.declaration.get("inputArtifacts", [])
        }
        role = pipeline_actions.action_role(held, execution, run.declaration)
        run.role_arn = role.session.role_arn
        _PROVIDERS[run.declaration["actionTypeId"]["provider"]](Action(held, execution, run, role))
    except Abandoned:
        status = "Abandoned"
    except (ActionFailed, ClientError, service_roles.Denied) as rejected:
        fault = rejected if isinstance(rejected, ActionFailed) else pipeline_actions.failed(rejected)
        status, error = "Failed", {"code": fault.code, "message": fault.message[:5000]}
    except Exception as fault:
        _log.exception("the action %s of %s broke", run.name, held.name)
        status, error = (
            "Failed",
            {"code": "SystemUnavailable", "message": f"{type(fault).__name__}: {fault}"[:5000]},
        )
    with held.changed:
        run.error, run.updated = error, time.time()
        run.status = status
        if error and run.external_id:
            # As in the example of a failed build, whose error has the same text.
            # https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
            run.summary = run.summary or error["message"][:2048]
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
        raise ActionFailed(
            "ConfigurationError",
            f"The input artifact {name} was not made by the action that declares it as its output",
        )
    return artifact
