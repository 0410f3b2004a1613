"""CodePipeline's JSON API.

Errors and shapes: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html
"""

import time
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region

from tests.local.aws import json_api
from tests.local.aws.codepipeline import (
    model as pipeline_model,
)
from tests.local.aws.codepipeline import (
    pipelines,
    rollbacks,
    stage_validation,
    transitions,
)
from tests.local.aws.codepipeline import (
    runner as pipeline_runner,
)
from tests.local.aws.codepipeline import (
    views as pipeline_views,
)
from tests.local.aws.codepipeline.pipelines import Execution, Pipeline, Transition
from tests.local.aws.iam import service_roles
from tests.local.aws.json_api import Rejected

# The type of source revision with which a source action can be started.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
_REVISION_TYPES = {"CodeCommit": "COMMIT_ID", "ECR": "IMAGE_DIGEST"}


def install() -> None:
    json_api.install("codepipeline", "CodePipeline_20150709", _OPERATIONS, pipelines.every)


def _existing(name: str) -> Pipeline:
    held = pipelines.find(name)
    if held is None:
        raise Rejected(
            "PipelineNotFoundException",
            f"Account '{get_account_id()}' does not have a pipeline with name '{name}'",
        )
    return held


def checked(declaration: dict[str, Any]) -> dict[str, Any]:
    """The declaration with its defaults, checked when a pipeline is created or updated.

    tests/templates checks the actions of each rendered pipeline with cfn-lint, so they are not checked here.
    A mistake in a variable fails the execution: `actions`.
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html
    """
    if faults := pipeline_model.declaration_faults(declaration):
        raise json_api.validation_error(faults)
    made = {"pipelineType": "V1", "executionMode": "SUPERSEDED", **declaration}
    made["stages"] = [
        {**stage, "actions": [{"runOrder": 1, **action} for action in stage["actions"]]}
        for stage in made["stages"]
    ]
    stage_validation.check(made)
    try:
        service_roles.assume(
            made["roleArn"],
            "codepipeline.amazonaws.com",
            f"arn:aws:codepipeline:{get_region()}:{get_account_id()}:{made['name']}",
        )
    except service_roles.NotAssumable:
        raise Rejected(
            "InvalidStructureException",
            f"CodePipeline is not authorized to perform AssumeRole on role {made['roleArn']}",
        ) from None
    return made


def create(declaration: dict, tags: dict[str, str]) -> Pipeline:
    made = checked(declaration)
    if pipelines.find(made["name"]):
        raise Rejected(
            "PipelineNameInUseException",
            f"A pipeline with the name '{made['name']}' already exists in account '{get_account_id()}'",
        )
    held = pipelines.create(made, tags)
    # A new pipeline starts an execution.
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create.html
    pipeline_runner.start(held, "CreatePipeline", iam_evaluator.caller_arn())
    return held


def _create_pipeline(request: dict) -> dict:
    held = create(request["pipeline"], {each["key"]: each["value"] for each in request.get("tags", [])})
    return {"pipeline": held.declaration}


def update(declaration: dict) -> Pipeline:
    held = _existing(declaration["name"])
    pipelines.update(held, checked(declaration))
    pipeline_runner.cancel(held)
    return held


def _update_pipeline(request: dict) -> dict:
    return {"pipeline": update(request["pipeline"]).declaration}


def _delete_pipeline(request: dict) -> dict:
    held = pipelines.find(request["name"])
    if held:
        pipelines.delete(held)
    return {}


def _get_pipeline(request: dict) -> dict:
    held = _existing(request["name"])
    return {
        "pipeline": held.declaration,
        "metadata": {"pipelineArn": held.arn, "created": held.created, "updated": held.updated},
    }


def _page(items: list, request: dict, shown: Callable[[Any], dict]) -> tuple[list[dict], dict]:
    found, following = json_api.page(
        items, request.get("nextToken"), request.get("maxResults", 100), "InvalidNextTokenException"
    )
    return [shown(each) for each in found], {"nextToken": following} if following else {}


def _list_pipelines(request: dict) -> dict:
    def summary(held: Pipeline) -> dict:
        return {
            "name": held.name,
            "version": held.declaration["version"],
            "created": held.created,
            "updated": held.updated,
            "pipelineType": held.declaration["pipelineType"],
            "executionMode": held.declaration["executionMode"],
        }

    shown, more = _page(pipelines.every(), request, summary)
    return {"pipelines": shown, **more}


