"""Executions and waiting approvals that the next deployment may cancel.

"Cancelled: The pipeline's definition was updated before the pipeline execution could be completed."
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cli.checks.rows import Once, Reader, Row
from cli.environment.account import owner_of
from cli.environment.owners import Owners
from cli.project.approvals import is_waiting, page_of
from cli.project.pipelines import children_of, in_progress, pipeline_of
from cli.shell.output import Finding, Found, NotChecked, Sound

# Whether it does is not known before the change set. docs/concepts/pipelines.md, A change of the pipeline itself.
_CANCELS = "The next deployment cancels it if it changes this pipeline"


def execution_rows(reader: Reader, stacks: Once) -> list[Row]:
    """`stacks` are all of the account, by name."""
    reader.client("codepipeline"), reader.client("cloudformation")
    return [Row("executions", "executions of the pipelines", lambda: _executions(reader, stacks.get()))]


def _executions(reader: Reader, stacks: dict[str, dict[str, Any]]) -> list[Finding]:
    """Those of the environment's own stack, because its deployment changes no other pipeline. A tag proves nothing."""
    environment, own = reader.environment, stacks.get(reader.environment.settings.stack_name, {})
    owners = Owners(environment, [*stacks.values()], reader.client("cloudformation"))
    names = sorted(pipeline_of(child, environment.env_id) for child in children_of(stacks.values(), environment.env_id)
                   if owner_of(child) == own.get("StackId") and owners.of(child).is_shown)
    return [finding for name in names for finding in _pipeline(reader, name)] or [Sound("executions of the pipelines")]


def _pipeline(reader: Reader, name: str) -> list[Finding]:
    codepipeline = reader.client("codepipeline")
    try:
        stages = codepipeline.get_pipeline_state(name=name).get("stageStates", [])
    except codepipeline.exceptions.PipelineNotFoundException:
        # Its branch was never pushed.
        return [Sound(f"pipeline {name} does not exist yet")]
    waiting = [(stage, action) for stage in stages for action in stage.get("actionStates", []) if is_waiting(action)]
    found = [_waiting(reader, name, action) for _, action in waiting]
    named = {stage.get("latestExecution", {}).get("pipelineExecutionId") for stage, _ in waiting}
    try:
        unfinished = [each for each in in_progress(codepipeline, name, stages) if each not in named]
    except Exception as error:
        return [*found, NotChecked.because(f"executions of pipeline {name}", error)]
    show = f"aws codepipeline get-pipeline-execution --pipeline-name {name} --pipeline-execution-id"
    found += [Found(f"pipeline {name}", f"execution {each} is in progress. {_CANCELS}", f"Wait for its end: {show} {each}")
              for each in unfinished]
    return found or [Sound(f"pipeline {name} has no execution in progress")]


def _waiting(reader: Reader, pipeline: str, action: dict[str, Any]) -> Finding:
    changed, account = action["latestExecution"].get("lastStatusChange"), reader.account
    since = f" since {changed.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if isinstance(changed, datetime) else ""
    # No command: pasted, it would answer the approval of a deployment that a person has to read first.
    return Found(f"pipeline {pipeline}", f"an approval waits{since}. {_CANCELS}, even if it is approved afterwards",
                 f"Approve or reject it first: {page_of(pipeline, account.region, account.partition)}")
