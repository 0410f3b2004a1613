"""Follows an execution of a pipeline until it waits for an approval or has ended, and is never silent for
long."""

from __future__ import annotations

import time
from typing import Any

from cli.environment import waiting
from cli.environment.questions import NoAnswer, Questions
from cli.shell.output import Output

# Within which the function answers. It reads nothing from GitLab for this.
SECONDS = 15.0
# Actions in these do not change any more.
_ENDED = ("Succeeded", "Failed", "Abandoned")


class Following:
    def __init__(self, questions: Questions, project: str, execution: str, output: Output) -> None:
        self._questions, self._project, self._execution, self._output = questions, project, execution, output
        self._begun = self._written = time.monotonic()
        self._shown: dict[str, str] = {}
        self._shown_remedies: set[str] = set()

    def end(self) -> dict[str, Any]:
        """Waits. Returns the execution, which waits for an approval or has ended."""
        execution: dict[str, Any] = waiting.ended(
            self._look, f"execution {self._execution} goes on, but", self._write
        )
        return execution

    def _look(self) -> dict[str, Any]:
        """Empty while it goes on."""
        answer = self._questions.ask("Deployments", ProjectID=self._project, ExecutionId=self._execution)
        execution: dict[str, Any] = answer["Execution"]
        if "Status" not in execution:
            # CodePipeline shows it late.
            raise NoAnswer(answer["NotRead"][0]["Problem"], answer["NotRead"][0]["Remedy"])
        for each in execution["Actions"]:
            name, status = each["Action"], each["Status"]
            if self._shown.get(name) != status:
                self._shown[name] = status
                self._write(f"{name:<16}{status}")
        if execution["IsEnd"] or "WaitsForApproval" in execution:
            return execution
        if time.monotonic() - self._written >= waiting.REMINDER:
            self._remind(execution, answer["Holds"] + answer["NotRead"])
        return {}

    def _remind(self, execution: dict[str, Any], holds: list[dict[str, Any]]) -> None:
        """Writes what it waits for, and each remedy once."""
        if running := [each["Action"] for each in execution["Actions"] if each["Status"] not in _ENDED]:
            self._write(f"... {', '.join(running)} goes on")
            return
        causes = "; ".join(each["Problem"] for each in holds)
        remedies = dict.fromkeys(each["Remedy"] for each in holds if each.get("Remedy"))
        new = [each for each in remedies if each not in self._shown_remedies]
        self._shown_remedies.update(new)
        at = (
            f"it waits at stage {execution['Stage']}"
            if "Stage" in execution
            else "CodePipeline has not begun the next action yet"
        )
        self._write(
            f"... {at}{': ' if causes else ''}{causes}",
            *(f"{'':9}{each}" for each in new),
        )

    def _write(self, line: str, *more: str) -> None:
        self._written = time.monotonic()
        self._output.write_progress(f"{self._written - self._begun:5.0f} s  {line}", *more)
