"""Follows an execution of a pipeline until it waits for an approval or has ended, and never silently."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from cli import machine, projects
from cli.failure import Failure
from cli.output import Output
from cli.pipelines import is_unfinished
from cli.projects import Project

# Seconds between two looks, at most. The calls of an account and region share a limit.
PAUSE = 5.0
_SILENCE = 30.0
# Reads that fail one after another: about half a minute.
_MAX_LOST = 6
APPROVAL = "waits for an approval"
# Actions in these do not change any more.
_ENDED = ("Succeeded", "Failed", "Abandoned")


class Following:
    def __init__(self, client: Any, project: Project, execution: str, output: Output,
                 holds_at: Callable[[str], list[str]]) -> None:
        """`holds_at` returns the obstacles of the execution at the stage of this name."""
        self._client, self._project, self._execution = client, project, execution
        self._output, self._holds_at = output, holds_at
        self._begun = self._written = time.monotonic()
        self._shown: dict[str, str] = {}
        self._lost = 0
        # The latest attempts, by the names of their actions.
        self.actions: dict[str, dict[str, Any]] = {}
        self.summary = ""

    def end(self) -> str:
        """Waits. Returns `APPROVAL`, or the status in which the execution ended."""
        while True:
            try:
                status = self._look()
                self._lost = 0
            except Exception as error:
                self._note_loss(error)
                status = ""
            if status:
                return status
            if time.monotonic() - self._written >= _SILENCE:
                self._write("... " + self._waiting())
            # The first actions take seconds.
            time.sleep(min(PAUSE, 1 + (time.monotonic() - self._begun) / 10))

    def _look(self) -> str:
        """Empty while it goes on."""
        # Before the actions, so that those of an ended execution are complete.
        execution = self._client.get_pipeline_execution(
            pipelineName=self._project.pipeline, pipelineExecutionId=self._execution)["pipelineExecution"]
        self.actions = projects.actions_of(self._client, self._project.pipeline, self._execution)
        # The first one last: CodePipeline lists the latest first.
        for name, each in reversed(list(self.actions.items())):
            status = each.get("status", "")
            if self._shown.get(name) != status:
                self._shown[name] = status
                self._write(f"{name:<16}{status}")
        self.summary = execution.get("statusSummary", "")
        if not is_unfinished(execution):
            return str(execution["status"])
        is_waiting = any(_is_approval(each) and each.get("status") == "InProgress" for each in self.actions.values())
        return APPROVAL if is_waiting else ""

    def _note_loss(self, error: Exception) -> None:
        """A lost connection does not end the execution. Neither does one that CodePipeline shows late."""
        failure = machine.explained(error)
        if failure is None:
            raise error
        self._lost += 1
        is_final = isinstance(error, ClientError) and machine.is_denied(error)
        if is_final or self._lost >= _MAX_LOST:
            raise Failure(f"execution {self._execution} goes on, but is not read: {failure.problem}", failure.remedy)
        if self._lost > 1:
            self._write(f"... not read: {failure.problem}")

    def _waiting(self) -> str:
        running = [name for name, each in self.actions.items() if each.get("status") not in _ENDED]
        if running:
            return f"{', '.join(running)} goes on"
        stage = self._stage()
        if not stage:
            return "CodePipeline has not begun the next action yet"
        holds = self._holds_at(stage)
        return f"it waits at stage {stage}" + (f": {'; '.join(holds)}" if holds else "")

    def _stage(self) -> str:
        """The stage that it waits to enter, or is in, as with a closed window. Empty if CodePipeline shows none."""
        try:
            stages = self._client.get_pipeline_state(name=self._project.pipeline).get("stageStates", [])
        except Exception as error:
            if machine.explained(error) is None:
                raise
            return ""
        for stage in stages:
            waiting = [*stage.get("inboundExecutions", []), stage.get("inboundExecution", {})]
            latest = stage.get("latestExecution", {})
            waiting += [latest] if latest.get("status") == "InProgress" else []
            if any(each.get("pipelineExecutionId") == self._execution for each in waiting):
                return str(stage.get("stageName", ""))
        return ""

    def _write(self, line: str) -> None:
        self._written = time.monotonic()
        self._output.write_progress(f"{self._written - self._begun:5.0f} s  {line}")


def _is_approval(action: dict[str, Any]) -> bool:
    category = action.get("input", {}).get("actionTypeId", {}).get("category")
    return category == "Approval" or action.get("actionName") == projects.APPROVAL
