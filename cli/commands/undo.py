"""Deploy a former commit of a project again.

It lists the last ten deployments, and what holds the pipeline now, as the function cfn-gitops-<EnvID>-read
answers. You choose one by its number, or with --to. After a prompt it starts the pipeline with the commit of
that deployment, and with its image. If the pipeline has an image, it first disables the event rule by which a
push of the image deploys the newest commit. Then it follows the execution until it waits for an approval or
has ended: docs/how-to/undo-a-deployment.md. A closed window or a disabled transition may hold it for days, so
use --no-wait in a script: it ends after the start.

The commit is built and deployed again, after an approval if the pipeline has one. The branch in GitLab keeps
its newest commit, and the next push deploys that: revert it there too. Ctrl-C does not stop the execution.

It needs lambda:InvokeFunction for that function, codepipeline:StartPipelineExecution and, with an image,
events:DisableRule. A denial of the last one does not stop the undo.
"""

from __future__ import annotations

import argparse
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from cli.environment.account import OF_CHANGES, Environment
from cli.environment.answers import Part, named
from cli.environment.questions import Questions, of_older_function
from cli.project import following
from cli.project.approvals import execution_page_of, page_of
from cli.project.following import Following
from cli.rules import event_rules, name_of
from cli.shell import machine
from cli.shell.command import aws, cfn_gitops
from cli.shell.failure import Failure, WrongUse
from cli.shell.output import Output, answered, confirm
from cli.shell.terminal import shortened
from cli.shell.times import age, read_time

EXAMPLES = (
    "cfn-gitops undo --env dev shop",
    "cfn-gitops undo --env prd shop --to 4f2a9c1b --yes --no-wait    # in a script",
)

# Seconds within which the function answers, with up to 20 s for GitLab.
_SECONDS = 60
_EXECUTION = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COMMIT = re.compile("[0-9a-f]{7,40}")
# git shows as many characters of a commit, and GitLab 8.
_MIN_COMMIT_DIGITS = 7
# The shown characters of a commit, and of an image's digest.
_COMMIT_DIGITS, _IMAGE_DIGITS = 8, 12
_MAX_TITLE, _MAX_AUTHOR, _MAX_CAUSE = 40, 16, 400
_MARKS = {True: "!", False: " ", None: "?"}
_REVERT = "Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="its name, as `cfn-gitops status` shows it")
    parser.add_argument(
        "--to",
        metavar="DEPLOYMENT",
        type=_deployment,
        help=(
            f"the commit of a former deployment, at least {_MIN_COMMIT_DIGITS} characters, or its execution's"
            " ID (default: ask)"
        ),
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the start")
    parser.add_argument(
        "--no-wait", action="store_true", help="end after the start, with a link to the execution"
    )


def _deployment(text: str) -> str:
    if not _EXECUTION.fullmatch(text) and not _COMMIT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text or 'an empty text'} is neither the ID of an execution nor at least "
            f"{_MIN_COMMIT_DIGITS} characters of a commit"
        )
    return text


def run(environment: Environment, given: Any, output: Output) -> int:
    found = FormerDeployments.read(environment, given.project, output)
    found.show()
    chosen = found.choose(given.to or "")
    chosen.show_plan()
    if not confirm(output, "To start it, type undo:", "undo", given.yes):
        return 1
    is_held = chosen.hold_image()
    started = chosen.start()
    if given.no_wait:
        started.show()
    else:
        started.follow()
    found.show_next_push()
    return 0 if is_held else 1


