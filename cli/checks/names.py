"""The names that the next deployment needs, as far as CloudFormation does not compare them before it creates
something.

A name is taken if something has it that the environment's stack did not create. The creation then fails, and
the stack is rolled back. docs/project/decisions/2026-11-29-what-check-keeps.md has the names that
CloudFormation itself compares.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cli.checks import template as templates
from cli.checks.rows import Once, Reader, Row
from cli.environment import stack_statuses
from cli.environment.account import owner_of, pages, parameters
from cli.rules import PIPELINES, name_of
from cli.shell.command import aws
from cli.shell.findings import Finding, Found, Sound
from cli.shell.machine import code_of

_ABSENT = {"NoSuchEntity", "ResourceNotFoundException", "RepositoryDoesNotExistException"}
_SAME_ENVIRONMENT = (
    "If that stack is the environment, set stack_name in samconfig.toml to it. Otherwise choose another EnvID"
)
_LOST_TAGS = (
    "If a stack of the environment declares it, its tags were removed: `doctor` has the command that adds"
    " them"
)
# The word for a resource, and its property with the name.
_KINDS = {
    "AWS::IAM::Role": ("role", "RoleName"),
    "AWS::IAM::User": ("user", "UserName"),
    "AWS::IAM::ManagedPolicy": ("managed policy", "ManagedPolicyName"),
    "AWS::Events::Rule": ("event rule", "Name"),
    "AWS::Logs::LogGroup": ("log group", "LogGroupName"),
}
_SERVICES = ("cloudformation", "codecommit", "events", "iam", "logs", "secretsmanager")


def name_rows(reader: Reader, document: dict[str, Any], stacks: Once, owned: Once, values: Once) -> list[Row]:
    """`stacks` are all of the account, by name. `owned` are the resources of the environment's stack."""
    for service in _SERVICES:
        reader.client(service)

    def names() -> Names:
        return Names(reader, stacks.get(), values.get())

    environment = reader.environment
    return [
        *(
            Row("names", f"{title} names", lambda kind=kind: names().taken(kind, document, owned.get()))  # type: ignore[misc]
            for kind, (title, _) in _KINDS.items()
        ),
        Row(
            "exports",
            f"exports cfn-gitops-{environment.env_id}-…",
            lambda: Names(reader, stacks.get(), {}).exports(),
        ),
        Row("secret", f"secret {environment.first_secret}", lambda: names().secret()),
        Row("pipeline", "stack and repository of the first project", lambda: names().pipeline()),
    ]


