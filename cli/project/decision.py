"""The decision of a person in AWS about a request for an approval: `approve` and `reject`.

The request is read before its change set. Its token names it to CodePipeline, so the answer decides this
request, or none: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html
(token)
"""

from __future__ import annotations

import argparse
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from cli.environment.account import OF_CHANGES, Account, Environment
from cli.environment.answers import MISSING, Part, missing, problem_of
from cli.environment.questions import NoAnswer, Questions, of_older_function
from cli.project import pipelines
from cli.project.approvals import counts_of, execution_page_of, is_waiting, page_of
from cli.project.freezing import line_of
from cli.rules import APPROVAL, name_of
from cli.shell import machine
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.output import Output, confirm
from cli.shell.terminal import hide
from cli.shell.times import age

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ApprovalResult.html (summary). It may have
# every character.
_MAX_SUMMARY = 512
# Within which the function answers.
_SECONDS = 60
# A request has its answer already. AWS does not document when it is which of them.
_ANSWERED = ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException")
_DECIDED = {"Succeeded": "approved", "Failed": "rejected", "Abandoned": "abandoned"}
# Seconds before each look at a request whose answer is not known.
_PAUSES = (0, 2, 5)


class Request(NamedTuple):
    """The request for an approval that waits in a pipeline."""

    pipeline: str
    stage: str
    action: str
    execution: str
    # The ID of the action's execution. A retried stage has another one.
    id: str
    token: str
    since: datetime | None


class Found(NamedTuple):
    """The answer of the function about the request. A missing part was not read."""

    approval: Part
    row: Part
    unread: list[Part]