def _check_overrides(held: Pipeline, given: list[dict[str, str]]) -> None:
    """An override names a source action, with the type of its provider. The page has no limit of their
    values: one that does not exist fails the source action."""
    sources = {
        action["name"]: _REVISION_TYPES.get(action["actionTypeId"]["provider"])
        for action in held.declaration["stages"][0]["actions"]
    }
    if any(sources.get(each["actionName"]) != each["revisionType"] for each in given):
        raise Rejected(
            "ValidationException", "Source revision override: no source action has that name and type"
        )
    if len({each["actionName"] for each in given}) != len(given):
        # Only an S3 source has two types of its own, which may be used together. (?)
        raise Rejected("ValidationException", "Source revision override: more than one for one source action")


def start(request: dict, trigger: str, detail: str) -> Execution:
    """StartPipelineExecution, by the API or by a rule."""
    held = _existing(request["name"])
    _check_overrides(held, request.get("sourceRevisions", []))
    token = request.get("clientRequestToken")
    with held.changed:
        # "The system-generated unique ID used to identify a unique execution request"
        # (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html). How
        # long it is remembered is not documented: assumption `start-token-outlives-a-delivery`. Here it is
        # for ever, the strictest reading: a caller that uses a token again by mistake starts nothing.
        known = held.execution(held.tokens[token]) if token in held.tokens else None
        if known:
            return known
        made = pipeline_runner.start(held, trigger, detail, request.get("sourceRevisions"))
        if token:
            held.tokens[token] = made.execution_id
    return made


def _start_pipeline_execution(request: dict) -> dict:
    return {
        "pipelineExecutionId": start(
            request, "StartPipelineExecution", iam_evaluator.caller_arn()
        ).execution_id
    }


def _run_of(held: Pipeline, execution_id: str) -> Execution:
    run = held.execution(execution_id)
    if run is None:
        raise Rejected(
            "PipelineExecutionNotFoundException",
            f"Pipeline {held.name} has no execution with id {execution_id}",
        )
    return run


def _stop_pipeline_execution(request: dict) -> dict:
    held = _existing(request["pipelineName"])
    run = held.execution(request["pipelineExecutionId"])
    if run is None or run.ended:
        raise Rejected(
            "PipelineExecutionNotStoppableException",
            f"The pipeline execution {request['pipelineExecutionId']} cannot be stopped: it is not running",
        )
    pipeline_runner.stop(held, run, request.get("reason", ""))
    return {"pipelineExecutionId": run.execution_id}


def _retry_stage_execution(request: dict) -> dict:
    """https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RetryStageExecution.html"""
    held = _existing(request["pipelineName"])
    stage = _stage_of(held, request["stageName"])["name"]
    run = _run_of(held, request["pipelineExecutionId"])
    with held.changed:
        later = held.executions[held.executions.index(run) + 1 :]
        if any(each.stages.get(stage) for each in later):
            raise Rejected(
                "NotLatestPipelineExecutionException",
                "The stage has failed in a later run of the pipeline and "
                "the pipelineExecutionId is out of date",
            )
        if not run.ended or run.stages.get(stage) != "Failed" or run.version != held.declaration["version"]:
            raise Rejected(
                "StageNotRetryableException",
                "Unable to retry. The pipeline structure or stage state might "
                "have changed while actions awaited retry, or the stage contains no failed actions.",
            )
        pipeline_runner.retry(held, run, stage, request["retryMode"])
    return {"pipelineExecutionId": run.execution_id}


def _roll_back_stage(request: dict) -> dict:
    """https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RollbackStage.html"""
    held = _existing(request["pipelineName"])
    stage = _stage_of(held, request["stageName"])
    with held.changed:
        target = _run_of(held, request["targetPipelineExecutionId"])
        if why := rollbacks.why_not(held, stage, target):
            raise Rejected(*why)
        made = pipeline_runner.roll_back(held, stage["name"], target, iam_evaluator.caller_arn())
    return {"pipelineExecutionId": made.execution_id}


def _disable_stage_transition(request: dict) -> dict:
    _change_transition(request, Transition(False, iam_evaluator.caller_arn(), request["reason"]))
    return {}


def _enable_stage_transition(request: dict) -> dict:
    _change_transition(request, Transition(True, iam_evaluator.caller_arn()))
    return {}


