"""Executions and waiting approvals that the next deployment would cancel.

"Cancelled: The pipeline's definition was updated before the pipeline execution could be completed."
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cli.account import owner_of, outputs
from cli.checks.rows import Reader, Row, not_checked, pages
from cli.output import Finding

_UNFINISHED = {"InProgress", "Stopping"}


def execution_rows(reader: Reader, stacks: list[dict[str, Any]]) -> list[Row]:
    """One for each pipeline of the environment. `stacks` are all of the account."""
    begins = f"gitops-{reader.environment.env_id}-"
    names = sorted({outputs(stack)["PipelineName"] for stack in stacks
                    if stack["StackName"].startswith(begins) and owner_of(stack) and outputs(stack).get("PipelineName")})
    codepipeline = reader.client("codepipeline")
    return [Row(f"pipeline {name}", lambda name=name: _pipeline(codepipeline, name)) for name in names]  # type: ignore[misc]


def _pipeline(codepipeline: Any, name: str) -> list[Finding]:
    try:
        stages = codepipeline.get_pipeline_state(name=name).get("stageStates", [])
    except codepipeline.exceptions.PipelineNotFoundException:
        # Its branch was never pushed.
        return [Finding(f"pipeline {name} does not exist yet")]
    waiting = [(stage, action) for stage in stages for action in stage.get("actionStates", []) if _waits(action)]
    found = [_waiting(name, stage["stageName"], action) for stage, action in waiting]
    named = {stage.get("latestExecution", {}).get("pipelineExecutionId") for stage, _ in waiting}
    try:
        listed = pages(codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name)
    except Exception as error:
        return [*found, not_checked(f"executions of pipeline {name}", error)]
    unfinished = [each["pipelineExecutionId"] for each in listed
                  if each["status"] in _UNFINISHED and each["pipelineExecutionId"] not in named]
    show = f"aws codepipeline get-pipeline-execution --pipeline-name {name} --pipeline-execution-id"
    found += [Finding(f"pipeline {name}", f"execution {each} is in progress, and a deployment that changes this pipeline would "
                      "cancel it", f"Wait for its end: {show} {each}")
              for each in unfinished]
    return found or [Finding(f"pipeline {name} has no execution in progress")]


def _waits(action: dict[str, Any]) -> bool:
    """Only a request for an approval has a token.
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecution.html"""
    latest = action.get("latestExecution", {})
    return latest.get("status") == "InProgress" and bool(latest.get("token"))


def _waiting(pipeline: str, stage: str, action: dict[str, Any]) -> Finding:
    name, changed = action["actionName"], action["latestExecution"].get("lastStatusChange")
    since = f" since {changed.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if isinstance(changed, datetime) else ""
    token = (f"aws codepipeline get-pipeline-state --name {pipeline} --output text --query "
             f"\"stageStates[].actionStates[?actionName=='{name}'][].latestExecution.token\"")
    return Finding(
        f"pipeline {pipeline}", f"an approval waits{since}. A deployment that changes this pipeline would cancel its execution, "
        "even if it is approved afterwards",
        f"Approve or reject it first: aws codepipeline put-approval-result --pipeline-name {pipeline} --stage-name {stage} "
        f"--action-name {name} --result status=Rejected,summary=later --token $({token})")
