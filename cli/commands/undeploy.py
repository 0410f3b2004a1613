"""Delete an environment's stack and, with --delete-bucket, the artifact bucket that the stack retains.

It shows what will be deleted, and deletes it only after you type the stack's name, or with --yes. It never deletes stacks
that the environment's pipelines deployed. While such a stack exists it deletes nothing, because CloudFormation changes and
deletes it with a role of this stack, and its code may be in the bucket. --keep-stacks leaves it without them. The exit
status is 1 if the stack does not exist, unless CloudFormation lists it as deleted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.environment.account import Environment, exports, parameters
from cli.environment.owners import Owners
from cli.environment.stack_deletion import delete_stack
from cli.project.pipelines import children_of
from cli.rules import name_of
from cli.shell.ending import Failure
from cli.shell.output import Output, confirm

EXAMPLES = ("cfn-gitops undeploy --env dev", "cfn-gitops undeploy --env dev --delete-bucket --yes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--delete-bucket", action="store_true", help="also delete the artifact bucket, with every version of every object")
    parser.add_argument("--keep-stacks", action="store_true", help="delete it even if stacks exist that its pipelines deployed")
    parser.add_argument("--yes", action="store_true", help="do not ask")


@dataclass
class Plan:
    """The consequence for each stack, and for the bucket."""

    # Empty if the environment's stack does not exist.
    stack_id: str
    bucket: str
    of_bucket: str
    deletes_bucket: bool
    stacks: dict[str, str] = field(default_factory=dict)
    # A problem and its remedy, if nothing may be deleted.
    obstacle: tuple[str, str] | None = None

    @property
    def deletes(self) -> bool:
        return bool(self.stack_id) or self.deletes_bucket

    def show(self, output: Output) -> None:
        for name, text in self.stacks.items():
            output.write_progress(f"- stack {name}: {text}")
        output.write_progress(f"- bucket {self.bucket}: {self.of_bucket}")
        output.document |= {"stacks": [{"stack": name, "plan": text} for name, text in self.stacks.items()],
                            "bucket": {"bucket": self.bucket, "plan": self.of_bucket}}


def run(environment: Environment, given: Any, output: Output) -> int:
    name, session = environment.settings.stack_name, environment.account.session
    plan = planned(environment, given)
    plan.show(output)
    if plan.obstacle:
        raise Failure(*plan.obstacle)
    if not plan.deletes:
        environment.require_deleted()
        return 0
    if not confirm(output, f"What is deleted cannot be restored. To delete it, type {name}:", name, given.yes):
        return 1
    # A pipeline may have deployed another stack meanwhile.
    if not given.yes and planned(environment, given) != plan:
        raise Failure("nothing is deleted, because the list has changed since it was shown", "Run this again")

    if plan.stack_id:
        delete_stack(session, name, output)
    if plan.deletes_bucket:
        output.has_begun = True
        count = delete_bucket(session, plan.bucket)
        output.record_change(f"bucket {plan.bucket} is deleted, with {count} versions and delete markers")
    return 0


def planned(environment: Environment, given: Any) -> Plan:
    account, name = environment.account, environment.settings.stack_name
    bucket = account.bucket_of(environment.env_id)
    stack, has_bucket = environment.found_stack(), account.has_bucket(bucket)
    deletes_bucket = has_bucket and given.delete_bucket
    plan = Plan(
        stack["StackId"] if stack else "", bucket,
        "does not exist" if not has_bucket else "will be deleted, with every version of every object" if deletes_bucket else
        "stays (--delete-bucket deletes it too)", deletes_bucket, {name: what_happens(stack)})
    if plan.deletes:
        add_others(plan, environment, given.keep_stacks)
    return plan


def what_happens(stack: dict[str, Any] | None) -> str:
    """The consequence for the environment's stack. Its first project is optional."""
    if stack is None:
        return "does not exist"
    return "will be deleted" + (", with the mirror's user, secret and push mirror, and the first project's pipeline"
                                if parameters(stack).get("ProjectID", "") else "")


