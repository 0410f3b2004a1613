"""Delete the function of an environment, and keep everything that it created: docs/how-to/leave.md.

It updates nothing. It deletes a stack only if its deployed template has DeletionPolicy: Retain on everything
but the function's own resources and its rotations, and if each of its pipelines works without the function:
the pipeline exists, no event rule needs the function, and nothing runs, waits or is frozen. It lists the
resources that are kept and deleted, and each condition that is not met. If there is one, it deletes nothing.
Otherwise it deletes the stacks, the environment's own one last, after you type the name of the last stack in
the list, or with --yes. After an interruption, run it again. The exit status is 1 if a stack is left.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import owners, stack_statuses, yaml_template
from cli.environment.account import Environment, exports, if_ordinary, manager_of, pages
from cli.environment.answers import MISSING, Part
from cli.environment.questions import Questions
from cli.environment.stack_deletion import delete_stack, unprotecting, way_out
from cli.environment.waiting import GivenUp
from cli.project import pipelines
from cli.shell import spelling
from cli.shell.command import cfn_gitops
from cli.shell.failure import Failure, WrongUse
from cli.shell.output import Output, confirm
from cli.shell.terminal import visible

EXAMPLES = ("cfn-gitops leave --env dev", "cfn-gitops leave --env dev project-dev-shop    # this stack only")

_ROTATION = "AWS::SecretsManager::RotationSchedule"
# The resources deleted with the environment's stack: they fail without the function, or have no purpose. By
# their names in template.yaml: an operator may have added others, such as a secret.
_OF_FUNCTION = """
    EnvIDGuard Function FunctionChangeSetsPolicy FunctionEventInvokeConfig FunctionLogGroup
    FunctionReadPolicy FunctionRole
    ReadFunction ReadFunctionLogGroup ReadFunctionRole
    HealthCheck ReportRule ReviewRule
    FirstPushPermission RotationPermission ReportPermission ReviewPermission
    HealthCheckPermission
    MirrorsAlarm MirrorLagAlarm ForeignTipsAlarm CredentialAgeAlarm TokenExpiryAlarm
    PipelinesAlarm ApprovalsAlarm MissedPushesAlarm
    MissingResourcesAlarm HealthCheckAlarm DriftAlarm FunctionAlarm DroppedEventsAlarm SilenceAlarm Dashboard
