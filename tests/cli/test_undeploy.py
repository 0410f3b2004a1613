"""The prompts of `cfn-gitops undeploy` before it deletes. tests/deployment/test_undeploy.py deletes."""

from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

from cli.commands import undeploy
from cli.ending import Failure
from tests.cli.conftest import Ended, FakeAccount, Run

STACK_ID = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-prd/1"
PIPELINE = {"StackName": "gitops-prd-infra", "StackId": "2", "StackStatus": "CREATE_COMPLETE",
            "Tags": [{"Key": "cfn-gitops:stack-id", "Value": STACK_ID}], "Repositories": ["codecommit-prd-cfn-infra"]}


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch, account: FakeAccount) -> list[str]:
    """The names that `undeploy --env prd` deletes."""
    stack: dict[str, Any] = {"StackName": "cfn-gitops-prd", "StackId": STACK_ID, "StackStatus": "UPDATE_COMPLETE"}
    account.known |= {stack["StackName"]: stack, PIPELINE["StackName"]: PIPELINE}
    account.buckets.add(account.bucket_of("prd"))
    names: list[str] = []
    monkeypatch.setattr(undeploy, "delete_stack", lambda session, name, output: names.append(name))
    monkeypatch.setattr(undeploy, "delete_bucket", lambda session, name: names.append(name) or 0)
    return names


@pytest.fixture
def undeploys(run: Run) -> Callable[..., Ended]:
    return lambda *options, answer="": run("undeploy", "--env", "prd", *options, answer=answer)


def test_question_names_what_will_be_deleted(undeploys: Callable[..., Ended], deleted: list[str]) -> None:
    output = undeploys().out
    for expected in ("Account 111122223333, region eu-central-1, environment prd\n", "stack cfn-gitops-prd: will be deleted",
                     "stack gitops-prd-infra: will be deleted with it, and repository codecommit-prd-cfn-infra",
                     "bucket s3-prd-codepipeline-artifact-111122223333-eu-central-1: stays", "type cfn-gitops-prd:"):
        assert expected in output


@pytest.mark.parametrize("json", [[], ["--json"]])
@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "cfn-gitops-dev\n", "cfn-gitops-prd-2\n"])
def test_other_answers_delete_nothing(answer: str, json: list[str], undeploys: Callable[..., Ended], deleted: list[str]) -> None:
    ended = undeploys("--delete-bucket", *json, answer=answer)
    assert (ended.status, deleted) == (1, [])
    assert f"Nothing was changed: the answer is {answer.strip() or 'empty'}. " in ended.err
    # After a typed refusal there is no hint at --yes.
    assert ("--yes" in ended.err) == (not answer.strip())


def test_typed_stack_name_deletes_the_stack_and_then_its_bucket(undeploys: Callable[..., Ended], deleted: list[str],
                                                                account: FakeAccount) -> None:
    assert undeploys(answer="cfn-gitops-prd\n").status == 0
    assert deleted == ["cfn-gitops-prd"]
    assert undeploys("--delete-bucket", answer="cfn-gitops-prd\n").status == 0
    assert deleted[1:] == ["cfn-gitops-prd", account.bucket_of("prd")]
    ended = undeploys("--delete-bucket", "--yes")
    assert (ended.status, deleted[3:]) == (0, ["cfn-gitops-prd", account.bucket_of("prd")]) and "type " not in ended.out


def test_no_prompt_without_anything_to_delete(undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount) -> None:
    account.known.clear()
    ended = undeploys()
    assert ended.status == 0 and "type " not in ended.out and deleted == []


def test_bucket_that_is_not_emptied_is_a_failure() -> None:
    session = MagicMock()
    bucket = session.resource.return_value.Bucket.return_value
    bucket.object_versions.delete.return_value = [{"Errors": [{"Key": "a", "Code": "AccessDenied"}]}]
    with pytest.raises(Failure, match="bucket b is not emptied: .*AccessDenied.*run this again"):
        undeploy.delete_bucket(session, "b")
    assert not bucket.delete.called
