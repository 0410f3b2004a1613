"""The table of regions of docs/concepts/alternatives.md: what a region has of what cfn-gitops needs.

The types of every template are compared with cfn-lint's schemas of CloudFormation in each region, and the
services with botocore's endpoints. An endpoint alone does not prove a type.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parents[2]
# China has no CloudFormation action of CodePipeline, which no list of endpoints shows.
_PARTITIONS = ("aws", "aws-us-gov", "aws-eusc")
_NEEDED = {"codecommit": "CodeCommit", "codepipeline": "CodePipeline"}
# It has connections, but not to GitLab:
# https://docs.aws.amazon.com/codepipeline/latest/userguide/connections-gitlab-managed.html
_WITHOUT_GITLAB = "us-gov-west-1"


def types_of_templates() -> dict[str, set[str]]:
    """The types of AWS, with their templates. templates/pipeline.yaml is the child stack that the function
    renders."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "template.yaml", *sorted((ROOT / "templates").glob("*.yaml"))):
        for resource in yaml_parse(path.read_text())["Resources"].values():
            if resource["Type"].startswith("AWS::") and not resource["Type"].startswith("AWS::Serverless::"):
                found.setdefault(resource["Type"], set()).add(path.name)
    return found


def types_of_regions() -> dict[str, set[str]]:
    [package] = find_spec("cfnlint").submodule_search_locations  # type: ignore[union-attr, misc]
    return {
        path.stem: {*json.loads(path.read_text())}
        for path in (Path(package) / "data/schemas/providers").glob("*-*.json")
    }


def rows() -> list[list[str]]:
    """The regions with the same services and types are one row. The rows with the most come first."""
    session: Any = botocore.session.get_session()

    def regions(service: str) -> set[str]:
        return {name for one in _PARTITIONS for name in session.get_available_regions(service, one)}

    services = {name: regions(service) for service, name in _NEEDED.items()}
    connections = regions("codestar-connections") - {_WITHOUT_GITLAB}
    needed, known = types_of_templates(), types_of_regions()
    groups: dict[tuple[str, ...], list[str]] = {}
    for region in sorted(regions("ec2")):
        absent = [name for name, having in services.items() if region not in having]
        if absent:
            lacks = f"does not work: no {' and no '.join(absent)}"
        elif region not in known:
            lacks = "cfn-lint does not know its types"
        else:
            missing = sorted(needed.keys() - known[region])
            lacks = ", ".join(f"`{each}`" for each in missing) or "nothing"
        groups.setdefault((lacks, "yes" if region in connections else "no"), []).append(f"`{region}`")
    ordered = sorted(
        groups.items(), key=lambda group: (group[0][0] != "nothing", "does" in group[0][0], group)
    )
    return [[", ".join(names), *values] for values, names in ordered]
