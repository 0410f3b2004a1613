"""Show every project of an environment in one table.

It changes nothing. A project with "!" needs a person, and comes first. A line below the table has the cause and what to do.

    DEPLOYED  the commit of the last successful deployment, and SINCE when
    STATE     the newest execution with the AGE of its start or end, or the approval that has waited the longest
    FROZEN    whether an event rule or a transition of the pipeline is disabled
    DRIFT     whether CloudFormation's last check, or the health check within a day, found a difference between the
              deployed stack or the pipeline's stack and its template, with the AGE of that check
    OUTDATED  whether an older version of the function rendered the pipeline: `cfn-gitops upgrade`
    MIRROR    whether GitLab's mirror works now, as the function's diagnosis finds it

"?" was not read, and a line states why. An unknown value of AWS counts as not read. "-" does not exist. The exit status is 1
if the newest execution that ended has failed, if something is broken, drifted, outdated or not read. It is 0 if projects only
wait for an approval or are frozen.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from cli.environment import stack_statuses
from cli.environment.account import Environment, outputs
from cli.project import projects
from cli.project.pipelines import ENABLED, HELD
from cli.project.projects import Drift, Project
from cli.shell.output import BOLD, Found, Output, width
from cli.shell.terminal import shortened, shown
from cli.shell.times import age, iso

EXAMPLES = ("cfn-gitops status --env dev", "cfn-gitops status --env prd --wait 0    # without the mirrors, which is faster",
            "cfn-gitops status --env dev --json")

HEADS = ("", "PROJECT", "DEPLOYED", "SINCE", "STATE (AGE)", "FROZEN", "DRIFT (AGE)", "OUTDATED", "MIRROR")
# A table that is wider than the terminal is split before FROZEN. Both parts have the first two columns.
_FIRST, _SPLIT = 2, 5
# The reasons why a project needs a person, the most urgent one first, with their words in the last line.
_CONCERNS = {"failed": "failed", "broken": "broken", "unread": "not read", "mirror": "with a broken mirror",
             "approval": "waiting for approval", "frozen": "frozen", "drift": "drifted", "outdated": "outdated"}
_ORDER = list(_CONCERNS)
# These alone are not a failure.
_WAITS = ("approval", "frozen")
# A state that AWS adds later is shown as it is.
_STATES = {"InProgress": "running", "Succeeded": "deployed", "Failed": "failed", "Stopped": "stopped", "Stopping": "stopping",
           "Superseded": "superseded", "Cancelled": "cancelled"}
_MAX_STATE, _MAX_CAUSE, _MAX_SUMMARY = 14, 400, 60
# The effects of a missing event rule. The health check does not look for pushes of an image.
_MISSING = {"push": "only the health check starts a push", "image": HELD["image"],
            "review": "only the health check starts the build of a review branch"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", type=_seconds, default=20, metavar="SECONDS",
                        help="for the function's diagnosis of the mirrors, which takes longer with many projects. 0 leaves "
                             "them out (default: 20)")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text or 'an empty text'} is not a number of seconds") from None
    if not 0 <= seconds <= 900:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 900")
    return seconds


def run(environment: Environment, given: Any, output: Output) -> int:
    found = projects.read(environment, given.wait)
    rows = sorted((Row(each, environment, now()) for each in found), key=Row.order)
    counts = Counter(concern for row in rows for concern in row.concerns())
    output.document |= {"projects": [row.members() for row in rows], "counts": {concern: counts[concern] for concern in _ORDER}}
    if not rows:
        output.write(f"Environment {environment.env_id} has no project yet")
        return 0
    # Without the diagnosis, nothing is known of the mirrors.
    lines = [line if given.wait else line[:-1] for line in ([*HEADS], *(row.cells() for row in rows))]
    if not _fits(lines):
        output.table(lines[0][:_SPLIT], [line[:_SPLIT] for line in lines[1:]])
        output.write("")
        lines = [line[:_FIRST] + line[_SPLIT:] for line in lines]
    output.table(lines[0], lines[1:])
    notes = [note for row in rows for note in row.notes()]
    output.write("")
    for first, *lines in [*notes, *_unread_notes(rows)]:
        *causes, remedy = lines or [""]
        output.write(first, *(f"    {line}" for line in [*causes, output.selecting(remedy)] if line))
    needing = ", ".join(f"{counts[concern]} {words}" for concern, words in _CONCERNS.items() if counts[concern])
    output.write(f"{len(rows)} {'project' if len(rows) == 1 else 'projects'}: {needing or 'none needs a person'}", style=BOLD)
    return 1 if any(counts[concern] for concern in _ORDER if concern not in _WAITS) else 0


def _fits(lines: list[list[str]]) -> bool:
    widths = (max(width(shown(cell)) for cell in column) for column in zip(*lines))
    return sum(widths) + 2 * (len(lines[0]) - 1) <= columns()


def columns() -> float:
    """Of the terminal. A file or another program gets one table."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else float("inf")


