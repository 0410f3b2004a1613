"""The sets of statuses by which the command decides."""

import pytest

from cli.environment import stack_statuses
from cli.rules import PIPELINES


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (
            stack_statuses.ONLY_DELETABLE,
            "CREATE_FAILED ROLLBACK_COMPLETE ROLLBACK_FAILED REVIEW_IN_PROGRESS DELETE_FAILED",
        ),
        (
            stack_statuses.COMPLETE,
            (
                "CREATE_COMPLETE UPDATE_COMPLETE UPDATE_ROLLBACK_COMPLETE IMPORT_COMPLETE"
                " IMPORT_ROLLBACK_COMPLETE"
            ),
        ),
        (
            stack_statuses.WITH_OUTPUTS - stack_statuses.COMPLETE,
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        ),
        (stack_statuses.DELETION, "DELETE_IN_PROGRESS DELETE_FAILED DELETE_COMPLETE"),
        (
            filter(stack_statuses.is_in_progress, PIPELINES["stack_statuses"]),
            (
                "REVIEW_IN_PROGRESS CREATE_IN_PROGRESS ROLLBACK_IN_PROGRESS UPDATE_IN_PROGRESS"
                " UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_IN_PROGRESS"
                " UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS DELETE_IN_PROGRESS IMPORT_IN_PROGRESS"
                " IMPORT_ROLLBACK_IN_PROGRESS"
            ),
        ),
    ],
)
def test_set_of_statuses_is_as_listed(statuses: frozenset[str], expected: str) -> None:
    assert set(statuses) == set(expected.split())
