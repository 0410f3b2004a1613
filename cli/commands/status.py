"""Show every project of an environment in one table.

It changes nothing, and prints what the function cfn-gitops-<EnvID>-read answers. A project with "!" needs a
person, and comes first. A line below the table has the cause and what to do.

    DEPLOYED  the commit of the last successful deployment, and SINCE when
    STATE     the newest execution with the AGE of its start or end, or the approval that has waited longest
    FROZEN    whether an event rule or a transition of the pipeline is disabled
    OUTDATED  whether an older version of the function rendered the pipeline
    MIRROR    whether GitLab's mirror works, as IAM and GitLab show it

"?" was not read, and a line states why. "-" does not exist. The exit status is 1 if the newest execution that
ended has failed, if something is broken or outdated, or if the environment's own stack has failed.
Otherwise it is 3 if something was not read. It is 0 if projects only wait for an approval, are frozen, or a
person rejected the newest execution. With --json, each project has the members of answer-projects.json in
docs/schemas, with each remedy as text.
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
from cli.environment.questions import Questions, remedy_of
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
_MAX_NAME, _MAX_STATE, _MAX_CAUSE, _MAX_TITLE = 30, 14, 400, 60
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
    rows = sorted((Row(each, environment, now()) for each in answer["Projects"]), key=Row.order)
    counts = Counter(concern for row in rows for concern in row.concerns())
    output.document |= {
        **answer,
        "Projects": [row.members() for row in rows],
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
    elif not answer["NotRead"]:
        output.write(f"Environment {environment.env_id} has no project yet")
    return status_of(
        "Problem" in answer.get("Stack", {})
        or any(counts[concern] for concern in _ORDER if concern not in (*_WAITS, "unread")),
        answer["NotRead"] or counts["unread"],
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


def _own_notes(answer: dict[str, Any]) -> Iterator[Note]:
    """Those of the environment."""
    stack = answer.get("Stack", {})
    if "Problem" in stack:
        yield Note("", f"stack {stack['Name']}: {stack['Problem']}", remedy=stack.get("Remedy", ""))
    yield from _unread_notes("", answer["NotRead"])


def _unread_notes(name: str, unread: Iterable[dict[str, str]]) -> Iterator[Note]:
    for each in unread:
        yield Note(name, shortened(each["Problem"], _MAX_CAUSE), remedy=remedy_of(each), mark="? ")


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

    def __init__(self, found: dict[str, Any], environment: Environment, at: datetime) -> None:
        self._found, self._environment, self._now = found, environment, at
        self._env = environment.settings.table
        self.name: str = found["ProjectID"]
        self._is_read = not found["NotRead"]

    def order(self) -> tuple[int, str]:
        return min((_ORDER.index(each) for each in self.concerns()), default=len(_ORDER)), self.name

    def concerns(self) -> list[str]:
        found = self._found
        has = {
            "failed": "Failure" in found,
            "broken": found["Problems"],
            "unread": not self._is_read,
            "mirror": self._mirror() == "broken",
            "approval": found.get("Approvals"),
            "frozen": found.get("Holds"),
            "outdated": found.get("IsOutdated"),
        }
        return [each for each in _ORDER if has[each]]

    def cells(self) -> list[str]:
        deployed = self._found.get("Deployed", {})
        state, since = self.state()
        # SINCE has that of a deployment.
        shown_state = (shortened(state, _MAX_STATE) or "?") + (
            f" {self._age(since)}" if since and state != "deployed" else ""
        )
        frozen = self._or_unknown("Holds", lambda holds: "yes" if holds else "no")
        outdated = self._or_unknown("IsOutdated", lambda is_outdated: "yes" if is_outdated else "no")
        return [
            "!" if self.concerns() else "",
            shortened(self.name, _MAX_NAME),
            self._or_unknown("Deployed", lambda each: each["Commit"][:8] or "?"),
            self._age(deployed.get("At")) if deployed else self._unknown,
            shown_state,
            frozen,
            outdated,
            self._mirror(),
        ]

    @property
    def _unknown(self) -> str:
        """Instead of what the answer lacks: it does not exist, or was not read."""
        return "-" if self._is_read else "?"

    def _or_unknown(self, member: str, cell: Any) -> str:
        return str(cell(self._found[member])) if member in self._found else self._unknown

    def state(self) -> tuple[str, str]:
        """The state, and since when. Empty if it was not read."""
        found, newest = self._found, self._found.get("Newest")
        if "HasPipeline" not in found:
            return self._stack_state(), ""
        if not found["HasPipeline"]:
            return "no pipeline" if found["Problems"] else "no push yet", ""
        if approvals := found.get("Approvals"):
            return "approval", min((each["Since"] for each in approvals if "Since" in each), default="")
        if newest is None:
            return "no execution" if self._is_read else "", ""
        if newest["ExecutionId"] == found.get("Rejection", {}).get("ExecutionId"):
            state = "rejected"
        elif newest["Status"] == "Succeeded" and newest.get("IsRollback"):
            state = "rolled back"
        else:
            state = _STATES.get(newest["Status"], newest["Status"])
        return state, newest.get("At", "")

    def _stack_state(self) -> str:
        """That of a project without outputs. Its own stack creates the pipeline's."""
        stacks = [self._found.get(each, {}).get("Status", "") for each in ("ChildStack", "Owner")]
        if self._found["Problems"]:
            return "broken"
        return "creating" if any(each.endswith("_IN_PROGRESS") for each in stacks) else ""

    def _mirror(self) -> str:
        return self._or_unknown(
            "Mirrors",
            lambda mirrors: (
                "none" if not mirrors else "broken" if any("Problem" in each for each in mirrors) else "ok"
            ),
        )

    def _age(self, since: str | None) -> str:
        return age(read_time(since), self._now)

    def _commit(self, found: dict[str, Any]) -> str:
        """Of an execution."""
        if not found.get("Commit"):
            return "its commit is not known"
        title = shortened(found.get("Title", ""), _MAX_TITLE)
        return f"commit {found['Commit'][:8]}" + (f' "{title}"' if title else "")

    def _behind(self, approval: dict[str, Any]) -> str:
        """How many executions wait before the stage of an approval."""
        executions = self._found.get("Freeze", {}).get("Executions", [])
        count = sum("IsWaitingBefore" in each and each["Stage"] == approval["Stage"] for each in executions)
        return (
            f". {count} {'execution waits' if count == 1 else 'executions wait'} behind it" if count else ""
        )

    def notes(self) -> Iterator[Note]:
        """One for each concern, with its cause and remedy."""
        found, name = self._found, shortened(self.name, _MAX_NAME)
        for each in found["Problems"]:
            yield Note(
                name, f"{each['Subject']}: {shortened(each['Problem'], _MAX_CAUSE)}", remedy=remedy_of(each)
            )
        if self._is_read and found.get("HasPipeline") is False and "Mirrors" not in found:
            yield Note(
                name,
                "no push yet, and no stack declares a mirror",
                remedy="Set GitLabProject, or push to its repository",
            )
        yield from self._end_notes(name)
        for each in found.get("Mirrors", []):
            if "Problem" in each:
                yield Note(name, each["Subject"], shortened(each["Problem"], _MAX_CAUSE), remedy_of(each))
        for each in found.get("Approvals", []):
            yield Note(
                name,
                f"{each['Action']} has waited for {self._age(each.get('Since'))},"
                f" {self._commit(each)}{self._behind(each)}",
                f"Its change set: {counts_of(each['ChangeSet'])}" if "ChangeSet" in each else "",
                f"{decide(self.name, self._env)}, or in the console: {each['Url']}",
            )
        # It enables every event rule of the project.
        thaw = cfn_gitops("thaw", self.name, "--env", self._env)
        ends_all = next((each["Remedy"] for each in found.get("Holds", []) if thaw in each["Remedy"]), "")
        for each in found.get("Holds", []):
            remedy = ends_all if ends_all and "Rule" in each else each["Remedy"]
            yield Note(name, line_of(each, self._now), remedy=remedy)
        if found.get("IsOutdated"):
            yield Note(
                name,
                f"its pipeline has version {found.get('Version', '?')}, which is older than the function's",
                remedy=self._deploying(),
            )
        yield from _unread_notes(name, found["NotRead"])

    def _deploying(self) -> str:
        """How its stack is deployed again. A template of the release over another one would remove what that
        has."""
        owner = self._found.get("Owner", {})
        if not owner.get("Exists"):
            return ""
        if owner["StackName"] == self._environment.settings.stack_name:
            return f"Deploy the environment again{self._environment.settings.deployment}"
        template = "templates/project.yaml"
        file, named = ("--template-file", template), ("--stack-name", owner["StackName"])
        deploy = aws("cloudformation", "deploy", *file, *named, "--capabilities", "CAPABILITY_NAMED_IAM")
        return (
            "If its template is its own, deploy that with another RenderingSerial. If it is"
            f" {template}, deploy that of this release, with --role-arn if the stack has a role: {deploy}"
        )

    def _end_notes(self, name: str) -> Iterator[Note]:
        if failure := self._found.get("Failure"):
            what = failure.get("Action") or "an execution"
            yield Note(
                name,
                f"{what} failed {self._age(failure.get('At'))} ago, {self._commit(failure)}",
                shortened(failure["Cause"], _MAX_CAUSE),
                f"See why: {cfn_gitops('failures', self.name, '--env', self._env)}",
            )
        if rejected := self._found.get("Rejection"):
            by = f" by {rejected['By']}" if "By" in rejected else ""
            yield Note(
                name,
                f"rejected {self._age(rejected.get('At'))} ago{by}, {self._commit(rejected)}",
                shortened(reason_of(rejected), _MAX_CAUSE),
            )

    def members(self) -> dict[str, Any]:
        """The row of the answer, with its state and concerns."""
        state, since = self.state()
        return {
            **self._found,
            "concerns": self.concerns(),
            "state": state or None,
            "since": since or None,
        }
