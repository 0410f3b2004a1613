"""Fails a resource with unknown or missing properties, and marks properties in change sets that replace a resource, by
the schemas of CloudFormation's registry, which `DescribeType` returns.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html. The schemas are those of
cfn-lint. Only names are checked; each service checks its values.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any
from xml.sax.saxutils import escape

from ministack.services.cloudformation import handlers, provisioners, stacks
from ministack.services.cloudformation.helpers import _error, _p, _xml

# The types of the templates here, whose properties MiniStack does not check.
_CHECKED = {
    "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::CodeBuild::Project", "AWS::CodeCommit::Repository",
    "AWS::CodePipeline::Pipeline", "AWS::Events::EventBusPolicy", "AWS::Events::Rule", "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SSM::Parameter",
    "AWS::SecretsManager::RotationSchedule",
}
# Types without handlers in the registry have the messages of older types.
_OLDER = {"AWS::CodeBuild::Project", "AWS::CodeCommit::Repository"}


def install() -> None:
    ministack_provision, ministack_update = stacks._provision_resource, stacks._update_resource

    def provision(resource_type: str, logical_id: str, props: dict, stack_name: str) -> Any:
        check(resource_type, logical_id, props)
        return ministack_provision(resource_type, logical_id, props, stack_name)

    def update(resource_type: str, physical_id: str, old_props: dict, new_props: dict, stack_name: str,
               logical_id: str | None = None, old_attrs: dict | None = None) -> Any:
        check(resource_type, logical_id or physical_id, new_props)
        return ministack_update(resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs)

    ministack_recreation = stacks._property_recreation

    def recreation(resource_type: str, name: str) -> str:
        known = resource_type in provisioners._REPLACING_PROPERTIES
        return str(ministack_recreation(resource_type, name)) if known else _recreation(resource_type, name)

    stacks._provision_resource, stacks._update_resource = provision, update
    stacks._property_recreation = recreation
    handlers._ACTION_HANDLERS["DescribeType"] = _describe_type


def _describe_type(params: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html"""
    name = _p(params, "TypeName")
    if name not in _names():
        answer: tuple = _error("TypeNotFoundException", f"The type '{name}' cannot be found.", 404)
    else:
        schema = escape(json.dumps(_schema(name)))
        answer = _xml(200, "DescribeTypeResponse", f"<DescribeTypeResult><Schema>{schema}</Schema></DescribeTypeResult>")
    return answer


def _recreation(resource_type: str, name: str) -> str:
    """`RequiresRecreation` of a property in a change set.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceTargetDefinition.html
    """
    if resource_type not in _names():
        return "Conditionally"
    schema, path = _schema(resource_type), f"/properties/{name}"
    if path in schema.get("createOnlyProperties", []):
        return "Always"
    conditional = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return "Conditionally" if any(f"{each}/".startswith(f"{path}/") for each in conditional) else "Never"


def check(resource_type: str, logical_id: str, props: dict[str, Any]) -> None:
    if resource_type not in _CHECKED:
        return
    schema = _schema(resource_type)
    read_only = {path.rsplit("/", 1)[-1] for path in schema.get("readOnlyProperties", []) if path.count("/") == 2}
    faults = _faults(props, {**schema, "properties": {
        name: shape for name, shape in schema["properties"].items() if name not in read_only}}, schema, "#")
    if not faults:
        return
    extraneous = [fault for fault in faults if fault[1] == "extraneous"]
    if resource_type in _OLDER and extraneous:
        raise ValueError(f"Encountered unsupported property {extraneous[0][2]}")
    texts = [f"{path}: extraneous key [{name}] is not permitted" if kind == "extraneous"
             else f"{path}: required key [{name}] not found" for path, kind, name in faults]
    raise ValueError(f"Properties validation failed for resource {logical_id} with message:\n[{', '.join(texts)}]")


@functools.cache
def _schema(resource_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((_schemas() / f"resources/{_names()[resource_type]}.json").read_text())
    return schema


@functools.cache
def _names() -> dict[str, str]:
    """The file of each resource type."""
    names: dict[str, str] = json.loads((_schemas() / "providers/us-east-1.json").read_text())
    return names


def _schemas() -> Any:
    return resources.files("cfnlint") / "data/schemas"


def _faults(value: Any, shape: dict[str, Any], schema: dict[str, Any], path: str) -> list[tuple[str, str, str]]:
    if "$ref" in shape:
        shape = functools.reduce(lambda node, key: node[key], shape["$ref"].removeprefix("#/").split("/"), schema)
    if isinstance(value, list) and isinstance(shape.get("items"), dict):
        return [fault for index, item in enumerate(value)
                for fault in _faults(item, shape["items"], schema, f"{path}/{index}")]
    known = shape.get("properties")
    if not isinstance(value, dict) or not known:
        return []
    found = [(path, "missing", name) for name in shape.get("required", []) if name not in value]
    for name, inner in value.items():
        if name in known:
            found += _faults(inner, known[name], schema, f"{path}/{name}")
        elif shape.get("additionalProperties") is False and not shape.get("patternProperties"):
            found.append((path, "extraneous", name))
    return found
