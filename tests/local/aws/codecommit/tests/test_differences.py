"""GetDifferences.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetDifferences.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codecommit.tests.git_client import PULL, PUSH, a_login, git
from tests.local.aws.testing import allow, error_of


class Pushes:
    """A repository with a commit on its branch, and a working copy to push more."""

    def __init__(self, aws: LocalAws, name: str, url: str, work: Path) -> None:
        aws.set(credential_accepted_after_seconds=0)
        self.name, self.work, self.codecommit = name, work, aws.client("codecommit")
        self.remote = a_login(aws, f"git-{name}", allow([PULL, PUSH], "*")).git_url(url)

    def push(self, files: dict[str, str | None], *options: str) -> str:
        """Pushes and returns the commit. `None` deletes a file."""
        for path, content in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).unlink() if content is None else (self.work / path).write_text(content)
        git("add", "--all", at=self.work)
        git("commit", "--quiet", "--allow-empty", "--message=change", at=self.work)
        pushed = git("push", "--quiet", *options, self.remote, "HEAD:refs/heads/development", at=self.work)
        assert pushed.returncode == 0, pushed.stderr
        return git("rev-parse", "HEAD", at=self.work).stdout.strip()

    def changes(self, after: str, before: str) -> list[tuple[str, str]]:
        pages = self.codecommit.get_paginator("get_differences").paginate(
            repositoryName=self.name, afterCommitSpecifier=after, beforeCommitSpecifier=before)
        return [(each["changeType"], each.get("afterBlob", each.get("beforeBlob"))["path"])
                for page in pages for each in page["differences"]]


@pytest.fixture
def pushes(aws: LocalAws, name: str, url: str, work: Path) -> Pushes:
    return Pushes(aws, name, url, work)


def test_differences_name_added_modified_and_deleted_files(pushes: Pushes) -> None:
    first = pushes.push({"kept": "1", "services/shop/old name": "2", "gone": "3"})
    second = pushes.push({"kept": "2", "services/shop/old name": None, "gone": None, "services/shop/new": "2",
                          "ä": "4"})
    assert pushes.changes(second, first) == [
        ("D", "gone"), ("M", "kept"), ("A", "services/shop/new"), ("D", "services/shop/old name"), ("A", "ä")]
    assert pushes.changes("development", first) == pushes.changes(second, first)
    assert pushes.changes(first, first) == []
    many = pushes.push({f"many/{each:03}": "1" for each in range(250)})
    assert len(pushes.changes(many, second)) == 250


def test_differences_after_a_forced_push_compare_the_trees(pushes: Pushes) -> None:
    base = pushes.push({"base": "1"})
    replaced = pushes.push({"mine": "1", "both": "1"})
    git("reset", "--quiet", "--hard", base, at=pushes.work)
    forced = pushes.push({"theirs": "1", "both": "1"}, "--force")
    assert pushes.changes(forced, replaced) == [("D", "mine"), ("A", "theirs")]


@pytest.mark.parametrize(("wrong", "code"), [
    ({"beforeCommitSpecifier": "0" * 40}, "CommitDoesNotExist"),
    ({"beforeCommitSpecifier": "--all"}, "CommitDoesNotExist"),
    ({"beforeCommitSpecifier": ""}, "CommitRequired"), ({"afterCommitSpecifier": "absent"}, "CommitDoesNotExist"),
    ({"repositoryName": "absent"}, "RepositoryDoesNotExist"), ({"NextToken": "x"}, "InvalidContinuationToken"),
    ({"afterPath": "services"}, "InvalidParameter"),
])
def test_wrong_request_for_differences_is_rejected(pushes: Pushes, wrong: dict[str, Any], code: str) -> None:
    commit = pushes.push({})
    given = {"repositoryName": pushes.name, "afterCommitSpecifier": commit, "beforeCommitSpecifier": commit, **wrong}
    assert error_of(pushes.codecommit.get_differences, **given)[:2] == (f"{code}Exception", 400)
