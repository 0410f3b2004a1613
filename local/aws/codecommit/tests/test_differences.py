"""GetDifferences.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetDifferences.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codecommit.tests.git_client import PULL, PUSH, a_login, git
from local.aws.codecommit.tests.git_client import repository, url, work  # noqa: F401
from local.aws.testing import a_user_with, allow, error_of


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

    def page(self, after: str, before: str = "", **more: Any) -> dict[str, Any]:
        given = {"beforeCommitSpecifier": before} if before else {}
        return self.codecommit.get_differences(  # type: ignore[no-any-return]
            repositoryName=self.name, afterCommitSpecifier=after, **given, **more)

    def changes(self, after: str, before: str = "", **more: Any) -> list[tuple[str, str]]:
        found = self.page(after, before, **more)["differences"]
        return [(each["changeType"], each.get("afterBlob", each.get("beforeBlob"))["path"]) for each in found]


@pytest.fixture
def pushes(aws: LocalAws, name: str, url: str, work: Path) -> Pushes:  # noqa: F811
    return Pushes(aws, name, url, work)


def test_differences_name_added_modified_and_deleted_files(pushes: Pushes) -> None:
    first = pushes.push({"kept": "1", "services/shop/old name": "2", "gone": "3"})
    second = pushes.push({"kept": "2", "services/shop/old name": None, "gone": None, "services/shop/new": "2",
                          "ä": "4"})
    assert pushes.changes(second, first) == [
        ("D", "gone"), ("M", "kept"), ("A", "services/shop/new"), ("D", "services/shop/old name"), ("A", "ä")]
    modified = next(each for each in pushes.page(second, first)["differences"] if each["changeType"] == "M")
    assert modified["beforeBlob"]["blobId"] != modified["afterBlob"]["blobId"]
    assert (modified["beforeBlob"]["mode"], modified["afterBlob"]["path"]) == ("100644", "kept")
    deleted = pushes.page(second, first)["differences"][0]
    assert "afterBlob" not in deleted
    assert pushes.changes(first, first) == []


def test_differences_without_a_former_commit_are_all_files(pushes: Pushes) -> None:
    commit = pushes.push({"deep/other": "1"})
    assert pushes.changes(commit) == [("A", "deep/other"), ("A", "file")]
    assert pushes.changes("development") == pushes.changes("refs/heads/development") == pushes.changes(commit)


def test_differences_after_a_forced_push_compare_the_trees(pushes: Pushes) -> None:
    base = pushes.push({"base": "1"})
    replaced = pushes.push({"mine": "1", "both": "1"})
    git("reset", "--quiet", "--hard", base, at=pushes.work)
    forced = pushes.push({"theirs": "1", "both": "1"}, "--force")
    assert pushes.changes(forced, replaced) == [("D", "mine"), ("A", "theirs")]


def test_differences_come_in_pages(pushes: Pushes) -> None:
    first = pushes.push({})
    second = pushes.push({f"many/{each:03}": "1" for each in range(250)})
    sizes, more = [], {}
    while True:
        page = pushes.page(second, first, **more)
        sizes.append(len(page["differences"]))
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert sizes == [100, 100, 50]
    assert len(pushes.page(second, first, MaxResults=7)["differences"]) == 7
    pages = pushes.codecommit.get_paginator("get_differences").paginate(
        repositoryName=pushes.name, afterCommitSpecifier=second, beforeCommitSpecifier=first)
    assert sum(len(page["differences"]) for page in pages) == 250


def test_path_limits_the_differences(pushes: Pushes) -> None:
    first = pushes.push({"services/shop/a": "1", "services/shopping": "1"})
    second = pushes.push({"services/shop/a": "2", "services/shopping": "2"})
    assert pushes.changes(second, first, afterPath="services/shop") == [("M", "services/shop/a")]
    assert error_of(pushes.page, after=second, before=first, afterPath="absent")[0] == "PathDoesNotExistException"


@pytest.mark.parametrize(("wrong", "code"), [
    ({"beforeCommitSpecifier": "0" * 40}, "CommitDoesNotExistException"),
    ({"beforeCommitSpecifier": "--all"}, "CommitDoesNotExistException"),
    ({"afterCommitSpecifier": "absent"}, "CommitDoesNotExistException"),
    ({"afterCommitSpecifier": ""}, "CommitRequiredException"),
    ({"repositoryName": "absent"}, "RepositoryDoesNotExistException"),
    ({"MaxResults": 0}, "InvalidMaxResultsException"), ({"NextToken": "x"}, "InvalidContinuationTokenException"),
])
def test_wrong_request_for_differences_is_rejected(pushes: Pushes, wrong: dict[str, Any], code: str) -> None:
    commit = pushes.push({})
    given = {"repositoryName": pushes.name, "afterCommitSpecifier": commit, **wrong}
    assert error_of(pushes.codecommit.get_differences, **given)[:2] == (code, 400)


def test_differences_need_the_permission_for_the_repository(aws: LocalAws, pushes: Pushes, name: str) -> None:
    commit = pushes.push({})
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{name}"
    given = {"repositoryName": name, "afterCommitSpecifier": commit}
    may = aws.client("codecommit", a_user_with(aws, name, allow("codecommit:GetDifferences", arn)))
    assert may.get_differences(**given)["differences"]
    may_not = aws.client("codecommit", a_user_with(aws, f"{name}-2", allow("codecommit:GetCommit", arn)))
    code, _, message = error_of(may_not.get_differences, **given)
    assert code == "AccessDeniedException"
    assert f"codecommit:GetDifferences on resource: {arn}" in message
