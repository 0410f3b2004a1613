"""CodeCommit's approval rule templates, and their associations with repositories.

Errors and shapes: https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Operations.html; limits:
https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import AccountRegionScopedDict

from tests.local.aws.codecommit import api as codecommit_api
from tests.local.aws.codecommit import repositories
from tests.local.aws.codecommit.api import existing
from tests.local.aws.json_api import Rejected

_templates = AccountRegionScopedDict()


@dataclass
class Template:
    name: str
    content: str
    description: str | None
    user: str
    template_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    modified: float = 0.0
    associated: set[str] = field(default_factory=set)  # ids of repositories

    def __post_init__(self) -> None:
        self.modified = self.created

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()


def install() -> None:
    codecommit_api.OPERATIONS.update(_OPERATIONS)


def _shape(held: Template) -> dict[str, Any]:
    known = {
        "approvalRuleTemplateId": held.template_id,
        "approvalRuleTemplateName": held.name,
        "approvalRuleTemplateDescription": held.description,
        "approvalRuleTemplateContent": held.content,
        "ruleContentSha256": held.digest,
        "lastModifiedDate": held.modified,
        "creationDate": held.created,
        "lastModifiedUser": held.user,
    }
    return {"approvalRuleTemplate": {key: value for key, value in known.items() if value is not None}}


def _existing(request: dict) -> Template:
    name = request["approvalRuleTemplateName"]
    held: Template | None = _templates.get(name)
    if held is None:
        raise Rejected(
            "ApprovalRuleTemplateDoesNotExistException", f"The approval rule template {name} does not exist"
        )
    return held


def _check_content(content: str) -> None:
    try:
        valid = "Statements" in json.loads(content)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise Rejected(
            "InvalidApprovalRuleTemplateContentException", "The content of the template is not valid"
        )


def _create(request: dict) -> dict:
    name = request["approvalRuleTemplateName"]
    _check_content(request["approvalRuleTemplateContent"])
    if name in _templates:
        raise Rejected(
            "ApprovalRuleTemplateNameAlreadyExistsException", f"A template named {name} already exists"
        )
    made = _templates[name] = Template(
        name,
        request["approvalRuleTemplateContent"],
        request.get("approvalRuleTemplateDescription"),
        iam_evaluator.caller_arn(),
    )
    return _shape(made)


def _get(request: dict) -> dict:
    return _shape(_existing(request))


def _delete(request: dict) -> dict:
    # "If the approval rule template was previously deleted, the only response is a 200 OK."
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteApprovalRuleTemplate.html
    held: Template | None = _templates.get(request["approvalRuleTemplateName"])
    if held is None:
        return {"approvalRuleTemplateId": ""}
    if _list_repositories(request)["repositoryNames"]:
        raise Rejected(
            "ApprovalRuleTemplateInUseException", f"The template {held.name} is associated with a repository"
        )
    del _templates[held.name]
    return {"approvalRuleTemplateId": held.template_id}


def _list(request: dict) -> dict:
    return {"approvalRuleTemplateNames": sorted(_templates)}


def _update_content(request: dict) -> dict:
    held = _existing(request)
    _check_content(request["newRuleContent"])
    held.content, held.modified, held.user = (
        request["newRuleContent"],
        time.time(),
        iam_evaluator.caller_arn(),
    )
    return _shape(held)


def _associate(request: dict) -> dict:
    _existing(request).associated.add(existing(request).repository_id)
    return {}


def _disassociate(request: dict) -> dict:
    _existing(request).associated.discard(existing(request).repository_id)
    return {}


def _batch(one: Callable[[dict], dict], done_key: str, request: dict) -> dict:
    """https://docs.aws.amazon.com/codecommit/latest/APIReference/API_BatchAssociateApprovalRuleTemplateWithRepositories.html"""
    for name in request["repositoryNames"]:
        one({**request, "repositoryName": name})
    return {done_key: request["repositoryNames"], "errors": []}


def _list_repositories(request: dict) -> dict:
    """The existing repositories: a deleted one has no associations any more."""
    associated = _existing(request).associated
    return {
        "repositoryNames": [each.name for each in repositories.every() if each.repository_id in associated]
    }


def _list_associated(request: dict) -> dict:
    repository_id = existing(request).repository_id
    return {
        "approvalRuleTemplateNames": sorted(
            name for name, held in _templates.items() if repository_id in held.associated
        )
    }


_OPERATIONS: dict[str, Callable[[dict], dict]] = {
    "CreateApprovalRuleTemplate": _create,
    "GetApprovalRuleTemplate": _get,
    "DeleteApprovalRuleTemplate": _delete,
    "ListApprovalRuleTemplates": _list,
    "UpdateApprovalRuleTemplateContent": _update_content,
    "AssociateApprovalRuleTemplateWithRepository": _associate,
    "DisassociateApprovalRuleTemplateFromRepository": _disassociate,
    "BatchAssociateApprovalRuleTemplateWithRepositories": partial(
        _batch, _associate, "associatedRepositoryNames"
    ),
    "BatchDisassociateApprovalRuleTemplateFromRepositories": partial(
        _batch, _disassociate, "disassociatedRepositoryNames"
    ),
    "ListRepositoriesForApprovalRuleTemplate": _list_repositories,
    "ListAssociatedApprovalRuleTemplatesForRepository": _list_associated,
}