"""
# The empty resource of the templates that retain: CloudFormation takes no update in which only a policy
# differs.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
ADDED, ADDED_TYPE = "LeavesCfnGitOps", "AWS::CloudFormation::WaitConditionHandle"
# After a failed change, the template does not show the policies of each resource.
_READABLE = stack_statuses.COMPLETE | stack_statuses.DELETION | {stack_statuses.ROLLBACK_COMPLETE}
_BY_HAND = "Let its owner set DeletionPolicy: Retain in its resources, deploy it, and delete the stack"
_SECONDS = 310


def is_deleted(logical_id: str, kind: str, is_environment: bool) -> bool:
    """Whether the resource is deleted with its stack, which is the environment's or a project's."""
    return kind == _ROTATION or logical_id == ADDED or is_environment and logical_id in _OF_FUNCTION.split()


class Leaving:
    """One stack."""

    def __init__(self, environment: Environment, name: str, function_arn: str, output: Output) -> None:
        self._environment, self._account, self.name = environment, environment.account, name
        self._function_arn, self._output = function_arn, output
        self._secrets: dict[str, dict[str, Any]] = {}
        self._stack = self._account.stack(name) or {"StackStatus": stack_statuses.DELETE_COMPLETE}
        self._status = self._stack["StackStatus"]
        resources = _undeleted(environment, name)
        self._types = {each["LogicalResourceId"]: each["ResourceType"] for each in resources}
        self._ids = {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in resources}
        is_environment = name == environment.settings.stack_name
        self._deleted = {
            name
            for name, kind in self._types.items()
            if is_deleted(name, kind, is_environment) and self._is_of_function(name)
        }
        self._kept = self._types.keys() - self._deleted

    def _client(self, service: str) -> Any:
        return self._account.client(service)

    def _secret(self, secret_id: str) -> dict[str, Any]:
        if secret_id not in self._secrets:
            self._secrets[secret_id] = self._client("secretsmanager").describe_secret(SecretId=secret_id)
        return self._secrets[secret_id]

    def _is_of_function(self, name: str) -> bool:
        """A rotation may have another function, and then continues."""
        if self._types[name] != _ROTATION or not self._ids[name]:
            return True
        return bool(self._secret(self._ids[name]).get("RotationLambdaARN") == self._function_arn)

    def show(self) -> None:
        self._output.write_progress(f"{self.name} ({self._status}):")
        for what, names in (
            ("kept", ", ".join(sorted(self._kept))),
            (
                "deleted",
                ", ".join(f"{name} ({self._types[name]})" for name in sorted(self._deleted - {ADDED})),
            ),
        ):
            self._output.write_progress(
                *textwrap.wrap(
                    visible(f"{what}: {names or 'nothing'}"),
                    120,
                    initial_indent="  - ",
                    subsequent_indent="    ",
                )
            )

    def members(self) -> dict[str, Any]:
        """The plan as `show` writes it, for the document."""
        return {
            "stack": self.name,
            "status": self._status,
            "kept": sorted(self._kept),
            "deleted": sorted(self._deleted - {ADDED}),
        }

    def problems(self, rows: dict[str, Part] | None, is_named: bool) -> list[str]:
        """Why the stack is not deleted now. `rows` are those of the environment's pipelines, by their stacks,
        or `None` if the environment's function is deleted already."""
        if self._status not in _READABLE:
            stack = {"StackName": self.name, **self._stack}
            command = "" if manager_of(stack) else way_out(stack)
            remedy = (
                f"Correct the cause, and before you run this again: {command}"
                if command
                else "Wait for the end of its change. When its status ends with _COMPLETE, run this again"
            )
            return [f"it is in {self._status}. {remedy}"]
        return [
            *self._of_stack(),
            *self._of_template(),
            *([] if is_named else self._beyond_a_project()),
            *self._of_rotations(),
            *([] if rows is None else self._of_pipelines(rows)),
        ]

    def _of_stack(self) -> Iterator[str]:
        if manager := manager_of(self._stack):
            yield f"it belongs to {manager}. Deploy it as a stack of its own first" + if_ordinary(
                self._stack, f"{_BY_HAND[0].lower()}{_BY_HAND[1:]}"
            )
        if self._stack.get("EnableTerminationProtection"):
            yield f"it has termination protection. Remove that first: {unprotecting(self.name)}"

    def _of_template(self) -> Iterator[str]:
        body = self._client("cloudformation").get_template(StackName=self.name, TemplateStage="Processed")[
            "TemplateBody"
        ]
        try:
            policies = _policies(body)
        except yaml_template.Unreadable as error:
            yield (
                f"its template is not read: {error}. Deploy one that retains, without sam:"
                " docs/how-to/leave.md"
            )
            return
        if lost := sorted(name for name in self._kept if policies.get(name) != "Retain"):
            yield (
                f"its deployed template does not retain {', '.join(lost)}. First deploy one that has"
                " DeletionPolicy: Retain there: docs/how-to/leave.md"
            )
        if left := sorted(
            name for name in self._deleted if policies.get(name, "Delete") not in ("", "Delete")
        ):
            yield (
                f"its deployed template retains {', '.join(left)}, which would be left without a function."
                " Deploy it without this DeletionPolicy"
            )

    def _beyond_a_project(self) -> Iterator[str]:
        kinds = {self._types[name] for name in self._kept}
        if others := sorted(kind for kind in kinds if not re.fullmatch(owners.OF_PROJECT, kind)):
            yield (
                f"it also has {', '.join(others)}. To keep the stack, set DeletionPolicy: Retain in its "
                "resources Custom::…, deploy it, and deploy it again without them. "
                "Or name it, to delete the stack and keep its resources: "
                + cfn_gitops("leave", self.name, "--env", self._environment.settings.table)
            )

    def _of_rotations(self) -> Iterator[str]:
        """A rotation in progress would leave two logins."""
        ids = {
            self._ids[name] for name, kind in self._types.items() if kind in (_ROTATION, owners.CREDENTIAL)
        }
        for secret_id in sorted(filter(None, ids)):
            stages = self._secret(secret_id).get("VersionIdsToStages", {}).values()
            if any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages):
                yield f"a rotation of secret {secret_id} is in progress. Wait for its end, and run this again"

    def _of_pipelines(self, rows: dict[str, Part]) -> Iterator[str]:
        for name in sorted(name for name, kind in self._types.items() if kind == owners.PIPELINE):
            child = self._ids[name]
            if child in rows:
                for obstacle in _obstacles(rows[child], self._environment.settings.table):
                    yield f"project {rows[child].project_id} {obstacle}"
            else:
                yield (
                    f"the pipeline {child} of resource {name} is not among those of the environment. See"
                    f" {cfn_gitops('status', '--env', self._environment.settings.table)}"
                )

    def delete(self) -> None:
        delete_stack(
            self._account.session,
            self.name,
            self._stack["StackId"],
            self._output,
            self._stack.get("RoleARN", ""),
        )


