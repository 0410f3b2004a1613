"""Executions and waiting approvals that the next deployment may cancel, and freezes that it may end.

"Cancelled: The pipeline's definition was updated before the pipeline execution could be completed."
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cli.checks.rows import Once, Reader, Row
from cli.environment.account import owner_of
from cli.environment.owners import Owners
from cli.project.approvals import decide, is_waiting
from cli.project.pipelines import children_of, freezes, in_progress, pipeline_of, project_of
from cli.rules import event_rules
from cli.shell.command import aws, cfn_gitops
from cli.shell.findings import Finding, Found, NotChecked, Sound

# Whether it does is not known before the change set. docs/concepts/pipelines.md, A change of the pipeline
# itself.
_CANCELS = "The next deployment cancels it if it changes this pipeline"


def execution_rows(reader: Reader, stacks: Once) -> list[Row]:
    """`stacks` are all of the account, by name."""
    for service in ("codepipeline", "cloudformation", "events"):
        reader.client(service)
    return [Row("executions", "executions of the pipelines", lambda: _executions(reader, stacks.get()))]


def _executions(reader: Reader, stacks: dict[str, dict[str, Any]]) -> list[Finding]:
    """Those of the environment's own stack, because its deployment changes no other pipeline. A tag proves
    nothing."""
    environment, own = reader.environment, stacks.get(reader.environment.settings.stack_name, {})
    owners = Owners(environment, [*stacks.values()], reader.client("cloudformation"))
    shown = [
        child
        for child in children_of(stacks.values(), environment.env_id)
        if owner_of(child) == own.get("StackId") and owners.of(child).is_shown
    ]
    return [finding for child in shown for finding in _pipeline(reader, child)] or [
        Sound("executions of the pipelines")
    ]


def _pipeline(reader: Reader, child: dict[str, Any]) -> list[Finding]:
    codepipeline, env_id = reader.client("codepipeline"), reader.environment.env_id
    name, project, table = (
        pipeline_of(child, env_id),
        project_of(child, env_id),
        reader.environment.settings.table,
    )
    try:
        stages, exists = codepipeline.get_pipeline_state(name=name).get("stageStates", []), True
    except codepipeline.exceptions.PipelineNotFoundException:
        # Its branch was never pushed.
        stages, exists = [], False
    waiting = [
        (stage, action) for stage in stages for action in stage.get("actionStates", []) if is_waiting(action)
    ]
    found: list[Finding] = [
        Found(
            f"pipeline {name}",
            f"an approval waits{_since(action)}. {_CANCELS}, even if it is approved afterwards",
            decide(project, table),
        )
        for _, action in waiting
    ]
    named = {stage.get("latestExecution", {}).get("pipelineExecutionId") for stage, _ in waiting}
    try:
        found += [
            Found(
                f"pipeline {name}",
                f"{held}. The next deployment may end this freeze if it changes this pipeline",
                f"Deploy after the freeze. To end it: {cfn_gitops('thaw', project, '--env', table)}",
            )
            for held in freezes(reader.client("events"), event_rules(env_id, project).values(), stages)
        ]
        unfinished = (
            [each for each in in_progress(codepipeline, name, stages) if each not in named] if exists else []
        )
    except Exception as error:
        return [*found, NotChecked.because(f"executions and freezes of pipeline {name}", error)]
    show = "codepipeline", "get-pipeline-execution", "--pipeline-name", name, "--pipeline-execution-id"
    found += [
        Found(
            f"pipeline {name}",
            f"execution {each} is in progress. {_CANCELS}",
            f"Wait for its end: {aws(*show, each)}",
        )
        for each in unfinished
    ]
    return found or [
        Sound(
            f"pipeline {name}"
            f" {'has no execution in progress, and no freeze' if exists else 'does not exist yet'}"
        )
    ]


def _since(action: dict[str, Any]) -> str:
    changed = action["latestExecution"].get("lastStatusChange")
    return (
        f" since {changed.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
        if isinstance(changed, datetime)
        else ""
    )
