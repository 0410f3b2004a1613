"""Whether a resource is one of the environment, as CloudFormation shows it.

A name, a tag, an output, a type and the physical ID of a custom resource prove nothing, because anyone who
may create stacks chooses them. So the proof of a pipeline's stack has three parts: its tags name a resource,
that resource has the stack as its physical ID, and the template gives it the ServiceToken of the
environment's function.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cli.environment import stack_statuses, yaml_template
from cli.environment.account import Environment, logical_id_of, owner_of, pages

PIPELINE, CREDENTIAL = "Custom::GitOpsPipeline", "Custom::MirrorCredential"
# The types of a project's stack. A stack with others is more than a project.
OF_PROJECT = (
    r"Custom::(MirrorCredential|GitOpsPipeline)|"
    r"AWS::(CodeCommit::Repository|IAM::User|IAM::Policy|SecretsManager::RotationSchedule)"
)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Unknown(Exception):
    """Why a value is not known before CloudFormation uses it."""


class Template:
    """A template of CloudFormation, with the values of its parameters."""

    def __init__(
        self,
        body: dict[str, Any] | str,
        parameters: list[dict[str, Any]],
        environment: Environment,
        function: str,
    ) -> None:
        """`function` is the ARN of the environment's function. Empty if it is not known."""
        self._export, self._function = environment.export, function
        # That of a type of Parameter Store is the value that CloudFormation read there, and uses.
        self._values = {
            each["ParameterKey"]: each.get("ResolvedValue", each.get("ParameterValue", ""))
            for each in parameters
        }
        self._problem, template = "", body
        if isinstance(body, str):
            try:
                yaml_template.require_shown(body)
                template = yaml_template.parsed(body)
            except yaml_template.Unreadable as error:
                self._problem = f"its template is not read: {error}"
        resources = template.get("Resources") if isinstance(template, dict) else None
        self._resources: dict[str, Any] = resources if isinstance(resources, dict) else {}

    def is_of_function(self, logical_id: str, kind: str) -> bool:
        """Whether the resource has this type and the ServiceToken of the function. Raises `Unknown`."""
        resource = self._resource(logical_id)
        properties = resource.get("Properties")
        if resource.get("Type") != kind or not isinstance(properties, dict):
            return False
        if not self._function:
            raise Unknown("the function of the environment is not known")
        token = self._token(properties.get("ServiceToken"))
        if token.startswith(f"{self._function}:"):
            raise Unknown("its ServiceToken is a version or an alias of the function")
        return token == self._function

    def _resource(self, logical_id: str) -> dict[str, Any]:
        if self._problem:
            raise Unknown(self._problem)
        resource = self._resources.get(logical_id)
        return resource if isinstance(resource, dict) else {}

    def _token(self, node: Any) -> str:
        if isinstance(node, str) and "{{" not in node:
            return node
        function, given = _function(node)
        if function == "Ref":
            return self._parameter(given)
        # Only one stack of a region can export a name.
        if function == "Fn::ImportValue" and self._text(given) == self._export:
            return self._function
        raise Unknown("its ServiceToken is neither a text, a parameter nor the environment's export")

    def _text(self, node: Any) -> str:
        """A text, also with parameters in it."""
        function, given = _function(node)
        if function == "Fn::Sub" and isinstance(given, str):
            return _VARIABLE.sub(lambda found: self._parameter(found[1]), given)
        return node if isinstance(node, str) else self._token(node)

    def _parameter(self, name: Any) -> str:
        # CloudFormation shows the value of a parameter with NoEcho as asterisks.
        if not isinstance(name, str) or set(value := self._values.get(name, "")) <= {"*"} or "{{" in value:
            raise Unknown("its ServiceToken depends on a value that CloudFormation does not show")
        return str(value)


def _function(node: Any) -> tuple[str, Any]:
    """The function that the node is, and what it is given. The name is empty for any other node."""
    if isinstance(node, dict) and len(node) == 1:
        [(name, given)] = node.items()
        if name == "Ref" or str(name).startswith("Fn::"):
            return name, given
    return "", None


class Ownership(NamedTuple):
    """Whether the stack that a tag names owns a pipeline's stack. `None` if that is not known. The reason is
    a sentence about the pipeline's stack."""

    is_shown: bool | None
    reason: str = ""
    # Whether it is known at the end of the owner's operation.
    is_later: bool = False


class Owners:
    """The owners of pipelines' stacks. Each is read once."""

    def __init__(self, environment: Environment, stacks: list[dict[str, Any]], client: Any = None) -> None:
        """`stacks` are all of the account."""
        self._environment, self._client = environment, client or environment.account.client("cloudformation")
        self._stacks = {stack["StackId"]: stack for stack in stacks}
        own = next((each for each in stacks if each["StackName"] == environment.settings.stack_name), {})
        self.function, self._own_id = environment.function_of(own), own.get("StackId")
        self._resources: dict[str, dict[str, Any]] = {}
        self._templates: dict[str, Template] = {}

    def named_by(self, child: dict[str, Any]) -> dict[str, Any] | None:
        """The stack that the tag of `child` names. `None` if it does not exist."""
        return self._stacks.get(owner_of(child) or "")

    def of(self, child: dict[str, Any]) -> Ownership:
        """Whether that stack shows `child` as a pipeline of the environment."""
        owner, logical_id = self.named_by(child), logical_id_of(child)
        if owner is None:
            return Ownership(False, f"its owner {owner_of(child)} no longer exists")
        name = owner["StackName"]
        resource = self._resources_of(owner).get(logical_id, {})
        if (
            resource.get("ResourceType") != PIPELINE
            or resource.get("PhysicalResourceId") != child["StackName"]
        ):
            # A resource gets its physical ID, and a replacement the new one, at the end of its operation.
            if stack_statuses.is_in_progress(owner.get("StackStatus", "")):
                return Ownership(
                    None, f"its tags name resource {logical_id} of stack {name}, which is changed now", True
                )
            return Ownership(
                False, f"its tags name resource {logical_id} of stack {name}, which has no such pipeline"
            )
        # Its own template refers to its function.
        if owner["StackId"] == self._own_id:
            return Ownership(True)
        try:
            if self.deployed(owner).is_of_function(logical_id, PIPELINE):
                return Ownership(True)
        except Unknown as reason:
            return Ownership(None, f"it is resource {logical_id} of stack {name}: {reason}")
        return Ownership(
            False, f"it is resource {logical_id} of stack {name}, which has another ServiceToken"
        )

    def _resources_of(self, owner: dict[str, Any]) -> dict[str, Any]:
        if (stack_id := owner["StackId"]) not in self._resources:
            listed = pages(self._client, "list_stack_resources", "StackResourceSummaries", StackName=stack_id)
            self._resources[stack_id] = {
                each["LogicalResourceId"]: each
                for each in listed
                if each["ResourceStatus"] not in stack_statuses.GONE
            }
        return self._resources[stack_id]

    def deployed(self, owner: dict[str, Any]) -> Template:
        """Its deployed template."""
        if (stack_id := owner["StackId"]) not in self._templates:
            body = self._client.get_template(StackName=stack_id, TemplateStage="Processed")["TemplateBody"]
            self._templates[stack_id] = Template(
                body, owner.get("Parameters", []), self._environment, self.function
            )
        return self._templates[stack_id]