@dataclass(frozen=True)
class FormerDeployments:
    """The former deployments of a project, and what holds its pipeline, as the function answers."""

    environment: Environment
    output: Output
    answer: Part

    @classmethod
    def read(cls, environment: Environment, project: str, output: Output) -> FormerDeployments:
        answer = Questions(environment, _SECONDS).ask("Deployments", output, ProjectID=project)
        found = cls(environment, output, answer)
        output.document |= answer.members
        # The question chooses the pipeline and the rule, not the answer.
        image_rule = event_rules(environment.env_id, project)["image"]
        if answer.pipeline != found.pipeline or answer.image_rule not in ("", image_rule):
            raise Failure(
                f"the answer is about pipeline {answer.pipeline} and event rule"
                f" {answer.image_rule or 'none'}, not about {found.pipeline} and {image_rule}",
                f"Nothing was changed. {_REVERT}",
            )
        if not answer.obstacle and not (answer.deployments and answer.branch and answer.execution_mode):
            raise of_older_function(environment, "and does not show what can be started")
        return found

    @property
    def pipeline(self) -> str:
        return name_of("pipeline", self.environment.env_id, self.answer.project_id)

    @property
    def page(self) -> str:
        """The console's, of the pipeline."""
        return page_of(self.pipeline, self.environment.account)

    @property
    def see_why(self) -> str:
        env = "--env", self.environment.settings.table
        return f"See why: {cfn_gitops('failures', self.answer.project_id, *env)}"

    def lines(self, mark: str, problem: str, remedy: str) -> list[str]:
        """A problem, and its remedy if it has one."""
        return [f"{mark} {problem}", *([f"    {remedy}"] if remedy else [])]

    def show(self) -> None:
        if obstacle := self.answer.obstacle:
            self._show_unread()
            # An answer without the mode, which was read, is that about a pipeline that does not exist.
            raise (Failure if self.answer.execution_mode or self.answer.not_read else WrongUse)(
                obstacle.problem, obstacle.remedy
            )
        now = datetime.now(timezone.utc)
        rows = [
            ["*" if number == 1 else "", str(number), age(read_time(each.at), now), *_cells(each)]
            for number, each in enumerate(self.answer.deployments, 1)
        ]
        heads = ["", "NO", "AGE", "COMMIT", "IMAGE", "AUTHOR", "TITLE"]
        if all(row[4] == "-" for row in rows):
            heads, rows = heads[:4] + heads[5:], [row[:4] + row[5:] for row in rows]
        self.output.table(heads, rows)
        self._show_now()
        for each in self.answer.holds:
            self.output.write(*self.lines(_MARKS[each.holds], each.problem, each.advice))
        self._show_unread()

    def _show_unread(self) -> None:
        for each in self.answer.not_read:
            self.output.write(*self.lines("?", each.problem, each.advice))

    def _show_now(self) -> None:
        """Whether the latest deployment is deployed now. A later attempt may have changed the stack, or
        changes it."""
        latest, later = self.answer.deployments[0], self.answer.later
        self.output.write(f'"*" {"is deployed now" if latest.is_deployed_now else "was deployed last"}')
        if later:
            known = {"Failed": "failed", "InProgress": "is in progress"}
            self.output.write(
                *self.lines(
                    "!",
                    f"a later deployment {known.get(later.status, 'is ' + later.status)}:"
                    f" execution {later.execution_id} (commit"
                    f" {later.commit[:_COMMIT_DIGITS] or 'not known'})",
                    self.see_why if later.status == "Failed" else "",
                )
            )
        elif latest.has_failed:
            self.output.write(
                *self.lines(
                    "!",
                    f'execution {latest.execution_id} of "*" failed after its deployment, for'
                    " example because of an alarm",
                    self.see_why,
                )
            )

    def choose(self, to: str) -> ChosenDeployment:
        if to:
            return self._startable(to)
        while answer := answered(self.output, "Which one? Its number, or its commit:"):
            try:
                return self._startable(self._numbered(answer))
            except Failure as wrong:
                self.output.write_progress(f"{wrong.problem}. {wrong.remedy}")
        raise Failure("Nothing was changed: no deployment was chosen", "Without a terminal, --to chooses one")

    def _startable(self, to: str) -> ChosenDeployment:
        chosen = self._chosen(to)
        if obstacle := chosen.obstacle:
            raise Failure(obstacle.problem, obstacle.remedy)
        if not self._may_start(chosen):
            raise Failure(f"{_shown(chosen)} is deployed now", "Choose another one")
        return ChosenDeployment(self, chosen)

    def _may_start(self, deployment: Part) -> bool:
        """After a failure, the stack may have to be deployed again."""
        return not deployment.is_deployed_now or self.answer.deployments[0].has_failed

    def _numbered(self, answer: str) -> str:
        if re.fullmatch("[0-9]{1,2}", answer) and 1 <= int(answer) <= len(self.answer.deployments):
            return self.answer.deployments[int(answer) - 1].execution_id
        if _EXECUTION.fullmatch(answer) or _COMMIT.fullmatch(answer):
            return answer
        raise WrongUse(
            f"{answer} is neither a number of the list nor at least {_MIN_COMMIT_DIGITS} characters of a"
            " commit",
            "Choose again",
        )

    def _chosen(self, to: str) -> Part:
        deployments = self.answer.deployments
        found = [
            each
            for each in deployments
            if to == each.execution_id or _COMMIT.fullmatch(to) and each.commit.startswith(to)
        ]
        if not found:
            known = [
                each.commit[:_COMMIT_DIGITS] for each in deployments if each.commit and self._may_start(each)
            ]
            raise WrongUse(
                f"{to} is not one of the last {len(deployments)} deployments",
                f"{'Choose one of: ' + ', '.join(known) + '. ' if known else ''}{_REVERT}",
            )
        if any(_revisions(each) != _revisions(found[0]) for each in found):
            raise WrongUse(
                f"{to} is the beginning of several commits, or its commit was deployed with several images",
                f"Name the execution: {', '.join(each.execution_id for each in found)}",
            )
        return found[0]

    def show_next_push(self) -> None:
        self.output.write_progress(
            f"Branch {self.answer.branch} in GitLab keeps its newest commit, and the next push deploys"
            " that. Revert it there too"
        )


