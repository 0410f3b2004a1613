"""Errors of a template, which CloudFormation finds before it creates a stack or a change set, and in
ValidateTemplate.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html

The messages are recorded in public issues. The documentation does not contain them.

- a text that is not a template: https://github.com/awsdocs/aws-cloudformation-user-guide/pull/753,
  https://github.com/keaeriksson/hugo-s3-cloudfront/issues/1, https://github.com/mludvig/aws-ethereum-miner/issues/7
- an unknown section or attribute: https://github.com/Versent/cfn-check/issues/3,
  https://github.com/aws/aws-cli/issues/3361
- a section or a resource that is not an object, the name of a resource:
  https://github.com/serverless/serverless/pull/1443,
  https://github.com/aws-cloudformation/cfn-lint/issues/1085,
  https://github.com/aws-cloudformation/cfn-lint/pull/160
- a reference to a missing resource, or to one whose condition is false, from a resource that is created:
  https://github.com/galaxy4public/aws-cloudformation-badges/issues/4, https://github.com/serverless/serverless/issues/4535,
  https://github.com/serverless-heaven/serverless-aws-alias/issues/144
- a missing condition, or a condition that needs a resource:
  https://github.com/aws-cloudformation/cfn-lint/issues/92, https://github.com/aws/aws-cdk/issues/26560,
  https://github.com/aws-cloudformation/cfn-lint/issues/99
- a missing attribute: https://github.com/bridgecrewio/checkov/issues/2965,
  https://github.com/aws-samples/aws-iot-chat-example/issues/1
- a type that the region does not have: https://github.com/aws/aws-cdk/issues/29966
- a circle: https://github.com/aws-samples/serverless-patterns/issues/96
- missing and unknown parameters: https://github.com/hashicorp/terraform/issues/5560,
  https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/18, https://github.com/ansible/ansible/issues/24866

The order in which CloudFormation looks for them is not documented, nor whether conditions can break a circle;
here they cannot. (?) A template with a transform is checked after it, but not by ValidateTemplate.
CloudFormation processes a transform later: it then creates a change set that fails.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import yaml
from ministack.services.cloudformation import changesets, engine, handlers

from tests.local.aws.cloudformation.resource_schemas import is_known

_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
}
_ATTRIBUTES = {
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
    "Version",
}
_PSEUDO_PARAMETERS = {
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
}
_Conditions = dict[str, bool]  # empty if the parameters are not known


def install() -> None:
    for module in (handlers, changesets):
        module.validate_template_support = partial(_validate, module.validate_template_support)
        module._parse_template = partial(_parse, module._parse_template)
    for module in (handlers, changesets, engine):
        module._resolve_parameters = partial(_resolve_parameters, module._resolve_parameters)


def _parse(ministack_parse: Callable[..., dict], body: str) -> dict:
    """MiniStack writes `Template format error: ` before the message."""
    try:
        template = ministack_parse(body)
    except yaml.MarkedYAMLError as malformed:
        mark = malformed.problem_mark
        raise ValueError(f"YAML not well-formed. (line {mark.line + 1}, column {mark.column + 1})") from None
    except json.JSONDecodeError as malformed:
        raise ValueError(
            f"JSON not well-formed. (line {malformed.lineno}, column {malformed.colno})"
        ) from None
    except ValueError:
        raise ValueError("unsupported structure.") from None
    for section in ("Conditions", "Outputs", "Parameters", "Resources"):
        if not isinstance(template.get(section) or {}, dict):
            raise ValueError(f"Every {section} member must be an object.")
    conditions = template.get("Conditions") or {}
    missing = {
        name for function, name, _ in _references(conditions) if function == "Condition"
    } - conditions.keys()
    if missing and not handlers._uses_macro(template):
        raise ValueError(
            f"Unresolved condition dependencies [{', '.join(sorted(missing))}] in the Conditions block of the"
            " template"
        )
    return template


def _validate(
    ministack_validate: Callable[..., None],
    template: dict[str, Any],
    conditions: dict[str, bool],
    params: dict[str, Any] | None = None,
) -> None:
    if not template.get("Resources"):
        raise ValueError("Template format error: At least one Resources member must be defined.")
    if not handlers._uses_macro(template):
        _check_names(template)
        _check_references(template, {})
        _check_circles(template["Resources"])
        _check_references(template, conditions if params is not None else {})
    ministack_validate(template, conditions, params)


def _resolve_parameters(
    ministack_resolve: Callable[..., dict],
    template: dict[str, Any],
    provided: list[dict],
    previous: dict[str, Any] | None = None,
) -> dict:
    declared, given = template.get("Parameters") or {}, {each["Key"] for each in provided if "Key" in each}
    if given and not declared:
        raise ValueError("Parameter values specified for a template which does not require them.")
    if unknown := sorted(given - declared.keys()):
        raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    if missing := [name for name, each in declared.items() if "Default" not in each and name not in given]:
        raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")
    return ministack_resolve(template, provided, previous)


def _check_names(template: dict[str, Any]) -> None:
    if unknown := sorted(template.keys() - _SECTIONS):
        raise ValueError(f"Invalid template property or properties [{', '.join(unknown)}]")
    if template.get("AWSTemplateFormatVersion", "2010-09-09") != "2010-09-09":
        raise ValueError("Template format error: unsupported value for AWSTemplateFormatVersion.")
    declared = template.get("Conditions") or {}
    for each in _definitions(template.get("Parameters")).values():
        if "Type" not in each:
            raise ValueError("Template format error: Every Parameters object must contain a Type member.")
    for each in _definitions(template.get("Outputs")).values():
        if "Value" not in each:
            raise ValueError("Template format error: Every Outputs member must contain a Value object")
    for name, each in template["Resources"].items():
        if not re.fullmatch("[A-Za-z0-9]+", str(name)):
            raise ValueError(f"Template format error: Resource name {name} is non alphanumeric.")
        if not isinstance(each, dict):
            raise ValueError(f"Template format error: [/Resources/{name}] resource definition is malformed")
        if "Type" not in each:
            raise ValueError(
                f"Template format error: [/Resources/{name}] Every Resources object must contain a Type"
                " member."
            )
        for attribute in each.keys() - _ATTRIBUTES:
            raise ValueError(f"Invalid template resource property '{attribute}'")
    # Those of the registry in this region, even if a condition is false.
    kinds = {str(each["Type"]) for each in template["Resources"].values()}
    if unknown := sorted(kind for kind in kinds if kind.startswith("AWS::") and not is_known(kind)):
        raise ValueError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    for section in ("Resources", "Outputs"):
        for each in _definitions(template.get(section)).values():
            condition = each.get("Condition")
            if condition is not None and str(condition) not in declared:
                raise ValueError(f"Template format error: Condition {condition} is not defined.")


def _definitions(section: Any) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in (section or {}).items() if isinstance(each, dict)}


def created(section: Any, conditions: _Conditions) -> dict[str, dict[str, Any]]:
    """The members without those whose condition is false, and without the unused part of each Fn::If."""
    return {
        name: _chosen(each, conditions)
        for name, each in _definitions(section).items()
        if conditions.get(str(each.get("Condition")), True)
    }


def _chosen(value: Any, conditions: _Conditions) -> Any:
    if isinstance(value, list):
        return [_chosen(each, conditions) for each in value]
    if not isinstance(value, dict):
        return value
    parts = value.get("Fn::If")
    if isinstance(parts, list) and len(parts) == 3 and str(parts[0]) in conditions:
        return _chosen(parts[1 if conditions[str(parts[0])] else 2], conditions)
    return {key: _chosen(each, conditions) for key, each in value.items()}


def _check_references(template: dict[str, Any], conditions: _Conditions) -> None:
    every, there = template["Resources"], created(template["Resources"], conditions)
    parameters = {*(template.get("Parameters") or {}), *_PSEUDO_PARAMETERS}
    values = [
        name
        for function, name, _ in _references(template.get("Conditions"))
        if function == "Ref" and name not in parameters
    ]
    if values:
        raise ValueError(
            f"Template format error: Unresolved dependencies [{', '.join(sorted({*values}))}]. Cannot"
            " reference resources in the Conditions block of the template"
        )
    for section in ("Resources", "Outputs"):
        missing = set()
        for each in created(template.get(section), conditions).values():
            depends = each.get("DependsOn") or []
            missing |= {
                name for name in ([depends] if isinstance(depends, str) else depends) if name not in every
            }
            for function, name, attribute in _references({**each, "Condition": "", "DependsOn": ""}):
                if function == "Ref" and name not in there and name not in parameters:
                    missing.add(name)
                elif function == "Fn::If" and name not in (template.get("Conditions") or {}):
                    raise ValueError(f"Template error: unresolved condition dependency {name} in Fn::If")
                elif function == "Fn::GetAtt" and name not in there:
                    raise ValueError(
                        f"Template error: instance of Fn::GetAtt references undefined resource {name}"
                    )
                elif function == "Fn::Sub" and name not in there:
                    raise ValueError(
                        "Template error: instance of Fn::Sub references invalid resource attribute"
                        f" {name}.{attribute}"
                    )
        if missing:
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{', '.join(sorted(missing))}] in"
                f" the {section} block of the template"
            )


def _references(value: Any) -> Iterator[tuple[str, str, str]]:
    """Function, name and attribute of each reference to a resource, a parameter or a condition."""
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    for function, argument in value.items() if isinstance(value, dict) else ():
        if function in {"Ref", "Condition"} and isinstance(argument, str):
            yield function, argument, ""
        elif function == "Fn::GetAtt" and isinstance(argument, str | list):
            name, *attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            yield function, str(name), str(attribute)
        elif function == "Fn::Sub":
            yield from _substituted(argument)
        else:
            if function == "Fn::If" and isinstance(argument, list) and argument:
                yield function, str(argument[0]), ""
            yield from _references(argument)


def _substituted(argument: Any) -> Iterator[tuple[str, str, str]]:
    text, names = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(names, dict):
        raise ValueError(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
            " Specify a string as first argument, and an optional second argument to specify a mapping of"
            " values to replace in the string"
        )
    yield from _references(list(names.values()))
    for variable in re.findall(r"\$\{([^!}][^}]*)\}", text):
        name, _, attribute = variable.partition(".")
        if variable not in names:
            yield "Fn::Sub" if attribute else "Ref", name, attribute


def _check_circles(resources: dict[str, Any]) -> None:
    needed = {}
    for name, each in resources.items():
        depends = each.get("DependsOn") or []
        used = {
            used
            for function, used, _ in _references({**each, "DependsOn": ""})
            if function not in {"Condition", "Fn::If"}
        }
        needed[name] = used | {depends} if isinstance(depends, str) else used | set(depends)
    while ends := {name for name, others in needed.items() if not others & needed.keys()} or (
        needed.keys() - set().union(*needed.values())
    ):
        needed = {name: others for name, others in needed.items() if name not in ends}
    if needed:
        raise ValueError(f"Circular dependency between resources: [{', '.join(sorted(needed))}]")
