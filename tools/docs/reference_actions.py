"""docs/reference/actions.md: what a control policy of an organization has to allow, from the templates.

tests/policies/test_actions_page.py compares it with the policies as they are evaluated, and
test_recorded_calls.py these with the calls that the function makes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

# The principals whose templates do not describe them. The others are described by their template.
_DESCRIBED = {
    "MirrorUser": "GitLab's push mirror. The user of a project of `templates/project.yaml` has the same",
    "Deployers": "People who deploy. Without the role below, they also need its actions",
    "Approvers": "People who approve",
    "Observers": "People who look",
}
PRINCIPALS = {
    "templates/deployment.yaml": ("Deployers", "Role"),
    "template.yaml": (
        "FunctionRole",
        "ReadFunctionRole",
        "ProvisioningRole",
        "MirrorUser",
        "EventsRuleRole",
        "CodePipelineCFnRole",
        "CodeBuildCFnRole",
        "CodeDeployCFnRole",
        "ReviewCodeBuildCFnRole",
    ),
    "templates/people.yaml": ("Approvers", "Observers"),
}
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z*]+")


def _nodes(node: Any) -> Iterator[Any]:
    """The value, and everything inside it."""
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(inner)


def _refers(node: Any, logical_id: str) -> bool:
    return any(inner == {"Ref": logical_id} for inner in _nodes(node))


def actions(resources: dict[str, Any], principal: str) -> dict[str, list[str]]:
    """The actions that the policies of a role, user or group allow, by the names of their statements."""
    properties = resources[principal]["Properties"]
    policies = [properties.get("Policies", [])] + [
        other["Properties"]["PolicyDocument"]
        for name, other in resources.items()
        if other["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        and (
            _refers(properties.get("ManagedPolicyArns"), name)
            or any(_refers(other["Properties"].get(kind), principal) for kind in ("Roles", "Users", "Groups"))
        )
    ]
    found = defaultdict(set)
    for statement in _nodes(policies):
        if isinstance(statement, dict) and statement.get("Effect") == "Allow":
            purpose = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", statement["Sid"]).lower()
            texts = (text for text in _nodes(statement["Action"]) if isinstance(text, str))
            found[purpose] |= {text for text in texts if _ACTION.fullmatch(text)}
    return {purpose: sorted(names) for purpose, names in found.items()}


def name_of(properties: dict[str, Any]) -> str:
    given = next(properties[key] for key in ("RoleName", "UserName", "GroupName") if key in properties)
    return str(given["Fn::Sub"]).replace("${", "<").replace("}", ">")


def description_of(principal: str, properties: dict[str, Any]) -> str:
    text = _DESCRIBED.get(principal) or properties["Description"]
    return str(text["Fn::Sub"] if isinstance(text, dict) else text).replace(" ${EnvID}", "")