class Decision(NamedTuple):
    # The answer at the prompt, and the beginning of the summary. Those of the function begin with its name.
    word: str
    # In CodePipeline: the answer to the request, and then the status of the action.
    result: str
    status: str
    # The last line. It may name the execution's page.
    end: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="its name, as `cfn-gitops status` shows it")
        parser.add_argument(
            "--reason", type=self._summary, metavar="TEXT", help="the reason, which CodePipeline records"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def _summary(self, reason: str) -> str:
        limit = _MAX_SUMMARY - len(self.word) - 2
        if not reason.strip() or any(unicodedata.category(each) in ("Cc", "Cs") for each in reason):
            raise argparse.ArgumentTypeError("it is empty, or has a control character")
        if len(reason) > limit:
            raise argparse.ArgumentTypeError(
                f"it has {len(reason)} characters, and at most {limit} are possible"
            )
        return f"{self.word}: {reason}"

    def run(self, environment: Environment, given: Any, output: Output) -> int:
        account, pipeline = environment.account, name_of("pipeline", environment.env_id, given.project)
        client, page = (
            account.client("codepipeline", config=OF_CHANGES),
            page_of(pipeline, account),
        )
        request = _waiting(client, pipeline, page, environment)
        # Not as a whole: the ID of an execution may have its `-4a1b-`.
        hide(request.token.split("-"))
        found = _read(environment, request, given.project, output)
        output.document |= {
            "project": given.project,
            "pipeline": pipeline,
            "approval": found.approval.members,
            "unread": [each.members for each in found.unread],
        }
        output.write_progress(*_lines(request, found))
        holds, rights = found.row.holds, found.approval.missing_rights
        for line, each in [
            *((f"! {line_of(each)}", each) for each in holds),
            *((f"! {each.subject}: {each.problem}", each) for each in found.row.problems),
            *((f"! {each.problem}", each) for each in rights),
            *((f"? {each.problem}", each) for each in found.unread),
        ]:
            output.write_progress(line, f"    {each.advice}")
        change_set = found.approval.change_set
        if self is APPROVE and (not found.approval or not change_set and request.stage != APPROVAL):
            raise NotLooked(
                "nothing was approved, because the change set was not read",
                f"Correct the cause above and run this again, or decide in the console: {page}",
            )
        if (rights or holds) and self is APPROVE and given.yes:
            raise Failure(
                "nothing was approved, because --yes approves no deployment"
                f" {'that lacks rights' if rights else 'in a freeze'}",
                "End that as shown above, or run this without --yes",
            )
        if change_set and change_set.resources == MISSING:
            if self is APPROVE and given.yes:
                raise Failure(
                    "nothing was approved, because --yes approves only what was shown, and its resources are"
                    " too many for a list",
                    f"Read them in the console, and run this without --yes: {page}",
                )
            output.write_progress(f"Its resources are too many for a list. Read them in the console: {page}")
        if not confirm(output, f"To {self.word} it, type {self.word}:", self.word, given.yes):
            return 1
        self._put(
            client, request, {"status": self.result, "summary": given.reason or self.word}, account, output
        )
        return 0

    def _put(
        self, client: Any, request: Request, result: dict[str, str], account: Account, output: Output
    ) -> None:
        what, past = f"execution {request.execution} of {request.pipeline}", self.result.lower()
        page = execution_page_of(request.pipeline, request.execution, account)
        unknown = f"Whether {what} is {past} is not known. See it: {page}"
        output.changes.begin(interrupted=unknown)
        # botocore repeats a call whose response was lost. Who decided then: assumption
        # `approval-shows-who-gave-it`.
        try:
            client.put_approval_result(
                pipelineName=request.pipeline,
                stageName=request.stage,
                actionName=request.action,
                token=request.token,
                result=result,
            )
        except Exception as error:
            failure, is_rejected = machine.explained(error), machine.has_done_nothing(error)
            if failure is None or is_rejected and machine.code_of(error) not in _ANSWERED:
                _name_approvers(error)
                raise pipelines.changed(error) or error  # noqa: B904 - it may be the error itself
            decided = _look(client, request)
            if not decided and is_rejected:
                raise Failure(
                    f"the request of {what} has ended already, and this call decided nothing",
                    f"See it: {page}",
                ) from error
            if not decided:
                raise Failure(f"PutApprovalResult: {failure.problem}", unknown) from error
            if is_rejected or (decided["status"], decided.get("updatedBy")) != (self.status, account.arn):
                # CodePipeline itself ends a request that has waited for seven days.
                end = (
                    f"{_DECIDED[decided['status']]} by {decided['updatedBy']}"
                    if "updatedBy" in decided
                    else decided["status"]
                )
                summary = (
                    decided.get("output", {})
                    .get("executionResult", {})
                    .get("externalExecutionSummary", "no reason")
                )
                raise Failure(
                    f"the request of {what} has ended already: {end} ({summary})", f"See it: {page}"
                ) from error
        output.document["result"] = past
        output.record_change(f"{what} is {past}")
        output.write_progress(self.end.format(page=page))


APPROVE = Decision("approve", "Approved", "Succeeded", "It goes on: {page}")
REJECT = Decision(
    "reject",
    "Rejected",
    "Failed",
    "Nothing of it is deployed. But its commit stays on the branch, so the next push deploys it as well",
)


def _waiting(client: Any, pipeline: str, page: str, environment: Environment) -> Request:
    """The one request that waits."""
    try:
        stages = client.get_pipeline_state(name=pipeline)["stageStates"]
    except ClientError as error:
        # A name with other characters is invalid.
        if machine.code_of(error) in ("PipelineNotFoundException", "ValidationException"):
            raise WrongUse(
                f"pipeline {pipeline} does not exist in {environment.place}",
                "Correct the project's name or --env, or name another place with "
                "--profile or --region. Before the first push, a project has no pipeline",
            ) from error
        _name_approvers(error)
        raise
    found = [
        Request(
            pipeline,
            stage["stageName"],
            action["actionName"],
            stage.get("latestExecution", {}).get("pipelineExecutionId", "?"),
            action["latestExecution"].get("actionExecutionId", ""),
            action["latestExecution"].get("token", ""),
            action["latestExecution"].get("lastStatusChange"),
        )
        for stage in stages
        for action in stage.get("actionStates", [])
        if is_waiting(action)
    ]
    if not found:
        running = [
            f"execution {each['pipelineExecutionId']} is {where} stage {stage['stageName']}"
            for stage in stages
            for where, each in [
                ("in", stage.get("latestExecution")),
                *(("before", each) for each in stage.get("inboundExecutions", [])),
            ]
            if pipelines.is_open(each)
        ]
        frozen = [
            stage["stageName"]
            for stage in stages
            if not stage.get("inboundTransitionState", {}).get("enabled", True)
        ]
        raise Failure(
            f"no approval waits in {pipeline}: {', '.join(running) or 'no execution is in progress'}"
            + f", and stage {', '.join(frozen)} is frozen" * bool(frozen),
            f"See it: {page}",
        )
    if len(found) > 1 or not found[0].token:
        # In the mode PARALLEL, which a person has set, there is no token, and a stage shows one execution.
        raise Failure(
            f"several approvals may wait in {pipeline}, of change sets with one name:"
            f" {', '.join(each.execution for each in found)}",
            f"Decide in the console: {page}",
        )
    return found[0]


def _read(environment: Environment, request: Request, project: str, output: Output) -> Found:
    """Raises `Failure` if the request does not wait any more. Without an answer, the request can still be
    rejected."""
    try:
        answer = Questions(environment, _SECONDS).ask("Projects", output, ProjectID=project)
        row = next(iter(answer.projects), missing("ShownProject"))
        approvals = row.approvals
        shown = next(
            (
                each
                for each in approvals
                if (each.execution_id, each.action_execution_id) == (request.execution, request.id)
            ),
            missing("ShownApproval"),
        )
        if (
            not shown
            and approvals != MISSING
            and request.id
            and all(each.action_execution_id for each in approvals)
        ):
            raise Failure(
                (
                    "nothing was changed: another request waits now, not that of execution"
                    f" {request.execution}"
                    if approvals
                    else (
                        f"nothing was changed: the request of execution {request.execution} has ended"
                        " meanwhile"
                    )
                ),
                "Run this again",
            )
        if not shown and request.id and approvals:
            raise of_older_function(environment, "and does not name the request in its answer")
        return Found(shown, row, [*row.not_read, *answer.not_read])
    except NoAnswer as why:
        unread = [problem_of(why.problem, why.remedy)]
        return Found(missing("ShownApproval"), missing("ShownProject"), unread)


def _lines(request: Request, found: Found) -> Iterator[str]:
    """As in the note in GitLab. The function has sorted the resources: replacements and removals are
    first."""
    approval, change_set = found.approval, found.approval.change_set
    waits = f"Execution {request.execution} of {request.pipeline} waits for an approval"
    if not approval:
        # As GetPipelineState shows it.
        since = f", for {age(request.since, datetime.now(timezone.utc))}" if request.since else ""
        yield f"{waits}: action {request.action} in stage {request.stage}{since}"
        yield "? its commit and its change set were not read"
        return
    yield f"{waits}: {approval.shown_commit}"
    if request.stage == APPROVAL:
        yield f"Pipeline {request.pipeline} has no change set. The commit is all that you can read"
    else:
        yield (
            f"Change set {change_set.name}: {counts_of(change_set)}"
            if change_set
            else "? its change set was not read"
        )
    for each in change_set.resources:
        causes, others = each.replaced_because_of, each.properties
        details = [f"because of {', '.join(causes)}"] * bool(causes) + [
            ("also " if causes else "") + ", ".join(others)
        ] * bool(others)
        details += ["the present one is deleted"] * bool(each.is_deleted)
        yield (
            f"  {each.effect:<20}  {each.logical_id}"
            f" ({each.type}){': ' if details else ''}{'; '.join(details)}"
        )
    if change_set and approval.missing_rights == MISSING and not found.row.not_read:
        yield "? whether the deployment lacks rights was not compared, because it has a role of its own"
    if any(each.type == "AWS::CloudFormation::Stack" for each in change_set.resources):
        yield "Changes inside nested stacks are not listed"


def _name_approvers(error: Exception) -> None:
    """Raises a `Failure` for a denial. Its remedy advises no right by which one can deploy without an
    approver."""
    if isinstance(error, ClientError) and machine.is_denied(error) and (failure := machine.explained(error)):
        raise type(failure)(
            failure.problem, "Only approvers may decide: ask one of them (docs/how-to/approvers.md)"
        ) from error


def _look(client: Any, request: Request) -> dict[str, Any]:
    """The execution of the action. Empty if it cannot be read, or has not ended."""
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            # The newest 100. An execution has fewer than ten actions.
            listed = client.list_action_executions(
                pipelineName=request.pipeline, filter={"pipelineExecutionId": request.execution}
            )
        except Exception as error:
            if machine.explained(error) is None:
                raise
            break
        for each in listed["actionExecutionDetails"]:
            if each["actionExecutionId"] == request.id and each["status"] in _DECIDED:
                return dict(each)
    return {}
