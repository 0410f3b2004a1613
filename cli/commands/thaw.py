"""End the freeze of a project, or of all.

It enables the event rules, and then the transition into the stage Deploy or Approval of the pipeline. Until then nothing is
deployed, and the person and reason of the freeze stay. First it lists the disabled parts, with the person and the reason, and
then everything that starts. It ends each freeze of these, even that of an image by `cfn-gitops undo`. The permissions are in
docs/how-to/freeze-and-thaw.md. The exit status is 1 if something is not enabled, and otherwise 3 if a project was not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.environment.account import Environment
from cli.project import freezing
from cli.project.freezing import STAGES, Project, add_arguments as add_arguments, line_of, shown_execution
from cli.shell.output import Output

EXAMPLES = ("cfn-gitops thaw --env dev shop", "cfn-gitops thaw --env prd --all --yes    # in a script")


def run(environment: Environment, given: Any, output: Output) -> int:
    return freezing.run(environment, given, output, _plan)


def _plan(project: Project) -> Iterator[str]:
    held = {part for part, hold in project.parts.items() if hold}
    for hold in project.holds:
        # A person has disabled another transition, for example that into Build.
        yield f"    {line_of(hold)}" if hold.get("Stage", STAGES[0]) in STAGES else f"!   {line_of(hold)}. Not ended here. {hold['Remedy']}"
    if held and project.stage and not held & {*STAGES}:
        yield "!   The pipeline's transition is enabled, so this is a part of a freeze, or the freeze of an image by `cfn-gitops undo`"
    for each in project.executions:
        if "IsWaitingBefore" in each and each.get("Stage") in held:
            yield f"    {shown_execution(each)} goes on into stage {each['Stage']}, unless a newer one replaces it or the freeze lasted 30 days"
    if project.rules["push"] in held:
        yield "    The health check starts the branch's latest commit, by default within 15 minutes, if no execution has it"
        if project.stage:
            yield f"    It does not after an undo. Then start it: aws codepipeline start-pipeline-execution --name {project.pipeline}"
    if project.rules["image"] in held:
        yield "    A push of the image deploys the branch's newest commit again. After an undo, first revert the bad commit"
    if project.rules["review"] in held:
        yield "    The health check starts the missing builds of review branches, within an hour"
