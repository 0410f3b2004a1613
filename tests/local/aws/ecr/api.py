"""ECR's API: MiniStack's, with the registry of the request, AWS's validation, and the images of `images`.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html
"""

import json
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    request_scope,
)
from ministack.services import ecr

from tests.local.aws import service_shapes
from tests.local.aws.ecr import images as ecr_images
from tests.local.aws.json_api import Rejected, members, operation_of

_Operation = Callable[[dict[str, Any]], dict[str, Any]]


def install() -> None:
    ministack_handle = app.SERVICE_HANDLERS["ecr"]

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> tuple:
        operation, request = operation_of(headers), members(body)
        registry = str(request.get("registryId") or get_account_id())
        try:
            # From here on, the request is for the registry's account, not for the caller's.
            with request_scope(registry, get_region()):
                _check(operation, request)
                if operation in _OPERATIONS:
                    return json_response(_OPERATIONS[operation](request))  # type: ignore[no-any-return]
                return await ministack_handle(method, path, headers, body, query)  # type: ignore[no-any-return]
        except Rejected as rejected:
            return error_response_json(rejected.code, rejected.message, 400)

    app.SERVICE_HANDLERS["ecr"] = handle
    ecr.repository_policy_for_arn = _policy_of


def _check(operation: str, request: dict[str, Any]) -> None:
    if operation not in service_shapes.service("ecr").operation_names:
        return
    for fault in service_shapes.request_faults("ecr", operation, request):
        raise Rejected("InvalidParameterException", f"Invalid parameter: {fault}")
    name = request.get("repositoryName")
    if name and operation != "CreateRepository" and name not in ecr._repositories:
        raise Rejected(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{get_account_id()}'",
        )


def _create_repository(request: dict[str, Any]) -> dict[str, Any]:
    name = request["repositoryName"]
    if name in ecr._repositories:
        raise Rejected(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{name}' already exists in the registry with id '{get_account_id()}'",
        )
    made: dict[str, Any] = json.loads(ecr._create_repository(request)[2])
    return made


def _delete_repository(request: dict[str, Any]) -> dict[str, Any]:
    name = request["repositoryName"]
    if ecr._images.get(name) and not request.get("force"):
        raise Rejected(
            "RepositoryNotEmptyException",
            f"The repository with name '{name}' in registry with id '{get_account_id()}' cannot be deleted "
            "because it still contains images",
        )
    deleted: dict[str, Any] = json.loads(ecr._delete_repository({**request, "force": True})[2])
    # A repository that is created again with the name is empty.
    for store in (ecr._layer_blobs, ecr._manifest_blobs, ecr._uploads):
        store.pop(name, None)
    return deleted


def _policy_of(resource_arn: str) -> tuple[str, str] | None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html

    The repository's policy and its owner, in any account and region. MiniStack searches only the caller's.

    A missing repository of another account allows no caller, like one without a policy: "By default, only the
    AWS account that created the repository has access".
    """
    parts = resource_arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("repository/"):
        return None
    region, owner, name = parts[3], parts[4], parts[5].removeprefix("repository/")
    return ecr._repo_policies.get_scoped(owner, region, name) or "", owner


_OPERATIONS: dict[str, _Operation] = {
    "CreateRepository": _create_repository,
    "DeleteRepository": _delete_repository,
    "InitiateLayerUpload": ecr_images.initiate_layer_upload,
    "UploadLayerPart": ecr_images.upload_layer_part,
    "CompleteLayerUpload": ecr_images.complete_layer_upload,
    "BatchCheckLayerAvailability": ecr_images.batch_check_layer_availability,
    "PutImage": ecr_images.put_image,
    "BatchGetImage": ecr_images.batch_get_image,
    "DescribeImages": ecr_images.describe_images,
}
