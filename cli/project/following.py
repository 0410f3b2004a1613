"""Follows an execution of a pipeline until it waits for an approval or has ended, and never silently."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from cli.environment.pending import Pending
from cli.project import projects
from cli.project.holds import Hold
from cli.project.pipelines import is_unfinished
from cli.project.projects import Project
from cli.shell import machine
from cli.shell.failure import Failure
from cli.shell.output import Output

# Of the calls. A look that failed is repeated anyway, after a line with the reason.
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
# Seconds between two looks, at most. The calls of an account and region share a limit.
PAUSE = 5.0
# Seconds without a line, at most, and those after which a look ends with one. The difference is for a pause and a look.
_SILENCE, _REMINDER = 30.0, 20.0
# Seconds in which no look succeeds.
_MAX_LOSS = 120.0
APPROVAL = "waits for an approval"
# Actions in these do not change any more.
_ENDED = ("Succeeded", "Failed", "Abandoned")


class Following:
    def __init__(self, client: Any, project: Project, execution: str, output: Output,
                 holds_at: Callable[[str, str, bool], list[Hold]]) -> None:
        """`holds_at` returns the obstacles at a stage for an execution, and whether that has entered the stage."""
        self._client, self._project, self.execution = client, project, execution
        self._output, self._holds_at = output, holds_at
        self._begun = self._written = self._read_at = time.monotonic()
        self._shown: dict[str, str] = {}
        self._shown_remedies: set[str] = set()
        # The problem of the last look. Empty if it succeeded.
        self._loss = ""
        # The latest attempts, by the names of their actions.
        self.actions: dict[str, dict[str, Any]] = {}
        self.summary = ""

    def end(self) -> str:
        """Waits. Returns `APPROVAL`, or the status in which the execution ended."""
        while not (status := self._look()):
            # The first actions take seconds.
            time.sleep(min(PAUSE, 1 + (time.monotonic() - self._begun) / 10))
        return status

    def _look(self) -> str:
        """Empty while it goes on."""
        try:
            execution, self.actions = self._answered(self._read)
        except Exception as error:
            self._note_loss(error)
            return ""
        self._loss, self._read_at = "", time.monotonic()
        # The first one last: CodePipeline lists the latest first.
        for name, each in reversed(list(self.actions.items())):
            status = each.get("status", "")
            if self._shown.get(name) != status:
                self._shown[name] = status
                self._write(f"{name:<16}{status}")
        self.summary = execution.get("statusSummary", "")
        if not is_unfinished(execution):
            return str(execution["status"])
        if any(_is_approval(each) and each.get("status") == "InProgress" for each in self.actions.values()):
            return APPROVAL
        if time.monotonic() - self._written >= _REMINDER:
            text, remedies = self._answered(self._waiting)
            new = [each for each in remedies if each not in self._shown_remedies]
            self._shown_remedies.update(new)
            self._write(f"... {text}", *(f"{'':9}{self._output.selecting(each)}" for each in new))
        return ""

    def _answered(self, call: Callable[[], Any]) -> Any:
        """The result of a function that reads. It runs in a thread, so a line appears in time even if a server does not answer."""
        begun = time.monotonic()
        pending = Pending(call, threading.Semaphore())
        while (result := pending.result(self._written + _SILENCE - begun)) is None:
            self._write(f"... AWS has not answered for {time.monotonic() - begun:.0f} s")
        return result

    def _read(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """The execution and its actions."""
        # Before the actions, so that those of an ended execution are complete.
        execution = self._client.get_pipeline_execution(
            pipelineName=self._project.pipeline, pipelineExecutionId=self.execution)["pipelineExecution"]
        return execution, projects.actions_of(self._client, self._project.pipeline, self.execution)

    def _note_loss(self, error: Exception) -> None:
        """A lost connection does not end the execution. Neither does one that CodePipeline shows late."""
        failure = machine.explained(error)
        if failure is None:
            raise error
        is_final = isinstance(error, ClientError) and machine.is_denied(error)
        now = time.monotonic()
        if is_final or now - self._read_at >= _MAX_LOSS:
            raise Failure(f"execution {self.execution} goes on, but is not read: {failure.problem}", failure.remedy)
        if failure.problem != self._loss or now - self._written >= _REMINDER:
            self._loss = failure.problem
            self._write(f"... not read: {failure.problem}")

    def _waiting(self) -> tuple[str, list[str]]:
        """The text for what it waits for, and the remedies."""
        running = [name for name, each in self.actions.items() if each.get("status") not in _ENDED]
        if running:
            return f"{', '.join(running)} goes on", []
        try:
            stage, has_entered = self._stage()
        except Exception as error:
            return f"what it waits for is not read: {projects.unread(error, 'GetPipelineState').reason}", []
        if not stage:
            return "CodePipeline has not begun the next action yet", []
        holds = self._holds_at(stage, self.execution, has_entered)
        causes = f": {'; '.join(each.problem for each in holds)}" if holds else ""
        return f"it waits at stage {stage}{causes}", [each.remedy for each in holds if each.remedy]

    def _stage(self) -> tuple[str, bool]:
        """The stage that it waits to enter, or is in, as with a closed window, and whether it is in. Empty if CodePipeline shows
        none."""
        for stage in self._client.get_pipeline_state(name=self._project.pipeline).get("stageStates", []):
            name, latest = stage.get("stageName", ""), stage.get("latestExecution", {})
            if latest.get("status") == "InProgress" and latest.get("pipelineExecutionId") == self.execution:
                return name, True
            waiting = [*stage.get("inboundExecutions", []), stage.get("inboundExecution", {})]
            if any(each.get("pipelineExecutionId") == self.execution for each in waiting):
                return name, False
        return "", False

    def _write(self, line: str, *more: str) -> None:
        self._written = time.monotonic()
        self._output.write_progress(f"{self._written - self._begun:5.0f} s  {line}", *more)


def _is_approval(action: dict[str, Any]) -> bool:
    category = action.get("input", {}).get("actionTypeId", {}).get("category")
    return category == "Approval" or action.get("actionName") == projects.APPROVAL
