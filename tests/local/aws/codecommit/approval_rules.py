"""CodeCommit's approval rule templates, and their associations with repositories.

Errors and shapes: https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Operations.html; limits:
https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict

from tests.local.aws.codecommit import api as codecommit_api, repositories
from tests.local.aws.codecommit.api import Rejected, existing
from tests.local.aws.codecommit.repositories import Repository
from tests.local.aws.iam import enforcement

_NAME = re.compile(r"[A-Za-z0-9. _-]{1,100}")
_OF_ONE_REPOSITORY, _APPROVERS, _REFERENCES = 25, 50, 100
_IN_ONE_BATCH = 100

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
        "approvalRuleTemplateId": held.template_id, "approvalRuleTemplateName": held.name,
        "approvalRuleTemplateDescription": held.description, "approvalRuleTemplateContent": held.content,
        "ruleContentSha256": held.digest, "lastModifiedDate": held.modified, "creationDate": held.created,
        "lastModifiedUser": held.user,
    }
    return {"approvalRuleTemplate": {key: value for key, value in known.items() if value is not None}}


def _name(request: dict) -> str:
    name = request.get("approvalRuleTemplateName")
    if not name:
        raise Rejected("ApprovalRuleTemplateNameRequiredException",
                      "An approval rule template name is required, but was not specified.")
    if not _NAME.fullmatch(name) or name.endswith(".git"):
        raise Rejected("InvalidApprovalRuleTemplateNameException",
                      "The approval rule template name is not valid. It must be between 1 and 100 characters of "
                      "letters, numbers, periods, spaces, underscores and dashes, and must not end in .git.")
    return str(name)


def _existing(request: dict) -> Template:
    name = _name(request)
    held: Template | None = _templates.get(name)
    if held is None:
        raise Rejected("ApprovalRuleTemplateDoesNotExistException", f"The approval rule template {name} does not exist")
    return held


def _description(request: dict) -> str | None:
    description = request.get("approvalRuleTemplateDescription")
    if description is not None and len(description) > 1000:
        raise Rejected("InvalidApprovalRuleTemplateDescriptionException",
                      "The description must have at most 1000 characters.")
    return description


def _content(request: dict, key: str) -> str:
    content = request.get(key)
    if not content:
        raise Rejected("ApprovalRuleTemplateContentRequiredException",
                      "The content for the approval rule template is required.")
    fault = "it has more than 3000 characters" if len(content) > 3000 else _fault(content)
    if fault:
        raise Rejected("InvalidApprovalRuleTemplateContentException",
                      f"The content of the approval rule template is not valid: {fault}")
    return str(content)


def _fault(content: str) -> str:
    """https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-create-template.html#create-template-cli"""
    try:
        parsed = json.loads(content)
    except ValueError:
        return "it is not JSON"
    if not isinstance(parsed, dict) or parsed.keys() - {"Version", "DestinationReferences", "Statements"}:
        return "its members are Version, DestinationReferences and Statements"
    if parsed.get("Version") != "2018-11-08":
        return "its Version is not 2018-11-08"
    references = parsed.get("DestinationReferences", [])
    if not isinstance(references, list) or len(references) > _REFERENCES or not all(
            isinstance(reference, str) and reference.startswith("refs/heads/") for reference in references):
        return "its DestinationReferences are not at most 100 of the form refs/heads/..."
    statements = parsed.get("Statements")
    if not isinstance(statements, list) or len(statements) != 1 or not isinstance(statements[0], dict):
        return "it has not exactly one of Statements"
    return _statement_fault(statements[0])


def _statement_fault(statement: dict[str, Any]) -> str:
    if statement.keys() - {"Type", "NumberOfApprovalsNeeded", "ApprovalPoolMembers"}:
        return "a statement's members are Type, NumberOfApprovalsNeeded and ApprovalPoolMembers"
    if statement.get("Type") != "Approvers":
        return "its Type is not Approvers"
    needed = statement.get("NumberOfApprovalsNeeded")
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        return "its NumberOfApprovalsNeeded is not a number above 0"
    members = statement.get("ApprovalPoolMembers", [])
    if not isinstance(members, list) or len(members) > _APPROVERS:
        return "its ApprovalPoolMembers are not a list of at most 50"
    wrong = [member for member in members if not isinstance(member, str) or not re.fullmatch(
        r"CodeCommitApprovers:(\d{12}|\*):.+|arn:aws[\w-]*:(iam|sts)::(\d{12}|\*):.+", member)]
    return f"{wrong[0]} is neither CodeCommitApprovers:<account>:<name> nor an ARN of IAM" if wrong else ""


def _create(request: dict) -> dict:
    name = _name(request)
    if name in _templates:
        raise Rejected("ApprovalRuleTemplateNameAlreadyExistsException",
                      f"An approval rule template named {name} already exists in this AWS Region")
    content, description = _content(request, "approvalRuleTemplateContent"), _description(request)
    made = _templates[name] = Template(name, content, description, enforcement.caller_arn())
    return _shape(made)


