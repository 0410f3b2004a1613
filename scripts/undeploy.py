"""Deletes the stack and, when told so twice, the artifact bucket that outlives it.

    DELETE_BUCKET=yes CONFIRM=yes python scripts/undeploy.py --config-env default

Never what the environment's pipelines deployed. While there is any of that it deletes nothing, as the role that
CloudFormation changes and deletes those stacks with would go; KEEP_STACKS=yes leaves them without.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from botocore.exceptions import WaiterError

import sam_settings


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="default")
    settings = sam_settings.read(arguments.parse_args().config_env)
    account = sam_settings.account()
    bucket = account.bucket_of(settings.env_id)
    status = account.stack_status(settings.stack_name)
    has_bucket = account.has_bucket(bucket)
    wants_bucket = os.environ.get("DELETE_BUCKET") == "yes"
    confirmed = os.environ.get("CONFIRM") == "yes"

    print(f"Account {account.id}, region {account.region}:")
    print(f"- stack {settings.stack_name}: " + ("will be deleted" if status else "is not there"))
    if not has_bucket:
        print(f"- bucket {bucket}: is not there")
    elif wants_bucket:
        print(f"- bucket {bucket}: will be emptied of every version, and deleted")
    else:
        print(f"- bucket {bucket}: stays (DELETE_BUCKET=yes CONFIRM=yes deletes it)")
    if status and not may_go(account, settings):
        return 1
    if wants_bucket and has_bucket and not confirmed:
        print("Nothing is done: what a bucket held cannot be brought back. Say CONFIRM=yes.", file=sys.stderr)
        return 1

    sys.stdout.flush()
    if status and not delete_stack(account.session, settings.stack_name):
        return 1
    if has_bucket and wants_bucket:
        count = delete_bucket(account.session, bucket)
        print(f"Bucket {bucket} is deleted, with {count} versions and delete markers.")
    return 0


def may_go(account: sam_settings.Account, settings: sam_settings.Settings) -> bool:
    """Whether nothing needs the stack any more. Says what does."""
    stacks = account.stacks()
    stack_id = next(stack["StackId"] for stack in stacks if stack["StackName"] == settings.stack_name)
    role = f"role-{settings.env_id}-codedeploy-cfn"
    owners = [pipeline_owner(stack) for stack in stacks if stack["StackName"].startswith(f"gitops-{settings.env_id}-")]
    others = sorted({owner for owner in owners if owner and owner != stack_id})
    deployed = sorted(stack["StackName"] for stack in stacks if "RootId" not in stack and (
        stack["StackName"].startswith(f"cfnstack-{settings.env_id}-") or stack.get("RoleARN", "").endswith(f"/{role}")))
    keeps = os.environ.get("KEEP_STACKS") == "yes"
    for name in deployed:
        print(f"- stack {name}: stays, a pipeline deployed it")
    for owner in others:
        print(f"- stack {owner.split('/')[1]}: has a pipeline of this environment")
    sys.stdout.flush()
    if others:
        print("Nothing is done: delete first, with `aws cloudformation delete-stack --stack-name …`, the stacks that "
              f"have pipelines here. They need the function of {settings.stack_name} for that.", file=sys.stderr)
    elif deployed and not keeps:
        print(f"Nothing is done: CloudFormation deletes what pipelines deployed with {role}, which would be gone. "
              "Delete those stacks first, with `aws cloudformation delete-stack --stack-name …`; or say "
              "KEEP_STACKS=yes, and give each of them another role later (--role-arn).", file=sys.stderr)
    return not others and (keeps or not deployed)


def pipeline_owner(stack: dict[str, Any]) -> str | None:
    """The id of the stack that a pipeline's stack belongs to."""
    return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == "cfn-gitops:stack-id"), None)


def delete_stack(session: Any, name: str) -> bool:
    cloudformation = session.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_id)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack_id, WaiterConfig={"Delay": 3, "MaxAttempts": 1200})
    except WaiterError:
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        print(f"Stack {name} is not deleted:", file=sys.stderr)
        for event in events:
            if event["ResourceStatus"] == "DELETE_FAILED":
                print(f"- {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}", file=sys.stderr)
        return False
    print(f"Stack {name} is deleted.")
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
