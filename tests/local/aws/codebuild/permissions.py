"""The project with which IAM evaluates a call of CodeBuild's API.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodebuild.html: the calls for builds have the
resource type `project`, not `build`.
"""

from __future__ import annotations

from typing import Any

Also = list[tuple[str, str, str, dict[str, Any]]]  # service, action, resource, keys

_MEMBERS = {"BatchGetBuilds": "ids", "BatchDeleteBuilds": "ids", "BatchGetProjects": "names"}


def needed(action: str, body: dict[str, Any], region: str, account_id: str) -> tuple[str, Also] | None:
    """The resource, and the same permission for the batch's other projects. `None` for a call that names its project
    itself, or no project."""
    given = body.get(_MEMBERS.get(action, "")) or ([body["id"]] if action in {"StopBuild", "RetryBuild"} and
                                                   body.get("id") else [])
    if not isinstance(given, list) or not given:
        return None
    names = dict.fromkeys(_project(str(each)) for each in given)
    first, *others = [f"arn:aws:codebuild:{region}:{account_id}:project/{name}" for name in names]
    return first, [("codebuild", f"codebuild:{action}", other, {}) for other in others]


def _project(given: str) -> str:
    """Of `project:UUID`, of a project's name, or of the ARN of either."""
    resource = given.split(":", 5)[5].partition("/")[2] if given.startswith("arn:") and given.count(":") > 4 else given
    return resource.partition(":")[0]
