"""Freezes and thaws projects: the transition into a stage of each pipeline, and its event rules, as of the
function's list.

The question and cli/rules.json choose the names of all that is changed, not the answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from cli.environment import stack_statuses
from cli.environment.account import OF_CHANGES, Environment
from cli.environment.answers import MISSING, Part, named, problem_of
from cli.environment.questions import InvalidQuestion, NoAnswer, Questions, of_older_function, see_projects
from cli.project import pipelines
from cli.rules import APPROVAL, STAGES, event_rules, name_of
from cli.shell import machine
from cli.shell.failure import Failure, NotLooked, WrongUse, status_of
from cli.shell.output import Output, confirm
from cli.shell.terminal import shortened
from cli.shell.times import age, read_time

# The time limit of the function's answer about all projects.
_SECONDS, _MAX_CAUSE = 310, 400
_PAGE = "docs/how-to/freeze-and-thaw.md"


class Project:
    """A project whose transition and event rules are read. Raises `Failure` if the answer names others."""

    def __init__(self, row: Part, environment: Environment) -> None:
        self.option, env_id = f"--env {environment.settings.table}", environment.env_id
        self.function, self.name = f"cfn-gitops-{env_id}", row.project_id
        self.approvals, self.problems, self.unread = row.approvals, row.problems, row.not_read
        self.pipeline, self.kinds = (
            name_of("pipeline", env_id, self.name),
            event_rules(env_id, self.name),
        )
        freeze = row.freeze
        self.stage, self.rules, self.executions = freeze.stage, freeze.rules, freeze.executions
        # The stages of its pipeline were not read, so only the event rules are changed.
        self.is_half = bool(row.has_pipeline and not self.stage and self.unread)
        # `None` if it is not known.
        self.has_approval = self.stage == APPROVAL or freeze.has_approval
        self.updates, self.holds = _updates(row), row.holds
        # By the stage of a transition, or the name of an event rule.
        self.held = {each.rule or each.stage: each for each in self.holds}
        # A part that was not read may be disabled.
        self.has_read_states = row.holds != MISSING and not (self.holds and self.unread)
        found = {row.pipeline, *self.rules, *(each.rule for each in self.holds if each.rule)}
        if others := found - {self.pipeline, *self.kinds.values()} or {self.stage} - {"", *STAGES}:
            raise Failure(
                f"the answer about project {self.name} names {', '.join(sorted(others))}",
                "Nothing was changed. Deploy this version of the environment, and run this again",
            )

    def transition(self, stage: str) -> str:
        return f"the transition into stage {stage} of {self.pipeline}"

    def lines(self) -> Iterator[str]:
        for each in self.unread:
            yield from (f"?   {shortened(each.problem, _MAX_CAUSE)}", f"    {each.advice}")
        for each in self.problems if not self.stage else ():
            yield from (f"!   {each.subject}: {shortened(each.problem, _MAX_CAUSE)}", f"    {each.advice}")
        for update in self.updates:
            yield f"!   {update}, which may enable or replace an event rule. Run this again after its end"


class Change(NamedTuple):
    """A call that changes a transition or an event rule."""

    project: Project
    part: str
    call: Callable[..., Any]
    arguments: dict[str, str]


class Act(NamedTuple):
    """A command: its name, and the words for a changed part and for a project."""

    verb: str
    past: str
    done: str
    # In the order of the calls. With --all, these are those of all projects.
    changes: Callable[[list[Project], Any, Any], list[Change]]
    # The lines about a project.
    plan: Callable[[Project], Iterator[str]]
    hint: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s (PROJECT | --all) [OPTIONS]"
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "project", metavar="PROJECT", nargs="?", default="", help="its name, as `cfn-gitops status` shows it"
    )
    chosen.add_argument("--all", action="store_true", help="every project of the environment")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output, act: Act) -> int:
    projects, unread = _read(environment, given.project, output)
    changes = act.changes(
        projects,
        *(environment.account.client(each, config=OF_CHANGES) for each in ("codepipeline", "events")),
    )
    unchanged = 0
    for project in projects:
        parts, lines = (
            [each.part for each in changes if each.project is project],
            [*project.lines(), *act.plan(project)],
        )
        if given.all and not parts and not lines:
            unchanged += 1
            continue
        what = (
            f"{', '.join(parts)} will"
            if parts
            else f"nothing {'that was read ' if project.unread else ''}is left to"
        )
        output.write_progress(f"- {project.name}: {what} be {act.past}", *lines)
    output.write_progress(
        *(
            [f"- {unchanged} of {len(projects)} projects: nothing is left to be {act.past}"]
            if unchanged
            else []
        )
    )
    changed = [each for each in projects if each in {change.project for change in changes}]
    has_transition = any(each.stage for each in changed)
    output.write_progress(*([act.hint] if has_transition and act.hint else []))
    if changed and not confirm(
        output,
        f"To {act.verb} {', '.join(each.name for each in changed)}, type {act.verb}:",
        act.verb,
        given.yes,
    ):
        return 1
    if changed:
        output.changes.begin(interrupted=f"What is {act.past} above stays so. Run this again for the rest")
    failed, loss = _make(changes, act, output)
    incomplete = [each for each in changed if each in failed or each.is_half]
    ends = {
        act.done: [each.name for each in changed if each not in incomplete],
        f"not completely {act.done}": [each.name for each in incomplete],
        "not read": dict.fromkeys(subject for subject, _ in unread),
    }
    output.write_progress(
        *(f"{end.capitalize()}: {', '.join(names)}" for end, names in ends.items() if names)
    )
    if loss:
        raise loss
    return status_of(failed, unread)


def _read(
    environment: Environment, only: str, output: Output
) -> tuple[list[Project], list[tuple[str, Part]]]:
    """The projects that were read, and why others were not, which is shown."""
    try:
        answer = Questions(environment, _SECONDS).ask("Projects", output, ProjectID=only)
    except InvalidQuestion:
        raise
    except NoAnswer as failure:
        raise type(failure)(
            failure.problem, f"Without the function: {_PAGE}. {failure.remedy}", failure.is_final
        ) from failure
    rows = answer.projects
    if only and not rows and not answer.not_read:
        raise WrongUse(
            f"environment {environment.env_id} has no project {only}",
            see_projects(environment),
        )
    causes = [(each, _cause(each, environment)) for each in rows]
    unread = [(f"project {row.project_id}", cause) for row, cause in causes if cause]
    more = [
        (f"project {row.project_id}", each)
        for row, cause in causes
        if cause
        for each in row.not_read
        if each is not cause
    ]
    of_all = [(f"environment {environment.env_id}", each) for each in answer.not_read]
    if only and rows:
        more += of_all
    else:
        unread += of_all
    projects = [Project(row, environment) for row, cause in causes if not cause]
    # Each cause is among the lines of its project.
    cause = problem_of("the pipeline's stages were not read", "Correct the cause, and run this again")
    half = [(f"the transition of {each.pipeline}", cause) for each in projects if each.is_half]
    output.document |= {
        "unread": [{**named(subject=subject), **why.members} for subject, why in unread + half],
        **named(projects=[row.members for row in rows]),
    }
    output.changes.left += [f"{subject} is left: {why.problem}" for subject, why in unread + half]
    output.document["left"] = output.changes.left
    for subject, each in more:
        output.write_progress(
            f"? {subject}: {shortened(each.problem, _MAX_CAUSE)}",
            f"    {each.advice}",
        )
    for subject, why in unread:
        failure = NotLooked(f"{subject} is left: {shortened(why.problem, _MAX_CAUSE)}", why.advice)
        if only or not rows:
            raise failure
        output.write_progress(f"? {failure.problem}", f"    {failure.remedy}")
    return projects, unread + half


def _updates(row: Part) -> list[str]:
    stacks = {
        row.child_stack.name: row.child_stack.status,
        row.owner.stack_name: row.owner.status,
    }
    return [
        f"stack {name} is in {status}"
        for name, status in stacks.items()
        if stack_statuses.is_in_progress(status)
    ]


def _cause(row: Part, environment: Environment) -> Part | None:
    """Why the project is left. `None` if it is not."""
    env_id, name = environment.env_id, row.project_id
    rules, freeze, updates = event_rules(env_id, name), row.freeze, _updates(row)
    # Without a pipeline, its creation may be in progress. If a person has deleted the event rule of pushes,
    # nothing holds the first push.
    if freeze.stage or rules["push"] in freeze.rules and not updates:
        return None
    if updates:
        return problem_of(
            f"{updates[0]}, which may create or change its pipeline", "Run this again after its end"
        )
    older = of_older_function(environment, "and does not show the event rules")
    unknown = problem_of(older.problem, f"Without the function: {_PAGE}. {older.remedy}")
    names = name_of("pipeline", env_id, name), name_of("stack", env_id, name), *rules.values()
    causes = {each: each.problem for each in row.not_read}
    causes |= {each: f"{each.subject} {each.problem}" for each in row.problems}
    own = [each for each, text in causes.items() if any(name in text for name in names)]
    return [*own, *causes, unknown][0]


def _make(changes: list[Change], act: Act, output: Output) -> tuple[set[Project], Failure | None]:
    """The projects with a change that is not made. A failure that each further call would have is the
    second."""
    failed: set[Project] = set()
    for number, each in enumerate(changes):
        try:
            each.call(**each.arguments)
        except Exception as error:
            failure = pipelines.changed(error) or machine.explained(error)
            if failure is None:
                raise
            if isinstance(error, ClientError) and machine.code_of(error) == "ResourceNotFoundException":
                # An event rule that was deleted meanwhile starts nothing.
                continue
            state = f"{'' if machine.has_done_nothing(error) else 'perhaps '}not {act.past}"
            if machine.ends_all(error):
                output.changes.left += [
                    f"{each.part} is {state}",
                    *(f"{later.part} is not {act.past}" for later in changes[number + 1 :]),
                ]
                end = Failure(
                    f"{each.part} is {state}: {failure.problem}. {len(changes) - number} of {len(changes)}"
                    " changes are left",
                    f"{failure.remedy}. Run this again for the rest",
                )
                return failed | {later.project for later in changes[number:]}, end
            output.record_left(f"{each.part} is {state}: {failure}")
            failed.add(each.project)
        else:
            output.record_change(f"{each.part} is {act.past}")
    return failed, None


def line_of(hold: Part, at: datetime | None = None) -> str:
    """The disabled part, since when, by whom and why."""
    since = f", for {age(read_time(hold.since), at or datetime.now(timezone.utc))}" if hold.since else ""
    reason = hold.reason
    return f"{hold.held}{since}{hold.shown_person}" + (
        f": {shortened(reason, _MAX_CAUSE)}" if reason and not hold.held.endswith(f": {reason}") else ""
    )


def shown_execution(found: Part) -> str:
    return f"execution {found.execution_id} ({found.shown_commit})"


def place_of(execution: Part) -> str:
    waits = "waits before" if execution.is_waiting_before else "is in"
    return f"{waits} stage {execution.stage}" if execution.stage else "has begun"
