"""The shapes of CodePipeline's requests and responses, from botocore's service model.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import re
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from tests.local.aws.service_shapes import faults, service


def _service() -> ServiceModel:
    return service("codepipeline")


def request_faults(operation: str, request: Any) -> list[str]:
    """The faults for AWS's ValidationException."""
    shape = _service().operation_model(operation).input_shape
    return [] if shape is None else faults(shape, request)


def answer_faults(operation: str, answer: dict) -> list[str]:
    shape = _service().operation_model(operation).output_shape
    return [] if shape is None else faults(shape, answer)


def declaration_faults(declaration: Any) -> list[str]:
    return faults(_service().shape_for("PipelineDeclaration"), declaration)


class Unsupported(ValueError):
    """A property that the resource type does not have."""


def declaration_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The template's properties (`RoleArn`, `Stages`, …) as the API's declaration (`roleArn`, `stages`, …).

    Only their first letters differ.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
    """
    if "ArtifactStores" in properties:  # a list in a template, and a map in the API
        raise Unsupported("ArtifactStores is not part of this local CodePipeline")
    made: dict[str, Any] = _from_template(_service().shape_for("PipelineDeclaration"), properties, "")
    return made


def _from_template(shape: Shape, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {name[0].upper() + name[1:]: (name, member) for name, member in shape.members.items()}
        unknown = sorted(value.keys() - members.keys())
        if unknown:
            where = f" in {path}" if path else ""
            raise Unsupported(f"Encountered unsupported property {', '.join(unknown)}{where}")
        return {members[key][0]: _from_template(members[key][1], each, f"{path}/{key}".lstrip("/"))
                for key, each in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_template(shape.member, each, f"{path}/{index}") for index, each in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        # A configuration's keys belong to the action and are not changed.
        return {key: _from_template(shape.value, each, f"{path}/{key}") for key, each in value.items()}
    # CloudFormation passes strings for numbers, and numbers for strings.
    if shape.type_name == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if shape.type_name == "string" and isinstance(value, bool):
        return str(value).lower()
    if shape.type_name == "string" and isinstance(value, (int, float)):
        return str(value)
    return value


def template_of(name: str, value: Any) -> Any:
    """A member of the API's declaration as the template's property: the reverse of `declaration_of`."""
    return _to_template(_service().shape_for("PipelineDeclaration").members[name], value)


def _to_template(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {key[0].upper() + key[1:]: _to_template(shape.members[key], each) for key, each in value.items()
                if key in shape.members}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_to_template(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _to_template(shape.value, each) for key, each in value.items()}
    return value
