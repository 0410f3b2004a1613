"""The statuses of stacks and of their resources, by what the function concludes from them.

A status that AWS adds later is in none of the sets, so nothing is concluded from it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html (StackStatus)
"""

from __future__ import annotations

from cli.rules import PIPELINES

REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"
DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
DELETE_COMPLETE = "DELETE_COMPLETE"


def _that_are(meaning: str) -> frozenset[str]:
    return frozenset(
        status for status, meanings in PIPELINES["stack_statuses"].items() if meaning in meanings
    )


COMPLETE, DELETION = _that_are("UpdateStack"), _that_are("deletion")
# The subcommand of `aws cloudformation` that gets a stack out of a status in which nothing runs.
WAYS_OUT = {
    status: meaning
    for status, meanings in PIPELINES["stack_statuses"].items()
    for meaning in meanings
    if "-" in meaning
}
# The stack has its outputs. In others it may have none, for example after a creation that failed.
WITH_OUTPUTS = COMPLETE | _that_are("cleaning_up")
# A stack's own status at the beginning of an operation. A rollback belongs to the operation that failed, even
# if you begin it. Before REVIEW_IN_PROGRESS, that of a first change set, there are no events.
BEGINS = (CREATE_IN_PROGRESS, "UPDATE_IN_PROGRESS", DELETE_IN_PROGRESS, "IMPORT_IN_PROGRESS")
# The stack has the resource no longer.
GONE = (DELETE_COMPLETE, "DELETE_SKIPPED")


def is_in_progress(status: str) -> bool:
    """CloudFormation's names show it, of unknown statuses too."""
    return status.endswith("_IN_PROGRESS")


def has_failed(status: str) -> bool:
    """Whether the latest operation has failed, even if it has not ended. Of unknown statuses too."""
    return "FAILED" in status or "ROLLBACK" in status
