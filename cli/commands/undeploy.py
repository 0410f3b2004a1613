"""Delete an environment's stack and, with --delete-bucket, the artifact bucket that the stack retains.

It shows what will be deleted, and deletes it only after you type the stack's name, or with --yes. It never
deletes stacks that the environment's pipelines deployed. While such a stack exists it deletes nothing,
because CloudFormation changes and deletes it with a role of this stack, and its code may be in the bucket.
--keep-stacks leaves it without them. While another stack uses the function, or imports another value of this
stack, it also deletes nothing. The exit status is 1 if the stack does not exist, unless CloudFormation lists
it as deleted.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.environment import stack_statuses
from cli.environment.account import Environment, exports, if_ordinary, manager_of, parameters, root_of
from cli.environment.owners import OF_PROJECT, Owners
from cli.environment.stack_deletion import changing, delete_stack, unprotecting
from cli.project.pipelines import children_of
from cli.rules import name_of
from cli.shell.failure import Failure
from cli.shell.output import Output, confirm

EXAMPLES = ("cfn-gitops undeploy --env dev", "cfn-gitops undeploy --env dev --delete-bucket --yes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--delete-bucket",
        action="store_true",
        help="also delete the artifact bucket, with every version of every object",
    )
    parser.add_argument(
        "--keep-stacks",
        action="store_true",
        help="delete it even if stacks exist that its pipelines deployed",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


@dataclass
class Plan:
    """The consequence for each stack, and for the bucket."""

    # Empty if the environment's stack does not exist.
    stack_id: str
    role_arn: str
    bucket: str
    of_bucket: str
    deletes_bucket: bool
    stacks: dict[str, str] = field(default_factory=dict)
    # If nothing may be deleted, each problem with its remedy.
    obstacles: list[tuple[str, str]] = field(default_factory=list)

    @property
    def deletes(self) -> bool:
        return bool(self.stack_id) or self.deletes_bucket

    def show(self, output: Output) -> None:
        for name, text in self.stacks.items():
            output.write_progress(f"- stack {name}: {text}")
        output.write_progress(f"- bucket {self.bucket}: {self.of_bucket}")
        output.document |= {
            "stacks": [{"stack": name, "plan": text} for name, text in self.stacks.items()],
            "bucket": {"bucket": self.bucket, "plan": self.of_bucket},
        }


def run(environment: Environment, given: Any, output: Output) -> int:
    name, session = environment.settings.stack_name, environment.account.session
    plan = planned(environment, given)
    plan.show(output)
    if plan.obstacles:
        (problem, remedy), *more = plan.obstacles
        for other, then in more:
            output.write_progress(f"! {other}", f"    {then}")
        raise Failure(f"nothing is deleted, because {problem}", remedy)
    if not plan.deletes:
        environment.require_deleted()
        return 0
    if not confirm(
        output, f"What is deleted cannot be restored. To delete it, type {name}:", name, given.yes
    ):
        return 1
    # A pipeline may have deployed another stack meanwhile.
    if not given.yes and planned(environment, given) != plan:
        raise Failure("nothing is deleted, because the list has changed since it was shown", "Run this again")

    if plan.stack_id:
        delete_stack(session, name, plan.stack_id, output, plan.role_arn)
    if plan.deletes_bucket:
        output.changes.begin(ongoing=f"Bucket {plan.bucket} may have lost objects")
        count = delete_bucket(session, plan.bucket)
        output.record_change(f"bucket {plan.bucket} is deleted, with {count} versions and delete markers")
    return 0


def planned(environment: Environment, given: Any) -> Plan:
    account, name = environment.account, environment.settings.stack_name
    bucket, stack = account.bucket_of(environment.env_id), environment.found_stack()
    deletes_bucket = given.delete_bucket and account.has_bucket(bucket)
    plan = Plan(
        stack["StackId"] if stack else "",
        (stack or {}).get("RoleARN", ""),
        bucket,
        (
            "stays if it exists (--delete-bucket deletes it too)"
            if not given.delete_bucket
            else "will be deleted, with every version of every object"
            if deletes_bucket
            else "does not exist"
        ),
        deletes_bucket,
        {name: what_happens(stack)},
    )
    if plan.deletes:
        others = Others(environment, stack, plan.bucket)
        plan.stacks |= others.plan()
        plan.obstacles = [*others.obstacles(plan, given.keep_stacks)]
    return plan


def what_happens(stack: dict[str, Any] | None) -> str:
    """The consequence for the environment's stack. Its first project is optional."""
    if stack is None:
        return "does not exist"
    return "will be deleted" + (
        ", with the mirror's user, secret and push mirror, and the first project's pipeline"
        if parameters(stack).get("ProjectID", "")
        else ""
    )


