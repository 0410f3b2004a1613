"""The templates that retain: template.yaml and templates/project.yaml a second time, for `cfn-gitops leave`.

Each has DeletionPolicy: Retain on everything but the function's own resources and its rotations, and one
empty resource more. They are JSON, which CloudFormation shows as it has read it.
"""

import json
from pathlib import Path

from cli.commands.leave import ADDED, ADDED_TYPE, is_deleted
from cli.environment import yaml_template

SUFFIX = "-retain.json"


def retaining(text: str, is_environment: bool) -> str:
    """The template with these policies."""
    template = yaml_template.parsed(text)
    resources = {}
    for name, resource in template["Resources"].items():
        others = {key: value for key, value in resource.items() if key != "DeletionPolicy"}
        is_kept = not is_deleted(name, resource["Type"], is_environment)
        resources[name] = others | ({"DeletionPolicy": "Retain"} if is_kept else {})
    resources[ADDED] = {"Type": ADDED_TYPE}
    return json.dumps(template | {"Resources": resources}, separators=(",", ":"), ensure_ascii=False) + "\n"


def write(directory: Path) -> None:
    """Those of the release folder, beside its own templates."""
    for name, is_environment in (("template", True), ("templates/project", False)):
        text = (directory / f"{name}.yaml").read_text()
        (directory / f"{name}{SUFFIX}").write_text(retaining(text, is_environment))
