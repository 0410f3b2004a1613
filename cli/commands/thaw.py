"""End the freeze of a project, or of all.

It enables the event rules, and then the transition into the stage Deploy or Approval of the pipeline. Until
then nothing is deployed, and the person and reason of the freeze stay. With --all, the event rules of all
projects are first. First it lists the disabled parts, with the person and the reason, and then everything
that starts, as of the list. It ends each freeze of these, even that of an image by `cfn-gitops undo`. A part
whose state was not read is enabled as well, but not the transition if the stages were not read. The
permissions are in docs/how-to/undo-a-deployment.md. The exit status is 1 if something is not enabled, and
otherwise 3 if a project or its stages were not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.environment.account import Environment
from cli.project import freezing
from cli.project.freezing import Act, Change, Project, line_of, place_of, shown_execution
from cli.rules import STAGES
from cli.shell.command import aws
from cli.shell.output import Output

EXAMPLES = ("cfn-gitops thaw --env dev shop", "cfn-gitops thaw --env prd --all --yes    # in a script")
add_arguments = freezing.add_arguments


def run(environment: Environment, given: Any, output: Output) -> int:
    return freezing.run(environment, given, output, Act("thaw", "enabled", "thawed", _changes, _plan))


def _changes(projects: list[Project], codepipeline: Any, events: Any) -> list[Change]:
    """The transitions last: they have the reason."""
    rules = [
        Change(project, f"event rule {rule}", events.enable_rule, {"Name": rule})
        for project in projects
        for rule in project.rules
        if rule in _held(project)
    ]
    return rules + [
        Change(
            project,
            project.transition(stage),
            codepipeline.enable_stage_transition,
            {"pipelineName": project.pipeline, "stageName": stage, "transitionType": "Inbound"},
        )
        for project in projects
        for stage in STAGES
        if stage in _held(project)
    ]


def _held(project: Project) -> set[str]:
    """The disabled parts. To enable a part that is enabled changes nothing, so those that were not read are
    among these."""
    return {*project.held, *(() if project.has_read_states else (project.stage, *project.rules))}


def _plan(project: Project) -> Iterator[str]:
    held = _held(project)
    for hold in project.holds:
        # A person has disabled another transition, for example that into Build.
        yield (
            f"    {line_of(hold)}"
            if hold.rule or hold.stage in STAGES
            else f"!   {line_of(hold)}. Not ended here. {hold.remedy}"
        )
    if not project.has_read_states:
        all_of = "all event rules" if project.is_half else "all"
        yield f"?   Whether each part is disabled was not read, so {all_of} are enabled"
    if project.held and project.stage and not held & {*STAGES}:
        yield (
            "!   The pipeline's transition is enabled, so this is a part of a freeze, or the freeze of an"
            " image by `cfn-gitops undo`"
        )
    for each in project.executions if project.stage in held else ():
        if each.is_waiting_before and each.stage in held:
            yield (
                f"    {shown_execution(each)} goes on into stage {each.stage}, unless a newer one replaces"
                " it or the freeze lasted 30 days"
            )
        elif each.stage not in STAGES:
            yield (
                f"    {shown_execution(each)} {place_of(each)}. It will not wait before stage {project.stage}"
            )
    if project.stage and held and not project.has_approval:
        perhaps = " without" if project.has_approval is False else ", perhaps without"
        yield f"!   Each execution that starts or goes on is deployed{perhaps} an approval"
    health_check = f"If function {project.function} works, its health check"
    if project.kinds["push"] in held:
        yield (
            f"    {health_check} starts the branch's latest commit, by default within 15 minutes, unless an"
            " execution has it"
        )
        if project.stage:
            start = aws("codepipeline", "start-pipeline-execution", "--name", project.pipeline)
            yield (
                "    It does not after an undo. If the bad commit is reverted then, or the function does not"
                f" work, start it: {start}"
            )
    if project.kinds["image"] in held:
        yield (
            "    A push of the image deploys the branch's newest commit again. After an undo, first revert"
            " the bad commit"
        )
    if project.kinds["review"] in held:
        yield f"    {health_check} starts the missing builds of review branches, within an hour"
