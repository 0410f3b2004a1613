"""`AWS::CodeCommit::Repository` for MiniStack's CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
"""

import time
from typing import Any

from ministack.services.cloudformation import provisioners

from tests.local.aws.cloudformation import resource_types
from tests.local.aws.codecommit import api as codecommit_api
from tests.local.aws.codecommit import repositories
from tests.local.aws.codecommit.repositories import Repository


def install() -> None:
    provisioners._RESOURCE_HANDLERS["AWS::CodeCommit::Repository"] = {
        "create": _create,
        "update": _update,
        "delete": _delete,
    }
    provisioners._STACK_TAG_PROPERTY["AWS::CodeCommit::Repository"] = ("Tags", "list")


def _attributes(held: Repository) -> dict[str, str]:
    return {
        "Arn": held.arn,
        "Name": held.name,
        "CloneUrlHttp": held.clone_url_http,
        "CloneUrlSsh": held.clone_url_ssh,
    }


def _create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> tuple[str, dict[str, str]]:
    with resource_types.rejections_of("CodeCommit"):
        held = codecommit_api.create(
            props["RepositoryName"],
            props.get("RepositoryDescription"),
            resource_types.tags(props),
            props.get("KmsKeyId"),
        )
    return held.repository_id, _attributes(held)


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    held = repositories.find_by_id(physical_id)
    assert held is not None and held.name == new["RepositoryName"]
    held.description, held.kms_key_id = new.get("RepositoryDescription"), new.get("KmsKeyId")
    held.tags = resource_types.updated_tags(held.tags, old, new)
    held.modified = time.time()
    return physical_id, _attributes(held)


def _delete(physical_id: str, _props: dict[str, Any]) -> None:
    held = repositories.find_by_id(physical_id)
    if held is not None:
        repositories.delete(held)
