"""Disabled transitions into stages.

https://docs.aws.amazon.com/codepipeline/latest/userguide/transitions.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DisableStageTransition.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_TransitionState.html

Revisions that run already in a later stage continue. Any subsequent one waits before the stage. After the
transition is enabled, "the latest revision runs through the remaining stages". In mode SUPERSEDED it has
replaced the earlier ones. In QUEUED all of them continue here, in their order, because executions of that
mode "are processed one by one in the order that they are queued". (?) Assumption
`queued-executions-continue-after-a-freeze`.

The pages do not settle these either: the transition into the first stage, a retry within a stage, a rollback,
an update of the pipeline, and a transition that is disabled for more than 30 days. (?)
"""

from tests.local.aws.codepipeline.pipelines import Execution, Pipeline, Transition


def change(held: Pipeline, stage: str, transition: Transition) -> None:
    with held.changed:
        held.transitions[stage] = transition
        held.changed.notify_all()


def holds(held: Pipeline, execution: Execution, stage: str) -> bool:
    """Whether the execution waits before the stage. A retry is in the stage already, and a rollback begins in
    it. (?)"""
    is_first = stage == execution.declaration["stages"][0]["name"]
    if is_first or stage in execution.stages or execution.rollback_to:
        return False
    transition = held.transitions.get(stage)
    return transition is not None and not transition.enabled
