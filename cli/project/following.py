"""Follows an execution of a pipeline until it waits for an approval or has ended, and is never silent for
long."""

from __future__ import annotations

import time

from cli.environment import waiting
from cli.environment.answers import Part
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

    def end(self) -> Part:
        """Waits. Returns the execution, which waits for an approval or has ended."""
        execution: Part = waiting.ended(self._look, f"execution {self._execution} goes on, but", self._write)
        return execution

    def _look(self) -> Part | None:
        """`None` while it goes on."""
        answer = self._questions.ask("Deployments", ProjectID=self._project, ExecutionId=self._execution)
        execution = answer.execution
        # CodePipeline shows it late.
        for why in () if execution.status else answer.not_read:
            raise NoAnswer(why.problem, why.remedy)
        for each in execution.actions:
            if self._shown.get(each.action) != each.status:
                self._shown[each.action] = each.status
                self._write(f"{each.action:<16}{each.status}")
        if execution.is_end or execution.waits_for_approval:
            return execution
        if time.monotonic() - self._written >= waiting.REMINDER:
            self._remind(answer)
        return None

    def _remind(self, answer: Part) -> None:
        """Writes what it waits for, and each remedy once."""
        execution, holds = answer.execution, [*answer.holds, *answer.not_read]
        if running := [each.action for each in execution.actions if each.status not in _ENDED]:
            self._write(f"... {', '.join(running)} goes on")
            return
        causes = "; ".join(each.problem for each in holds)
        remedies = dict.fromkeys(each.remedy for each in holds if each.remedy)
        new = [each for each in remedies if each not in self._shown_remedies]
        self._shown_remedies.update(new)
        at = (
            f"it waits at stage {execution.stage}"
            if execution.stage
            else "CodePipeline has not begun the next action yet"
        )
        self._write(
            f"... {at}{': ' if causes else ''}{causes}",
            *(f"{'':9}{each}" for each in new),
        )

    def _write(self, line: str, *more: str) -> None:
        self._written = time.monotonic()
        self._output.write_progress(f"{self._written - self._begun:5.0f} s  {line}", *more)
