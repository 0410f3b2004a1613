"""Show every project of an environment in one table.

It changes nothing, and prints what the function cfn-gitops-<EnvID>-read answers. A project with "!" needs a
person, and comes first. A line below the table has the cause and what to do.

    DEPLOYED  the commit of the last successful deployment, and SINCE when
    STATE     the newest execution with the AGE of its start or end, or the approval that has waited longest
    FROZEN    whether an event rule or a transition of the pipeline is disabled
    OUTDATED  whether an older version of the function rendered the pipeline
    MIRROR    whether the mirror works, as GitLab and CodeCommit show it

"?" was not read, and a line states why. "-" does not exist. A MIRROR is "-", too, if the pipeline does not
report to GitLab, or if its token may list no mirror. The exit status is 1 if the newest execution that ended
has failed, if something is broken or outdated, or if the environment's own stack has failed. Otherwise it is
3 if something was not read. It is 0 if projects only wait for an approval, are frozen, or a person rejected
the newest execution. With --json, each project has the members of answer-projects.json in docs/schemas, with
each remedy as text.
"""  # noqa: E501

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from cli.environment.account import Environment
from cli.environment.answers import MISSING, Part, named
from cli.environment.questions import Questions
from cli.project.approvals import counts_of, decide, reason_of
from cli.project.freezing import line_of
from cli.shell.command import aws, cfn_gitops
from cli.shell.failure import status_of
from cli.shell.output import BOLD, Output, width
from cli.shell.terminal import shortened, shown
from cli.shell.times import age, read_time

EXAMPLES = (
    "cfn-gitops status --env dev",
    "cfn-gitops status --env prd --wait 30    # only if the answer is fast",
    "cfn-gitops status --env dev --json",
)

HEADS = ("", "PROJECT", "DEPLOYED", "SINCE", "STATE (AGE)", "FROZEN", "OUTDATED", "MIRROR")
# A table that is wider than the terminal is split before FROZEN. Both parts have the first two columns.
_FIRST, _SPLIT = 2, 5
# The reasons why a project needs a person, the most urgent one first, with their words in the last line.
_CONCERNS = {
    "failed": "failed",
    "broken": "broken",
    "unread": "not read",
    "mirror": "with a broken mirror",
    "approval": "waiting for approval",
    "frozen": "frozen",
    "outdated": "outdated",
}
_ORDER = list(_CONCERNS)
# These alone are not a failure.
_WAITS = ("approval", "frozen")
# A state that AWS adds later is shown as it is.
_STATES = {
    "InProgress": "running",
    "Succeeded": "deployed",
    "Failed": "failed",
    "Stopped": "stopped",
    "Stopping": "stopping",
    "Superseded": "superseded",
    "Cancelled": "cancelled",
}
_MAX_NAME, _MAX_STATE, _MAX_CAUSE = 30, 14, 400
# A line names as many projects.
_MAX_NAMES = 5
# The function's own limit, and a start.
_MAX_SECONDS = 310


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_MAX_SECONDS,
        metavar="SECONDS",
        help=f"the time limit of the function's answer (default: {_MAX_SECONDS})",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text or 'an empty text'} is not a number of seconds") from None
    if not 1 <= seconds <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {_MAX_SECONDS}")
    return seconds


def run(environment: Environment, given: Any, output: Output) -> int:
    answer = Questions(environment, given.wait).ask("Projects", output)
    rows = sorted((Row(each, environment, now()) for each in answer.projects), key=Row.order)
    counts = Counter(concern for row in rows for concern in row.concerns())
    output.document |= {
        **answer.members,
        **named(projects=[row.members() for row in rows]),
        "counts": {concern: counts[concern] for concern in _ORDER},
    }
    if rows:
        _write_table([[*HEADS], *(row.cells() for row in rows)], output)
    _write_notes([*_own_notes(answer), *(note for row in rows for note in row.notes())], len(rows), output)
    needing = ", ".join(
        f"{counts[concern]} {words}" for concern, words in _CONCERNS.items() if counts[concern]
    )
    if rows:
        output.write(
            f"{len(rows)} {'project' if len(rows) == 1 else 'projects'}: {needing or 'none needs a person'}",
            style=BOLD,
        )
    elif not answer.not_read:
        output.write(f"Environment {environment.env_id} has no project yet")
    return status_of(
        answer.stack.problem
        or any(counts[concern] for concern in _ORDER if concern not in (*_WAITS, "unread")),
        answer.not_read or counts["unread"],
    )


