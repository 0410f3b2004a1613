"""GetDifferences: the files that differ between two commits.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetDifferences.html
https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Difference.html
"""

from __future__ import annotations

import subprocess
from typing import Any

from local.aws.codecommit import api as codecommit_api
from local.aws.codecommit.api import Rejected
from local.aws.codecommit.repositories import Repository

# "MaxResults: A non-zero, non-negative integer used to limit the number of returned results." The default and the
# maximum are not documented. (?)
_PAGE = 100
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git has this object without storing it
_NO_BLOB = "0" * 40


def install() -> None:
    codecommit_api.OPERATIONS["GetDifferences"] = _get_differences


def _get_differences(request: dict) -> dict:
    held = codecommit_api.existing(request)
    if not request.get("afterCommitSpecifier"):
        raise Rejected("CommitRequiredException", "A commit was not specified.")
    size = request.get("MaxResults", _PAGE)
    if not isinstance(size, int) or size < 1:
        raise Rejected("InvalidMaxResultsException", "The specified number of maximum results is not valid.")
    after = _commit(held, request["afterCommitSpecifier"])
    # "If not specified, all changes before the afterCommitSpecifier value are shown."
    before = _commit(held, request["beforeCommitSpecifier"]) if request.get("beforeCommitSpecifier") else _EMPTY_TREE
    found = _differences(held, before, after, _path(held, request, before, after))
    start, size = _start(request, len(found)), min(size, _PAGE)
    shown, following = found[start:start + size], start + size
    return {"differences": shown, **({"NextToken": str(following)} if following < len(found) else {})}


def _start(request: dict, count: int) -> int:
    token = str(request.get("NextToken") or "0")
    if not token.isdecimal() or int(token) > count:
        raise Rejected("InvalidContinuationTokenException", "The specified continuation token is not valid.")
    return int(token)


def _commit(held: Repository, specifier: str) -> str:
    """"The branch, tag, HEAD, or other fully qualified reference used to identify a commit (for example, the full
    commit ID)." """
    try:
        return held.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{specifier}^{{commit}}").strip()
    except subprocess.CalledProcessError:
        raise Rejected("CommitDoesNotExistException",
                       f"Commit {specifier} does not exist in this repository.") from None


def _path(held: Repository, request: dict, before: str, after: str) -> str:
    """The path that limits the results. Empty if the request has none."""
    paths = {request[key].strip("/") for key in ("beforePath", "afterPath") if request.get(key)}
    if len(paths) > 1:
        raise Rejected("InvalidPathException", "Two paths are not part of this local CodeCommit.")
    path = next(iter(paths), "")
    if path and not any(held.git("ls-tree", tree, "--", path) for tree in (before, after)):
        raise Rejected("PathDoesNotExistException", f"The path {path} does not exist.")
    return path


def _differences(held: Repository, before: str, after: str, path: str) -> list[dict[str, Any]]:
    """In git's order of paths. A rename is a deletion and an addition, because it has no change type."""
    raw = held.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, after,
                   *(["--", path] if path else []))
    words = raw.split("\0")
    return [_difference(about, name) for about, name in zip(words[::2], words[1::2], strict=False)]


def _difference(about: str, path: str) -> dict[str, Any]:
    """`:100644 100644 <before> <after> M`"""
    before_mode, after_mode, before, after, letter = about.removeprefix(":").split(" ")
    sides = {"beforeBlob": (before, before_mode), "afterBlob": (after, after_mode)}
    return {"changeType": letter if letter in {"A", "D"} else "M", **{
        side: {"blobId": blob, "path": path, "mode": mode} for side, (blob, mode) in sides.items() if blob != _NO_BLOB}}
