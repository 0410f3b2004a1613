"""Rules for cfn-lint: the properties and attributes of Custom::MirrorCredential and Custom::GitOpsPipeline.

`cfn-lint --append-rules schemas/rules template.yaml` uses them. cfn-lint reads every `Custom::` type with the
schema of AWS::CloudFormation::CustomResource, also with --registry-schemas. So these rules read the schemas
themselves: the JSON files in the folder above this one. The rules resolve values as far as cfn-lint can
(parameters' defaults, conditions, Fn::Sub). They report nothing about other values.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cfnlint.context.conditions._condition import Condition
from cfnlint.context.conditions._conditions import Conditions
from cfnlint.context.conditions.exceptions import Unsatisfiable
from cfnlint.helpers import FUNCTIONS, ToPy
from cfnlint.jsonschema import ValidationError, ValidationResult, Validator
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.rules.jsonschema.CfnLintJsonSchema import CfnLintJsonSchema
from sympy import And, Implies, true

SOURCE = "https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/getting_started/rules.md"
# The errors whose text is the schema's `errorMessage`.
DESCRIBED = {
    "anyOf",
    "enum",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "not",
    "pattern",
    "required",
    "type",
}
FUNCTION_KEYWORDS = {ToPy(function).py for function in FUNCTIONS}


def load() -> dict[str, dict[str, Any]]:
    """The schemas, by type."""
    found = {}
    for file in sorted(Path(__file__).parents[1].glob("custom-*.json")):
        schema = json.loads(file.read_text(encoding="utf-8"))
        found[schema["typeName"]] = schema
    return found


def shown(path: deque[Any]) -> str:
    """`Mirrors[0].GitLabProject`, without the functions on the way to it."""
    parts, name = list(path), ""
    while parts:
        part = parts.pop(0)
        if str(part).startswith("Fn::") or part == "Ref":
            # Fn::If is followed by the index of its value. The rest is inside a function.
            if part != "Fn::If":
                break
            parts = parts[1:]
        elif isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part}" if name else str(part)
    return name


def described(schema: dict[str, Any], error: ValidationError) -> str | None:
    """The `errorMessage` of the schema that `error` fails."""
    node: Any = schema
    last = None
    for step in error.schema_path:
        if isinstance(node, dict) and step in node or isinstance(node, list) and isinstance(step, int):
            last, node = node, node[step]
    if error.validator == "required" and isinstance(last, dict) and "type" in last:
        # The message is about the object, not about the missing member.
        return None
    return last.get("errorMessage") if isinstance(last, dict) else None


def worded(schema: dict[str, Any], error: ValidationError) -> str:
    """The error in the function's form: the path, and the error there."""
    where, what = shown(error.path), error.message
    quoted = re.findall(r"'([^']*)'", what)
    description = described(schema, error)
    if error.validator in DESCRIBED and description:
        what = description
    elif error.validator == "required":
        where, what = f"{where}.{quoted[0]}" if where else quoted[0], "is required"
    elif error.validator == "dependencies":
        where, what = f"{where}.{quoted[0]}" if where else quoted[0], f"is required with {quoted[1]}"
    elif error.validator == "additionalProperties":
        what = "is not a property" + (f"; did you mean {quoted[1]}?" if len(quoted) > 1 else "")
    elif error.validator in FUNCTION_KEYWORDS and description:
        # The value is a function's, which the message names.
        what = f"{description}: {what}"
    return f"{where}: {what}" if where else what


def is_left_empty(properties: Any, error: ValidationError, validator: Validator) -> bool:
    """Whether the error is about a parameter's empty default, which means "not given". The template has a
    condition for that, which cfn-lint cannot relate to the parameter."""
    node = properties
    for step in error.path:
        if step == "Ref":
            parameter = validator.context.parameters.get(node.get("Ref"))
            return parameter is not None and parameter.default == ""
        node = node[step]
    return False


def limited_by_rules(conditions: Conditions, template: dict[str, Any]) -> Conditions:
    """The conditions without the combinations that the template's `Rules` reject, which cfn-lint does not
    read here."""
    named, cnf = template.get("Conditions") or {}, conditions.cnf.copy()
    for rule in (template.get("Rules") or {}).values():
        try:
            given = rule.get("RuleCondition")
            asserted = [expression(each["Assert"], named) for each in rule["Assertions"]]
            applies = expression(given, named) if given else true
        except (AttributeError, KeyError, TypeError):
            continue  # cfn-lint's own rules report it.
        if applies is not None:
            cnf.add_prop(Implies(applies, And(*(each for each in asserted if each is not None))))
    return replace(conditions, cnf=cnf)