def _write_table(lines: list[list[str]], output: Output) -> None:
    if not _fits(lines):
        output.table(lines[0][:_SPLIT], [line[:_SPLIT] for line in lines[1:]])
        output.write("")
        lines = [line[:_FIRST] + line[_SPLIT:] for line in lines]
    output.table(lines[0], lines[1:])
    output.write("")


def _fits(lines: list[list[str]]) -> bool:
    widths = (max(width(shown(cell)) for cell in column) for column in zip(*lines))
    return sum(widths) + 2 * (len(lines[0]) - 1) <= columns()


def columns() -> float:
    """Of the terminal. A file or another program gets one table."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else float("inf")


def now() -> datetime:
    return datetime.now(timezone.utc)


class Note(NamedTuple):
    """A line below the table. Those of several projects with the same remedy have it once."""

    # That of a project. Empty for the environment.
    name: str
    text: str
    cause: str = ""
    remedy: str = ""
    mark: str = ""


def _own_notes(answer: Part) -> Iterator[Note]:
    """Those of the environment."""
    stack = answer.stack
    if stack.problem:
        yield Note("", f"stack {stack.name}: {stack.problem}", remedy=stack.remedy)
    yield from _unread_notes("", answer.not_read)


def _unread_notes(name: str, unread: Iterable[Part]) -> Iterator[Note]:
    for each in unread:
        yield Note(name, shortened(each.problem, _MAX_CAUSE), remedy=each.advice, mark="? ")


def _write_notes(notes: list[Note], count: int, output: Output) -> None:
    """`count` is that of all projects."""
    groups: dict[tuple[str, ...], tuple[str, dict[tuple[str, ...], dict[str, None]]]] = {}
    for each in notes:
        line = each.mark, each.text, each.cause
        # An equal remedy is written once.
        _, lines = groups.setdefault((each.remedy,) if each.remedy else line, (each.remedy, {}))
        # The environment has its own line, and a project is named once.
        lines.setdefault((*line, "" if each.name else "own"), {})[each.name] = None
    for remedy, lines in groups.values():
        for (mark, text, cause, _), names in lines.items():
            more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
            of = "all projects" if len(names) == count > 1 else ", ".join([*names][:_MAX_NAMES]) + more
            output.write(f"{mark}{of}{': ' if of else ''}{text}", *([f"    {cause}"] if cause else []))
        output.write(*([f"    {remedy}"] if remedy else []))


class Row:
    """A project as it is shown."""

    def __init__(self, found: Part, environment: Environment, at: datetime) -> None:
        self._found, self._environment, self._now = found, environment, at
        self._env = environment.settings.table
        self.name = found.project_id
        self._is_read = not found.not_read

    def order(self) -> tuple[int, str]:
        return min((_ORDER.index(each) for each in self.concerns()), default=len(_ORDER)), self.name

    def concerns(self) -> list[str]:
        found = self._found
        has = {
            "failed": found.failure,
            "broken": found.problems,
            "unread": not self._is_read,
            "mirror": self._mirror() == "broken",
            "approval": found.approvals,
            "frozen": found.holds,
            "outdated": found.is_outdated,
        }
        return [each for each in _ORDER if has[each]]

    def cells(self) -> list[str]:
        found, deployed = self._found, self._found.deployed
        state, since = self.state()
        # SINCE has that of a deployment.
        shown_state = (shortened(state, _MAX_STATE) or "?") + (
            f" {self._age(since)}" if since and state != "deployed" else ""
        )
        return [
            "!" if self.concerns() else "",
            shortened(self.name, _MAX_NAME),
            self._or_unknown(deployed or None, deployed.commit[:8] or "?"),
            self._or_unknown(deployed or None, self._age(deployed.at)),
            shown_state,
            self._or_unknown(found.holds, "yes" if found.holds else "no"),
            self._or_unknown(found.is_outdated, "yes" if found.is_outdated else "no"),
            self._mirror(),
        ]

    def _or_unknown(self, member: object, cell: str) -> str:
        """A missing member does not exist, or was not read."""
        return cell if member not in (None, MISSING) else "-" if self._is_read else "?"

    def state(self) -> tuple[str, str]:
        """The state, and since when. Empty if it was not read."""
        found, newest = self._found, self._found.newest
        if found.has_pipeline is None:
            return self._stack_state(), ""
        if not found.has_pipeline:
            return "no pipeline" if found.problems else "no push yet", ""
        if found.approvals:
            return "approval", min((each.since for each in found.approvals if each.since), default="")
        if not newest:
            return "no execution" if self._is_read else "", ""
        if newest.execution_id == found.rejection.execution_id:
            state = "rejected"
        elif newest.status == "Succeeded" and newest.is_rollback:
            state = "rolled back"
        else:
            state = _STATES.get(newest.status, newest.status)
        return state, newest.at

    def _stack_state(self) -> str:
        """That of a project without outputs. Its own stack creates the pipeline's."""
        found = self._found
        if found.problems:
            return "broken"
        stacks = found.child_stack, found.owner
        return "creating" if any(each.status.endswith("_IN_PROGRESS") for each in stacks) else ""

    def _mirror(self) -> str:
        mirrors = self._found.mirrors
        return self._or_unknown(
            mirrors,
            "none" if not mirrors else "broken" if any(each.problem for each in mirrors) else "ok",
        )

    def _age(self, since: str) -> str:
        return age(read_time(since), self._now)

    def _behind(self, approval: Part) -> str:
        """How many executions wait before the stage of an approval."""
        executions = self._found.freeze.executions
        count = sum(each.stage == approval.stage for each in executions if each.is_waiting_before)
        return (
            f". {count} {'execution waits' if count == 1 else 'executions wait'} behind it" if count else ""
        )

    def notes(self) -> Iterator[Note]:
        """One for each concern, with its cause and remedy."""
        found, name = self._found, shortened(self.name, _MAX_NAME)
        for each in found.problems:
            yield Note(name, f"{each.subject}: {shortened(each.problem, _MAX_CAUSE)}", remedy=each.advice)
        if self._is_read and found.has_pipeline is False and found.mirrors == MISSING:
            yield Note(
                name,
                "no push yet, and no mirror is known",
                remedy="Set GitLabProject, or push to its repository",
            )
        yield from self._end_notes(name)
        for each in found.mirrors:
            if each.problem:
                yield Note(name, each.subject, shortened(each.problem, _MAX_CAUSE), each.advice)
        for each in found.approvals:
            yield Note(
                name,
                f"{each.action} has waited for {self._age(each.since)},"
                f" {each.shown_commit}{self._behind(each)}",
                f"Its change set: {counts_of(each.change_set)}" if each.change_set else "",
                f"{decide(self.name, self._env)}, or in the console: {each.url}",
            )
        # It enables every event rule of the project.
        thaw = ["cfn-gitops", "thaw", self.name, "--env", self._env]
        ends_all = next((each.remedy for each in found.holds if thaw in each.remedy.commands), "")
        for each in found.holds:
            yield Note(name, line_of(each, self._now), remedy=each.rule and ends_all or each.remedy)
        if found.is_outdated:
            yield Note(
                name,
                f"its pipeline has version {found.version}, which is older than the function's",
                remedy=self._deploying(),
            )
        yield from _unread_notes(name, found.not_read)

    def _deploying(self) -> str:
        """How its stack is deployed again. A template of the release over another one would remove what that
        has."""
        owner = self._found.owner
        if not owner.exists:
            return ""
        if owner.stack_name == self._environment.settings.stack_name:
            return f"Deploy the environment again{self._environment.settings.deployment}"
        template = "templates/project.yaml"
        file, named = ("--template-file", template), ("--stack-name", owner.stack_name)
        deploy = aws("cloudformation", "deploy", *file, *named, "--capabilities", "CAPABILITY_NAMED_IAM")
        return (
            "If its template is its own, deploy that with another RenderingSerial. If it is"
            f" {template}, deploy that of this release, with --role-arn if the stack has a role: {deploy}"
        )

    def _end_notes(self, name: str) -> Iterator[Note]:
        if failure := self._found.failure:
            what = failure.action or "an execution"
            yield Note(
                name,
                f"{what} failed {self._age(failure.at)} ago, {failure.shown_commit}",
                shortened(failure.cause, _MAX_CAUSE),
                f"See why: {cfn_gitops('failures', self.name, '--env', self._env)}",
            )
        if rejected := self._found.rejection:
            yield Note(
                name,
                f"rejected {self._age(rejected.at)} ago{rejected.shown_person}, {rejected.shown_commit}",
                shortened(reason_of(rejected), _MAX_CAUSE),
            )

    def members(self) -> dict[str, Any]:
        """The row of the answer, with its state and concerns."""
        state, since = self.state()
        return {
            **self._found.members,
            "concerns": self.concerns(),
            "state": state or None,
            "since": since or None,
        }
