"""Deletes the stack and, when told so twice, the artifact bucket that outlives it.

    DELETE_BUCKET=yes CONFIRM=yes python scripts/undeploy.py --config-env default
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
