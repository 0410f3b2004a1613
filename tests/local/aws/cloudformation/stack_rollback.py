"""Parts of stack operations that MiniStack lacks: the Delete after a failed Create, and buckets that are not
empty."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import handlers, provisioners, stacks


def install() -> None:
    _delete_what_failed_to_create()
    _reject_buckets_with_objects()


def _delete_what_failed_to_create() -> None:
    """A rollback also deletes a resource whose Create failed, first, because it was the last one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html: the Delete of the rollback
    has the "PhysicalResourceId" of the failed Create.
    """
    ministack_roll_back = stacks._roll_back_operation

    async def roll_back(
        stack_name: str, stack_id: str, stack: dict, operation: dict, reason_override: str = ""
    ) -> Any:
        failed = operation.get("failed_logical_id")
        record = stack.get("_resources", {}).get(failed) or {}
        if record.get("ResourceStatus") == "CREATE_FAILED" and failed not in operation.get("created", []):
            operation["created"] = [*operation.get("created", []), failed]
        return await ministack_roll_back(stack_name, stack_id, stack, operation, reason_override)

    for module in (stacks, handlers):
        module._roll_back_operation = roll_back


def _reject_buckets_with_objects() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html, "Delete stack
    fails"."""
    table = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    ministack_delete = table["delete"]

    def delete(physical_id: str, props: dict) -> None:
        bucket = s3._buckets.get(physical_id)
        if bucket and (bucket["objects"] or s3._bucket_has_versions(physical_id)):
            raise ValueError(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
                "(Service: S3, Status Code: 409; Error Code: BucketNotEmpty)"
            )
        ministack_delete(physical_id, props)

    table["delete"] = delete
