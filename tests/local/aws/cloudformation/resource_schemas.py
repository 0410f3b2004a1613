"""Marks properties in change sets that replace a resource, by the schemas of CloudFormation's registry, which
`DescribeType` returns.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html. The schemas are
those of cfn-lint, which checks the templates' properties by them.
"""

import functools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import get_region
from ministack.services.cloudformation import handlers, provisioners, stacks
from ministack.services.cloudformation.helpers import _error, _p, _xml


def install() -> None:
    ministack_recreation = stacks._property_recreation

    def recreation(resource_type: str, name: str) -> str:
        known = resource_type in provisioners._REPLACING_PROPERTIES
        return str(ministack_recreation(resource_type, name)) if known else _recreation(resource_type, name)

    stacks._property_recreation = recreation
    handlers._ACTION_HANDLERS["DescribeType"] = _describe_type


def _describe_type(params: dict[str, Any]) -> tuple:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html"""
    name = _p(params, "TypeName")
    if name not in _names():
        answer: tuple = _error("TypeNotFoundException", f"The type '{name}' cannot be found.", 404)
    else:
        schema = escape(json.dumps(_schema(name)))
        answer = _xml(
            200, "DescribeTypeResponse", f"<DescribeTypeResult><Schema>{schema}</Schema></DescribeTypeResult>"
        )
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
    conditional = [
        *schema.get("createOnlyProperties", []),
        *schema.get("conditionalCreateOnlyProperties", []),
    ]
    return "Conditionally" if any(f"{each}/".startswith(f"{path}/") for each in conditional) else "Never"


def is_known(resource_type: str) -> bool:
    return resource_type in _names()


@functools.cache
def _schema(resource_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        (_schemas() / f"resources/{_names()[resource_type]}.json").read_text()
    )
    return schema


@functools.cache
def _names() -> dict[str, str]:
    """The file of each resource type of the region."""
    of_region = _schemas() / f"providers/{get_region()}.json"
    # cfn-lint has no file of me-south-1.
    read = of_region if of_region.exists() else of_region.with_name("us-east-1.json")
    names: dict[str, str] = json.loads(read.read_text())
    return names


def _schemas() -> Path:
    # An import would need packages that `make run` does not install.
    [package] = find_spec("cfnlint").submodule_search_locations
    return Path(package) / "data/schemas"
