"""Deploy a former commit of a project again.

It lists the last ten deployments, and what holds the pipeline now. You choose one by its number, or with --to. After a
prompt it starts the pipeline with the commit of that deployment, and with its image. If the pipeline has an image, it first
disables the event rule by which a push of the image deploys the newest commit. Then it follows the execution until it waits for
an approval or has ended: docs/how-to/undo-a-deployment.md. A closed window or a disabled transition may hold it for
days, so use --no-wait in a script: it ends after the start.

The commit is built and deployed again, after an approval if the pipeline has one. The branch in GitLab keeps its newest
commit, and the next push deploys that: revert it there too. Ctrl-C does not stop the execution.

It reads the stacks, the pipeline (GetPipeline, GetPipelineState, ListPipelineExecutions, ListActionExecutions,
GetPipelineExecution), its event rules (events:DescribeRule), titles and authors (codecommit:GetCommit) and the function's
diagnosis (lambda:InvokeFunction). The last three may be denied. It changes with codepipeline:StartPipelineExecution and, with
an image, events:DisableRule.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.environment.account import Environment, outputs
from cli.project import deployments, following, projects
from cli.project.deployments import COMMIT_DIGITS, Deployment, revert
from cli.project.following import APPROVAL, Following
from cli.project.holds import Holds, not_read
from cli.project.projects import Project
from cli.shell import machine
from cli.shell.ending import Failure, WrongUse
from cli.shell.output import Output, answered, confirm
from cli.shell.terminal import shortened
from cli.shell.times import age, iso

EXAMPLES = ("cfn-gitops undo --env dev shop", "cfn-gitops undo --env prd shop --to 4f2a9c1b --yes --no-wait    # in a script")

# In another mode, which a person can set in AWS, CodePipeline may deploy another commit than the one that is named:
# https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
_MODES = ("QUEUED", "SUPERSEDED")
# Seconds. The function queries AWS and GitLab for up to 30 s (src/health_check/containment.rs), and may have to start before. A
# second attempt would only wait longer.
_FUNCTION_TIMEOUT = 40
_OF_FUNCTION = Config(connect_timeout=5, read_timeout=_FUNCTION_TIMEOUT, retries={"total_max_attempts": 1})
_EXECUTION = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COMMIT = re.compile("[0-9a-f]{8,40}")
_MAX_CAUSE = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="its name, as `cfn-gitops status` shows it")
    parser.add_argument("--to", metavar="DEPLOYMENT", type=_deployment,
                        help=f"the commit of a former deployment, at least {COMMIT_DIGITS} characters, or its execution's ID "
                             "(default: ask)")
    parser.add_argument("--yes", action="store_true", help="do not ask before the start")
    parser.add_argument("--no-wait", action="store_true", help="end after the start, with a link to the execution")


def _deployment(text: str) -> str:
    if not _EXECUTION.fullmatch(text) and not _COMMIT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text or 'an empty text'} is neither the ID of an execution nor at least "
                                         f"{COMMIT_DIGITS} characters of a commit")
    return text


def run(environment: Environment, given: Any, output: Output) -> int:
    project = projects.find(environment, given.project)
    undo = Undo(environment, project, output)
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
        undo.follow(chosen.deployment, execution)
    undo.show_next_push()
    return undo.status


class Choice(NamedTuple):
    deployment: Deployment
    # The revision of each source.
    overrides: list[dict[str, str]]


class Undo:
    def __init__(self, environment: Environment, project: Project, output: Output) -> None:
        self._environment, self._project, self._output = environment, project, output
        # 1 if a part was not done.
        self.status = 0
        self._client = environment.account.client("codepipeline", config=projects.CONFIG)
        self._declaration = self._client.get_pipeline(name=project.pipeline)["pipeline"]
        self._holds = Holds(environment, project, self._client, self._declaration)
        self._mode = self._declaration.get("executionMode", "SUPERSEDED")
        output.document |= {"project": project.name, "pipeline": project.pipeline, "executionMode": self._mode}
        if self._mode not in _MODES:
            raise Failure(f"{project.pipeline} has the ExecutionMode {self._mode}, in which CodePipeline may deploy another commit "
                          "than the named one, so nothing is started", revert())
        self._deployments, self._later = deployments.read(self._client, project.pipeline)
        if not self._deployments:
            raise Failure(f"CodePipeline lists no deployment of {project.pipeline}",
                          f"See what it did: cfn-gitops status --env {environment.settings.table}")

    # --- the former deployments, and the obstacles --------------------------------------

    def show(self) -> None:
        codecommit = self._environment.account.client("codecommit", config=projects.CONFIG)
        unread = deployments.read_commits(codecommit, self._project, self._deployments)
        now = datetime.now(timezone.utc)
        rows = []
        for number, each in enumerate(self._deployments, 1):
            commit, image, author, title = each.cells()
            rows.append(["*" if number == 1 else "", str(number), age(each.at, now), commit, image, author,
                         title + (" (rollback)" if each.is_rollback else "")])
        heads = ["", "NO", "AGE", "COMMIT", "IMAGE", "AUTHOR", "TITLE"]
        if all(row[4] == "-" for row in rows):
            heads, rows = heads[:4] + heads[5:], [row[:4] + row[5:] for row in rows]
        self._output.table(heads, rows)
        self._show_now()
        holds = [*([not_read("titles and authors were", unread)] if unread else []), *self._holds.all()]
        for each in holds:
            remedy = [f"    {self._output.selecting(each.remedy)}"] if each.remedy else []
            self._output.write(f"{each.mark} {each.problem}", *remedy)
        self._output.document |= {
            "holds": [{"holds": each.holds, "problem": each.problem, "remedy": each.remedy or None}
                      for each in holds if not each.unread],
            "unread": [each.unread.members() for each in holds if each.unread]}

    def _show_now(self) -> None:
        """Whether the latest deployment is deployed now. A later attempt may have changed the stack, or changes it."""
        latest, later = self._deployments[0], self._later
        self._output.write(f'"*" {"was deployed last" if later else "is deployed now"}')
        if later:
            self._output.write(f"! {later.shown()}", *([self._see_why()] if later.status == "Failed" else []))
        elif latest.has_failed:
            self._output.write(f'! execution {latest.execution} of "*" failed after its deployment, for example because of an alarm',
                               self._see_why())
        self._output.document |= {
            "deployments": [_members(number, each) | {"deployedNow": None if later and number == 1 else number == 1}
                            for number, each in enumerate(self._deployments, 1)],
            "later": {"execution": later.execution, "status": later.status, "at": iso(later.at), "commit": later.commit or None}
            if later else None}

    def _see_why(self) -> str:
        return f"    {self._output.selecting(f'See why: cfn-gitops status --env {self._environment.settings.table}')}"

    # --- the choice ---------------------------------------------------------------------

    def choose(self, to: str) -> Choice:
        if not to:
            answer = answered(self._output, "Which one? Its number, or its commit:")
            if not answer:
                raise Failure("Nothing was changed: no deployment was chosen", "Without a terminal, --to chooses one")
            to = self._numbered(answer)
        chosen = self._found(to)
        # First: a missing revision has no equal either.
        overrides = deployments.overrides(self._project, self._declaration, chosen)
        latest = self._deployments[0]
        is_latest = deployments.revisions_of(chosen, self._declaration) == deployments.revisions_of(latest, self._declaration)
        if is_latest and not self._may_repeat_latest:
            raise Failure(f"{chosen.shown()} is deployed now", "Choose another one")
        return Choice(chosen, overrides)

    @property
    def _may_repeat_latest(self) -> bool:
        """Whether the latest deployment can be chosen: after a failure, the stack may have to be deployed again."""
        return bool(self._later or self._deployments[0].has_failed)

    def _numbered(self, answer: str) -> str:
        if re.fullmatch("[0-9]{1,2}", answer) and 1 <= int(answer) <= len(self._deployments):
            return self._deployments[int(answer) - 1].execution
        if _EXECUTION.fullmatch(answer) or _COMMIT.fullmatch(answer):
            return answer
        raise WrongUse(f"{answer} is neither a number of the list nor at least {COMMIT_DIGITS} characters of a commit",
                       "Run this again")

    def _found(self, to: str) -> Deployment:
        found = [each for each in self._deployments if to == each.execution or _COMMIT.fullmatch(to) and each.commit.startswith(to)]
        if not found:
            known = [each.commit[:COMMIT_DIGITS] for each in self._deployments[0 if self._may_repeat_latest else 1:] if each.commit]
            raise Failure(f"{to} is not one of the last {len(self._deployments)} deployments",
                          f"{'Choose one of: ' + ', '.join(known) + '. ' if known else ''}{revert()}")
        if any(each.revisions != found[0].revisions for each in found):
            raise Failure(f"{to} is the beginning of several commits, or its commit was deployed with several images",
                          f"Name the execution: {', '.join(each.execution for each in found)}")
        return found[0]

    def show_plan(self, choice: Choice) -> None:
        chosen, project = choice.deployment, self._project
        has_approval = deployments.actions_of(self._declaration, "Approval") != []
        end = "waits for its approval" if has_approval else "is deployed without an approval"
        if self._image_rule:
            self._output.write_progress(f"- Event rule {self._image_rule} will be disabled, because a push of the image would deploy "
                                        "the branch's newest commit")
        self._output.write_progress(
            f"- {project.pipeline} will be started with {chosen.shown()}. It is built again, and {end}")
        commit, branch = chosen.commit[:COMMIT_DIGITS], self._branch
        self._output.write_progress(f"- The function checks whether branch {branch} in GitLab contains commit {commit}. It takes "
                                    f"up to {_FUNCTION_TIMEOUT} s")
        contained, problem, remedy = self._is_contained(chosen.commit)
        self._output.document |= {
            "chosen": chosen.execution, "sourceRevisions": choice.overrides,
            "contained": {"contained": contained, "problem": problem or None, "remedy": remedy or None}}
        if contained is None:
            self._output.write_progress(f"? whether branch {branch} in GitLab contains commit {commit} was not checked: {problem}",
                                        *([f"    {self._output.selecting(remedy)}"] if remedy else []))
        elif not contained:
            self._output.write_progress(
                f"! branch {branch} in GitLab does not contain commit {commit}: {problem or 'its history was rewritten'}")

    @property
    def _branch(self) -> str:
        return outputs(self._project.stack).get("BranchName", "?")

    def _is_contained(self, commit: str) -> tuple[bool | None, str, str]:
        """Whether the branch in GitLab contains the commit, as the function finds it. `None` if it was not checked. The texts are
        the reason and the remedy."""
        arn = outputs(self._environment.stack()).get("ServiceToken", "")
        event = {"Doctor": {"Contains": {"ProjectID": self._project.name, "Commit": commit}}}
        try:
            response = self._environment.account.client("lambda", config=_OF_FUNCTION).invoke(
                FunctionName=arn, Payload=json.dumps(event).encode())
            result = json.loads(response["Payload"].read())
        except Exception as error:
            # botocore's error of a wrong region is a `ValueError` too.
            failure = machine.explained(error)
            if failure is None and not isinstance(error, (KeyError, TypeError, ValueError)):
                raise
            return (None, failure.problem, failure.remedy) if failure else (None, "the function's response is not JSON", "")
        found = result if isinstance(result, dict) else {}
        contained = found.get("Contained") if "FunctionError" not in response else None
        problem, remedy = (str(found.get(each) or "") for each in ("Problem", "Remedy"))
        if isinstance(contained, bool):
            return contained, problem, remedy
        return None, problem or "the function is of an earlier version, or failed", remedy

    # --- the start and the end ----------------------------------------------------------

    @property
    def _image_rule(self) -> str:
        """The event rule of the image. Empty if the pipeline has none, or a person has disabled it."""
        names = [each["name"] for each in deployments.actions_of(self._declaration, "Source")]
        return self._project.event_rules["image"] if deployments.IMAGE in names and "image" not in self._project.held_by() else ""

    def hold_image(self) -> None:
        """A failure does not stop the undo, which is urgent."""
        if not (rule := self._image_rule):
            return
        self._output.has_begun = True
        try:
            self._environment.account.client("events", config=projects.CONFIG).disable_rule(Name=rule)
        except Exception as error:
            if isinstance(error, ClientError) and machine.code_of(error) == "ResourceNotFoundException":
                return
            failed = projects.unread(error, "DisableRule")
            self.status = 1
            self._output.write_progress(
                f"! event rule {rule} is not disabled: {failed.reason}. Until it is, a push of the image deploys the newest commit",
                f"    {self._output.selecting(f'Disable it: aws events disable-rule --name {rule}')}")
        else:
            self._output.record_change(f"event rule {rule} is disabled")
            # Before the start, which may fail.
            self._output.write_progress(
                "        The image's tag keeps its newest image. If you revert in GitLab, first push the former or a corrected image",
                f"        {self._output.selecting(f'Then end the freeze of the image: aws events enable-rule --name {rule}')}")

    def start(self, choice: Choice) -> str:
        """Returns the ID of the execution."""
        pipeline = self._project.pipeline
        unknown = (f"The execution may have started. Before you run this again, look for one of {choice.deployment.shown()}: "
                   f"aws codepipeline list-pipeline-executions --pipeline-name {pipeline} --max-items 5")
        self._output.has_begun, self._output.interrupted = True, unknown
        # botocore repeats a call whose response was lost, with this token, so two calls start one execution.
        try:
            execution = str(self._client.start_pipeline_execution(
                name=pipeline, sourceRevisions=choice.overrides, clientRequestToken=str(uuid.uuid4()))["pipelineExecutionId"])
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
        self._output.document["result"] = "started"
        self._output.write_progress(f"It goes on: {self._project.execution_console(self._environment, execution)}")

    def follow(self, chosen: Deployment, execution: str) -> None:
        environment, project = self._environment, self._project
        client = environment.account.client("codepipeline", config=following.CONFIG)
        holds = Holds(environment, project, client, self._declaration)
        followed = Following(client, project, execution, self._output, holds.at)
        result = followed.end()
        self._output.document["result"] = result
        if result == APPROVAL:
            self._output.write_progress(f"It waits for an approval, in AWS: {project.console(environment)}")
        elif result == "Succeeded":
            self._output.write_progress(f"{chosen.shown()} is deployed")
        else:
            raise self._failure(result, followed)

    def show_next_push(self) -> None:
        self._output.write_progress(
            f"Branch {self._branch} in GitLab keeps its newest commit, and the next push deploys that. Revert it there too")

    def _failure(self, result: str, followed: Following) -> Failure:
        project = self._project
        failed = [(name, projects.cause_of(each)) for name, each in followed.actions.items() if each.get("status") == "Failed"]
        see = f"See the execution: {project.console(self._environment)}"
        if result == "Superseded":
            return Failure(f"a newer execution replaced execution {followed.execution}", see)
        if failed:
            name, cause = failed[0]
            # A denied read must not hide the cause.
            with contextlib.suppress(BotoCoreError, ClientError):
                project.deployed_stack_name = projects.stack_name_of(self._declaration) or project.deployed_stack_name
                project.deployed_stack = self._environment.account.stack(project.deployed_stack_name)
            return Failure(f"{name} failed: {shortened(cause or 'CodePipeline shows no cause', _MAX_CAUSE)}",
                           project.remedy(self._environment, name))
        summary = f": {shortened(followed.summary, _MAX_CAUSE)}" if followed.summary else ""
        return Failure(f"execution {followed.execution} ended as {result}{summary}", see)


def _is_rejected(error: Exception) -> bool:
    """Whether AWS has proved that it did nothing. A rejected repetition, as by throttling, proves nothing about a call before it
    whose response was lost."""
    if not isinstance(error, ClientError):
        return False
    metadata = error.response.get("ResponseMetadata", {})
    return bool(metadata.get("HTTPStatusCode", 500) < 500 and metadata.get("RetryAttempts") == 0)


def _members(number: int, each: Deployment) -> dict[str, Any]:
    return {"number": number, "execution": each.execution, "status": each.status or None, "at": iso(each.at),
            "commit": each.commit or None, "title": each.title or None, "author": each.author or None,
            "rollback": each.is_rollback, "revisions": each.revisions}