@dataclass(frozen=True)
class ChosenDeployment:
    """The deployment whose commit and image are deployed again."""

    found: FormerDeployments
    deployment: Part

    def show_plan(self) -> None:
        answer, output = self.found.answer, self.found.output
        end = "waits for its approval" if answer.has_approval else "is deployed without an approval"
        if rule := answer.image_rule:
            output.write_progress(
                f"- Event rule {rule} will be disabled, because a push of the image would deploy "
                "the branch's newest commit"
            )
        output.write_progress(
            f"- {self.found.pipeline} will be started with {_shown(self.deployment)}. It is built again, and"
            f" {end}"
        )
        in_branch, commit = self.deployment.in_branch, self.deployment.commit[:_COMMIT_DIGITS]
        output.document |= {
            "chosen": self.deployment.execution_id,
            "sourceRevisions": _revisions(self.deployment),
            **named(in_branch=in_branch.members),
        }
        problem, branch = in_branch.problem, f"branch {answer.branch} in GitLab"
        if in_branch.contained is None:
            output.write_progress(
                *self.found.lines(
                    "?",
                    f"whether {branch} contains commit {commit} was not checked: {problem}",
                    in_branch.advice,
                )
            )
        elif not in_branch.contained:
            output.write_progress(
                f"! {branch} does not contain commit {commit}: {problem or 'its history was rewritten'}"
            )

    def hold_image(self) -> bool:
        """`False` if an image may still start the pipeline. This does not stop the undo, which is urgent."""
        if not (rule := self.found.answer.image_rule):
            return True
        output, enable = self.found.output, aws("events", "enable-rule", "--name", rule)
        output.changes.begin(
            interrupted=f"Nothing was started. Event rule {rule} may be disabled. To enable it: {enable}"
        )
        try:
            self.found.environment.account.client("events", config=OF_CHANGES).disable_rule(Name=rule)
        except Exception as error:
            failure = machine.explained(error)
            if failure is None:
                raise
            if isinstance(error, ClientError) and machine.code_of(error) == "ResourceNotFoundException":
                return True
            problem, remedy = (
                f"event rule {rule} is not disabled: {failure.problem}. Until it is, a push of the image"
                " deploys the newest commit",
                f"Ask an operator to disable it: {aws('events', 'disable-rule', '--name', rule)}",
            )
            output.document["left"] = [named(problem=problem, remedy=remedy)]
            output.write_progress(*self.found.lines("!", problem, remedy))
            return False
        output.record_change(f"event rule {rule} is disabled")
        # Before the start, which may fail.
        output.write_progress(
            "        The image's tag keeps its newest image. If you revert in GitLab, first push the former"
            " or a corrected image",
            f"        Then end the freeze of the image: {enable}",
        )
        return True

    def start(self) -> StartedExecution:
        output, pipeline = self.found.output, self.found.pipeline
        named = "--pipeline-name", pipeline
        unknown = (
            "The execution may have started. Before you run this again, look for one of"
            f" {_shown(self.deployment)}:"
            f" {aws('codepipeline', 'list-pipeline-executions', *named, '--max-items', '5')}"
        )
        client = self.found.environment.account.client("codepipeline", config=OF_CHANGES)
        output.changes.begin(interrupted=unknown)
        # botocore repeats a call whose response was lost, with this token, so two calls start one execution.
        try:
            execution = str(
                client.start_pipeline_execution(
                    name=pipeline,
                    sourceRevisions=[
                        {
                            "actionName": each.action_name,
                            "revisionType": each.revision_type,
                            "revisionValue": each.revision_value,
                        }
                        for each in self.deployment.revisions
                    ],
                    clientRequestToken=str(uuid.uuid4()),
                )["pipelineExecutionId"]
            )
        except Exception as error:
            failure = machine.explained(error)
            if failure is None or machine.has_done_nothing(error):
                raise
            output.document["result"] = "unknown"
            raise Failure(f"StartPipelineExecution: {failure.problem}", unknown) from error
        named = *named, "--pipeline-execution-id", execution, "--reason", "undo"
        stop = aws("codepipeline", "stop-pipeline-execution", *named)
        output.changes.interrupted = f"Execution {execution} goes on. To stop it: {stop}"
        output.document["execution"] = execution
        output.record_change(f"execution {execution} of {pipeline} is started")
        return StartedExecution(self, execution)


