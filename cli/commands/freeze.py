"""Stop the deployments of a project, or of all, for some time.

It disables the transition into the stage Deploy of the pipeline, or into Approval if the pipeline has that stage. Then it
disables the event rules of pushes, of the image and of review branches. A project without a pipeline has event rules alone. A
part that is disabled already stays so, with its person and reason. First it lists the executions and approvals, and the limits of
the freeze. `cfn-gitops thaw` ends it. The permissions for both are in docs/how-to/freeze-and-thaw.md. The exit status is 1 if
something is not disabled, and otherwise 3 if a project was not read.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from cli.environment.account import Environment
from cli.project import freezing
from cli.project.freezing import STAGES, Project, line_of, shown_execution
from cli.shell.output import Output

EXAMPLES = ('cfn-gitops freeze --env dev shop --reason "Sale until Monday - olivia"',
            'cfn-gitops freeze --env prd --all --reason "Holiday" --yes    # in a script')

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DisableStageTransition.html
_OTHERS, _MAX_REASON = re.compile("[^a-zA-Z0-9!@ ().*?-]"), 300
_ALPHABET = f"1 to {_MAX_REASON} letters, digits, spaces and characters of !@().*?-"
_HINT = ("The freeze does not hold a deployment of a project's own stack, which may end the freeze. An undo and a start by hand build, and "
         "then wait before the stage")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    freezing.add_arguments(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", type=_reason, help=f"{_ALPHABET}, which CodePipeline stores")


def _reason(text: str) -> str:
    others = "".join(dict.fromkeys(_OTHERS.findall(text)))
    if others or not 1 <= len(text.strip()) <= len(text) <= _MAX_REASON:
        raise argparse.ArgumentTypeError(f"CodePipeline accepts {_ALPHABET}" + (f", but not {others}" if others else ""))
    return text


def run(environment: Environment, given: Any, output: Output) -> int:
    return freezing.run(environment, given, output, _plan, given.reason, _HINT)


def _plan(project: Project) -> Iterator[str]:
    for hold in project.holds:
        yield f"    {line_of(hold)}. This stays as it is"
    for update in project.updates:
        yield f"!   {update}, which may enable an event rule again. Run this again after its end"
    if project.rules["push"] not in project.parts:
        yield f"!   Event rule {project.rules['push']} does not exist, so the health check starts a push, which then waits before stage {project.stage}"
    elif not project.stage:
        yield "    It has no pipeline, and its first push will not create one. No event rule stores the reason"
    for each in project.executions:
        stage, waits = each.get("Stage", ""), "IsWaitingBefore" in each
        is_held = stage not in STAGES or waits and stage == project.stage
        at = f"{'waits before' if waits else 'is in'} stage {stage}" if stage else "has begun"
        yield f"{' ' if is_held else '!'}   {shown_execution(each)} {at}. " + (
            f"It will wait before stage {project.stage}" if is_held else "The freeze does not hold it")
    for each in project.approvals:
        yield f"!   {shown_execution(each)} waits for its approval. The freeze does not hold it: after an approval it is deployed"
        yield f"    To reject it: cfn-gitops reject {project.name} {project.option}"
