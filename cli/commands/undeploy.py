"""Delete an environment's stack and, with --delete-bucket, the artifact bucket that the stack retains.

It shows what will be deleted, and deletes it only after you type the stack's name, or with --yes. It never deletes stacks
that the environment's pipelines deployed. While such a stack exists it deletes nothing, because CloudFormation changes and
deletes it with a role of this stack. --keep-stacks leaves it without that role.
"""

from __future__ import annotations

import argparse
from typing import Any

from cli.account import Environment, owner_of, parameters
from cli.ending import Failure
from cli.output import GOES_ON, Output, is_confirmed
from cli.stack_deletion import delete_stack

EXAMPLES = ("cfn-gitops undeploy --env dev", "cfn-gitops undeploy --env dev --delete-bucket --yes")
INTERRUPTED = GOES_ON


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--delete-bucket", action="store_true", help="also delete the artifact bucket, with every version of every object")
    parser.add_argument("--keep-stacks", action="store_true", help="delete it even if stacks exist that its pipelines deployed")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output) -> int:
    account, settings = environment.account, environment.settings
    bucket = account.bucket_of(settings.env_id)
    stack = account.stack(settings.stack_name)
    has_bucket = account.has_bucket(bucket)
    deletes_bucket = has_bucket and given.delete_bucket

    output.tell(f"- stack {settings.stack_name}: {what_happens(stack)}")
    if not has_bucket:
        output.tell(f"- bucket {bucket}: does not exist")
    elif deletes_bucket:
        output.tell(f"- bucket {bucket}: will be deleted, with every version of every object")
    else:
        output.tell(f"- bucket {bucket}: stays (--delete-bucket deletes it too)")
    if stack is not None:
        require_unneeded(environment, given.keep_stacks, output)
    if stack is None and not deletes_bucket:
        return 0
    if not is_confirmed(output, f"What is deleted cannot be restored. To delete it, type {settings.stack_name}:",
                        settings.stack_name, given.yes):
        return 1

    if stack is not None:
        delete_stack(account.session, settings.stack_name, output)
    if deletes_bucket:
        count = delete_bucket(account.session, bucket)
        output.has_done(f"bucket {bucket} is deleted, with {count} versions and delete markers")
    return 0


def what_happens(stack: dict[str, Any] | None) -> str:
    """The consequence for the environment's stack. Its first project is optional."""
    if stack is None:
        return "does not exist"
    has_project = parameters(stack).get("ProjectID") != ""
    return "will be deleted" + (
        ", with the mirror's user, secret and push mirror, and the first project's pipeline" if has_project else "")


def require_unneeded(environment: Environment, keeps: bool, output: Output) -> None:
    """Raises `Failure` if another stack needs this one. Lists those that do, and the ones that are deleted with it."""
    account, settings = environment.account, environment.settings
    stacks, children = account.stacks(), f"gitops-{settings.env_id}-"
    names = {stack.get("StackId"): stack["StackName"] for stack in stacks}
    # Who may create stacks may choose their names and tags. So these do not show that an owner has a pipeline.
    owners = {stack["StackName"]: names[owner] for stack in stacks
              if stack["StackName"].startswith(children) and (owner := owner_of(stack)) in names}
    others = {child: owner for child, owner in owners.items() if owner != settings.stack_name}
    role = f"role-{settings.env_id}-codedeploy-cfn"
    roles = (f":role/{role}", f":role/role-{settings.env_id}-cfn-gitops-provisioning")
    deployed = sorted(stack["StackName"] for stack in stacks if stack["StackName"] not in owners and "RootId" not in stack and (
        stack["StackName"].startswith(f"cfnstack-{settings.env_id}-") or stack.get("RoleARN", "").endswith(roles)))
    for stack in stacks:
        if owners.get(stack["StackName"]) == settings.stack_name:
            output.tell(f"- stack {stack['StackName']}: will be deleted with it"
                  + "".join(f", and repository {name} with all its commits" for name in account.repositories(stack)))
    for name in deployed:
        output.tell(f"- stack {name}: stays, {'its owner is deleted' if name.startswith(children) else 'a pipeline deployed it'}")
    for child, owner in sorted(others.items()):
        output.tell(f"- stack {child}: names {owner} as its owner, in a tag")
    if others:
        raise Failure(f"nothing is deleted, because {', '.join(sorted(others))} may need the function of {settings.stack_name}",
                      "First delete each owner with a resource Custom::GitOpsPipeline of this environment, with `aws "
                      "cloudformation delete-stack --stack-name …`. If an owner has no such resource, cfn-gitops did not create "
                      "the stack that names it. Delete that stack instead")
    if deployed and not keeps:
        raise Failure(f"nothing is deleted, because CloudFormation deletes {', '.join(deployed)} with {role}, or another role of "
                      f"{settings.stack_name}, which would not exist any more",
                      "Delete them first, with `aws cloudformation delete-stack --stack-name …`. Or use --keep-stacks, and give "
                      "each of them another role later (--role-arn)")


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