@dataclass(frozen=True)
class StartedExecution:
    """An execution that was started."""

    chosen: ChosenDeployment
    id: str

    def show(self) -> None:
        """Instead of following it."""
        found = self.chosen.found
        account = found.environment.account
        found.output.document["result"] = "started"
        found.output.write_progress(f"It goes on: {execution_page_of(found.pipeline, self.id, account)}")

    def follow(self) -> None:
        found, output = self.chosen.found, self.chosen.found.output
        questions = Questions(found.environment, following.SECONDS)
        end = Following(questions, found.answer.project_id, self.id, output).end()
        if approval := end.waits_for_approval:
            output.document["result"] = "waits for an approval"
            output.write_progress(f"It waits for an approval, in AWS: {approval.url or found.page}")
            return
        output.document["result"] = end.status
        if end.status != "Succeeded":
            raise self._failure(end)
        output.write_progress(f"{_shown(self.chosen.deployment)} is deployed")

    def _failure(self, end: Part) -> Failure:
        execution, see = end.execution_id, f"See the execution: {self.chosen.found.page}"
        if end.status == "Superseded":
            return Failure(f"a newer execution replaced execution {execution}", see)
        if rejected := end.rejection:
            return Failure(f"execution {execution} was rejected{rejected.shown_person}", see)
        if failure := end.failure:
            deployed = ", after it had deployed the commit" if end.has_deployed else ""
            return Failure(
                f"{failure.action or f'execution {execution}'} failed{deployed}:"
                f" {shortened(failure.cause, _MAX_CAUSE)}",
                self.chosen.found.see_why,
            )
        summary = f": {shortened(end.summary, _MAX_CAUSE)}" if end.summary else ""
        return Failure(f"execution {execution} ended as {end.status}{summary}", see)


def _revisions(deployment: Part) -> list[dict[str, Any]]:
    return [each.members for each in deployment.revisions]


def _cells(deployment: Part) -> list[str]:
    """Commit, image, author and title."""
    image = deployment.image.partition(":")[2]
    title = shortened(deployment.title, _MAX_TITLE) or "-"
    return [
        deployment.commit[:_COMMIT_DIGITS] or "-",
        image[:_IMAGE_DIGITS] or "-",
        shortened(deployment.author, _MAX_AUTHOR) or "-",
        title + (" (rollback)" if deployment.is_rollback else ""),
    ]


def _shown(deployment: Part) -> str:
    kind, _, digest = deployment.image.partition(":")
    return f"commit {deployment.commit[:_COMMIT_DIGITS] or '?'}" + (
        f" and image {kind}:{digest[:_IMAGE_DIGITS]}" if digest else ""
    )
