"""The prompts of `make undeploy` before it deletes. tests/deployment/test_undeploy.py deletes."""

import io
import sys
from typing import Any

import pytest

from tests.tools.conftest import FakeAccount

import undeploy

STACK_ID = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-prd/1"
PIPELINE = {"StackName": "gitops-prd-infra", "StackId": "2", "StackStatus": "CREATE_COMPLETE",
            "Tags": [{"Key": "cfn-gitops:stack-id", "Value": STACK_ID}], "Repositories": ["codecommit-prd-cfn-infra"]}


class Run:
    """`undeploy.py --config-env prd` with an answer on its standard input. Records what it would delete."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.deleted: list[str] = []
        for name in ("CONFIRM", "DELETE_BUCKET", "KEEP_STACKS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(undeploy, "delete_stack", lambda session, name: self.deleted.append(name) or True)
        monkeypatch.setattr(undeploy, "delete_bucket", lambda session, name: self.deleted.append(name) or 0)

    def __call__(self, answer: str = "", **variables: str) -> int:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        self._monkeypatch.setattr(sys, "argv", ["undeploy.py", "--config-env", "prd"])
        return undeploy.main()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, account: FakeAccount) -> Run:
    stack: dict[str, Any] = {"StackName": "cfn-gitops-prd", "StackId": STACK_ID, "StackStatus": "UPDATE_COMPLETE"}
    account.known |= {stack["StackName"]: stack, PIPELINE["StackName"]: PIPELINE}
    account.buckets.add(account.bucket_of("prd"))
    return Run(monkeypatch)


def test_question_names_what_will_be_deleted(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    output = capsys.readouterr().out
    for expected in ("Account 111122223333, region eu-central-1, environment prd:", "stack cfn-gitops-prd: will be deleted",
                     "stack gitops-prd-infra: will be deleted with it, and repository codecommit-prd-cfn-infra",
                     "bucket s3-prd-codepipeline-artifact-111122223333-eu-central-1: stays", "type cfn-gitops-prd:"):
        assert expected in output


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "cfn-gitops-dev\n", "cfn-gitops-prd-2\n"])
def test_other_answers_delete_nothing(run: Run, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(answer, DELETE_BUCKET="yes") == 1
    assert run.deleted == []
    assert "Nothing was deleted" in capsys.readouterr().err


@pytest.mark.parametrize("confirm", ["yes", "cfn-gitops-dev", "prd"])
def test_confirm_with_another_name_deletes_nothing(run: Run, confirm: str, capsys: pytest.CaptureFixture[str]) -> None:
    # A typed answer does not replace it: CONFIRM was meant for another environment.
    assert run("cfn-gitops-prd\n", CONFIRM=confirm) == 1
    assert run.deleted == []
    assert f"CONFIRM is {confirm}, not cfn-gitops-prd" in capsys.readouterr().err


def test_typed_stack_name_deletes_the_stack_and_then_its_bucket(run: Run, account: FakeAccount) -> None:
    assert run("cfn-gitops-prd\n") == 0
    assert run.deleted == ["cfn-gitops-prd"]
    assert run("cfn-gitops-prd\n", DELETE_BUCKET="yes") == 0
    assert run.deleted[1:] == ["cfn-gitops-prd", account.bucket_of("prd")]


def test_no_prompt_without_anything_to_delete(run: Run, account: FakeAccount,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    account.known.clear()
    assert run() == 0
    assert "type " not in capsys.readouterr().out
