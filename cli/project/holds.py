"""The obstacles that hold a pipeline: an approval that waits, a closed window, a disabled transition, another execution.

A stage has one execution at a time. In mode SUPERSEDED, a newer execution replaces only those that wait between two stages.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from cli.environment.account import Environment
from cli.project import deployment_window, projects
from cli.project.deployment_window import UnreadWindow
from cli.project.deployments import COMMIT_DIGITS
from cli.project.pipelines import HELD, is_unfinished, rule_state
from cli.project.projects import DEPLOY, Approval, Project, Transition, Unread
from cli.shell.terminal import shortened
from cli.shell.times import iso

_MARKS = {True: "!", False: " ", None: "?"}
_MAX_REASON = 200


class Hold(NamedTuple):
    """An obstacle."""

    # `False` if it holds other executions only, and `None` if that is not known.
    holds: bool | None
    problem: str
    remedy: str = ""
    # The call, if it was not read whether there is an obstacle.
    unread: Unread | None = None

    @property
    def mark(self) -> str:
        return _MARKS[self.holds]


def not_read(subject: str, unread: Unread) -> Hold:
    return Hold(None, f"{subject} not read: {unread.reason}", unread=unread)


class Holds:
    """Those of an execution of the project's pipeline."""

    def __init__(self, environment: Environment, project: Project, client: Any, declaration: dict[str, Any]) -> None:
        self._environment, self._project, self._client, self._declaration = environment, project, client, declaration

    def all(self) -> Iterator[Hold]:
        """The obstacles of a new execution."""
        project = self._project
        # If one call is denied, the other one still shows its obstacles.
        try:
            projects.read_state(self._client, project)
        except Exception as error:
            yield not_read("whether an approval waits, or a transition is disabled, was", projects.unread(error, "GetPipelineState"))
        listed: list[dict[str, Any]] = []
        try:
            listed = self._client.list_pipeline_executions(pipelineName=project.pipeline).get("pipelineExecutionSummaries", [])
        except Exception as error:
            yield not_read("whether another execution is in progress was", projects.unread(error, "ListPipelineExecutions"))
        waiting = {each.execution: each for each in project.approvals or []}
        for each in filter(is_unfinished, listed):
            yield self._earlier(each, waiting.pop(each["pipelineExecutionId"], None))
        # An approval waits for up to seven days, while a hundred executions may have begun: they are not on the first page.
        for execution, approval in waiting.items():
            yield self._earlier({"pipelineExecutionId": execution}, approval)
        for transition in project.disabled or []:
            yield self._disabled(transition)
        yield from self._window(f"To override the window, once the execution waits there: {self._overriding('<its ID>')}")
        yield from self._rules()

    def at(self, stage: str, execution: str, has_entered: bool) -> list[Hold]:
        """The obstacles of this execution at the stage, read again. `has_entered` if it no longer waits in front of it."""
        project = self._project
        try:
            projects.read_state(self._client, project)
        except Exception as error:
            return [not_read("the obstacles were", projects.unread(error, "GetPipelineState"))]
        override = f"To override the window for this execution: {self._overriding(execution)}" if has_entered else ""
        return [*(self._disabled(each) for each in project.disabled or [] if each.stage == stage),
                *(Hold(True, f"execution {each.execution} waits for an approval there", self._rejecting(each))
                  for each in project.approvals or [] if each.stage == stage),
                *(self._window(override) if stage == DEPLOY else [])]

    def _earlier(self, execution: dict[str, Any], waiting: Approval | None) -> Hold:
        pipeline, name = self._project.pipeline, execution["pipelineExecutionId"]
        commit = projects.commit_of(execution).get("revisionId", "")[:COMMIT_DIGITS] or "not known"
        subject = f"execution {name} (commit {commit})"
        if waiting:
            return Hold(True, f"{subject} waits for an approval, and this one would wait behind it", self._rejecting(waiting))
        replaces = "" if self._declaration.get("executionMode") == "QUEUED" else \
            "replaces it if it still waits before a stage, and otherwise "
        # Without --abandon, its actions in progress end first, such as the change of a stack. CodePipeline stops it so only once.
        # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html
        stop = ("To stop it after its actions in progress: aws codepipeline stop-pipeline-execution "
                f"--pipeline-name {pipeline} --pipeline-execution-id {name} --reason undo")
        return Hold(True, f"{subject} is in progress. This one {replaces}follows it",
                    "" if execution.get("status") == "Stopping" else stop)

    def _overriding(self, execution: str) -> str:
        """CodePipeline needs an execution that has reached the stage.
        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html"""
        return (f"aws codepipeline override-stage-condition --pipeline-name {self._project.pipeline} --stage-name {DEPLOY} "
                f"--condition-type BEFORE_ENTRY --pipeline-execution-id {execution}")

    def _rejecting(self, waiting: Approval) -> str:
        return f"Reject it first: {rejection(self._project.pipeline, waiting)}"

    def _disabled(self, transition: Transition) -> Hold:
        by = f", by {transition.by}" if transition.by else ""
        reason = f" ({shortened(transition.reason, _MAX_REASON)})" if transition.reason else ""
        return Hold(True, f"held by the disabled transition into stage {transition.stage}{by}{reason}",
                    f"To end the freeze: {transition.enabling(self._project.pipeline)}")

    def _window(self, remedy: str) -> Iterator[Hold]:
        """`Deploy.Window`, unless it is open."""
        window = next(filter(None, map(deployment_window.of_stage, self._declaration.get("stages", []))), None)
        if window is None:
            return
        now, shown = datetime.now(timezone.utc), f"Deploy.Window ({window.get('Cron', '?')}, {window.get('TimeZone', 'UTC')})"
        try:
            opens = deployment_window.next_opening(window, now)
        except UnreadWindow:
            yield Hold(None, f"whether {shown} of stage {DEPLOY} is open was not read", remedy)
            return
        if opens != now:
            when = f"it opens at {iso(opens)}" if opens else f"it does not open within {deployment_window.DAYS} days"
            yield Hold(True, f"held at stage {DEPLOY} by {shown}: {when}", remedy)

    def _rules(self) -> Iterator[Hold]:
        client = self._environment.account.client("events", config=projects.CONFIG)
        states: dict[str, str] = {}
        self._project.rules = states
        for kind, rule in self._project.event_rules.items():
            try:
                state = rule_state(client, rule)
            except Exception as error:
                yield not_read(f"event rule {rule} was", projects.unread(error, "DescribeRule"))
                continue
            if state:
                states[kind] = state
            if state == "DISABLED":
                yield Hold(False, f"event rule {rule} is disabled, so {HELD[kind]}. It does not hold this one",
                           f"To end the freeze: aws events enable-rule --name {rule}")


def rejection(pipeline: str, waiting: Approval) -> str:
    """The command, which reads the token of this execution alone."""
    query = f"stageStates[?latestExecution.pipelineExecutionId=='{waiting.execution}'].actionStates[].latestExecution.token"
    return (f"aws codepipeline put-approval-result --pipeline-name {pipeline} --stage-name {waiting.stage} "
            f'--action-name {waiting.action} --result "status=Rejected,summary=undo" '
            f'--token "$(aws codepipeline get-pipeline-state --name {pipeline} --query "{query}" --output text)"')
