"""CodeCommit's JSON API, for repositories, branches and tags.

Errors and shapes: https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Operations.html
"""

import base64
import re
import subprocess
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator

from tests.local.aws import json_api
from tests.local.aws.codecommit import push_events, repositories
from tests.local.aws.codecommit.repositories import Repository
from tests.local.aws.json_api import Rejected


def install() -> None:
    json_api.install("codecommit", "CodeCommit_20150413", OPERATIONS, repositories.every)


def create(
    name: str,
    description: str | None = None,
    tags: dict[str, str] | None = None,
    kms_key_id: str | None = None,
) -> Repository:
    if repositories.find(name):
        raise Rejected("RepositoryNameExistsException", f"Repository named {name} already exists")
    return repositories.create(name, description, tags, kms_key_id)


def existing(request: dict) -> Repository:
    name = request["repositoryName"]
    held = repositories.find(name)
    if held is None:
        raise Rejected("RepositoryDoesNotExistException", f"{name} does not exist")
    return held


def _metadata(held: Repository) -> dict[str, Any]:
    known = {
        "accountId": held.account,
        "repositoryId": held.repository_id,
        "repositoryName": held.name,
        "repositoryDescription": held.description,
        "defaultBranch": held.default_branch,
        "lastModifiedDate": held.modified,
        "creationDate": held.created,
        "cloneUrlHttp": held.clone_url_http,
        "cloneUrlSsh": held.clone_url_ssh,
        "Arn": held.arn,
        "kmsKeyId": held.kms_key_id,
    }
    return {key: value for key, value in known.items() if value is not None}


def _create_repository(request: dict) -> dict:
    held = create(
        request["repositoryName"],
        request.get("repositoryDescription"),
        request.get("tags"),
        request.get("kmsKeyId"),
    )
    return {"repositoryMetadata": _metadata(held)}


def _get_repository(request: dict) -> dict:
    return {"repositoryMetadata": _metadata(existing(request))}


def _delete_repository(request: dict) -> dict:
    # "... the repository ID of the deleted repository. If the repository was already deleted, [it is] null."
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteRepository.html
    held = repositories.find(request["repositoryName"])
    if held is None:
        return {}
    repositories.delete(held)
    return {"repositoryId": held.repository_id}


def _update_repository_name(request: dict) -> dict:
    # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_UpdateRepositoryName.html
    held, name = existing({"repositoryName": request["oldName"]}), request["newName"]
    if repositories.find(name):
        raise Rejected("RepositoryNameExistsException", f"Repository named {name} already exists")
    repositories.rename(held, name)
    return {}


def _list_repositories(request: dict) -> dict:
    return {
        "repositories": [
            {"repositoryName": held.name, "repositoryId": held.repository_id} for held in repositories.every()
        ]
    }


def _branch_of(request: dict, key: str = "branchName") -> tuple[Repository, str, str]:
    held, branch = existing(request), request[key]
    commit = held.branches().get(branch)
    if commit is None:
        raise Rejected("BranchDoesNotExistException", f"Branch {branch} does not exist")
    return held, branch, commit


def _get_branch(request: dict) -> dict:
    _, branch, commit = _branch_of(request)
    return {"branch": {"branchName": branch, "commitId": commit}}


def _list_branches(request: dict) -> dict:
    return {"branches": sorted(existing(request).branches())}


def _delete_branch(request: dict) -> dict:
    held, branch = existing(request), request["branchName"]
    commit = held.branches().get(branch)
    if commit is None:
        return {}
    with held.pushes, push_events.of(held, iam_evaluator.caller_arn()):
        held.git("update-ref", "-d", f"refs/heads/{branch}")
    return {"deletedBranch": {"branchName": branch, "commitId": commit}}


def _update_default_branch(request: dict) -> dict:
    held, branch, _ = _branch_of(request, "defaultBranchName")
    held.point_head_at(branch)
    return {}


def _commit(held: Repository, commit: str) -> str:
    try:
        return held.git("cat-file", "commit", commit)
    except subprocess.CalledProcessError:
        raise Rejected("CommitIdDoesNotExistException", f"Could not find commit {commit}") from None


def _get_commit(request: dict) -> dict:
    commit = request.get("commitId", "")
    head, _, message = _commit(existing(request), commit).partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.splitlines():
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)

    def person(line: str) -> dict[str, str]:
        matched = re.fullmatch(r"(.*) <(.*)> (\d+ [+-]\d{4})", line)
        return dict(zip(("name", "email", "date"), matched.groups(), strict=True)) if matched else {}

    return {
        "commit": {
            "commitId": commit,
            "treeId": fields["tree"][0],
            "parents": fields.get("parent", []),
            "message": message,
            "author": person(fields["author"][0]),
            "committer": person(fields["committer"][0]),
            "additionalData": "",
        }
    }


def _create_commit(request: dict) -> dict:
    """https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateCommit.html. It deletes no files,
    ignores their modes, and keeps neither message nor author."""
    held, branch, parent = existing(request), request["branchName"], request.get("parentCommitId")
    if held.branches().get(branch) != parent:
        raise Rejected("ParentCommitIdOutdatedException", f"The tip of {branch} is another commit")
    lines = [
        f"commit refs/heads/{branch}".encode(),
        b"committer a <a@example.com> now",
        b"data 0",
        *([f"from {parent}".encode()] if parent else []),
    ]
    for each in request["putFiles"]:
        content = base64.b64decode(each["fileContent"])
        lines += [f"M 100644 inline {each['filePath']}".encode(), b"data %d" % len(content), content]
    with held.pushes, push_events.of(held, iam_evaluator.caller_arn()):
        subprocess.run(
            ["git", "fast-import", "--quiet", "--date-format=now"],
            cwd=held.directory,
            input=b"\n".join(lines) + b"\n",
            check=True,
        )
    return {"commitId": held.branches()[branch]}


def _by_arn(request: dict) -> Repository:
    arn = request["resourceArn"]
    if not arn.startswith("arn:"):
        raise Rejected("InvalidResourceArnException", "The value for the resource ARN is not valid.")
    held = next((held for held in repositories.every() if held.arn == arn), None)
    if held is None:
        raise Rejected("RepositoryDoesNotExistException", f"{arn.rsplit(':', 1)[-1]} does not exist")
    return held


def _tag_resource(request: dict) -> dict:
    held = _by_arn(request)
    if any(key.startswith("aws:") for key in request["tags"]):
        raise Rejected("InvalidSystemTagUsageException", "Key names cannot be prefixed with aws:.")
    held.tags = {**held.tags, **request["tags"]}
    return {}


def _untag_resource(request: dict) -> dict:
    held = _by_arn(request)
    held.tags = {key: value for key, value in held.tags.items() if key not in request["tagKeys"]}
    return {}


def _list_tags(request: dict) -> dict:
    return {"tags": dict(_by_arn(request).tags)}


OPERATIONS: dict[str, Callable[[dict], dict]] = {
    "CreateRepository": _create_repository,
    "GetRepository": _get_repository,
    "DeleteRepository": _delete_repository,
    "ListRepositories": _list_repositories,
    "GetBranch": _get_branch,
    "ListBranches": _list_branches,
    "DeleteBranch": _delete_branch,
    "UpdateDefaultBranch": _update_default_branch,
    "UpdateRepositoryName": _update_repository_name,
    "GetCommit": _get_commit,
    "CreateCommit": _create_commit,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "ListTagsForResource": _list_tags,
}
