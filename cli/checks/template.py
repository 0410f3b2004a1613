"""The template beside samconfig.toml: its parameters, its rules, and the names of its resources in an environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.environment import yaml_template
from cli.shell.ending import Failure
from cli.shell.output import Finding, NotChecked

NAME = "template.yaml"
# The errors of a value with another form, and of a pattern that only Java has.
_OTHER_FORM = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, re.error)
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:]+)\}")


class Unresolved(Failure):
    """The value is not known before the deployment."""

    def __init__(self, what: str) -> None:
        super().__init__(f"a name in {NAME} depends on {what}, which is not known before a deployment", "Compare it yourself")


def attempt(what: str, read: Callable[[], Any], unread: list[Finding]) -> list[Any]:
    """The result for a part of the user's file. Empty if it is not known before a deployment, or if the part has a form
    that only CloudFormation reads. The part is then one of `unread`, and stops no other part."""
    try:
        return [read()]
    except Failure as failure:
        row = NotChecked.because(what, failure)
    except _OTHER_FORM:
        row = NotChecked(what, "it has a form that this version does not read", "Compare it yourself")
    if row not in unread:
        unread.append(row)
    return []


@dataclass
class Resource:
    logical_id: str
    type: str
    properties: dict[str, Any]


def folder(config_file: Path) -> Path:
    """The release folder, or in a clone that of samconfig.toml, which may be kept elsewhere."""
    of_release = Path(sys.argv[0]).parent
    return of_release if (of_release / NAME).is_file() else config_file.parent


def read(folder: Path) -> dict[str, Any]:
    """Raises `Failure` if there is no template."""
    file = folder / NAME
    try:
        document = yaml_template.parsed(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise Failure(f"{file} is not read: {reason}", f"Run the cfn-gitops beside the release's {NAME}") from error
    except yaml_template.Unreadable as error:
        raise Failure(f"{file} is not read: {error}", "Copy that of the release") from error
    parts = ("Parameters", "Resources")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), dict) for part in parts):
        raise Failure(f"{file} is not a template with Parameters and Resources", "Copy that of the release")
    return document


def defaults(document: dict[str, Any]) -> dict[str, str]:
    """Of the parameters that have one."""
    return {name: str(about["Default"]) for name, about in document["Parameters"].items()
            if isinstance(about, dict) and "Default" in about}


class Template:
    """The template with the values of its parameters and pseudo parameters."""

    def __init__(self, document: dict[str, Any], values: dict[str, str]) -> None:
        self._document, self.values = document, values
        # A row for each part that was not read so far.
        self.unread: list[Finding] = []

    def resources(self) -> list[Resource]:
        """Those whose condition holds."""
        return [each for logical_id, about in self._document["Resources"].items()
                for each in self._attempt(logical_id, lambda: self._resource(logical_id, about)) if each]

    def names(self, resource: Resource, member: str) -> list[str]:
        """A property that is a name, or the first name of a list. Empty if it is not read."""
        return self._attempt(f"{resource.logical_id}.{member}", lambda: self._name(resource, member))

    def exports(self) -> list[str]:
        """The names of the exports."""
        return [each for name, about in (self._document.get("Outputs") or {}).items()
                for each in self._attempt(f"output {name}", lambda: self._export(about)) if each]

    def broken_rules(self) -> list[str]:
        """The descriptions of the assertions that do not hold."""
        return [each for name, rule in (self._document.get("Rules") or {}).items()
                for broken in self._attempt(f"rule {name}", lambda: self._broken(name, rule)) for each in broken]

    def _attempt(self, part: str, read: Callable[[], Any]) -> list[Any]:
        return attempt(f"{NAME}: {part}", read, self.unread)

    def _resource(self, logical_id: str, about: Any) -> Resource | None:
        properties = about.get("Properties") or {}
        if not isinstance(about["Type"], str) or not isinstance(properties, dict):
            raise TypeError(logical_id)
        if "Condition" in about and not self._condition(about["Condition"]):
            return None
        return Resource(logical_id, about["Type"], properties)

    def _name(self, resource: Resource, member: str) -> str:
        value = self._value(resource.properties.get(member))
        value = value[0] if isinstance(value, list) and value else value
        if not isinstance(value, str):
            raise Unresolved(f"{resource.logical_id}.{member}")
        return value

    def _export(self, about: Any) -> str:
        """Empty if it is not exported."""
        if "Export" not in about or "Condition" in about and not self._condition(about["Condition"]):
            return ""
        return str(self._value(about["Export"]["Name"]))

    def _broken(self, name: str, rule: Any) -> list[str]:
        if "RuleCondition" in rule and not self._value(rule["RuleCondition"]):
            return []
        return [assertion.get("AssertDescription") or f"an assertion of rule {name} does not hold"
                for assertion in rule["Assertions"] if not self._value(assertion["Assert"])]

    def _condition(self, name: str) -> bool:
        return bool(self._value(self._document["Conditions"][name]))

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._value(each) for each in node]
        if not isinstance(node, dict):
            return node
        if len(node) != 1:
            raise Unresolved(f"an object with the members {', '.join(node)}")
        [(function, given)] = node.items()
        if function == "Fn::If":
            return self._value(given[1] if self._condition(given[0]) else given[2])
        if function not in _FUNCTIONS:
            raise Unresolved(function)
        return _FUNCTIONS[function](self, given)

    def _ref(self, name: str) -> Any:
        if name in self.values:
            is_list = self._document["Parameters"].get(name, {}).get("Type") == "CommaDelimitedList"
            return self.values[name].split(",") if is_list else self.values[name]
        about = self._document["Resources"].get(name)
        if not about:
            raise Unresolved(name)
        # A Ref is the name of a resource that has one.
        names = [member for member in about.get("Properties") or {} if member.endswith("Name")]
        return self._name(Resource(name, about["Type"], about["Properties"]), names[0]) if names else self._unresolved(name)

    def _unresolved(self, name: str) -> Any:
        raise Unresolved(name)

    def _sub(self, given: Any) -> str:
        text, own = (given, {}) if isinstance(given, str) else given
        return _VARIABLE.sub(lambda found: str(self._value(own[found[1]]) if found[1] in own else self._ref(found[1])), text)

    def _equals(self, given: list[Any]) -> bool:
        first, second = self._value(given)
        return bool(str(first) == str(second))


_FUNCTIONS: dict[str, Any] = {
    "Ref": Template._ref,
    "Condition": Template._condition,
    "Fn::Sub": Template._sub,
    "Fn::Equals": Template._equals,
    "Fn::Join": lambda template, given: given[0].join(template._value(given[1])),
    "Fn::Not": lambda template, given: not template._value(given[0]),
    "Fn::And": lambda template, given: all(template._value(each) for each in given),
    "Fn::Or": lambda template, given: any(template._value(each) for each in given),
    "Fn::Contains": lambda template, given: template._value(given[1]) in template._value(given[0]),
}
