"""The prompts of `cfn-gitops undeploy` before it deletes. tests/deployment/test_undeploy.py deletes."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError

from cli.commands import undeploy
from cli.environment.account import Account
from cli.shell.failure import Failure
from tests.cli.conftest import Ended, FakeAccount, Run, environment_stack, identity

STACK_ID = "arn:aws:cloudformation:eu-central-1:111122223333:stack/cfn-gitops-prd/1"
PIPELINE = {
    "StackName": "gitops-prd-infra",
    "StackId": "2",
    "StackStatus": "CREATE_COMPLETE",
    "Tags": [{"Key": "cfn-gitops:stack-id", "Value": STACK_ID}],
    "Repositories": ["codecommit-prd-cfn-infra"],
}


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch, account: FakeAccount) -> list[str]:
    """The names that `undeploy --env prd` deletes."""
    stack = environment_stack("prd", StackId=STACK_ID)
    account.known |= {stack["StackName"]: stack, PIPELINE["StackName"]: {**PIPELINE}}
    account.show(account.known[PIPELINE["StackName"]])
    account.buckets.add(account.bucket_of("prd"))
    names: list[str] = []
    monkeypatch.setattr(
        undeploy, "delete_stack", lambda session, name, stack_id, output, role_arn: names.append(name)
    )
    monkeypatch.setattr(undeploy, "delete_bucket", lambda session, name: names.append(name) or 0)
    return names


@pytest.fixture
def undeploys(run: Run) -> Callable[..., Ended]:
    return lambda *options, answer="": run("undeploy", "--env", "prd", *options, answer=answer)


def test_question_names_what_will_be_deleted(undeploys: Callable[..., Ended], deleted: list[str]) -> None:
    output = undeploys().out
    for expected in (
        "Account 111122223333, region eu-central-1, environment prd\n",
        "stack cfn-gitops-prd: will be deleted",
        "stack gitops-prd-infra: will be deleted with it, and repository codecommit-prd-cfn-infra",
        "bucket s3-prd-codepipeline-artifact-111122223333-eu-central-1: stays",
        "type cfn-gitops-prd:",
    ):
        assert expected in output


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "cfn-gitops-dev\n", "cfn-gitops-prd-2\n"])
def test_other_answers_delete_nothing(
    answer: str, options: list[str], undeploys: Callable[..., Ended], deleted: list[str]
) -> None:
    ended = undeploys("--delete-bucket", *options, answer=answer)
    assert (ended.status, deleted) == (1, [])
    assert f"Nothing was changed: the answer is {answer.strip() or 'empty'}. " in ended.err
    # Without a hint at --yes after a typed answer.
    assert ("--yes" in ended.err) == (not answer.strip())
    assert ('"error"' in ended.out) == bool(options)


def test_typed_stack_name_deletes_the_stack_and_then_its_bucket(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    assert undeploys(answer="cfn-gitops-prd\n").status == 0
    assert deleted == ["cfn-gitops-prd"]
    assert undeploys("--delete-bucket", answer="cfn-gitops-prd\n").status == 0
    assert deleted[1:] == ["cfn-gitops-prd", account.bucket_of("prd")]
    ended = undeploys("--delete-bucket", "--yes")
    assert (ended.status, deleted[3:]) == (
        0,
        ["cfn-gitops-prd", account.bucket_of("prd")],
    ) and "type " not in ended.out


def test_no_prompt_without_anything_to_delete(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    account.known.clear()
    ended = undeploys()
    assert ended.status == 1 and "type " not in ended.out and deleted == []
    assert ended.err.startswith(
        "stack cfn-gitops-prd does not exist in account 111122223333, region eu-central-1. Correct stack_name"
    )
    # The proof of an earlier run.
    account.deleted.add("cfn-gitops-prd")
    ended = undeploys("--json")
    assert (ended.status, deleted) == (0, []) and json.loads(ended.out)["stacks"] == [
        {"stack": "cfn-gitops-prd", "plan": "does not exist"}
    ]


def test_misspelled_stack_name_asks_for_the_closest(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    account.known["cfn-gitops-prod"] = account.known.pop("cfn-gitops-prd") | {"StackName": "cfn-gitops-prod"}
    ended = undeploys("--yes")
    assert (ended.status, deleted) == (
        1,
        [],
    ) and "region eu-central-1. Did you mean cfn-gitops-prod? Correct stack_name" in ended.err


@pytest.mark.parametrize(
    "more",
    [
        identity("dev"),
        {"Parameters": []},
        {"Outputs": []},
        {"Outputs": [], "StackStatus": "IMPORT_ROLLBACK_COMPLETE"},
        identity("dev") | {"StackStatus": "ROLLBACK_COMPLETE", "Outputs": []},
        {
            "Outputs": [{"OutputKey": "ServiceToken", "OutputValue": "arn"}],
            "StackStatus": "UPDATE_ROLLBACK_FAILED",
        },
    ],
    ids=str,
)
def test_stack_of_another_environment_is_not_deleted(
    more: dict[str, Any], undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    account.known["cfn-gitops-prd"] |= more
    ended = undeploys("--delete-bucket", "--yes")
    assert (ended.status, deleted, ended.err) == (
        1,
        [],
        (
            "stack cfn-gitops-prd does not have EnvID prd and the export cfn-gitops-prd-ServiceToken. Correct"
            " stack_name, or EnvID, in the table prd of samconfig.toml\n"
        ),
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"StackStatus": "UPDATE_IN_PROGRESS"},
            "is in UPDATE_IN_PROGRESS. Wait for its end, and run this again",
        ),
        (
            {"ParentId": "a", "RootId": "arn:aws:cloudformation:a:1:stack/platform/1"},
            "belongs to stack platform, in which it is nested. Remove it there",
        ),
    ],
    ids=str,
)
def test_stack_that_nobody_can_delete_now_is_refused(
    more: dict[str, str],
    reason: str,
    undeploys: Callable[..., Ended],
    deleted: list[str],
    account: FakeAccount,
) -> None:
    account.known["cfn-gitops-prd"] |= more
    ended = undeploys("--yes")
    assert (ended.status, deleted, ended.err) == (
        1,
        [],
        f"nothing is deleted, because stack cfn-gitops-prd {reason}\n",
    )


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED", "UPDATE_FAILED"]
)
def test_stack_that_was_never_complete_is_deleted(
    status: str, undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    stack = account.known["cfn-gitops-prd"]
    stack |= {"StackStatus": status, "Outputs": []}
    if status == "REVIEW_IN_PROGRESS":
        stack["Parameters"] = []
    assert undeploys("--yes").status == 0 and deleted == ["cfn-gitops-prd"]


@pytest.mark.parametrize("owns", ["export", "resource"])
@pytest.mark.parametrize("own", [None, "ROLLBACK_COMPLETE"])
def test_bucket_of_a_live_environment_is_not_deleted(
    own: str | None,
    owns: str,
    undeploys: Callable[..., Ended],
    deleted: list[str],
    account: FakeAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = account.known.pop("cfn-gitops-prd") | {"StackName": "gitops", "StackId": "live"}
    account.known = {"gitops": live}
    if own:
        account.known["cfn-gitops-prd"] = environment_stack("prd", StackStatus=own) | {
            "StackStatus": own,
            "Outputs": [],
        }
    if owns == "resource":
        live |= {"Outputs": [], "StackStatus": "CREATE_IN_PROGRESS"}
        monkeypatch.setattr(
            account,
            "resources_of",
            lambda stack: [{"PhysicalResourceId": account.bucket_of("prd")}] if stack is live else [],
        )
    ended = undeploys("--delete-bucket", "--keep-stacks", "--yes")
    assert (ended.status, deleted) == (1, [])
    assert (
        f"nothing is deleted, because the bucket {account.bucket_of('prd')} is that of stack gitops. Correct"
        " stack_name" in ended.err
    )


def test_importing_stacks_are_named_and_nothing_is_deleted(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation accepts the deletion, and ends it in the former status after the first look. A stack
    with a table is not a project's."""
    nested, token, other = (
        "project-prd-shop-Mirror-1A2B",
        "cfn-gitops-prd-ServiceToken",
        "cfn-gitops-prd-Bucket",
    )
    pages = {
        token: [{"Imports": ["mirror-only"]}, {"Imports": ["StackSet-a-1", nested]}],
        other: [{"Imports": ["mirror-only", "orders"]}],
    }
    monkeypatch.setattr(
        account.session.client.return_value,
        "get_paginator",
        lambda _: MagicMock(paginate=lambda ExportName: pages[ExportName]),
    )
    account.known["cfn-gitops-prd"]["Outputs"].append(
        {"OutputKey": "Bucket", "OutputValue": "b", "ExportName": other}
    )
    for name, more in (
        ("mirror-only", {}),
        ("StackSet-a-1", {}),
        (nested, {"RootId": "arn:aws:cloudformation:a:1:stack/project-prd-shop/1"}),
        ("project-prd-shop", {}),
        ("orders", {}),
    ):
        account.known[name] = {"StackName": name, "StackId": name, "StackStatus": "CREATE_COMPLETE", **more}
    kinds = {
        "mirror-only": "Custom::MirrorCredential",
        "project-prd-shop": "AWS::CloudFormation::Stack",
        "orders": "AWS::DynamoDB::Table",
    }
    monkeypatch.setattr(
        account,
        "resources_of",
        lambda stack: [{"ResourceType": kinds.get(stack["StackName"], "Custom::GitOpsPipeline")}],
    )
    del account.known[PIPELINE["StackName"]]
    ended = undeploys("--keep-stacks", "--yes")
    assert (ended.status, deleted) == (1, [])
    assert (
        f"- stack mirror-only: imports {other}, {token}\n- stack orders: imports {other}\n- stack"
        f" project-prd-shop: imports {token}\n" in ended.out
    )
    custom = "Remove the resources Custom::GitOpsPipeline and Custom::MirrorCredential"
    assert (
        ended.err
        == "nothing is deleted, because StackSet-a-1, mirror-only, orders, project-prd-shop may need stack"
        f" cfn-gitops-prd. {custom} from stack StackSet-a-1, in its StackSet, of which its name shows an"
        f" instance. Remove the import of {other} from stack orders. {custom} from stack project-prd-shop."
        " Delete the stacks of projects: aws cloudformation delete-stack --stack-name mirror-only\n"
    )


