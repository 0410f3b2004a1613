"""BatchGetBuilds and ListBuildsForProject.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetBuilds.html
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ListBuildsForProject.html
"""

from __future__ import annotations

import copy
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import codebuild

# "Array Members: Minimum number of 1 item. Maximum number of 100 items."
_MOST_IDS = 100
# "If there are more than 100 items in the list, only the first 100 items are returned, along with [...] nextToken."
_PAGE = 100


def install() -> None:
    codebuild._batch_get_builds = _batch_get
    codebuild._list_builds_for_project = _list_for_project


def _invalid(message: str) -> Any:
    return error_response_json("InvalidInputException", message, 400)


def _batch_get(request: dict[str, Any]) -> Any:
    """AWS documents IDs. It also accepts ARNs, which events contain. (?)"""
    ids = request.get("ids") or []
    if not 1 <= len(ids) <= _MOST_IDS:
        return _invalid(f"Invalid number of build IDs: {len(ids)}; it must be between 1 and {_MOST_IDS}")
    found, missing = [], []
    for given in ids:
        build = codebuild._builds.get(given)
        if build is None and given.startswith("arn:"):
            build = next((each for each in codebuild._builds.values() if each["arn"] == given), None)
        if build is None:
            missing.append(given)
        else:
            found.append(copy.deepcopy(build))
    return json_response({"builds": found, "buildsNotFound": missing})


def _list_for_project(request: dict[str, Any]) -> Any:
    """"DESCENDING: List the build identifiers in descending order by build identifier"; in fact the newest first, which
    is the default. Builds of the same second are in the order of their numbers."""
    name = request.get("projectName", "")
    if name not in codebuild._projects:
        return error_response_json("ResourceNotFoundException",
                                   f"The provided project {codebuild._project_arn(name)} does not exist", 400)
    if request.get("sortOrder", "DESCENDING") not in {"ASCENDING", "DESCENDING"}:
        return _invalid(f"Invalid sort order: {request['sortOrder']}")
    token = str(request.get("nextToken") or 0)
    if not token.isdecimal():
        return _invalid("Invalid next token")
    builds = [each for each in list(codebuild._builds.values()) if each["projectName"] == name]
    ids = [each["id"] for each in sorted(builds, key=lambda each: each["buildNumber"],
                                         reverse=request.get("sortOrder") != "ASCENDING")]
    start, end = int(token), int(token) + _PAGE
    return json_response({"ids": ids[start:end], **({"nextToken": str(end)} if end < len(ids) else {})})
