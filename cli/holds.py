"""The obstacles that hold a pipeline: an approval that waits, a closed window, a disabled transition, another execution.

A stage has one execution at a time. In mode SUPERSEDED, a newer execution replaces only those that wait between two stages.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from botocore.config import Config

from cli import deployment_window, projects
from cli.account import Environment
from cli.deployments import COMMIT_DIGITS
from cli.pipelines import is_unfinished
from cli.projects import DEPLOY, Approval, Project, Transition
from cli.terminal import shortened
from cli.times import iso

_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
_MAX_REASON = 200


class Hold(NamedTuple):
    """An obstacle, or a part that was not read. The mark is "!", "?", or a space if it holds nothing."""

    mark: str
    problem: str
    remedy: str = ""


class Holds:
    """Those of a new execution of the project's pipeline."""

    def __init__(self, environment: Environment, project: Project, client: Any, declaration: dict[str, Any]) -> None:
        self._environment, self._project, self._client, self._declaration = environment, project, client, declaration

    def all(self) -> Iterator[Hold]:
        project = self._project
        try:
            projects.read_state(self._client, project)
            page = self._client.list_pipeline_executions(pipelineName=project.pipeline)
        except Exception as error:
            yield Hold("?", f"what holds the pipeline was not read: {projects.unread(error, 'CodePipeline').reason}")
            page = {}
        waiting = {each.execution: each for each in project.approvals or []}
        for each in filter(is_unfinished, page.get("pipelineExecutionSummaries", [])):
            yield self._earlier(each, waiting.get(each["pipelineExecutionId"]))
        for transition in project.disabled or []:
            yield Hold("!", _closed(transition), f"To end the freeze: {transition.enabling(project.pipeline)}")
        yield from (Hold("!", each) for each in self._window())
        yield from self._rule()

    def at(self, stage: str) -> list[str]:
        """The obstacles of an execution at this stage, read again."""
        project = self._project
        try:
            projects.read_state(self._client, project)
        except Exception as error:
            return [f"not read: {projects.unread(error, 'GetPipelineState').reason}"]
        return [*(_closed(each) for each in project.disabled or [] if each.stage == stage),
                *(f"execution {each.execution} waits for an approval there" for each in project.approvals or []
                  if each.stage == stage),
                *(self._window() if stage == DEPLOY else [])]

    def _earlier(self, execution: dict[str, Any], waiting: Approval | None) -> Hold:
        commit = projects.commit_of(execution).get("revisionId", "")[:COMMIT_DIGITS] or "not known"
        subject = f"execution {execution['pipelineExecutionId']} (commit {commit})"
        if waiting:
            return Hold("!", f"{subject} waits for an approval, and this one would wait behind it",
                        f"Reject it first: {rejection(self._project.pipeline, waiting)}")
        if self._declaration.get("executionMode") == "QUEUED":
            return Hold("!", f"{subject} is in progress. This one follows it")
        return Hold("!", f"{subject} is in progress. This one replaces it if it still waits before a stage, and otherwise "
                    "follows it")

    def _window(self) -> Iterator[str]:
        """`Deploy.Window`, unless it is open."""
        window = next(filter(None, map(deployment_window.of_stage, self._declaration.get("stages", []))), None)
        if window is None:
            return
        now = datetime.now(timezone.utc)
        opens = deployment_window.next_opening(window, now)
        if opens != now:
            when = f"it opens at {iso(opens)}" if opens else "when it opens is not read"
            yield f"held at stage {DEPLOY} by Deploy.Window ({window.get('Cron', '?')}, {window.get('TimeZone', 'UTC')}): {when}"

    def _rule(self) -> Iterator[Hold]:
        rule = self._project.event_rule
        try:
            state = self._environment.account.client("events", config=_CONFIG).describe_rule(Name=rule).get("State", "")
        except Exception as error:
            yield Hold("?", f"event rule {rule} was not read: {projects.unread(error, 'DescribeRule').reason}")
            return
        if state == "DISABLED":
            yield Hold(" ", f"event rule {rule} is disabled, so a push starts nothing. It does not hold this one",
                       f"To end the freeze: aws events enable-rule --name {rule}")


def _closed(transition: Transition) -> str:
    by = f", by {transition.by}" if transition.by else ""
    reason = f" ({shortened(transition.reason, _MAX_REASON)})" if transition.reason else ""
    return f"held by the disabled transition into stage {transition.stage}{by}{reason}"


def rejection(pipeline: str, waiting: Approval) -> str:
    """The command, which reads the token of this execution alone."""
    query = f"stageStates[?latestExecution.pipelineExecutionId=='{waiting.execution}'].actionStates[].latestExecution.token"
    return (f"aws codepipeline put-approval-result --pipeline-name {pipeline} --stage-name {waiting.stage} "
            f'--action-name {waiting.action} --result "status=Rejected,summary=undo" '
            f'--token "$(aws codepipeline get-pipeline-state --name {pipeline} --query "{query}" --output text)"')
