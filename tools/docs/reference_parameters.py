"""Where a reader sets a property of a resource: a parameter of a template, or the example of a page."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parents[2]
# The first one that has the parameter is linked.
_TEMPLATES = ["templates/project.yaml", "template.yaml"]
_NO_VALUE = {"Ref": "AWS::NoValue"}
# They are parts of names and texts in other properties.
_NAMES = {"EnvID", "ProjectID"}


class _Template:
    def __init__(self, path: Path) -> None:
        content = yaml_parse(path.read_text())
        self.name, self.resources = path.stem, content["Resources"].values()
        self._parameters, self._conditions = content["Parameters"], content["Conditions"]

    def used(self, node: Any) -> Iterator[str]:
        """The parameters in a value."""
        if isinstance(node, dict) and "Fn::If" in node:
            yield from self.used(node["Fn::If"][1:])
        elif isinstance(node, dict):
            text = str(node.get("Fn::Sub", ""))
            yield from (
                name
                for name in [node.get("Ref"), *re.findall(r"\$\{(\w+)\}", text)]
                if name in self._parameters
            )
            yield from self.used(list(node.values()))
        elif isinstance(node, list):
            for each in node:
                yield from self.used(each)

    def compared(self, condition: str) -> Iterator[str]:
        """The parameters with one value for which a condition is true."""
        parts = [self._conditions[condition]]
        while parts:
            part = parts.pop()
            if "Condition" in part:
                parts.append(self._conditions[part["Condition"]])
            elif "Fn::Equals" in part:
                yield from self.used(part)
            else:
                parts += part.get("Fn::And", []) + part.get("Fn::Or", [])

    def leaves(self, node: Any, path: str = "", condition: str = "") -> Iterator[tuple[str, set[str]]]:
        """Each property that the template sets, with its parameters."""
        if isinstance(node, dict) and "Fn::If" in node:
            condition, *branches = node["Fn::If"]
            for branch in branches:
                if branch != _NO_VALUE:
                    yield from self.leaves(branch, path, condition)
        elif isinstance(node, dict) and not any(name == "Ref" or name.startswith("Fn::") for name in node):
            for name, value in node.items():
                yield from self.leaves(value, f"{path}.{name}".lstrip("."))
        elif isinstance(node, list) and any(
            isinstance(each, dict) and not set(each) & {"Ref", "Fn::GetAtt"} for each in node
        ):
            for each in node:
                yield from self.leaves(each, path)
        else:
            found = {*self.used(node)} - (_NAMES - {path})
            yield path, found or ({*self.compared(condition)} if condition else set())


def _examples(kind: str) -> Iterator[tuple[str, Path]]:
    """Each property in a complete example of a page, with the page. The pages of docs/reference/ are not
    looked at."""
    pages = sorted(
        {*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")}
        - {*(ROOT / "docs/reference").glob("*.md")}
    )
    for page in pages:
        for _, block in re.findall(r"^( *)```yaml\n(.*?)^\1```", page.read_text(), re.DOTALL | re.MULTILINE):
            content = yaml_parse(textwrap.dedent(block)) if f"Type: {kind}" in block else {}
            for resource in content.get("Resources", {}).values():
                if resource["Type"] == kind:
                    yield from ((path, page) for path in _paths(resource["Properties"]))


def _paths(node: Any, path: str = "") -> Iterator[str]:
    yield path
    for name, value in node.items() if isinstance(node, dict) else ():
        for each in value if isinstance(value, list) else [value]:
            yield from _paths(each, f"{path}.{name}".lstrip("."))


def where_set(kind: str) -> dict[str, str]:
    """The words of the page for each property of a resource that a template or an example sets."""
    found = {}
    for path, page in reversed([*_examples(kind)]):
        title = page.read_text().splitlines()[0].removeprefix("# ")
        found[path] = f"*Example*: [{title}](../../{page.relative_to(ROOT)})".replace("../../docs/", "../")
    for name in reversed(_TEMPLATES):
        template = _Template(ROOT / name)
        for resource in template.resources:
            for path, parameters in (
                template.leaves(resource["Properties"]) if resource["Type"] == kind else ()
            ):
                links = ", ".join(
                    f"[`{each}`](parameters/{template.name}.md#{each.lower()})" for each in sorted(parameters)
                )
                if links or path not in found:
                    found[path] = (
                        f"*Parameter*: {links}" if links else "*Parameter*: none, the templates set it"
                    )
    return found