def _change_transition(request: dict, transition: Transition) -> None:
    held = _existing(request["pipelineName"])
    stage = _stage_of(held, request["stageName"])["name"]
    if request["transitionType"] != "Inbound":
        # GetPipelineState shows inbound transitions only, and no page shows the effect of an outbound one.
        # (?)
        raise Rejected("ValidationException", f"The transition type Outbound {stage_validation.LOCALLY}")
    transitions.change(held, stage, transition)


def _get_pipeline_execution(request: dict) -> dict:
    held = _existing(request["pipelineName"])
    return {
        "pipelineExecution": pipeline_views.execution(held, _run_of(held, request["pipelineExecutionId"]))
    }


def _get_pipeline_state(request: dict) -> dict:
    held = _existing(request["name"])
    with held.changed:
        return pipeline_views.state(held)


def _list_pipeline_executions(request: dict) -> dict:
    held = _existing(request["pipelineName"])
    with held.changed:
        shown, more = _page(held.executions[::-1], request, pipeline_views.summary)
    return {"pipelineExecutionSummaries": shown, **more}


def _list_action_executions(request: dict) -> dict:
    held = _existing(request["pipelineName"])
    execution_id = request.get("filter", {}).get("pipelineExecutionId")
    runs = [_run_of(held, execution_id)] if execution_id else list(held.executions)
    with held.changed:
        found = sorted(
            ((run, action) for run in runs for action in run.actions),
            key=lambda each: each[1].started,
            reverse=True,
        )
        shown, more = _page(found, request, lambda each: pipeline_views.action_execution(held, *each))
    return {"actionExecutionDetails": shown, **more}


def _stage_of(held: Pipeline, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next(
        (each for each in held.declaration["stages"] if each["name"] == name), None
    )
    if found is None:
        raise Rejected("StageNotFoundException", f"Pipeline {held.name} has no stage {name}")
    return found


def _put_approval_result(request: dict) -> dict:
    held = _existing(request["pipelineName"])
    stage = _stage_of(held, request["stageName"])
    with held.changed:
        run = next(
            (
                action
                for run in held.executions
                for action in run.actions
                if action.approval_token == request["token"]
                and request["token"]
                and (action.stage, action.name) == (stage["name"], request["actionName"])
            ),
            None,
        )
        if run is None:
            raise Rejected(
                "InvalidApprovalTokenException", f"The approval token is not valid: {request['token']}"
            )
        if run.approval is not None or run.status != "InProgress":
            raise Rejected(
                "ApprovalAlreadyCompletedException", "The approval action has already been completed"
            )
        run.approval = {**request["result"], "by": iam_evaluator.caller_arn()}
        held.changed.notify_all()
    return {"approvedAt": time.time()}


def _list_action_types(request: dict) -> dict:
    """A type on each page. https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionTypes.html"""
    providers = {
        "CodeBuild": "Build",
        "CodeCommit": "Source",
        "Manual": "Approval",
        "CloudFormation": "Deploy",
    }
    # In China the page of the action states that it is not available:
    # https://docs.amazonaws.cn/en_us/codepipeline/latest/userguide/action-reference-CloudFormation.html
    if get_region().startswith("cn-"):
        del providers["CloudFormation"]
    artifacts = {"minimumCount": 0, "maximumCount": 5}
    number = int(request.get("nextToken") or 0)
    provider, category = list(providers.items())[number]
    found = {
        "id": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "inputArtifactDetails": artifacts,
        "outputArtifactDetails": artifacts,
    }
    rest = {"nextToken": str(number + 1)} if number + 1 < len(providers) else {}
    return {"actionTypes": [found], **rest}


_OPERATIONS: dict[str, Callable[[dict], dict]] = {
    "ListActionTypes": _list_action_types,
    "CreatePipeline": _create_pipeline,
    "UpdatePipeline": _update_pipeline,
    "GetPipeline": _get_pipeline,
    "DeletePipeline": _delete_pipeline,
    "ListPipelines": _list_pipelines,
    "StartPipelineExecution": _start_pipeline_execution,
    "StopPipelineExecution": _stop_pipeline_execution,
    "GetPipelineExecution": _get_pipeline_execution,
    "GetPipelineState": _get_pipeline_state,
    "ListPipelineExecutions": _list_pipeline_executions,
    "ListActionExecutions": _list_action_executions,
    "PutApprovalResult": _put_approval_result,
    "RetryStageExecution": _retry_stage_execution,
    "RollbackStage": _roll_back_stage,
    "DisableStageTransition": _disable_stage_transition,
    "EnableStageTransition": _enable_stage_transition,
}