def add_others(plan: Plan, environment: Environment, keeps: bool) -> None:
    """Adds the stacks that need this one or the bucket, and those that are deleted with it."""
    account, own, env_id = environment.account, environment.settings.stack_name, environment.env_id
    stacks, children = account.stacks(), name_of("stack", env_id)
    owners = Owners(environment, stacks)
    owned = {}
    for child in children_of(stacks, env_id):
        owner, (is_shown, reason) = owners.named_by(child), owners.of(child)
        # Without a resource that owns it, no stack needs the function for it.
        if owner and is_shown is not False:
            owned[child["StackName"]] = (owner["StackName"], is_shown, reason)
    others = {child: found for child, found in sorted(owned.items()) if found[0] != own}
    role = name_of("deploy_role", env_id)
    roles = tuple(f":iam::{account.id}:role/{each}" for each in (role, name_of("provisioning_role", env_id)))
    deployed = sorted(stack["StackName"] for stack in stacks if stack["StackName"] not in owned and "RootId" not in stack and (
        stack["StackName"].startswith(name_of("deployed_stack", env_id)) or stack.get("RoleARN", "").endswith(roles)))
    for stack in stacks:
        if stack["StackName"] in owned.keys() - others.keys():
            plan.stacks[stack["StackName"]] = "will be deleted with it" + "".join(
                f", and repository {name} with all its commits" for name in account.repositories(stack))
    for name in deployed:
        plan.stacks[name] = f"stays, {'no stack owns it' if name.startswith(children) else 'a pipeline deployed it'}"
    for child, (owner, is_shown, reason) in others.items():
        plan.stacks[child] = f"belongs to {owner}" if is_shown else f"may need the function: {reason}"
    if plan.deletes_bucket and (live := bucket_owners(plan, environment, stacks)):
        plan.obstacle = (f"nothing is deleted, because the bucket {plan.bucket} is that of stack {', '.join(live)}",
                         environment.settings.remedy)
    elif others:
        needed = f"the function of {own}" if plan.stack_id else f"the bucket {plan.bucket}"
        plan.obstacle = (
            f"nothing is deleted, because {', '.join(sorted(others))} may need {needed}",
            " ".join(_remedies(others)))
    elif deployed and not keeps and plan.stack_id:
        plan.obstacle = (
            f"nothing is deleted, because CloudFormation deletes {', '.join(deployed)} with {role}, or another role of {own}, which "
            "would not exist any more", "Delete them first, with `aws cloudformation delete-stack --stack-name …`. Or use "
            "--keep-stacks, and give each of them another role later (--role-arn)")
    elif deployed and not keeps:
        # Pipelines continue after `leave`. A rollback reads the code of the former template again.
        plan.obstacle = (
            f"nothing is deleted, because {', '.join(deployed)} may need the bucket {plan.bucket}, for a pipeline's artifacts, or for "
            "code to which CloudFormation rolls back", "Delete them first, with `aws cloudformation delete-stack --stack-name …`. "
            "Or use --keep-stacks")


def _remedies(others: dict[str, tuple[str, bool | None, str]]) -> Iterator[str]:
    """The next step for the owners of these stacks."""
    if proven := sorted({owner for owner, is_shown, _ in others.values() if is_shown}):
        delete = " && ".join(f"aws cloudformation delete-stack --stack-name {owner}" for owner in proven)
        yield f"First delete their owners, or remove the resources Custom::GitOpsPipeline from these: {delete}."
    if unproven := [child for child, (_, is_shown, _) in others.items() if not is_shown]:
        yield (f"See the ServiceToken of each resource that {', '.join(unproven)} names. If it is the ARN of this function, delete that "
               "resource first. Otherwise remove the tags of the stack that names it")


def bucket_owners(plan: Plan, environment: Environment, stacks: list[dict[str, Any]]) -> list[str]:
    """The other stacks that are this environment, or have the bucket as a resource."""
    return [stack["StackName"] for stack in stacks if stack["StackId"] != plan.stack_id and (
        environment.export in exports(stack) or (
            parameters(stack).get("EnvID") == environment.env_id and environment.account.has_resource(stack, plan.bucket)))]


def delete_bucket(session: Any, name: str) -> int:
    """Deletes every version, every delete marker and every unfinished upload, then the bucket."""
    bucket = session.resource("s3").Bucket(name)
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    count = 0
    for answer in bucket.object_versions.delete():
        if answer.get("Errors"):
            raise Failure(f"bucket {name} is not emptied: {answer['Errors'][0]}", "Correct the cause, and run this again")
        count += len(answer.get("Deleted", []))
    bucket.delete()
    return count