def now() -> datetime:
    return datetime.now(timezone.utc)


class Row:
    """A project as it is shown."""

    def __init__(self, project: Project, environment: Environment, at: datetime) -> None:
        self.project, self._environment, self._now = project, environment, at

    def order(self) -> tuple[int, str]:
        return min((_ORDER.index(each) for each in self.concerns()), default=len(_ORDER)), self.project.name

    def concerns(self) -> list[str]:
        project, found = self.project, set()
        if project.failure():
            found.add("failed")
        if self._broken():
            found.add("broken")
        if project.unread:
            found.add("unread")
        if project.mirrors and any(isinstance(each, Found) for each in project.mirrors):
            found.add("mirror")
        if project.approvals:
            found.add("approval")
        if self.frozen():
            found.add("frozen")
        if any(each.status == "DRIFTED" for each in project.drifts):
            found.add("drift")
        if project.is_outdated:
            found.add("outdated")
        return [each for each in _ORDER if each in found]

    def cells(self) -> list[str]:
        project = self.project
        mark, name = "!" if self.concerns() else "", shortened(project.name, 30)
        if project.unreadable:
            other = "-" if project.is_new else "?"
            return [mark, name, other, other, self.state()[0], other, other, other, other]
        commit, since = self._deployed()
        return [mark, name, commit, since, self._state_cell(), _yes_or_no(self.frozen()), self._drift(),
                _yes_or_no(project.is_outdated), self._mirror()]

    def _deployed(self) -> tuple[str, str]:
        project = self.project
        if deployed := project.deployed():
            return projects.commit_of(deployed[0]).get("revisionId", "")[:7] or "?", self._age(deployed[1])
        is_unknown = project.executions is None and project.pushed and project.pipeline_exists is not False
        return ("?", "?") if is_unknown or project.may_be_deployed() or not project.deployed_stack_name else ("-", "-")

    def state(self) -> tuple[str, datetime | None]:
        """The state, and since when. Empty if it was not read."""
        project = self.project
        if project.unreadable:
            return "creating" if project.is_new else "unreadable", None
        if not project.pushed:
            return "no push yet", None
        if project.pipeline_exists is False:
            return "no pipeline", None
        if project.approvals:
            return "approval", min((each.since for each in project.approvals if each.since), default=None)
        if project.approvals is None or project.executions is None:
            return "", None
        newest = project.newest()
        if newest is None:
            return "no execution", None
        status = newest.get("status", "")
        is_running = status in ("InProgress", "Stopping")
        state = "rolled back" if status == "Succeeded" and projects.is_rollback(newest) else _STATES.get(status, status)
        return state, newest.get("startTime" if is_running else "lastUpdateTime")

    def _state_cell(self) -> str:
        state, since = self.state()
        # SINCE has that of a deployment.
        return (shortened(state, _MAX_STATE) or "?") + (f" {self._age(since)}" if since and state != "deployed" else "")

    def frozen(self) -> bool | None:
        """Whether a person has disabled what starts or passes an execution. `None` if that was not read."""
        project = self.project
        if project.unreadable:
            return None
        # A deleted rule is not a freeze: the health check starts the pipeline.
        if project.held_by() or project.disabled:
            return True
        is_read = project.disabled is not None or not project.pushed or project.pipeline_exists is False
        are_enabled = project.rules is not None and all(state in ENABLED for state in project.rules.values())
        return False if are_enabled and is_read else None

    def _drift(self) -> str:
        project = self.project
        if drifted := next((each for each in project.drifts if each.status == "DRIFTED"), None):
            return f"yes {self._age(drifted.checked)}"
        if not project.deployed_stack:
            return "-" if project.deployed_stack_name else "?"
        if any(each.call == "GetMetricData" for each in project.unread):
            return "?"
        if unknown := next((each.status for each in project.drifts if each.status not in ("IN_SYNC", "NOT_CHECKED")), ""):
            return shortened(unknown.lower(), _MAX_STATE)
        first = project.drifts[0]
        return f"no {self._age(first.checked)}" if first.status == "IN_SYNC" else "unchecked"

    def _mirror(self) -> str:
        mirrors = self.project.mirrors
        if mirrors is None:
            return "?" if any(each.call == projects.DIAGNOSIS for each in self.project.unread) else "-"
        return "broken" if any(isinstance(each, Found) for each in mirrors) else "ok" if mirrors else "none"

    def _broken(self) -> tuple[str, str] | None:
        """The problem of its stack and the parts in it, and the remedy."""
        project, status = self.project, self.project.stack["StackStatus"]
        name, env = project.stack["StackName"], self._environment.settings.table
        if project.is_new:
            return None
        if project.unreadable:
            return f"{project.unreadable}. Its stack {name} is in {status}", (
                f"If it is of cfn-gitops, see what failed: cfn-gitops failures {name} --env {env}. Otherwise delete it")
        if status in stack_statuses.BROKEN:
            return f"its stack {name} is in {status}", f"See what failed: cfn-gitops failures {name} --env {env}"
        if not project.owner_exists:
            return f"the owner of its stack {name} no longer exists", (
                "If GitLab has every commit of its repository, which is deleted with it unless it is retained, delete it: "
                f"aws cloudformation delete-stack --stack-name {name}")
        if project.pushed and project.pipeline_exists is False:
            return f"its pipeline {project.pipeline} does not exist, so pushes deploy nothing", (
                f"See how to restore it: cfn-gitops doctor --env {env}")
        for kind in project.missing_rules():
            return f"its event rule {project.event_rules[kind]} does not exist, so {_MISSING[kind]}", (
                f"See how to restore it: cfn-gitops doctor --env {env}")
        return None

    def _age(self, since: datetime | None) -> str:
        return age(since, self._now)

    def _commit(self, execution: dict[str, Any]) -> str:
        revision = projects.commit_of(execution)
        if "revisionId" not in revision:
            return "its commit is not known"
        summary = shortened(revision.get("revisionSummary", "").strip().split("\n", 1)[0], _MAX_SUMMARY)
        return f"commit {revision['revisionId'][:7]}" + (f' "{summary}"' if summary else "")

    def notes(self) -> Iterator[list[str]]:
        """A line for each concern, with the lines of its cause and remedy."""
        project, env = self.project, self._environment.settings.table
        name = shortened(project.name, 30)
        if broken := self._broken():
            yield [f"{name}: {broken[0]}", broken[1]]
        failure = project.failure()
        if failure and failure == project.newest():
            yield from self._failure_notes(name, failure)
        for each in project.mirrors or []:
            if isinstance(each, Found):
                yield [f"{name}: {each.subject}", shortened(each.text, _MAX_CAUSE), each.remedy]
        for approval in project.approvals or []:
            yield [f"{name}: {approval.action} has waited for {self._age(approval.since)}, "
                   f"{self._commit(project.execution(approval.execution))}", f"Approve or reject it: {self._console()}"]
        # A newer execution may correct it.
        if failure and failure != project.newest():
            yield from self._failure_notes(name, failure)
        for kind in project.held_by():
            rule = project.event_rules[kind]
            yield [f"{name}: held by the disabled event rule {rule}, so {HELD[kind]}",
                   f"To end the freeze: aws events enable-rule --name {rule}"]
        for transition in project.disabled or []:
            yield [f"{name}: held by the disabled transition into stage {transition.stage}, for {self._age(transition.at)}"
                   + (f" by {transition.by}" if transition.by else ""), shortened(transition.reason, _MAX_CAUSE),
                   f"To end the freeze: {transition.enabling(project.pipeline)}"]
        for drift in project.drifts:
            if drift.status == "DRIFTED":
                found_by = ", as the health check found, which compares once a day" if drift.by_health_check else ""
                yield [f"{name}: stack {drift.stack} differed from its template {self._age(drift.checked)} ago{found_by}",
                       "See the resources: " + (
                           f"aws logs tail /aws/lambda/cfn-gitops-{self._environment.env_id} --since 2d "
                           f"--filter-pattern '\"stack {drift.stack}\"'" if drift.by_health_check else
                           f"aws cloudformation describe-stack-resource-drifts --stack-name {drift.stack} "
                           "--stack-resource-drift-status-filters MODIFIED DELETED")]
        if project.is_outdated:
            yield [f"{name}: its pipeline has version {project.version}, which is older than the function's",
                   f"Upgrade it: cfn-gitops upgrade --env {env}"]
        if not project.deployed() and project.executions is not None and project.may_be_deployed():
            yield [f"{name}: stack {project.deployed_stack_name} exists, and no execution that CodePipeline lists has "
                   "deployed it"]

    def _failure_notes(self, name: str, failure: dict[str, Any]) -> Iterator[list[str]]:
        project, commit = self.project, self._commit(failure)
        for action in project.failed_actions or []:
            # CodePipeline itself ends an approval after seven days, without a person.
            is_rejected = action.by and action.action == projects.APPROVAL
            by = f" by {action.by}" if is_rejected and action.by not in action.cause else ""
            end = "was rejected" if is_rejected else "failed"
            yield [f"{name}: {action.action} {end} {self._age(action.at)} ago{by}, {commit}",
                   shortened(action.cause, _MAX_CAUSE) or "CodePipeline shows no cause", self._remedy(action.action)]
        if not project.failed_actions:
            cause = failure.get("statusSummary") or ("its actions were not read" if project.failed_actions is None else
                                                     "CodePipeline shows no action that failed")
            yield [f"{name}: an execution failed {self._age(failure.get('lastUpdateTime'))} ago, {commit}",
                   shortened(cause, _MAX_CAUSE), f"See the execution: {self._console()}"]

    def _remedy(self, action: str) -> str:
        return self.project.remedy(self._environment, action)

    def _console(self) -> str:
        return self.project.console(self._environment)

    def members(self) -> dict[str, Any]:
        """Everything that was read, in full. `null` was not read, or does not exist: `unread` distinguishes them."""
        project, deployed, (state, since) = self.project, self.project.deployed(), self.state()
        failure, newest = project.failure(), project.newest()
        return {
            "project": project.name, "concerns": self.concerns(), "state": state or None, "since": iso(since),
            "stack": {"name": project.stack["StackName"], "id": project.stack["StackId"],
                      "status": project.stack["StackStatus"], "unreadable": project.unreadable or None,
                      "ownerExists": project.owner_exists},
            "pipeline": {"name": project.pipeline, "exists": project.pipeline_exists, "pushed": project.pushed},
            "repository": outputs(project.stack).get("RepositoryName"),
            "deployed": {**_execution(deployed[0]), "since": iso(deployed[1])} if deployed else None,
            "newest": _execution(newest) if newest else None,
            "approvals": None if project.approvals is None else [
                {"execution": each.execution, "stage": each.stage, "action": each.action, "since": iso(each.since),
                 "commit": projects.commit_of(project.execution(each.execution)).get("revisionId")}
                for each in project.approvals],
            "failure": {**_execution(failure), "summary": failure.get("statusSummary"), "actions": None
                        if project.failed_actions is None else [
                {"action": each.action, "stage": each.stage, "cause": each.cause, "by": each.by, "at": iso(each.at)}
                for each in project.failed_actions]} if failure else None,
            "frozen": {"frozen": self.frozen(), "rules": None if project.rules is None else [
                {"rule": project.event_rules[kind], "state": state} for kind, state in project.rules.items()], "transitions": None
                       if project.disabled is None else [
                {"stage": each.stage, "by": each.by, "reason": each.reason, "at": iso(each.at)} for each in project.disabled]},
            "drift": [_drift(each) for each in project.drifts],
            "outdated": project.is_outdated, "renderingVersion": project.version,
            "mirrors": None if project.mirrors is None else [each.members() for each in project.mirrors],
            "unread": [each.members() for each in project.unread],
        }


