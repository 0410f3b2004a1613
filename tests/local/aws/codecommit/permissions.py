"""The repository and the condition keys with which IAM evaluates a call of CodeCommit's API.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodecommit.html
"""

from __future__ import annotations

from typing import Any

Also = list[tuple[str, str, str, dict[str, Any]]]  # service, action, resource, keys

# The calls of this local CodeCommit for which the published list has codecommit:References, and the members with the
# branch. git_over_http evaluates a push.
_BRANCH = {"CreateBranch": "branchName", "DeleteBranch": "branchName"}


def needed(action: str, body: dict[str, Any], region: str, account_id: str) -> tuple[str, dict[str, Any], Also]:
    """The resource, the request's condition keys, and the further permissions."""
    def arn(name: object) -> str:
        return f"arn:aws:codecommit:{region}:{account_id}:{name}"

    if "resourceArn" in body:
        return str(body["resourceArn"]), {}, []
    if names := _names(action, body):
        first, *others = [arn(name) for name in names]
        return first, {}, [("codecommit", f"codecommit:{action}", other, {}) for other in others]
    name = body.get("repositoryName") or body.get("oldName")
    if not name:
        return "*", {}, []  # ListRepositories, and calls for templates
    branch = body.get(_BRANCH.get(action, ""))
    keys = {"codecommit:References": f"refs/heads/{branch}"} if branch else {}
    # CreateRepository's dependent action.
    tags: Also = [("codecommit", "codecommit:TagResource", arn(name), {})] if (
        action == "CreateRepository" and body.get("tags")) else []
    return arn(name), keys, tags


def _names(action: str, body: dict[str, Any]) -> list[str]:
    """A batch is evaluated for each of its repositories."""
    names = body.get("repositoryNames")
    return names if action.startswith("Batch") and isinstance(names, list) else []
