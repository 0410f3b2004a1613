"""Freezes and thaws projects: the transition into a stage of each pipeline, and its event rules.

The question and cli/rules.json choose the names of all that is changed, not the answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from cli.environment import stack_statuses
from cli.environment.account import OF_CHANGES, Environment
from cli.environment.questions import Questions, members_of, remedy_of
from cli.rules import event_rules, name_of
from cli.shell import machine
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.output import Output, confirm
from cli.shell.terminal import shortened
from cli.shell.times import age, read_time

# The approval of a pipeline without a change set is a stage in front of the other one.
STAGES = ("Approval", "Deploy")
# The time limit of the function's answer about all projects.
_SECONDS, _MAX_TITLE, _MAX_CAUSE = 310, 60, 400


class Project:
    """A project whose transition and event rules were read. Raises `Failure` if the answer names others."""

    def __init__(self, row: dict[str, Any], environment: Environment) -> None:
        self.option, env_id = f"--env {environment.settings.table}", environment.env_id
        self.name, self.holds, self.approvals, freeze = str(row["ProjectID"]), row.get("Holds", []), row.get("Approvals", []), row["Freeze"]
        self.pipeline, self.rules = name_of("pipeline", env_id, self.name), event_rules(env_id, self.name)
        self.stage, self.executions = freeze.get("Stage", ""), freeze["Executions"]
        stacks = {each.get("Name") or each["StackName"]: each.get("Status", "") for each in (row.get("ChildStack"), row.get("Owner")) if each}
        self.updates = [f"stack {name} is in {status}" for name, status in stacks.items() if stack_statuses.is_in_progress(status)]
        held = {each.get("Rule") or each.get("Stage"): each for each in self.holds}
        found = {row["Pipeline"], *freeze["Rules"], *(each["Rule"] for each in self.holds if "Rule" in each)}
        if others := found - {self.pipeline, *self.rules.values()} or {self.stage} - {"", *STAGES}:
            raise Failure(f"the answer about project {self.name} names {', '.join(sorted(others))}",
                          "Nothing was changed. Deploy this version of the environment, and run this again")
        # By the stage of a transition, or the name of an event rule: what disables it. The transition is first.
        self.parts = {each: held.get(each) for each in (*(each for each in STAGES if each == self.stage or each in held), *freeze["Rules"])}

    def named(self, part: str) -> str:
        return f"the transition into stage {part} of {self.pipeline}" if part in STAGES else f"event rule {part}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("project", metavar="PROJECT", nargs="?", default="", help="its name, as `cfn-gitops status` shows it")
    chosen.add_argument("--all", action="store_true", help="every project of the environment")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output, plan: Callable[[Project], Iterator[str]], reason: str = "", hint: str = "") -> int:
    """Freezes for a reason, and thaws without one. `plan` are the lines about a project, before the `hint`."""
    projects, is_whole = _read(environment, given.project, output)
    verb, past, done = ("freeze", "disabled", "frozen") if reason else ("thaw", "enabled", "thawed")
    changes = {each: [part for part, hold in each.parts.items() if bool(hold) != bool(reason)][::1 if reason else -1] for each in projects}
    for project, parts in changes.items():
        what = f"{', '.join(map(project.named, parts))} will be {past}" if parts else f"nothing is left to be {past}"
        output.write_progress(*map(output.selecting, (f"- {project.name}: {what}", *plan(project))))
    changes = {project: parts for project, parts in changes.items() if parts}
    output.write_progress(*([hint] if changes and hint else []))
    if changes and not confirm(output, f"To {verb} {', '.join(each.name for each in changes)}, type {verb}:", verb, given.yes):
        return 1
    clients = {each: environment.account.client(each, config=OF_CHANGES) for each in ("codepipeline", "events")}
    output.has_begun, output.interrupted = bool(changes), f"What is {past} above stays so. Run this again for the rest"
    output.document["left"] = output.left
    for project, parts in changes.items():
        is_done = all([_change(project, part, clients, output, reason) for part in parts])
        output.write_progress(f"{project.name} is {'' if is_done else 'not completely '}{done}")
    return 1 if output.left else 0 if is_whole else 3


def _read(environment: Environment, only: str, output: Output) -> tuple[list[Project], bool]:
    """The projects that were read, and whether these are all. The others are shown."""
    answer = Questions(environment, _SECONDS).ask("Projects", output, ProjectID=only)
    rows, status = answer["Projects"], f"cfn-gitops status --env {environment.settings.table}"
    if only and not rows and not answer["NotRead"]:
        raise WrongUse(f"environment {environment.env_id} has no project {only}", f"See the projects: {status}")
    unknown = {"Problem": "the answer does not show its event rules", "Remedy": f"See its state: {status}"}
    # Without a pipeline, and if a person has deleted the event rule of pushes, nothing holds the first push.
    read = [each for each in rows if "Freeze" in each and (
        "Stage" in each["Freeze"] or event_rules(environment.env_id, each["ProjectID"])["push"] in each["Freeze"]["Rules"])]
    unread = {f"project {each['ProjectID']}": (each["NotRead"] + each["Problems"] + [unknown])[0] for each in rows if each not in read}
    unread |= {} if rows else {f"environment {environment.env_id}": each for each in answer["NotRead"]}
    projects = [Project(each, environment) for each in read]
    output.document |= {"unread": [{"subject": subject, **members_of(why)} for subject, why in unread.items()], "projects": [
        {"project": each["ProjectID"], **members_of({name: each.get(name) for name in ("Freeze", "Holds", "Approvals")})} for each in rows]}
    for subject, why in unread.items():
        failure = NotLooked(f"{subject} is left: {shortened(why['Problem'], _MAX_CAUSE)}", remedy_of(why))
        if only or not rows:
            raise failure
        output.write_progress(f"? {failure.problem}", f"    {output.selecting(failure.remedy)}")
    return projects, not unread


def _change(project: Project, part: str, clients: dict[str, Any], output: Output, reason: str) -> bool:
    """Whether it is changed. A failure is shown."""
    verb, why = "disable" if reason else "enable", {"reason": reason} if reason else {}
    try:
        if part in STAGES:
            getattr(clients["codepipeline"], f"{verb}_stage_transition")(pipelineName=project.pipeline, stageName=part, transitionType="Inbound", **why)
        else:
            getattr(clients["events"], f"{verb}_rule")(Name=part)
    except Exception as error:
        failure = machine.explained(error)
        if failure is None:
            raise
        if isinstance(error, ClientError) and machine.code_of(error) == "ResourceNotFoundException":
            # An event rule that was deleted meanwhile starts nothing.
            return True
        output.record_left(f"{project.named(part)} is not {verb}d: {failure}")
        return False
    output.record_change(f"{project.named(part)} is {verb}d")
    return True


def line_of(hold: dict[str, Any], at: datetime | None = None) -> str:
    """The disabled part, since when, by whom and why."""
    since = f", for {age(read_time(hold['Since']), at or datetime.now(timezone.utc))}" if "Since" in hold else ""
    by, reason = f" by {hold['By']}" if "By" in hold else "", hold.get("Reason", "")
    return f"{hold['Held']}{since}{by}" + ("" if reason in hold["Held"] else f": {shortened(reason, _MAX_CAUSE)}")


def shown_execution(found: dict[str, Any]) -> str:
    title = shortened(found.get("Title", ""), _MAX_TITLE)
    return f"execution {found['ExecutionId']} (commit {found.get('Commit', '')[:8] or 'not known'}" + (f' "{title}")' if title else ")")
