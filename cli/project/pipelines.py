"""The pipelines' stacks among all stacks of an account, and the states of their event rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from cli.environment.account import owner_of
from cli.rules import PIPELINES, name_of
from cli.shell.failure import Failure
from cli.shell.machine import code_of

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html (State)
ENABLED = ("ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")


def children_of(stacks: Any, env_id: str) -> list[dict[str, Any]]:
    return [
        stack
        for stack in stacks
        if stack["StackName"].startswith(name_of("stack", env_id)) and owner_of(stack)
    ]


def project_of(child: dict[str, Any], env_id: str) -> str:
    return str(child["StackName"]).removeprefix(name_of("stack", env_id))


def pipeline_of(child: dict[str, Any], env_id: str) -> str:
    """The name of its pipeline, as the function renders it. Who may create stacks may choose the output
    PipelineName."""
    return name_of("pipeline", env_id, project_of(child, env_id))


def changed(error: Exception) -> Failure | None:
    """That a pipeline or its stage does not exist any more. `None` for another error."""
    if isinstance(error, ClientError) and code_of(error) in (
        "PipelineNotFoundException",
        "StageNotFoundException",
        "ActionNotFoundException",
    ):
        return Failure("the pipeline has changed since the list", "Run this again")
    return None


def rule_state(client: Any, name: str) -> str:
    """The state of an event rule. Empty if it does not exist."""
    try:
        return str(client.describe_rule(Name=name).get("State", ""))
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return ""
        raise


def freezes(events: Any, rules: Iterable[str], stages: list[dict[str, Any]]) -> Iterator[str]:
    """The disabled event rules and transitions of a pipeline. An update of its stack may end this freeze:
    CloudFormation updates a rule with the state of the template, which is enabled. AWS does not document
    whether a pipeline keeps a disabled transition."""
    for rule in rules:
        if (state := rule_state(events, rule)) not in (*ENABLED, ""):
            yield f"event rule {rule} is {state.lower()}"
    for stage in stages:
        if not stage.get("inboundTransitionState", {}).get("enabled", True):
            yield f"the transition into stage {stage['stageName']} is disabled"


def is_unfinished(execution: dict[str, Any]) -> bool:
    """Whether an update of the pipeline may cancel it. A status that AWS adds later counts as unfinished."""
    return execution.get("status") not in PIPELINES["ended"]


def is_open(execution: dict[str, Any] | None) -> bool:
    """Whether one of a stage, as GetPipelineState shows it, may go on. A skipped stage has ended, too.
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageExecution.html (status)"""
    return execution is not None and is_unfinished(execution) and execution.get("status") != "Skipped"


def in_progress(client: Any, pipeline: str, stages: list[dict[str, Any]]) -> list[str]:
    """The executions that an update of the pipeline may cancel: any that is in a stage or in front of one,
    and of the newest page those that begin or run beside them. `stages` are those of GetPipelineState."""
    newest = client.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    found = [each for each in newest if is_unfinished(each)]
    for stage in stages:
        found += filter(
            is_open,
            (
                stage.get("latestExecution"),
                stage.get("inboundExecution"),
                *stage.get("inboundExecutions", []),
            ),
        )
    return list(dict.fromkeys(each["pipelineExecutionId"] for each in found))
