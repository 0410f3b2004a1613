"""Deploy a former commit of a project again.

It lists the last ten deployments, and what holds the pipeline now, as the function cfn-gitops-<EnvID>-read answers. You choose
one by its number, or with --to. After a prompt it starts the pipeline with the commit of that deployment, and with its image. If
the pipeline has an image, it first disables the event rule by which a push of the image deploys the newest commit. Then it
follows the execution until it waits for an approval or has ended: docs/how-to/undo-a-deployment.md. A closed window or a
disabled transition may hold it for days, so use --no-wait in a script: it ends after the start.

The commit is built and deployed again, after an approval if the pipeline has one. The branch in GitLab keeps its newest
commit, and the next push deploys that: revert it there too. Ctrl-C does not stop the execution.

It needs lambda:InvokeFunction for that function, codepipeline:StartPipelineExecution and, with an image,
events:DisableRule. A denial of the last one does not stop the undo.
"""

from __future__ import annotations

import argparse
import re
import uuid
from datetime import datetime, timezone
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from cli.environment.account import Environment
from cli.environment.questions import Questions, members_of, remedy_of
from cli.project import following
from cli.project.approvals import execution_page_of, page_of
from cli.project.following import Following
from cli.rules import event_rules, name_of
from cli.shell import machine
from cli.shell.ending import Failure, WrongUse
from cli.shell.output import Output, answered, confirm
from cli.shell.terminal import shortened
from cli.shell.times import age, read_time

EXAMPLES = ("cfn-gitops undo --env dev shop", "cfn-gitops undo --env prd shop --to 4f2a9c1b --yes --no-wait    # in a script")

# Seconds within which the function answers, with up to 20 s for GitLab.
_SECONDS = 60
_OF_CHANGES = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
_EXECUTION = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COMMIT = re.compile("[0-9a-f]{8,40}")
# The shown characters of a commit, and of an image's digest.
_COMMIT_DIGITS, _IMAGE_DIGITS = 8, 12
_MAX_TITLE, _MAX_AUTHOR, _MAX_CAUSE = 40, 16, 400
_MARKS = {True: "!", False: " ", None: "?"}
_REVERT = "Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="its name, as `cfn-gitops status` shows it")
    parser.add_argument("--to", metavar="DEPLOYMENT", type=_deployment,
                        help=f"the commit of a former deployment, at least {_COMMIT_DIGITS} characters, or its execution's ID "
                             "(default: ask)")
    parser.add_argument("--yes", action="store_true", help="do not ask before the start")
    parser.add_argument("--no-wait", action="store_true", help="end after the start, with a link to the execution")


def _deployment(text: str) -> str:
    if not _EXECUTION.fullmatch(text) and not _COMMIT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text or 'an empty text'} is neither the ID of an execution nor at least "
                                         f"{_COMMIT_DIGITS} characters of a commit")
    return text


def run(environment: Environment, given: Any, output: Output) -> int:
    found = Questions(environment, _SECONDS).ask("Deployments", output, ProjectID=given.project)
    undo = Undo(environment, found, output)
    undo.show()
    chosen = undo.choose(given.to or "")
    undo.show_plan(chosen)
    if not confirm(output, "To start it, type yes:", "yes", given.yes):
        return 1
    undo.hold_image()
    execution = undo.start(chosen)
    if given.no_wait:
        undo.show_execution(execution)
    else:
        undo.follow(chosen, execution)
    undo.show_next_push()
    return undo.status