def _unread_notes(rows: list[Row]) -> Iterator[list[str]]:
    """One for each call and cause, because the same permission is often missing for all projects."""
    calls: dict[tuple[str, ...], list[tuple[str, Any]]] = {}
    for row in rows:
        for each in row.project.unread:
            # An unknown value is one project's own.
            same = (each.call, each.code, each.reason if each.code == projects.UNKNOWN_VALUE else "")
            calls.setdefault(same, []).append((row.project.name, each))
    for (call, code, _), found in calls.items():
        names = [shortened(name, 30) for name, _ in found]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        of = "all projects" if len(names) == len(rows) > 1 else ", ".join(names[:5]) + more
        reason = shortened(found[0][1].reason, _MAX_CAUSE)
        causes = [f"? {of}: {reason}"] if code == projects.UNKNOWN_VALUE else [f"? {of}: {call} was not read", reason]
        yield [*causes, found[0][1].remedy]


def _yes_or_no(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"


def _execution(execution: dict[str, Any]) -> dict[str, Any]:
    revision = projects.commit_of(execution)
    return {"execution": execution.get("pipelineExecutionId"), "status": execution.get("status"),
            "type": execution.get("executionType", "STANDARD"), "commit": revision.get("revisionId"),
            "message": revision.get("revisionSummary"), "started": iso(execution.get("startTime")),
            "updated": iso(execution.get("lastUpdateTime"))}


def _drift(drift: Drift) -> dict[str, Any]:
    return {"stack": drift.stack, "status": drift.status, "checked": iso(drift.checked)}