def expression(function: Any, named: dict[str, Any]) -> Any:
    """`None` for a function that only `Rules` have, such as Fn::Contains: no condition has the same."""
    try:
        return Condition.create_from_instance(function, named).cnf
    except ValueError:
        return None


class PropertiesOfOurResources(CfnLintJsonSchema):
    id = "E9001"
    shortdesc = "Properties of cfn-gitops' custom resources"
    description = "The properties are what Custom::MirrorCredential and Custom::GitOpsPipeline take"
    source_url = SOURCE
    tags = ["resources", "cfn-gitops"]

    def __init__(self) -> None:
        super().__init__(keywords=["Resources/*"], all_matches=True)
        self.schemas = load()

    def validate(self, validator: Validator, keywords: Any, instance: Any, schema: Any) -> ValidationResult:
        wanted = self.schemas.get(instance.get("Type")) if isinstance(instance, dict) else None
        if wanted is None or not isinstance(instance.get("Properties", {}), dict):
            return
        condition = instance.get("Condition")
        is_made = {condition: True} if isinstance(condition, str) else {}
        try:
            conditions = limited_by_rules(validator.context.conditions, validator.cfn.template).evolve(
                is_made
            )
        except Unsatisfiable:
            return  # The rules never let the resource be created.
        context = validator.context.evolve(
            functions=list(FUNCTIONS),
            strict_types=False,
            conditions=conditions,
            path=validator.context.path.evolve(
                cfn_path=deque(["Resources", instance["Type"], "Properties"])
            ).descend(path="Properties"),
        )
        # cfn-lint's own rules report errors in functions.
        ours = self.extend_validator(
            validator.evolve(
                context=context, function_filter=validator.function_filter.evolve(add_cfn_lint_keyword=False)
            ),
            wanted,
            context,
        )
        errors = [
            error
            for error in ours.iter_errors(instance.get("Properties", {}))
            if not error.unknown and not is_left_empty(instance.get("Properties", {}), error, validator)
        ]
        # A value that is wrong by itself also fails the rules between properties, in newer versions of
        # cfn-lint.
        wrong = {tuple(error.path) for error in errors if "allOf" not in error.schema_path}
        reported = set()
        for error in errors:
            message = worded(wanted, error)
            if message in reported or "allOf" in error.schema_path and tuple(error.path) in wrong:
                continue
            reported.add(message)
            error.message = message
            error.context = []
            error.rule = self
            error.path.appendleft("Properties")
            yield error


class AttributesOfOurResources(CloudFormationLintRule):
    id = "E9002"
    shortdesc = "Attributes of cfn-gitops' custom resources"
    description = "Fn::GetAtt and Fn::Sub ask for attributes that the resources have"
    source_url = SOURCE
    tags = ["functions", "getatt", "cfn-gitops"]

    def __init__(self) -> None:
        super().__init__()
        self.attributes = {name: schema["attributes"] for name, schema in load().items()}

    def match(self, cfn: Any) -> list[RuleMatch]:
        types = {name: resource.get("Type") for name, resource in cfn.get_resources().items()}
        matches = []
        for path, resource, attribute in (*self.in_getatts(cfn), *self.in_subs(cfn)):
            known = self.attributes.get(types.get(resource, ""))
            if known is not None and attribute not in known:
                what = f"{attribute!r} is not an attribute of {types[resource]}; it has {', '.join(known)}"
                matches.append(RuleMatch(path, what))
        return matches

    @staticmethod
    def in_getatts(cfn: Any) -> Iterator[tuple[list[Any], str, str]]:
        for *path, value in cfn.search_deep_keys("Fn::GetAtt"):
            parts = value.split(".", 1) if isinstance(value, str) else value
            if isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts):
                yield path, parts[0], parts[1]

    @staticmethod
    def in_subs(cfn: Any) -> Iterator[tuple[list[Any], str, str]]:
        for *path, value in cfn.search_deep_keys("Fn::Sub"):
            text = value[0] if isinstance(value, list) and value else value
            if not isinstance(text, str):
                continue
            for name in re.findall(r"\$\{\s*([^!}][^}]*?)\s*\}", text):
                resource, dot, attribute = name.partition(".")
                if dot:
                    yield path, resource, attribute
