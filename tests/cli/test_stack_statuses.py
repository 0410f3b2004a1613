"""The sets of statuses by which the command decides."""

import pytest

from cli.environment import stack_statuses
from cli.rules import PIPELINES
from tests.cli.conftest import ROOT


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (
            (each for each, command in stack_statuses.WAYS_OUT.items() if command == "delete-stack"),
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


def test_page_of_failed_stacks_has_each_way_out() -> None:
    page = (ROOT / "docs/runbook/failed-stack.md").read_text()
    rows = [line for line in page.split("\n## ")[1].splitlines() if line.startswith("| `")]
    # There, only a change set was not executed.
    failed = stack_statuses.WAYS_OUT.keys() - {stack_statuses.REVIEW_IN_PROGRESS}
    for status in sorted(failed):
        (row,) = (line for line in rows if f"`{status}`" in line)
        command = f"aws cloudformation {stack_statuses.WAYS_OUT[status]} --stack-name cfn-gitops-dev"
        assert command in row, status
