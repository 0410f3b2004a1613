"""A principal's policies, read safely while other threads change them.

Pipelines, builds and git read policies in threads. MiniStack iterates over the dictionaries that its API changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator

Gather = Callable[[str, str], list[list[Any]]]


def install() -> None:
    iam_evaluator._gather_role_policies = undisturbed(iam_evaluator._gather_role_policies)
    iam_evaluator._gather_user_policies = undisturbed(iam_evaluator._gather_user_policies)


def undisturbed(gather: Gather) -> Gather:
    """Starts again if a policy was added or removed meanwhile, so that the result existed at one time."""
    def gathered(name: str, account_id: str) -> list[list[Any]]:
        while True:
            try:
                return gather(name, account_id)
            except RuntimeError as error:
                if "changed size during iteration" not in str(error):
                    raise
    return gathered