def _get(request: dict) -> dict:
    return _shape(_existing(request))


def _delete(request: dict) -> dict:
    # "If the template has been previously deleted, the only response is a 200 OK."
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteApprovalRuleTemplate.html
    held: Template | None = _templates.get(_name(request))
    if held is None:
        return {}
    if _repositories_of(held):
        raise Rejected("ApprovalRuleTemplateInUseException",
                      "The approval rule template is associated with one or more repositories. Remove all "
                      "associations, and then try again.")
    del _templates[held.name]
    return {"approvalRuleTemplateId": held.template_id}


def _list(request: dict) -> dict:
    return _one_page("approvalRuleTemplateNames", sorted(_templates), request)


def _one_page(key: str, names: list[str], request: dict) -> dict:
    if request.keys() & {"maxResults", "nextToken"}:
        raise Rejected("InvalidMaxResultsException", "Pages of templates are not part of this local CodeCommit.")
    return {key: names}


def _update_content(request: dict) -> dict:
    held, content = _existing(request), _content(request, "newRuleContent")
    digest = request.get("existingRuleContentSha256")
    if digest is not None and digest != held.digest:
        raise Rejected("InvalidRuleContentSha256Exception",
                      "The SHA-256 hash signature for the rule content is not valid.")
    held.content, held.modified, held.user = content, time.time(), enforcement.caller_arn()
    return _shape(held)


def _repositories_of(held: Template) -> list[Repository]:
    """The existing repositories: a deleted one has no associations any more."""
    return [repository for repository in repositories.every() if repository.repository_id in held.associated]


def _templates_of(repository: Repository) -> list[str]:
    return sorted(name for name, held in _templates.items() if repository.repository_id in held.associated)


def _associate(request: dict) -> dict:
    held, repository = _existing(request), existing(request)
    associated = _templates_of(repository)
    if held.name not in associated and len(associated) >= _OF_ONE_REPOSITORY:
        raise Rejected("MaximumRuleTemplatesAssociatedWithRepositoryException",
                      "You cannot associate more than 25 approval rule templates with a repository.")
    held.associated.add(repository.repository_id)
    return {}


def _disassociate(request: dict) -> dict:
    held, repository = _existing(request), existing(request)
    held.associated.discard(repository.repository_id)
    return {}


def _batch(request: dict, one: Callable[[dict], dict], done_key: str) -> dict:
    """The response lists each repository that failed. The others are changed.

    https://docs.aws.amazon.com/codecommit/latest/APIReference/API_BatchAssociateApprovalRuleTemplateWithRepositories.html
    """
    held, names = _existing(request), request.get("repositoryNames")
    if names is None:
        raise Rejected("RepositoryNamesRequiredException", "At least one repository name object is required.")
    if len(names) > _IN_ONE_BATCH:
        raise Rejected("MaximumRepositoryNamesExceededException",
                      "The maximum number of allowed repository names was exceeded. Currently, this number is 100.")
    done: list[str] = []
    errors: list[dict[str, str]] = []
    for name in names:
        try:
            one({"approvalRuleTemplateName": held.name, "repositoryName": name})
            done.append(name)
        except Rejected as rejected:
            errors.append({"repositoryName": name, "errorCode": rejected.code, "errorMessage": rejected.message})
    return {done_key: done, "errors": errors}


def _batch_associate(request: dict) -> dict:
    return _batch(request, _associate, "associatedRepositoryNames")


def _batch_disassociate(request: dict) -> dict:
    return _batch(request, _disassociate, "disassociatedRepositoryNames")


def _list_repositories(request: dict) -> dict:
    return _one_page("repositoryNames", [held.name for held in _repositories_of(_existing(request))], request)


def _list_associated(request: dict) -> dict:
    return _one_page("approvalRuleTemplateNames", _templates_of(existing(request)), request)


_OPERATIONS: dict[str, Callable[[dict], dict]] = {
    "CreateApprovalRuleTemplate": _create, "GetApprovalRuleTemplate": _get, "DeleteApprovalRuleTemplate": _delete,
    "ListApprovalRuleTemplates": _list, "UpdateApprovalRuleTemplateContent": _update_content,
    "AssociateApprovalRuleTemplateWithRepository": _associate,
    "DisassociateApprovalRuleTemplateFromRepository": _disassociate,
    "BatchAssociateApprovalRuleTemplateWithRepositories": _batch_associate,
    "BatchDisassociateApprovalRuleTemplateFromRepositories": _batch_disassociate,
    "ListRepositoriesForApprovalRuleTemplate": _list_repositories,
    "ListAssociatedApprovalRuleTemplatesForRepository": _list_associated,
}