def _policies(body: dict[str, Any] | str) -> dict[str, str]:
    """The DeletionPolicy of each resource. CloudFormation returns JSON, and a processed transform, as it has
    read it, and other YAML as its text."""
    template = body
    if isinstance(body, str):
        yaml_template.require_shown(body)
        template = yaml_template.parsed(body)
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict) or not all(isinstance(each, dict) for each in resources.values()):
        raise yaml_template.Unreadable("it has no resources, or one that is a transform")
    return {name: str(resource.get("DeletionPolicy", "")) for name, resource in resources.items()}


def _obstacles(row: Part, table: str) -> Iterator[str]:
    """Why the project would lose something without the function."""
    for each in row.problems:
        yield f"is not sound: {each.subject}: {each.problem}"
    if row.has_pipeline is False:
        yield "has no pipeline yet, and only the function creates it. Push its branch, and wait for its end"
        return
    executions = row.freeze.executions
    if row.has_pipeline is None or MISSING in (row.needs_function, row.approvals, row.holds, executions):
        reasons = (
            "; ".join(each.problem for each in row.not_read) or "its function is older than this command"
        )
        yield f"is not read: {reasons}"
    if row.needs_function:
        needing = " and ".join(row.needs_function)
        yield f"has {needing}, whose event rule needs the function. Remove it first"
    if row.approvals:
        see = cfn_gitops("status", "--env", table)
        yield f"waits for an approval. Approve or reject it: {see}"
    if executions:
        yield "has an execution in progress. Wait for its end"
    for each in row.holds:
        yield f"is {each.held}. {each.remedy}"


def function_of(environment: Environment, stack: dict[str, Any]) -> str:
    """The function's ARN. Raises `Failure` if the environment's stack was never complete."""
    arn = environment.function_of(stack)
    if not arn:
        raise Failure(
            f"stack {stack['StackName']} exports no ServiceToken, and is in {stack['StackStatus']}",
            "If it was never complete, there is nothing to keep: "
            + cfn_gitops("undeploy", "--env", environment.settings.table),
        )
    return arn


def hidden_users(environment: Environment, known: list[str]) -> dict[str, str]:
    """The other stacks that own a pipeline of the environment, or may own one, each with the reason why it is
    left. A stack that contains the function's ARN does not import it."""
    stacks = environment.account.stacks()
    known_owners, by_id, left = (
        owners.Owners(environment, stacks),
        {stack.get("StackId"): stack for stack in stacks},
        {},
    )
    for child in pipelines.children_of(stacks, environment.env_id):
        if (owner := known_owners.named_by(child)) is None:
            continue
        # A nested stack is deleted with its root.
        root = by_id.get(owner.get("RootId", ""), owner)
        if {owner["StackName"], root["StackName"]} & set(known):
            continue
        is_shown, reason, is_later = known_owners.of(child)
        if is_shown:
            left[root["StackName"]] = (
                f"it owns {child['StackName']}, and contains the function's ARN instead of an import."
                f" {_BY_HAND}"
            )
        elif is_later:
            left[root["StackName"]] = (
                f"it may need the function. Of {child['StackName']}: {reason}. Wait for its end, and run this"
                " again"
            )
        elif is_shown is None:
            left[root["StackName"]] = (
                f"it may need the function. Of {child['StackName']}: {reason}. If its ServiceToken is the"
                f" function's ARN, {_BY_HAND[0].lower()}{_BY_HAND[1:]}. Otherwise remove the tags of"
                f" {child['StackName']}"
            )
    return left