class Undo:
    def __init__(self, environment: Environment, found: dict[str, Any], output: Output) -> None:
        """`found` is the function's answer."""
        self._environment, self._found, self._output = environment, found, output
        # 1 if a part was not done.
        self.status = 0
        project, env_id = found["ProjectID"], environment.env_id
        self._pipeline, image_rule = name_of("pipeline", env_id, project), event_rules(env_id, project)["image"]
        self._deployments: list[dict[str, Any]] = found["Deployments"]
        output.document |= {"project": found["ProjectID"], "pipeline": self._pipeline, "executionMode": found.get("ExecutionMode"),
                            "deployments": members_of(self._deployments), "later": members_of(found.get("Later")),
                            "holds": members_of(found["Holds"]), "unread": members_of(found["NotRead"])}
        # The question chooses the pipeline and the rule, not the answer.
        if (found["Pipeline"], found.get("ImageRule", image_rule)) != (self._pipeline, image_rule):
            raise Failure(f"the answer is about pipeline {found['Pipeline']} and event rule {found.get('ImageRule', 'none')}, not about "
                          f"{self._pipeline} and {image_rule}", f"Nothing was changed. {_REVERT}")

    # --- the former deployments, and the obstacles --------------------------------------

    def show(self) -> None:
        if obstacle := self._found.get("Obstacle"):
            self._show_unread()
            raise Failure(obstacle["Problem"], obstacle["Remedy"])
        now = datetime.now(timezone.utc)
        rows = [["*" if number == 1 else "", str(number), age(read_time(each.get("At")), now), *_cells(each)]
                for number, each in enumerate(self._deployments, 1)]
        heads = ["", "NO", "AGE", "COMMIT", "IMAGE", "AUTHOR", "TITLE"]
        if all(row[4] == "-" for row in rows):
            heads, rows = heads[:4] + heads[5:], [row[:4] + row[5:] for row in rows]
        self._output.table(heads, rows)
        self._show_now()
        for each in self._found["Holds"]:
            self._output.write(*self._lines(_MARKS[each["Holds"]], each))
        self._show_unread()

    def _show_unread(self) -> None:
        for each in self._found["NotRead"]:
            self._output.write(*self._lines("?", each))

    def _show_now(self) -> None:
        """Whether the latest deployment is deployed now. A later attempt may have changed the stack, or changes it."""
        latest, later = self._deployments[0], self._found.get("Later")
        self._output.write(f'"*" {"is deployed now" if latest["IsDeployedNow"] else "was deployed last"}')
        if later:
            known = {"Failed": "failed", "InProgress": "is in progress"}
            self._output.write(*self._lines("!", {
                "Problem": f"a later deployment {known.get(later['Status'], 'is ' + later['Status'])}: execution {later['ExecutionId']} "
                           f"(commit {later.get('Commit', '')[:_COMMIT_DIGITS] or 'not known'})",
                "Remedy": self._see_why if later["Status"] == "Failed" else ""}))
        elif latest.get("HasFailed"):
            self._output.write(*self._lines("!", {
                "Problem": f'execution {latest["ExecutionId"]} of "*" failed after its deployment, for example because of an alarm',
                "Remedy": self._see_why}))

    def _lines(self, mark: str, found: dict[str, Any]) -> list[str]:
        """A problem, and its remedy if it has one."""
        remedy = [f"    {self._output.selecting(remedy_of(found))}"] if found.get("Remedy") else []
        return [f"{mark} {found['Problem']}", *remedy]

    @property
    def _see_why(self) -> str:
        return f"See why: cfn-gitops failures {self._found['ProjectID']} --env {self._environment.settings.table}"

    # --- the choice ---------------------------------------------------------------------

    def choose(self, to: str) -> dict[str, Any]:
        if not to:
            answer = answered(self._output, "Which one? Its number, or its commit:")
            if not answer:
                raise Failure("Nothing was changed: no deployment was chosen", "Without a terminal, --to chooses one")
            to = self._numbered(answer)
        chosen = self._chosen(to)
        if obstacle := chosen.get("Obstacle"):
            raise Failure(obstacle["Problem"], obstacle["Remedy"])
        if not self._may_start(chosen):
            raise Failure(f"{_shown(chosen)} is deployed now", "Choose another one")
        return chosen

    def _may_start(self, deployment: dict[str, Any]) -> bool:
        """After a failure, the stack may have to be deployed again."""
        return not deployment["IsDeployedNow"] or bool(self._deployments[0].get("HasFailed"))

    def _numbered(self, answer: str) -> str:
        if re.fullmatch("[0-9]{1,2}", answer) and 1 <= int(answer) <= len(self._deployments):
            return str(self._deployments[int(answer) - 1]["ExecutionId"])
        if _EXECUTION.fullmatch(answer) or _COMMIT.fullmatch(answer):
            return answer
        raise WrongUse(f"{answer} is neither a number of the list nor at least {_COMMIT_DIGITS} characters of a commit",
                       "Run this again")

    def _chosen(self, to: str) -> dict[str, Any]:
        found = [each for each in self._deployments
                 if to == each["ExecutionId"] or _COMMIT.fullmatch(to) and each.get("Commit", "").startswith(to)]
        if not found:
            known = [each["Commit"][:_COMMIT_DIGITS] for each in self._deployments if "Commit" in each and self._may_start(each)]
            raise Failure(f"{to} is not one of the last {len(self._deployments)} deployments",
                          f"{'Choose one of: ' + ', '.join(known) + '. ' if known else ''}{_REVERT}")
        if any(each["Revisions"] != found[0]["Revisions"] for each in found):
            raise Failure(f"{to} is the beginning of several commits, or its commit was deployed with several images",
                          f"Name the execution: {', '.join(each['ExecutionId'] for each in found)}")
        return found[0]

    def show_plan(self, chosen: dict[str, Any]) -> None:
        end = "waits for its approval" if self._found["HasApproval"] else "is deployed without an approval"
        if rule := self._found.get("ImageRule"):
            self._output.write_progress(f"- Event rule {rule} will be disabled, because a push of the image would deploy "
                                        "the branch's newest commit")
        self._output.write_progress(f"- {self._pipeline} will be started with {_shown(chosen)}. It is built again, and {end}")
        found, commit = chosen["InBranch"], chosen.get("Commit", "")[:_COMMIT_DIGITS]
        self._output.document |= {"chosen": chosen["ExecutionId"], "sourceRevisions": members_of(chosen["Revisions"]),
                                  "contained": members_of(found)}
        problem, branch = found.get("Problem", ""), f"branch {self._found['Branch']} in GitLab"
        if found["Contained"] is None:
            self._output.write_progress(*self._lines("?", {
                **found, "Problem": f"whether {branch} contains commit {commit} was not checked: {problem}"}))
        elif not found["Contained"]:
            self._output.write_progress(f"! {branch} does not contain commit {commit}: {problem or 'its history was rewritten'}")

    # --- the start and the end ----------------------------------------------------------

    def hold_image(self) -> None:
        """A failure does not stop the undo, which is urgent."""
        if not (rule := self._found.get("ImageRule")):
            return
        enable = f"aws events enable-rule --name {rule}"
        self._output.has_begun = True
        self._output.interrupted = f"Nothing was started. Event rule {rule} may be disabled. To enable it: {enable}"
        try:
            self._environment.account.client("events", config=_OF_CHANGES).disable_rule(Name=rule)
        except Exception as error:
            failure = machine.explained(error)
            if failure is None:
                raise
            if isinstance(error, ClientError) and machine.code_of(error) == "ResourceNotFoundException":
                return
            self.status = 1
            left = {"Problem": f"event rule {rule} is not disabled: {failure.problem}. Until it is, a push of the image deploys the newest commit",
                    "Remedy": f"Ask an operator to disable it: aws events disable-rule --name {rule}"}
            self._output.document["left"] = [members_of(left)]
            self._output.write_progress(*self._lines("!", left))
        else:
            self._output.record_change(f"event rule {rule} is disabled")
            # Before the start, which may fail.
            self._output.write_progress(
                "        The image's tag keeps its newest image. If you revert in GitLab, first push the former or a corrected image",
                f"        {self._output.selecting(f'Then end the freeze of the image: {enable}')}")

    def start(self, chosen: dict[str, Any]) -> str:
        """Returns the ID of the execution."""
        pipeline = self._pipeline
        unknown = (f"The execution may have started. Before you run this again, look for one of {_shown(chosen)}: "
                   f"aws codepipeline list-pipeline-executions --pipeline-name {pipeline} --max-items 5")
        client = self._environment.account.client("codepipeline", config=_OF_CHANGES)
        self._output.has_begun, self._output.interrupted = True, unknown
        # botocore repeats a call whose response was lost, with this token, so two calls start one execution.
        try:
            execution = str(client.start_pipeline_execution(
                name=pipeline, sourceRevisions=members_of(chosen["Revisions"]), clientRequestToken=str(uuid.uuid4()))["pipelineExecutionId"])
        except Exception as error:
            failure = machine.explained(error)
            if failure is None or _is_rejected(error):
                raise
            self._output.document["result"] = "unknown"
            raise Failure(f"StartPipelineExecution: {failure.problem}", unknown) from error
        self._output.interrupted = (
            f"Execution {execution} goes on. To stop it: aws codepipeline stop-pipeline-execution "
            f"--pipeline-name {pipeline} --pipeline-execution-id {execution} --reason undo")
        self._output.document["execution"] = execution
        self._output.record_change(f"execution {execution} of {pipeline} is started")
        return execution

    def show_execution(self, execution: str) -> None:
        """Instead of following it."""
        account = self._environment.account
        self._output.document["result"] = "started"
        self._output.write_progress(f"It goes on: {execution_page_of(self._pipeline, execution, account.region, account.partition)}")

    def follow(self, chosen: dict[str, Any], execution: str) -> None:
        questions = Questions(self._environment, following.SECONDS)
        end = Following(questions, self._found["ProjectID"], execution, self._output).end()
        if "WaitsForApproval" in end:
            self._output.document["result"] = "waits for an approval"
            self._output.write_progress(f"It waits for an approval, in AWS: {end['WaitsForApproval'].get('Url') or self._page}")
            return
        self._output.document["result"] = end["Status"]
        if end["Status"] != "Succeeded":
            raise self._failure(end)
        self._output.write_progress(f"{_shown(chosen)} is deployed")

    def show_next_push(self) -> None:
        self._output.write_progress(
            f"Branch {self._found['Branch']} in GitLab keeps its newest commit, and the next push deploys that. Revert it there too")

    @property
    def _page(self) -> str:
        """The console's, of the pipeline."""
        account = self._environment.account
        return page_of(self._pipeline, account.region, account.partition)

    def _failure(self, end: dict[str, Any]) -> Failure:
        execution, see = end["ExecutionId"], f"See the execution: {self._page}"
        if end["Status"] == "Superseded":
            return Failure(f"a newer execution replaced execution {execution}", see)
        if rejected := end.get("Rejection"):
            return Failure(f"execution {execution} was rejected{' by ' + rejected['By'] if 'By' in rejected else ''}", see)
        if failure := end.get("Failure"):
            deployed = ", after it had deployed the commit" if end["HasDeployed"] else ""
            return Failure(f"{failure.get('Action') or f'execution {execution}'} failed{deployed}: {shortened(failure['Cause'], _MAX_CAUSE)}",
                           self._see_why)
        summary = f": {shortened(end['Summary'], _MAX_CAUSE)}" if end.get("Summary") else ""
        return Failure(f"execution {execution} ended as {end['Status']}{summary}", see)


def _cells(deployment: dict[str, Any]) -> list[str]:
    """Commit, image, author and title."""
    image = deployment.get("Image", "").partition(":")[2]
    title = shortened(deployment.get("Title", ""), _MAX_TITLE) or "-"
    return [deployment.get("Commit", "")[:_COMMIT_DIGITS] or "-", image[:_IMAGE_DIGITS] or "-",
            shortened(deployment.get("Author", ""), _MAX_AUTHOR) or "-", title + (" (rollback)" if deployment.get("IsRollback") else "")]


def _shown(deployment: dict[str, Any]) -> str:
    kind, _, digest = deployment.get("Image", "").partition(":")
    return f"commit {deployment.get('Commit', '')[:_COMMIT_DIGITS] or '?'}" + (f" and image {kind}:{digest[:_IMAGE_DIGITS]}" if digest else "")


def _is_rejected(error: Exception) -> bool:
    """Whether AWS has proved that it did nothing. A rejected repetition, as by throttling, proves nothing about a call before it
    whose response was lost."""
    if not isinstance(error, ClientError):
        return False
    metadata = error.response.get("ResponseMetadata", {})
    return bool(metadata.get("HTTPStatusCode", 500) < 500 and metadata.get("RetryAttempts") == 0)
