"""`AWS::CodeCommit::Repository` for MiniStack's CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services.cloudformation import provisioners

from tests.local.aws.codecommit import api as codecommit_api, repositories
from tests.local.aws.codecommit.repositories import Repository


def install() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::CodeCommit::Repository"] = {
        "create": _create, "update": _update, "delete": _delete,
    }
    provisioners._STACK_TAG_PROPERTY["AWS::CodeCommit::Repository"] = ("Tags", "list")


def _attributes(held: Repository) -> dict[str, str]:
    return {"Arn": held.arn, "Name": held.name, "CloneUrlHttp": held.clone_url_http,
            "CloneUrlSsh": held.clone_url_ssh}


def _tags(props: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in props.get("Tags") or []}


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    try:
        held = codecommit_api.create(props["RepositoryName"], props.get("RepositoryDescription"), _tags(props),
                                     props.get("KmsKeyId"))
    except codecommit_api.Rejected as rejected:
        raise ValueError(f"{rejected.message} (Service: CodeCommit, Status Code: 400; {rejected.code})") from None
    return held.repository_id, _attributes(held)


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any],
            stack_name: str) -> tuple[str, dict[str, str]]:
    held = repositories.find_by_id(physical_id)
    assert held is not None and held.name == new["RepositoryName"]
    held.description, held.kms_key_id = new.get("RepositoryDescription"), new.get("KmsKeyId")
    # Keep tags that the stack did not set.
    removed = _tags(old).keys() - _tags(new).keys()
    held.tags = {key: value for key, value in held.tags.items() if key not in removed} | _tags(new)
    held.modified = time.time()
    return physical_id, _attributes(held)


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    held = repositories.find_by_id(physical_id)
    if held is not None:
        repositories.delete(held)
