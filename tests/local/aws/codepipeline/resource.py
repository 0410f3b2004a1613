"""`AWS::CodePipeline::Pipeline` for MiniStack's CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_types
from tests.local.aws.codepipeline import api as codepipeline_api
from tests.local.aws.codepipeline import model as pipeline_model
from tests.local.aws.codepipeline import pipelines
from tests.local.aws.codepipeline.pipelines import Pipeline
from tests.local.aws.codepipeline.stage_validation import LOCALLY

_TYPE = "AWS::CodePipeline::Pipeline"


def install() -> None:
    provisioners._RESOURCE_HANDLERS[_TYPE] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
        "update_with_logical_id": True,
    }
    provisioners._STACK_TAG_PROPERTY[_TYPE] = ("Tags", "list")


def _declaration(props: dict[str, Any], name: str) -> dict[str, Any]:
    for absent in ("ArtifactStores", "DisableInboundStageTransitions", "RestartExecutionOnUpdate"):
        if absent in props:
            raise ValueError(f"{_TYPE}: {absent} {LOCALLY}")
    return pipeline_model.declaration_of(
        {key: value for key, value in props.items() if key != "Tags"} | {"Name": name}
    )


def _answer(held: Pipeline) -> tuple[str, dict[str, str]]:
    return held.name, {"Version": str(held.declaration["version"])}


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=100)
    with resource_types.rejections_of("CodePipeline"):
        return _answer(codepipeline_api.create(_declaration(props, name), resource_types.tags(props)))


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str
) -> tuple[str, dict[str, str]]:
    held = pipelines.find(physical_id)
    replaced: tuple[str, dict[str, str]] | None = provisioners._rename_replacement(
        physical_id,
        old,
        new,
        stack_name,
        logical_id,
        new.get("Name") or physical_id,
        held.name if held else None,
        _create,
        _delete,
    )
    if replaced is not None:
        return replaced
    assert held is not None  # otherwise the update would be a replacement
    before, after = _declaration(old, physical_id), _declaration(new, physical_id)
    if before != after:
        with resource_types.rejections_of("CodePipeline"):
            codepipeline_api.update(after)
    held.tags = resource_types.updated_tags(held.tags, old, new)
    return _answer(held)


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    held = pipelines.find(physical_id)
    if held is not None:
        pipelines.delete(held)
