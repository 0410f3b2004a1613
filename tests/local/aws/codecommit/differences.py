"""GetDifferences: the files that differ between two commits.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetDifferences.html
https://docs.aws.amazon.com/codecommit/latest/APIReference/API_Difference.html
"""

import subprocess
from typing import Any

from tests.local.aws import json_api
from tests.local.aws.codecommit import api as codecommit_api
from tests.local.aws.codecommit.repositories import Repository
from tests.local.aws.json_api import Rejected

# The default of MaxResults is not documented. (?)
_PAGE = 100
# Members of a request that are not implemented.
_ELSEWHERE = {"MaxResults", "beforePath", "afterPath"}
_NO_BLOB = "0" * 40


def install() -> None:
    codecommit_api.OPERATIONS["GetDifferences"] = _get_differences


def _get_differences(request: dict) -> dict:
    held = codecommit_api.existing(request)
    if unknown := request.keys() & _ELSEWHERE:
        raise Rejected(
            "InvalidParameterException", f"{sorted(unknown)[0]} is not part of this local CodeCommit."
        )
    # "beforeCommitSpecifier: If not specified, all changes before the afterCommitSpecifier value are shown."
    # Here it is required.
    if not (request.get("afterCommitSpecifier") and request.get("beforeCommitSpecifier")):
        raise Rejected("CommitRequiredException", "A commit was not specified.")
    found = _differences(
        held, *(_commit(held, request[f"{side}CommitSpecifier"]) for side in ("before", "after"))
    )
    shown, following = json_api.page(
        found, request.get("NextToken"), _PAGE, "InvalidContinuationTokenException"
    )
    return {"differences": shown, **({"NextToken": following} if following else {})}


def _commit(held: Repository, specifier: str) -> str:
    """ "The branch, tag, HEAD, or other fully qualified reference used to identify a commit (for example, the
    full commit ID)." """
    try:
        return held.git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{specifier}^{{commit}}"
        ).strip()
    except subprocess.CalledProcessError:
        raise Rejected(
            "CommitDoesNotExistException", f"Commit {specifier} does not exist in this repository."
        ) from None


def _differences(held: Repository, before: str, after: str) -> list[dict[str, Any]]:
    """In git's order of paths. A rename is a deletion and an addition, because it has no change type."""
    raw = held.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, after)
    words = raw.split("\0")
    return [_difference(about, name) for about, name in zip(words[::2], words[1::2], strict=False)]


def _difference(about: str, path: str) -> dict[str, Any]:
    """`:100644 100644 <before> <after> M`"""
    before_mode, after_mode, before, after, letter = about.removeprefix(":").split(" ")
    sides = {"beforeBlob": (before, before_mode), "afterBlob": (after, after_mode)}
    return {
        "changeType": letter if letter in {"A", "D"} else "M",
        **{
            side: {"blobId": blob, "path": path, "mode": mode}
            for side, (blob, mode) in sides.items()
            if blob != _NO_BLOB
        },
    }
