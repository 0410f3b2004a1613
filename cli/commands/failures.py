"""Show why a project or a stack has failed, the cause first.

It changes nothing. Of a project it prints what the function cfn-gitops-<EnvID>-read answers: the action that
failed with its resources, and then the other problems. If the project's own stack has failed, it reads that
stack's failures with your permissions. Of another stack, and of the project's stacks if the function does not
answer, it prints the resources that failed in the latest operation, with CloudFormation's reasons. Of a
deleted stack, it is the operation before the deletion. Without a name, the stack is that of the environment.
The exit status is 1 if it has failed, and otherwise 3 if a part was not read. It is 0 if a person rejected
the newest execution.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cli.environment.account import Environment
from cli.environment.answers import Part, named
from cli.environment.questions import InvalidQuestion, Questions, see_projects
from cli.environment.stack_failures import StackFailures, heading
from cli.environment.stack_statuses import DELETE_COMPLETE, has_failed
from cli.project.approvals import reason_of
from cli.project.freezing import line_of
from cli.rules import name_of
from cli.shell import machine
from cli.shell.command import cfn_gitops
from cli.shell.ending import explained
from cli.shell.failure import Failure, NotLooked, WrongUse, status_of
from cli.shell.output import Output

EXAMPLES = (
    "cfn-gitops failures shop --env dev    # why is this project red?",
    "cfn-gitops failures --env dev    # the environment's stack",
    "cfn-gitops failures project-dev-shop --env dev    # another stack",
)

# The time limit of the function's answer.
_SECONDS = 60
_OWN_STACK = "project-{}-{}"
_NAME = "Name a project or a stack, or a deleted stack by its ID"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        help=(
            "a project, a stack, or the ID of a stack that was deleted or that "
            "has the name of a project (default: the environment's stack)"
        ),
    )


def run(environment: Environment, given: Any, output: Output) -> int:
    if not given.name:
        return _show_alone(environment, environment.stack(), output)
    name = given.name
    if _is_of_stack(environment, name):
        if stack := environment.account.stack(name):
            return _show_alone(environment, stack, output)
        raise _missing(environment, name, WrongUse)
    try:
        answer = Questions(environment, _SECONDS).ask("Projects", output, ProjectID=name)
    except InvalidQuestion:
        # No project can have this name.
        return _show_stacks(environment, name, [], output)
    except Failure as failure:
        return _show_stacks(environment, name, [failure], output)
    for row in answer.projects:
        row.not_read += answer.not_read
        return _show_project(environment, row, output)
    return _show_stacks(
        environment, name, [Failure(each.problem, each.advice) for each in answer.not_read], output
    )


def _missing(environment: Environment, name: str, kind: type[Failure]) -> Failure:
    failure = environment.missing(name, _NAME)
    return kind(failure.problem, failure.remedy)


def _is_of_stack(environment: Environment, name: str) -> bool:
    """Whether the name is the ID of a stack, or one that a stack of the environment has."""
    begins = [
        _OWN_STACK.format(environment.env_id, ""),
        *(name_of(each, environment.env_id) for each in ("deployed_stack", "stack")),
    ]
    return name == environment.settings.stack_name or name.startswith(("arn:", *begins))


def _show_alone(environment: Environment, stack: dict[str, Any], output: Output) -> int:
    document = _show_stack(environment, stack, output)
    output.document |= document
    return _status_of(document)


def _show_stack(environment: Environment, stack: dict[str, Any], output: Output) -> dict[str, Any]:
    """Writes the failures of its latest operation, and returns the document."""
    name, status = stack["StackName"], stack["StackStatus"]
    # A deleted stack has its ID alone.
    is_deleted = status == DELETE_COMPLETE
    failures = StackFailures(
        environment.account.client("cloudformation"),
        stack["StackId"] if is_deleted else name,
        of_latest=True,
        is_deleted=is_deleted,
    )
    lines = failures.lines()
    unread = [str(each) for each in (failures.error and explained(failures.error), failures.hint) if each]
    if lines:
        is_deployed = name.startswith(name_of("deployed_stack", environment.env_id))
        output.write(heading(name, is_deployed), *(f"  {line}" for line in lines))
    else:
        end = (
            ""
            if unread
            else (
                ". CloudFormation gives no reason"
                if has_failed(status)
                else ". Its latest operation has not failed"
            )
        )
        output.write(f"Stack {name} is in {status}{end}")
    output.write(*(f"  Not everything was read: {each}" for each in unread))
    return {"stack": name, "status": status, "failures": lines, "unread": unread}


def _status_of(document: dict[str, Any]) -> int:
    return status_of(document["failures"] or has_failed(document["status"]), document["unread"])


def _show_stacks(environment: Environment, name: str, unread: list[Failure], output: Output) -> int:
    """Those that the name may mean, if the function shows no such project. `unread` is why it may be one all
    the same."""
    env_id, account = environment.env_id, environment.account
    of_project = (
        _OWN_STACK.format(env_id, name),
        name_of("deployed_stack", env_id, name),
        name_of("stack", env_id, name),
    )
    try:
        stacks = [stack for each in (name, *of_project) if (stack := account.stack(each))]
    except ClientError as error:
        if not machine.is_denied(error):
            raise
        raise (
            unread
            or [
                WrongUse(
                    f"environment {env_id} has no project {name}",
                    see_projects(environment),
                )
            ]
        )[0] from error
    if stacks and stacks[0]["StackName"] == name and not unread:
        return _show_alone(environment, stacks[0], output)
    output.write(*(f"{each.problem}. {each.remedy}" for each in unread))
    found = [_show_stack(environment, stack, output) for stack in stacks]
    output.document |= {
        "project": name,
        "stacks": found,
        **named(not_read=[named(problem=each.problem, remedy=each.remedy) for each in unread]),
    }
    if not found:
        raise _missing(environment, name, NotLooked if unread else WrongUse)
    statuses = [_status_of(each) for each in found]
    return status_of(Failure.status in statuses, unread or any(statuses))


def _show_project(environment: Environment, row: Part, output: Output) -> int:
    name, env, failure = row.project_id, environment.settings.table, row.failure
    problems = [*row.problems, *(each for each in row.mirrors if each.problem)]
    # The own stack creates that of the pipeline.
    stacks = [
        (row.owner.stack_name if row.owner.exists else "", row.owner.status),
        (row.child_stack.name, row.child_stack.status),
    ]
    # The function concludes whether a failed stack is a problem.
    subjects = [each.subject.removeprefix("pipeline ") for each in problems]
    failed = [
        {"StackName": stack, "StackStatus": status}
        for stack, status in stacks
        if f"stack {stack}" in subjects and has_failed(status)
    ]
    if failure:
        output.write(*_lines_of(failure, name))
        if failure.remedy:
            output.write(f"  {failure.remedy}")
        # The function hides values of parameters. A stack without a status does not exist, or is not known.
        if failure.stack_status and (failure.resources or failure.not_listed):
            alone = cfn_gitops("failures", failure.stack_name, "--env", env)
            output.write(f"  With CloudFormation's own reasons: {alone}")
    elif not problems:
        output.write(f"Project {name} has no failure{_rejected(row.rejection)}")
    documents = [_show_stack(environment, each, output) for each in failed]
    for each in problems:
        output.write(f"Project {name}: {each.subject}: {each.problem}")
        # Its remedy may be this command.
        if ["cfn-gitops", "failures", name, "--env", env] not in each.remedy.commands:
            output.write(f"  {each.advice}")
    see = cfn_gitops("status", "--env", env)
    output.write(*(f"Project {name}: {line_of(each)}. See: {see}" for each in row.holds))
    output.write(*(f"Not everything was read: {each.problem}. {each.advice}" for each in row.not_read))
    output.document |= {
        **row.members,
        **named(not_read=[each.members for each in row.not_read]),
        "stacks": documents,
    }
    return status_of(failure or problems, row.not_read)


def _lines_of(failure: Part, project: str) -> Iterator[str]:
    yield f"Project {project}: {failure.action or 'an execution'} failed: {failure.cause}"
    yield f"  {_execution(failure)}"
    yield from (f"  {each.path} ({each.type}): {each.reason}" for each in failure.resources)
    if failure.more_resources:
        yield f"  {failure.more_resources} more failed"
    if failure.cancelled:
        others = "other was" if failure.cancelled == 1 else "others were"
        yield f"  {failure.cancelled} {others} cancelled, because one failed"
    if failure.not_listed:
        yield f"  The failed resources are not listed, because {failure.not_listed}"
    if failure.stack_status:
        yield f"  The stack is in {failure.stack_status}"


def _execution(found: Part) -> str:
    return ", ".join(filter(None, (found.shown_commit, f"execution {found.execution_id}", found.at)))


def _rejected(rejection: Part) -> str:
    if not rejection:
        return ""
    reason = reason_of(rejection)
    why = f"{': ' if reason else ''}{reason} ({_execution(rejection)})"
    return f". Its newest execution was rejected{rejection.shown_person}{why}"
