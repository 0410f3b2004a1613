"""The shapes of CodePipeline's requests and responses, from botocore's service model.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.local.aws.service_shapes import faults, from_template, service


def _declaration() -> StructureShape:
    return service("codepipeline").shape_for("PipelineDeclaration")  # type: ignore[return-value]


def declaration_faults(declaration: Any) -> list[str]:
    return faults(_declaration(), declaration)


def declaration_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The template's properties (`RoleArn`, `Stages`, …) as the API's declaration (`roleArn`, `stages`, …).

    Only their first letters differ.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
    """
    made: dict[str, Any] = from_template(_declaration(), properties, lambda name: name[:1].lower() + name[1:])
    return made


def template_of(name: str, value: Any) -> Any:
    """A member of the API's declaration as the template's property: the reverse of `declaration_of`."""
    return _to_template(_declaration().members[name], value)


def _to_template(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {key[0].upper() + key[1:]: _to_template(shape.members[key], each) for key, each in value.items()
                if key in shape.members}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_to_template(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _to_template(shape.value, each) for key, each in value.items()}
    return value