class Names:
    """The names of one environment."""

    def __init__(self, reader: Reader, stacks: dict[str, dict[str, Any]], values: dict[str, str]) -> None:
        self._reader, self._account, self._stacks, self._values = reader, reader.account, stacks, values
        self._env_id, self._project_id = reader.environment.env_id, values.get("ProjectID", "")
        self._stack_name = reader.environment.settings.stack_name
        self._stack_id = str(stacks.get(self._stack_name, {}).get("StackId", ""))

    def taken(self, kind: str, document: dict[str, Any], owned: dict[str, str]) -> list[Finding]:
        """The names of resources of this type in the template."""
        title, member = _KINDS[kind]
        ids = {name: self._id(kind, name) for name in templates.names(document, kind, member, self._values)}
        return [
            self._taken(title, name)
            for name, each in ids.items()
            if each not in owned.values() and self._exists(kind, each)
        ] or [Sound(f"{title} names")]

    def _id(self, kind: str, name: str) -> str:
        """The physical ID of the resource with this name."""
        return (
            f"arn:{self._account.partition}:iam::{self._account.id}:policy/{name}"
            if kind == "AWS::IAM::ManagedPolicy"
            else name
        )

    def _exists(self, kind: str, name: str) -> bool:
        iam = self._reader.client("iam")
        if kind == "AWS::Logs::LogGroup":
            listed = pages(
                self._reader.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=name
            )
            return name in [each["logGroupName"] for each in listed]
        if kind == "AWS::Events::Rule":
            return _found(self._reader.client("events").describe_rule, Name=name) is not None
        if kind == "AWS::IAM::ManagedPolicy":
            return _found(iam.get_policy, PolicyArn=name) is not None
        read = iam.get_role if kind == "AWS::IAM::Role" else iam.get_user
        return _found(read, **{_KINDS[kind][1]: name}) is not None

    def _taken(self, title: str, name: str) -> Finding:
        subject, problem = (
            f"{title} {name}",
            "it exists, and the environment's stack did not create it, so its creation fails",
        )
        same = sorted(
            each
            for each, stack in self._stacks.items()
            if each != self._stack_name and parameters(stack).get("EnvID") == self._env_id
        )
        if same:
            return Found(
                subject,
                problem,
                f"Stack {same[0]} has this EnvID, too. If it is the environment, set stack_name in "
                "samconfig.toml to it. Otherwise choose another EnvID, or delete what is left over yourself",
            )
        if title == "log group":
            delete = aws("logs", "delete-log-group", "--log-group-name", name)
            return Found(
                subject, problem, f"Choose another EnvID, or if nothing needs it, delete it: {delete}"
            )
        if title == "event rule":
            return Found(
                subject,
                problem,
                "If nothing needs it, delete it with its targets. Otherwise choose another EnvID",
            )
        # IAM has no regions, so it may belong to a working environment in another one.
        return Found(
            subject,
            problem,
            f"EnvID {self._env_id} may be deployed in another region: name it with --region, or choose "
            f"another EnvID. If the {title} is left over, delete it yourself",
        )

    def exports(self) -> list[Finding]:
        """The first of them is that of each environment."""
        name, subject = self._reader.environment.export, f"exports cfn-gitops-{self._env_id}-…"
        listed = pages(self._reader.client("cloudformation"), "list_exports", "Exports")
        others = [
            each["ExportingStackId"]
            for each in listed
            if each["Name"] == name and each["ExportingStackId"] != self._stack_id
        ]
        remedy = (
            f"The environment {self._env_id} exists under another stack name: set stack_name in"
            " samconfig.toml to it, or choose another EnvID"
        )
        return [
            Found(subject, f"stack {others[0]} exports them already", remedy) if others else Sound(subject)
        ]

    def secret(self) -> list[Finding]:
        """That of the first project's mirror credential."""
        name = self._reader.environment.first_secret
        subject = f"secret {name}"
        secret = (
            _found(self._reader.client("secretsmanager").describe_secret, SecretId=name)
            if self._project_id
            else None
        )
        if secret is None:
            return [Sound(subject)]
        owner = owner_of(secret)
        is_own = bool(self._stack_id) and owner == self._stack_id
        named = "--secret-id", name
        delete = aws("secretsmanager", "delete-secret", *named, "--force-delete-without-recovery")
        release = f"If its user has no CodeCommit credential any more, you can free the name: {delete}"
        if secret.get("DeletedDate"):
            restore = aws("secretsmanager", "restore-secret", *named)
            return [
                Found(
                    subject,
                    "it is scheduled for deletion, which reserves its name",
                    f"Restore it: {restore}" if is_own else f"Restore it with `{restore}`. {release}",
                    "CFG-304",
                )
            ]
        return [Sound(subject) if is_own else self._foreign(subject, owner, release, "CFG-303")]

    def pipeline(self) -> list[Finding]:
        """The first project's child stack, and a repository that such a stack left."""
        if not self._project_id:
            return []
        child, repository = (
            name_of(each, self._env_id, self._project_id) for each in ("stack", "repository")
        )
        if stack := self._stacks.get(child):
            owner, subject = owner_of(stack), f"stack {child}"
            release = "A person may have kept it: docs/how-to/leave.md, Kept or left"
            is_own = bool(self._stack_id) and owner == self._stack_id
            return [Sound(subject) if is_own else self._foreign(subject, owner, release, "CFG-502")]
        codecommit, subject = self._reader.client("codecommit"), f"repository {repository}"
        if _found(codecommit.get_repository, repositoryName=repository) is None:
            return [Sound(f"stack {child} and {subject}")]
        arn = (
            f"arn:{self._account.partition}:codecommit:{self._account.region}:{self._account.id}:{repository}"
        )
        # docs/concepts/pipelines.md, A retained repository.
        if (
            codecommit.list_tags_for_resource(resourceArn=arn)["tags"].get(PIPELINES["tags"]["stack_name"])
            == child
        ):
            return [Sound(f"{subject}, which an earlier pipeline left: the new one adopts it")]
        new = "--new-name", f"{repository}-former"
        rename = aws("codecommit", "update-repository-name", "--old-name", repository, *new)
        return [
            Found(
                subject,
                "it exists, and no earlier pipeline of this name left it",
                f"Choose another ProjectID, or rename the repository: {rename}",
                "CFG-504",
            )
        ]

    def _foreign(self, subject: str, owner: str | None, release: str, code: str) -> Finding:
        """Something with the tags of the function that the environment's stack does not own. `release` frees
        its name."""
        if not owner:
            return Found(
                subject,
                "it exists, and no tags name its owner",
                f"Choose another ProjectID. {_LOST_TAGS}",
                code,
            )
        if owner in [stack["StackId"] for stack in self._stacks.values()]:
            return Found(
                subject,
                f"it exists, and it belongs to stack {owner}",
                f"Choose another ProjectID. {_SAME_ENVIRONMENT}",
                code,
            )
        return Found(
            subject,
            f"it exists, and it belonged to stack {owner}",
            f"Choose another ProjectID. {release}",
            code,
        )


def _found(read: Any, **given: str) -> dict[str, Any] | None:
    """The response. `None` if the resource does not exist."""
    try:
        response: dict[str, Any] = read(**given)
    except ClientError as error:
        if code_of(error) not in _ABSENT:
            raise
        return None
    return response


def owned_by(reader: Reader, stack: dict[str, Any] | None) -> dict[str, str]:
    """The physical ID of each resource of the stack, by its logical ID. Empty if the stack does not exist."""
    if stack is None:
        return {}
    listed = pages(
        reader.client("cloudformation"),
        "list_stack_resources",
        "StackResourceSummaries",
        StackName=stack["StackId"],
    )
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in listed
        if each.get("PhysicalResourceId") and each["ResourceStatus"] not in stack_statuses.GONE
    }
