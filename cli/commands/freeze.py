"""Stop the deployments of a project, or of all, for some time.

It disables the transition into the stage Deploy of the pipeline, or into Approval if the pipeline has that
stage. Then it disables the event rules of pushes, of the image and of review branches. With --all, the
transitions of all projects are before the event rules. A project without a pipeline has event rules alone. A
part that is disabled already stays so, with its person and reason. First it lists the executions and
approvals, and the limits of the freeze, all as of the list: a later execution is not in it. `cfn-gitops thaw`
ends it. The permissions for both are in docs/how-to/undo-a-deployment.md. The exit status is 1 if something
is not disabled, and otherwise 3 if a project, or the stages of a pipeline, were not read. Without the stages,
only event rules are disabled.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from cli.environment.account import Environment
from cli.project import freezing
from cli.project.freezing import Act, Change, Project, line_of, place_of, shown_execution
from cli.rules import STAGES
from cli.shell.command import cfn_gitops
from cli.shell.output import Output

EXAMPLES = (
    'cfn-gitops freeze --env dev shop --reason "Sale until Monday - olivia"',
    'cfn-gitops freeze --env prd --all --reason "Holiday" --yes    # in a script',
)

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DisableStageTransition.html
_OTHERS, _MAX_REASON = re.compile("[^a-zA-Z0-9!@ ().*?-]"), 300
_ALPHABET = f"1 to {_MAX_REASON} letters, digits, spaces and characters of !@().*?-"
_HINT = (
    "The freeze does not hold a deployment of a project's own stack, which may end the freeze. An undo and a"
    " start by hand build, and then wait before the stage"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    freezing.add_arguments(parser)
    parser.usage = "%(prog)s (PROJECT | --all) --reason TEXT [OPTIONS]"
    parser.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        type=_reason,
        help=f"{_ALPHABET}, which CodePipeline stores with the transition",
    )


def _reason(text: str) -> str:
    others = "".join(dict.fromkeys(_OTHERS.findall(text)))
    if others or not 1 <= len(text.strip()) <= len(text) <= _MAX_REASON:
        raise argparse.ArgumentTypeError(
            f"CodePipeline accepts {_ALPHABET}, but not {others or f'these {len(text)}'}"
        )
    return text


def run(environment: Environment, given: Any, output: Output) -> int:
    def changes(projects: list[Project], codepipeline: Any, events: Any) -> list[Change]:
        """The transitions first: they hold the executions that have begun, and store the reason."""
        transitions = [
            Change(
                project,
                project.transition(project.stage),
                codepipeline.disable_stage_transition,
                {
                    "pipelineName": project.pipeline,
                    "stageName": project.stage,
                    "transitionType": "Inbound",
                    "reason": given.reason,
                },
            )
            for project in projects
            if project.stage and project.stage not in project.held
        ]
        return transitions + [
            Change(project, f"event rule {rule}", events.disable_rule, {"Name": rule})
            for project in projects
            for rule in project.rules
            if rule not in project.held
        ]

    return freezing.run(
        environment, given, output, Act("freeze", "disabled", "frozen", changes, _plan, _HINT)
    )


def _plan(project: Project) -> Iterator[str]:
    for hold in project.holds:
        yield f"    {line_of(hold)}. This stays as it is"
    if project.kinds["push"] not in project.rules:
        yield (
            f"!   Event rule {project.kinds['push']} does not exist, so the health check starts a push, which"
            f" then waits before stage {project.stage}"
        )
    elif not project.stage and not project.is_half:
        yield (
            f"    It has no pipeline{'' if project.problems else ', and its first push will not create one'}."
            " No event rule stores the reason"
        )
    if project.is_half:
        yield "!   The freeze does not hold executions that have begun, an undo and a start by hand"
    for each in project.executions:
        stage, waits = each.stage, each.is_waiting_before
        is_held = stage not in STAGES or waits and stage == project.stage
        end = (
            f"It {'stays there' if waits else f'will wait before stage {project.stage}'}"
            if is_held
            else "The freeze does not hold it"
        )
        yield f"{' ' if is_held else '!'}   {shown_execution(each)} {place_of(each)}. {end}"
    for each in project.approvals:
        yield (
            f"!   {shown_execution(each)} waits for its approval. The freeze does not hold it: after an"
            " approval it is deployed"
        )
        yield f"    To reject it: {cfn_gitops('reject', project.name, *project.option.split())}"
