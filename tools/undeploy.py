"""Deletes an environment's stack and, if DELETE_BUCKET=yes, the artifact bucket that the stack retains.

    python scripts/undeploy.py --config-env dev
    DELETE_BUCKET=yes CONFIRM=cfn-gitops-dev python scripts/undeploy.py --config-env dev

The release folder has this file in scripts/, a clone in tools/.

It shows what will be deleted, and deletes it only after the stack's name was typed, or given as CONFIRM. It never
deletes stacks that the environment's pipelines deployed. While such a stack exists it deletes nothing, because
CloudFormation changes and deletes it with a role of this stack. KEEP_STACKS=yes leaves it without that role.
"""

import argparse
import os
import sys
from typing import Any

from botocore.exceptions import WaiterError

import sam_settings
from program import entry
from terminal import write


@entry("CloudFormation goes on with a deletion that has begun. Run this again for the rest")
def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="dev")
    arguments.add_argument("--env-id", help="an environment without a table in samconfig.toml")
    given = arguments.parse_args()
    settings = (sam_settings.Settings(given.env_id, f"cfn-gitops-{given.env_id}", {"EnvID": given.env_id})
                if given.env_id else sam_settings.read(given.config_env))
    account = sam_settings.account()
    bucket = account.bucket_of(settings.env_id)
    stack = account.stack(settings.stack_name)
    exists = stack is not None
    has_bucket = account.has_bucket(bucket)
    deletes_bucket = has_bucket and os.environ.get("DELETE_BUCKET") == "yes"

    write(f"Account {account.id}, region {account.region}, environment {settings.env_id}:")
    write(f"- stack {settings.stack_name}: {what_happens(stack)}")
    if not has_bucket:
        write(f"- bucket {bucket}: does not exist")
    elif deletes_bucket:
        write(f"- bucket {bucket}: will be deleted, with every version of every object")
    else:
        write(f"- bucket {bucket}: stays (DELETE_BUCKET=yes deletes it too)")
    if exists and not may_go(account, settings):
        return 1
    if not exists and not deletes_bucket:
        return 0
    if not is_confirmed(settings):
        return 1

    if exists and not delete_stack(account.session, settings.stack_name):
        return 1
    if deletes_bucket:
        count = delete_bucket(account.session, bucket)
        write(f"Bucket {bucket} is deleted, with {count} versions and delete markers.")
    return 0


def what_happens(stack: dict[str, Any] | None) -> str:
    """The consequence for the environment's stack. Its first project is optional."""
    if stack is None:
        return "does not exist"
    has_project = {"ParameterKey": "ProjectID", "ParameterValue": ""} not in stack.get("Parameters", [])
    return "will be deleted" + (
        ", with the mirror's user, secret and push mirror, and the first project's pipeline" if has_project else "")


def is_confirmed(settings: sam_settings.Settings) -> bool:
    """Whether the user gave the stack's name, in CONFIRM or at the prompt. The end of the input counts as no."""
    answer, source = os.environ.get("CONFIRM", ""), "CONFIRM"
    if not answer:
        write(f"What is deleted cannot be restored. To delete it, type {settings.stack_name}: ", end="")
        answer, source = sys.stdin.readline().strip(), "the answer"
        write("")
    if answer == settings.stack_name:
        return True
    write(f"Nothing was deleted: {source} is {answer or 'empty'}, not {settings.stack_name}. Type that name, or set "
          f"CONFIRM={settings.stack_name}", to=sys.stderr)
    return False


def may_go(account: sam_settings.Account, settings: sam_settings.Settings) -> bool:
    """Whether no other stack needs this one. Lists those that do, and the ones that are deleted with it."""
    stacks, children = account.stacks(), f"gitops-{settings.env_id}-"
    names = {stack.get("StackId"): stack["StackName"] for stack in stacks}
    # Who may create stacks may choose their names and tags. So these do not show that an owner has a pipeline.
    owners = {stack["StackName"]: names[owner] for stack in stacks
              if stack["StackName"].startswith(children) and (owner := sam_settings.owner_of(stack)) in names}
    others = {child: owner for child, owner in owners.items() if owner != settings.stack_name}
    role = f"role-{settings.env_id}-codedeploy-cfn"
    roles = (f":role/{role}", f":role/role-{settings.env_id}-cfn-gitops-provisioning")
    deployed = sorted(stack["StackName"] for stack in stacks if stack["StackName"] not in owners and "RootId" not in stack and (
        stack["StackName"].startswith(f"cfnstack-{settings.env_id}-") or stack.get("RoleARN", "").endswith(roles)))
    keeps = os.environ.get("KEEP_STACKS") == "yes"
    for stack in stacks:
        if owners.get(stack["StackName"]) == settings.stack_name:
            write(f"- stack {stack['StackName']}: will be deleted with it"
                  + "".join(f", and repository {name} with all its commits" for name in account.repositories(stack)))
    for name in deployed:
        write(f"- stack {name}: stays, {'its owner is deleted' if name.startswith(children) else 'a pipeline deployed it'}")
    for child, owner in sorted(others.items()):
        write(f"- stack {child}: names {owner} as its owner, in a tag")
    if others:
        write("Nothing is deleted. First delete each owner with a resource Custom::GitOpsPipeline of this environment, with `aws "
              f"cloudformation delete-stack --stack-name …`. Its deletion needs the function of {settings.stack_name}. If an owner "
              "has no such resource, cfn-gitops did not create the stack that names it. Delete that stack instead.", to=sys.stderr)
    elif deployed and not keeps:
        write(f"Nothing is deleted: CloudFormation deletes these stacks with {role}, or another role of "
              f"{settings.stack_name}, which would not exist any more. "
              "Delete them first, with `aws cloudformation delete-stack --stack-name …`. Or set "
              "KEEP_STACKS=yes, and give each of them another role later (--role-arn).", to=sys.stderr)
    return not others and (keeps or not deployed)


def delete_stack(session: Any, name: str) -> bool:
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_id)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack_id, WaiterConfig={"Delay": 3, "MaxAttempts": 1200})
    except WaiterError:
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        write(f"Stack {name} is not deleted:", to=sys.stderr)
        for event in pages.build_full_result()["StackEvents"]:
            if event["ResourceStatus"] == "DELETE_FAILED":
                write(f"- {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}", to=sys.stderr)
        return False
    write(f"Stack {name} is deleted.")
    return True


def delete_bucket(session: Any, name: str) -> int:
    """Deletes every version, every delete marker and every unfinished upload, then the bucket."""
    bucket = session.resource("s3").Bucket(name)
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    count = 0
    for answer in bucket.object_versions.delete():
        if answer.get("Errors"):
            raise RuntimeError(f"emptying {name}: {answer['Errors'][0]}")
        count += len(answer.get("Deleted", []))
    bucket.delete()
    return count


if __name__ == "__main__":
    sys.exit(main())