def other_importers(environment: Environment, own: dict[str, Any], known: list[str]) -> dict[str, str]:
    """The other stacks that import a value of the environment's stack, each with the reason why it is
    left."""
    found: dict[str, list[str]] = {}
    for export in sorted(exports(own) - {environment.export}):
        for name in environment.importers(export):
            found.setdefault(name, []).append(export)
    return {
        name: (
            f"it imports {', '.join(imported)}. Replace the import by its value, deploy that, and run this"
            " again"
        )
        for name, imported in found.items()
        if name not in known
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stacks", nargs="*", metavar="STACK", help="only these stacks, not all")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output) -> int:
    account, own_name = environment.account, environment.settings.stack_name
    changes = output.changes
    output.document |= {"stacks": [], "left": changes.left}
    own = environment.found_stack()
    if own is None:
        environment.require_deleted()
        output.write_progress(f"stack {own_name} is deleted, in {environment.place}")
        return 1 if given.stacks else 0
    function_of(environment, own)
    names = [*environment.importers(environment.export), own_name]
    if unknown := next((name for name in given.stacks if name not in names), None):
        problem = (
            f"does not exist in {environment.place}, and may be deleted already"
            if account.stack(unknown) is None
            else f"does not use the function of environment {environment.env_id}"
        )
        raise WrongUse(
            f"stack {unknown} {problem}" + spelling.did_you_mean(unknown, names),
            f"Name some of: {', '.join(names)}",
        )
    chosen = [each for each in names if each in (given.stacks or names)]
    hidden = (
        hidden_users(environment, names) | other_importers(environment, own, names)
        if own_name in chosen
        else {}
    )
    for name, reason in sorted(hidden.items()):
        output.record_left(f"{name}: {reason}")
    plan = planned(environment, chosen, given.stacks, own, output, lambda stack: stack.show())
    output.document["stacks"] += [stack.members() for stack in plan]
    if own_name in chosen and (users := {*names, *hidden} - {*chosen}):
        output.record_left(f"{own_name}: it is needed by {', '.join(sorted(users))}")
    if changes.left:
        output.write_progress("Nothing was changed")
        return changes.status_of_left()
    last = chosen[-1]
    if not confirm(output, f"There is no way back. To delete them, type {last}:", last, given.yes):
        return 1
    # An execution, a rotation or an update may have begun meanwhile.
    if not given.yes:
        shown = [stack.members() for stack in plan]
        plan = planned(environment, chosen, given.stacks, own, output)
        if changes.left:
            return changes.status_of_left()
        if [stack.members() for stack in plan] != shown:
            raise Failure(
                "nothing is deleted, because the list has changed since it was shown", "Run this again"
            )
    for stack in plan:
        with _left_if_it_fails(stack.name, output):
            if stack.name != own_name or not changes.left:
                stack.delete()
            else:
                output.record_left(f"{own_name}: it is needed by the stacks that are left")
    return changes.status_of_left()


def planned(
    environment: Environment,
    chosen: list[str],
    named: list[str],
    own: dict[str, Any],
    output: Output,
    show: Callable[[Leaving], None] = lambda _: None,
) -> list[Leaving]:
    """The stacks to delete, each shown. Records each condition that is not met."""
    is_gone = own["StackStatus"] in stack_statuses.DELETION and not _has_function(environment, own)
    rows = None if is_gone else rows_of(environment, output)
    plan: list[Leaving] = []
    for name in chosen:
        with _left_if_it_fails(name, output):
            stack = Leaving(environment, name, function_of(environment, own), output)
            show(stack)
            is_named = name in named or name == own["StackName"]
            for problem in stack.problems(rows, is_named):
                output.record_left(f"{name}: {problem}")
            plan.append(stack)
    return plan


def _has_function(environment: Environment, own: dict[str, Any]) -> bool:
    """Whether the environment's stack still has the function that answers. A deletion that failed may have
    begun with another resource."""
    return any(
        each["LogicalResourceId"] == "ReadFunction" for each in _undeleted(environment, own["StackName"])
    )


def _undeleted(environment: Environment, stack: str) -> list[dict[str, Any]]:
    """The resources of the stack, with those that it no longer has and that still exist."""
    client = environment.account.client("cloudformation")
    listed = pages(client, "list_stack_resources", "StackResourceSummaries", StackName=stack)
    return [each for each in listed if each["ResourceStatus"] != stack_statuses.DELETE_COMPLETE]


def rows_of(environment: Environment, output: Output) -> dict[str, Part]:
    """The row of each pipeline in the function's answer, by the name of its stack."""
    answer = Questions(environment, _SECONDS).ask("Projects", output)
    return {row.child_stack.name: row for row in answer.projects if row.child_stack}


@contextlib.contextmanager
def _left_if_it_fails(name: str, output: Output) -> Iterator[None]:
    try:
        yield
    except GivenUp:
        # A change that has begun may go on.
        raise
    except (Failure, BotoCoreError, ClientError) as error:
        output.record_unread(name, error)
