"""`AWS::ECR::Repository` with ECR's own operations: MiniStack's adopts an existing repository, and ignores ECR's
rejection of a policy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import ecr
from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_schemas, stack_permissions
from tests.local.aws.cloudformation.stack_permissions import Change, Need
from tests.local.aws.ecr import api as ecr_api
from tests.local.aws.ecr.images import Rejected

TYPE = "AWS::ECR::Repository"
_HANDLER_CODES = {"RepositoryAlreadyExistsException": "AlreadyExists", "InvalidParameterException": "InvalidRequest"}


def install() -> None:
    provisioners._RESOURCE_HANDLERS[TYPE] = {
        "create": _create, "update": _update, "update_with_logical_id": True, "delete": _delete}
    stack_permissions._ROWS[TYPE] = _needs
    resource_schemas._CHECKED.add(TYPE)


def _call(operation: str, request: dict[str, Any]) -> None:
    try:
        ecr_api.call(operation, request)
    except Rejected as rejected:
        raise ValueError(
            f'Resource handler returned message: "{rejected.message} (Service: Ecr, Status Code: 400, Request ID: '
            f'{new_uuid()})" (RequestToken: {new_uuid()}, HandlerErrorCode: '
            f'{_HANDLER_CODES.get(rejected.code, "GeneralServiceException")})') from None


def _attributes(name: str) -> dict[str, str]:
    held = ecr._repositories[name]
    return {"Arn": held["repositoryArn"], "RepositoryUri": held["repositoryUri"]}


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("RepositoryName") or provisioners._physical_name(
        stack_name, logical_id, lowercase=True, max_len=256)
    request = {"repositoryName": name, **provisioners._ecr_cfn_to_api(props)}
    _call("CreateRepository", request)
    try:
        _set_policies(name, {}, props)
    except ValueError:
        # Such a creation fails as a whole: its repository is deleted, so that it does not block the next creation.
        _call("DeleteRepository", {"repositoryName": name})
        raise
    return name, _attributes(name)


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str,
            logical_id: str | None = None) -> tuple[str, dict[str, str]]:
    if physical_id not in ecr._repositories:
        raise ValueError(f"Resource of type '{TYPE}' with identifier '{physical_id}' was not found.")
    if any(old.get(key) != new.get(key) for key in ("RepositoryName", "EncryptionConfiguration")):
        return _create(logical_id or physical_id, new, stack_name)  # "Update requires: Replacement"
    wanted = provisioners._ecr_cfn_to_api(new)
    for key, operation in (("imageTagMutability", "PutImageTagMutability"),
                           ("imageScanningConfiguration", "PutImageScanningConfiguration")):
        _call(operation, {"repositoryName": physical_id, key: wanted[key]})
    _set_policies(physical_id, old, new)
    # Keep tags that the stack did not set.
    provisioners._reconcile_tag_list(ecr._repositories[physical_id].setdefault("tags", []), old, new)
    return physical_id, _attributes(physical_id)


def _set_policies(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    def texts(props: dict[str, Any]) -> tuple[str, str]:
        policy = props.get("RepositoryPolicyText") or ""
        return (policy if isinstance(policy, str) else json.dumps(policy),
                (props.get("LifecyclePolicy") or {}).get("LifecyclePolicyText") or "")

    for before, after, key, put, what in zip(
            texts(old), texts(new), ("policyText", "lifecyclePolicyText"), ("Set", "Put"),
            ("RepositoryPolicy", "LifecyclePolicy"), strict=True):
        if after and before != after:
            _call(f"{put}{what}", {"repositoryName": name, key: after})
        elif before and not after:
            _call(f"Delete{what}", {"repositoryName": name})


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    """"If true, deleting the repository force deletes the contents of the repository. If false, the repository must be
    empty before attempting to delete it." """
    if physical_id in ecr._repositories:
        _call("DeleteRepository", {"repositoryName": physical_id,
                                   "force": str(props.get("EmptyOnDelete", False)).lower() == "true"})


def _needs(change: Change) -> list[Need]:
    """The `handlers` of the type's schema, each permission only if its property is used."""
    arn = stack_permissions._arn("ecr", f"repository/{change.name('RepositoryName')}")
    if change.new is None:
        return [Need("ecr:DeleteRepository", arn)]
    tags = stack_permissions._tags(change, arn, "ecr:TagResource", "ecr:UntagResource")
    if change.old is None:
        wanted = [Need("ecr:CreateRepository", arn, next((need.keys for need in tags), {}))]
        key = (change.new.get("EncryptionConfiguration") or {}).get("KmsKey")
        key = key if not key or key.startswith("arn:") else stack_permissions._arn("kms", f"key/{key}")
        wanted += [Need(f"kms:{action}", key) for action in ("DescribeKey", "CreateGrant") if key]
    else:
        wanted = [Need("ecr:DescribeRepositories", arn)]
        wanted += [Need(f"ecr:Put{key}", arn) for key in ("ImageTagMutability", "ImageScanningConfiguration")
                   if change.differs(key)]
    for key, put, delete in (("RepositoryPolicyText", "SetRepositoryPolicy", "DeleteRepositoryPolicy"),
                             ("LifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy")):
        if change.differs(key):
            wanted.append(Need(f"ecr:{put if change.new.get(key) else delete}", arn))
    return [*wanted, *tags]
