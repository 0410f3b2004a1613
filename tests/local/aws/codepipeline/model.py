"""The shapes of CodePipeline's requests and responses, from botocore's service model.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html
"""

from typing import Any

from botocore.model import StructureShape

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