def test_protected_stack_is_named_before_the_prompt(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    account.known["cfn-gitops-prd"]["EnableTerminationProtection"] = True
    name = "cfnstack-prd-infra"
    account.known[name] = {"StackName": name, "StackId": "3", "StackStatus": "CREATE_COMPLETE"}
    ended = undeploys()
    assert (ended.status, deleted) == (1, []) and "type " not in ended.out
    # Everything that stands in its way is named at once.
    assert f"! {name} may need role-prd-codedeploy-cfn " in ended.out
    assert (
        ended.err
        == "nothing is deleted, because stack cfn-gitops-prd has termination protection. Remove it: aws"
        " cloudformation update-termination-protection --no-enable-termination-protection --stack-name"
        " cfn-gitops-prd\n"
    )


def test_bucket_is_only_read_if_it_is_deleted(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    account.session.client.return_value.head_bucket.side_effect = ClientError(response, "HeadBucket")
    monkeypatch.delattr(FakeAccount, "has_bucket")
    assert undeploys("--yes").status == 0 and deleted == ["cfn-gitops-prd"]
    ended = undeploys("--delete-bucket", "--yes")
    assert (ended.status, deleted) == (3, ["cfn-gitops-prd"])
    assert ended.err.startswith(
        f"bucket {account.bucket_of('prd')} is not read: you do not have the permission s3:ListBucket on it,"
        " or it "
    )


@pytest.mark.parametrize("status", [301, 400])
def test_answer_without_a_reason_is_explained(status: int) -> None:
    session = MagicMock()
    session.client.return_value.head_bucket.side_effect = ClientError(
        {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadBucket"
    )
    with pytest.raises(
        Failure,
        match=(
            f"bucket b is not read: HeadBucket has the status {status} without a reason. See whether it is in"
            " another "
        ),
    ):
        Account(session, "1").has_bucket("b")


def test_bucket_that_deployed_stacks_may_need_stays(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount
) -> None:
    account.known = {
        "cfnstack-prd-infra": {
            "StackName": "cfnstack-prd-infra",
            "StackId": "3",
            "StackStatus": "CREATE_COMPLETE",
        }
    }
    ended = undeploys("--delete-bucket", "--yes")
    assert (ended.status, deleted) == (
        1,
        [],
    ) and "because cfnstack-prd-infra may need the bucket " in ended.err
    assert (
        "Or delete them first: aws cloudformation delete-stack --stack-name cfnstack-prd-infra\n" in ended.err
    )
    assert undeploys("--delete-bucket", "--keep-stacks", "--yes").status == 0 and deleted == [
        account.bucket_of("prd")
    ]


def test_stack_deployed_during_the_prompt_stops_the_deletion(
    undeploys: Callable[..., Ended], deleted: list[str], account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confirmed(*_: Any) -> bool:
        account.known["cfnstack-prd-infra"] = {
            "StackName": "cfnstack-prd-infra",
            "StackId": "3",
            "StackStatus": "CREATE_COMPLETE",
        }
        return True

    monkeypatch.setattr(undeploy, "confirm", confirmed)
    ended = undeploys()
    assert (ended.status, deleted) == (
        1,
        [],
    ) and "nothing is deleted, because the list has changed" in ended.err
    document = json.loads(undeploys("--keep-stacks", "--json").out)
    assert document["stacks"][2] == {"stack": "cfnstack-prd-infra", "plan": "stays, a pipeline deployed it"}
    assert document["bucket"] == {
        "bucket": account.bucket_of("prd"),
        "plan": "stays if it exists (--delete-bucket deletes it too)",
    }


@pytest.mark.parametrize(
    ("project", "deletes"), [([], False), ([("ProjectID", "")], False), ([("ProjectID", "infra")], True)]
)
def test_first_project_is_named_only_if_it_exists(project: list[tuple[str, str]], deletes: bool) -> None:
    assert ("first project" in undeploy.what_happens(identity("prd", *project))) == deletes


def test_bucket_that_is_not_emptied_is_a_failure() -> None:
    session = MagicMock()
    bucket = session.resource.return_value.Bucket.return_value
    bucket.object_versions.delete.return_value = [{"Errors": [{"Key": "a", "Code": "AccessDenied"}]}]
    with pytest.raises(Failure, match="bucket b is not emptied: .*AccessDenied.*run this again"):
        undeploy.delete_bucket(session, "b")
    assert not bucket.delete.called


def test_lists_of_stacks_and_resources_are_read_to_the_end() -> None:
    session = MagicMock()
    account = Account(session, "111122223333")
    paginate = session.client.return_value.get_paginator.return_value.paginate
    paginate.return_value = [{"StackSummaries": []}, {"StackSummaries": [{"StackName": "a"}]}]
    assert account.was_deleted("a") and not account.was_deleted("b")
    assert paginate.call_args.kwargs == {"StackStatusFilter": ["DELETE_COMPLETE"]}
    paginate.return_value = [
        {"StackResourceSummaries": [{"ResourceStatus": "CREATE_IN_PROGRESS"}]},
        {
            "StackResourceSummaries": [
                {"PhysicalResourceId": "bucket", "ResourceStatus": "CREATE_COMPLETE"},
                {"PhysicalResourceId": "left", "ResourceStatus": "DELETE_SKIPPED"},
            ]
        },
    ]
    assert [each.get("PhysicalResourceId") for each in account.resources_of({"StackId": "1"})] == [
        None,
        "bucket",
    ]