class Others:
    """The stacks that need the environment's one or its bucket, and those that are deleted with it."""

    def __init__(self, environment: Environment, own: dict[str, Any] | None, bucket: str) -> None:
        self._environment, self._account, self._own, self._bucket = (
            environment,
            environment.account,
            own or {},
            bucket,
        )
        self._stacks, env_id = self._account.stacks(), environment.env_id
        owners = Owners(environment, self._stacks)
        # The owner of each pipeline's stack. Without a resource that owns it, no stack needs the function for
        # it.
        owned = {
            child["StackName"]: (root_of(owner), owners.of(child))
            for child in children_of(self._stacks, env_id)
            if (owner := owners.named_by(child)) and owners.of(child).is_shown is not False
        }
        self._with_own = {
            child for child, (owner, *_) in owned.items() if owner == environment.settings.stack_name
        }
        self._owned = {child: found for child, found in sorted(owned.items()) if child not in self._with_own}
        roots = {stack["StackName"]: root_of(stack) for stack in self._stacks}
        # The exports that each stack imports.
        self._importing: dict[str, list[str]] = {}
        for export in sorted(exports(self._own)):
            for root in sorted({roots.get(name, name) for name in environment.importers(export)}):
                self._importing.setdefault(root, []).append(export)
        roles = tuple(
            f":iam::{self._account.id}:role/{name_of(each, env_id)}"
            for each in ("deploy_role", "provisioning_role")
        )
        self._deployed = sorted(
            stack["StackName"]
            for stack in self._stacks
            if stack["StackName"] not in owned
            and "RootId" not in stack
            and (
                stack["StackName"].startswith(name_of("deployed_stack", env_id))
                or stack.get("RoleARN", "").endswith(roles)
            )
        )

    def plan(self) -> dict[str, str]:
        """The consequence for each."""
        children = name_of("stack", self._environment.env_id)
        return {
            **{
                stack["StackName"]: (
                    "will be deleted with it"
                    + "".join(
                        f", and repository {name} with all its commits"
                        for name in self._account.repositories(stack)
                    )
                )
                for stack in self._stacks
                if stack["StackName"] in self._with_own
            },
            **{
                name: (
                    f"stays, {'no stack owns it' if name.startswith(children) else 'a pipeline deployed it'}"
                )
                for name in self._deployed
            },
            **{name: f"imports {', '.join(imported)}" for name, imported in sorted(self._importing.items())},
            **{
                child: f"belongs to {owner}" if found.is_shown else f"may need the function: {found.reason}"
                for child, (owner, found) in self._owned.items()
            },
        }

    def obstacles(self, plan: Plan, keeps: bool) -> Iterator[tuple[str, str]]:
        """Why nothing may be deleted, and the remedy of each reason."""
        own, status = self._environment.settings.stack_name, self._own.get("StackStatus", "")
        if self._own and (manager := manager_of(self._own)):
            yield (
                f"stack {own} belongs to {manager}",
                f"Remove it there{if_ordinary(self._own, f'delete it: {_deleting([own])}')}",
            )
        if stack_statuses.is_in_progress(status) and status != stack_statuses.REVIEW_IN_PROGRESS:
            yield f"stack {own} is in {status}", "Wait for its end, and run this again"
        if self._own.get("EnableTerminationProtection"):
            yield f"stack {own} has termination protection", f"Remove it: {unprotecting(own)}"
        if plan.deletes_bucket and (live := bucket_owners(plan, self._environment, self._stacks)):
            yield (
                f"the bucket {self._bucket} is that of stack {', '.join(live)}",
                self._environment.settings.remedy,
            )
        users = sorted(
            {*self._importing, *(owner for owner, found in self._owned.values() if found.is_shown)}
        )
        unproven = {child: found.is_later for child, (_, found) in self._owned.items() if not found.is_shown}
        if users or unproven:
            yield (
                f"{', '.join([*users, *unproven])} may need "
                + (f"stack {own}" if self._own else f"the bucket {self._bucket}"),
                ". ".join(self._remedies(users, unproven)),
            )
        if self._deployed and not keeps:
            # Pipelines continue after `leave`. A rollback reads the code of the former template again.
            # A person may have kept a pipeline's stack without an owner.
            deployed = [
                name
                for name in self._deployed
                if not name.startswith(name_of("stack", self._environment.env_id))
            ]
            yield (
                f"{', '.join(self._deployed)} may need "
                + (
                    f"{name_of('deploy_role', self._environment.env_id)} or another role of {own}, with which"
                    " CloudFormation deletes them"
                    if self._own
                    else (
                        f"the bucket {self._bucket}, for a pipeline's artifacts or for code to which it rolls"
                        " back"
                    )
                ),
                "Use --keep-stacks, and give each of them another role later (--role-arn)"
                + (f". Or delete them first: {_deleting(deployed)}" if deployed else ""),
            )

    def _remedies(self, users: list[str], unproven: dict[str, bool]) -> Iterator[str]:
        """The command is the last one. It is offered only for a stack that is a project's."""
        if any(unproven.values()):
            yield (
                f"Wait for the end of the operation that changes {', '.join(filter(unproven.get, unproven))},"
                " and run this again"
            )
        if unclear := [child for child, is_later in unproven.items() if not is_later]:
            yield (
                f"See the ServiceToken of each resource that {', '.join(unclear)} names. If it is the ARN of"
                " this function, delete that resource first. Otherwise remove the tags of the stack that"
                " names it"
            )
        stacks = {stack["StackName"]: stack for stack in self._stacks}
        projects = [
            name
            for name in users
            if name in stacks
            and not manager_of(stacks[name])
            and all(
                re.fullmatch(OF_PROJECT, each["ResourceType"])
                for each in self._account.resources_of(stacks[name])
            )
        ]
        for name in users:
            if name not in projects:
                imported = self._importing.get(name, [self._environment.export])
                uses = [
                    (
                        "the resources Custom::GitOpsPipeline and Custom::MirrorCredential"
                        if each == self._environment.export
                        else f"the import of {each}"
                    )
                    for each in imported
                ]
                manager = manager_of(stacks[name]) if name in stacks else ""
                yield f"Remove {', '.join(uses)} from stack {name}{f', in {manager}' if manager else ''}"
        if projects:
            yield "Delete the stacks of projects: " + " && ".join(changing(stacks[name]) for name in projects)


def _deleting(names: list[str]) -> str:
    return " && ".join(changing({"StackName": name}) for name in names)


def bucket_owners(plan: Plan, environment: Environment, stacks: list[dict[str, Any]]) -> list[str]:
    """The other stacks that are this environment, or have the bucket as a resource."""
    return [
        stack["StackName"]
        for stack in stacks
        if stack["StackId"] != plan.stack_id
        and (
            environment.export in exports(stack)
            or (
                parameters(stack).get("EnvID") == environment.env_id
                and any(
                    each.get("PhysicalResourceId") == plan.bucket
                    for each in environment.account.resources_of(stack)
                )
            )
        )
    ]


def delete_bucket(session: Any, name: str) -> int:
    """Deletes every version, every delete marker and every unfinished upload, then the bucket."""
    bucket = session.resource("s3").Bucket(name)
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    count = 0
    for answer in bucket.object_versions.delete():
        if answer.get("Errors"):
            raise Failure(
                f"bucket {name} is not emptied: {answer['Errors'][0]}",
                "Correct the cause, and run this again",
            )
        count += len(answer.get("Deleted", []))
    bucket.delete()
    return count
