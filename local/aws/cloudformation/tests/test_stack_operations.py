"""Operations on a stack during and after other operations."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, quick, slow, stack, until
from local.aws.cloudformation.tests.test_child_stacks import REPOSITORY
from local.aws.testing import Stack, a_role, grant, error_of


# Names

def test_stack_name_is_in_use_until_its_stack_is_deleted(stack: Operated) -> None:
    stack.begin(broken())
    assert stack.wait() == "ROLLBACK_COMPLETE"
    assert error_of(stack.begin, resources=parameters("A")) == (
        "AlreadyExistsException", 400, f"Stack [{stack.name}] already exists")
    assert stack.delete() == "DELETE_COMPLETE"
    stack.begin(parameters("A"))
    assert stack.wait() == "CREATE_COMPLETE"


def test_deleted_stack_is_found_only_by_id_after_name_reuse(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    first = stack.begin(parameters("A"))
    stack.wait()
    assert stack.delete() == "DELETE_COMPLETE"
    client, name = stack.client, stack.name
    assert error_of(client.describe_stacks, StackName=name) == (
        "ValidationError", 400, f"Stack with id {name} does not exist")
    assert error_of(client.describe_stack_events, StackName=name)[2] == f"Stack [{name}] does not exist"
    assert error_of(client.list_stack_resources, StackName=name)[2] == f"Stack with id {name} does not exist"
    assert error_of(client.update_stack, StackName=name, UsePreviousTemplate=True)[2] == (
        f"Stack [{name}] does not exist")
    client.delete_stack(StackName=name)
    second = stack.begin(parameters("A"))
    assert stack.wait() == "CREATE_COMPLETE"
    assert client.describe_stacks(StackName=first)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert client.describe_stack_events(StackName=first)["StackEvents"][0]["StackId"] == first
    assert client.describe_stacks(StackName=name)["Stacks"][0]["StackId"] == second != first


# Tokens

def test_all_events_of_an_operation_have_its_token(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (ClientRequestToken)
    stack.begin(parameters("A"), ClientRequestToken="create-1")
    stack.wait()
    assert stack.tokens("CREATE_IN_PROGRESS") == {"create-1"}
    stack.client.update_stack(StackName=stack.name, TemplateBody=body({**parameters("A"), **broken()}),
                              ClientRequestToken="update-1")
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_IN_PROGRESS") == {"update-1"}
    stack.client.delete_stack(StackName=stack.name, ClientRequestToken="delete-1")
    stack.wait(stack._id)
    assert stack.tokens("DELETE_IN_PROGRESS") == {"delete-1"}


@pytest.mark.parametrize("rejected", [0, 1])
def test_used_request_token_starts_no_second_operation(aws: LocalAws, stack: Operated, rejected: int) -> None:
    aws.set(used_tokens_are_rejected=rejected)
    first = stack.begin(parameters("A"), ClientRequestToken="create-1")
    stack.wait()
    update = {"StackName": stack.name, "TemplateBody": body(parameters("A", value="y")),
              "ClientRequestToken": "update-1"}
    stack.client.update_stack(**update)
    stack.wait()
    before = stack.events()
    for call, arguments in ((stack.begin, {"resources": parameters("A"), "ClientRequestToken": "create-1"}),
                            (stack.client.update_stack, update)):
        if rejected:
            assert error_of(call, **arguments)[:2] == ("TokenAlreadyExistsException", 400)
        else:
            call(**arguments)
    assert (stack._id, stack.events()) == (first, before)
    # For another operation it is rejected in any case.
    assert error_of(stack.client.delete_stack, StackName=stack.name,
                   ClientRequestToken="update-1")[0] == "TokenAlreadyExistsException"


# During another operation


def test_a_stack_that_is_being_created_can_be_deleted(slow: LocalAws, aws: LocalAws, stack: Operated) -> None:
    stack.begin({"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": stack.name}},
                 **parameters("Z")}, ClientRequestToken="create-1")
    until(lambda: any(event["LogicalResourceId"] == "Repository" for event in stack.events()))
    slow.set(stack_resource_takes_seconds=0.3)
    stack.client.delete_stack(StackName=stack.name, ClientRequestToken="delete-1")
    assert stack.status() == "DELETE_IN_PROGRESS"
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    events = stack.of_the_stack()
    assert [status for status, _ in events] == ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert aws.client("codecommit").batch_get_repositories(repositoryNames=[stack.name])["repositories"] == []
    # The running resource was completed and deleted with the others. No other one was started.
    made = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()
            if event["PhysicalResourceId"] != stack._id]
    assert made == [("Repository", "CREATE_IN_PROGRESS"), ("Repository", "CREATE_COMPLETE"),
                    ("Z", "CREATE_IN_PROGRESS"), ("Z", "CREATE_FAILED"),
                    ("Repository", "DELETE_IN_PROGRESS"), ("Repository", "DELETE_COMPLETE")]
    assert stack.events()[-1]["ClientRequestToken"] == "delete-1"


@pytest.mark.parametrize("overtakes", [0, 1])
def test_a_deletion_waits_for_a_custom_resource_or_overtakes_it(aws: LocalAws, stack: Operated, provider: str,
                                                                overtakes: int) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
    aws.set(cancellations_overtake=overtakes)
    stack.begin({"A": {"Type": "Custom::Obedient", "Properties": {
        "ServiceToken": provider, "Id": "its-own", "OnCreate": "succeed late"}}})
    until(lambda: aws.exchanges("A"))
    stack.client.delete_stack(StackName=stack.name)
    begun = time.monotonic()
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    create, delete = aws.exchanges("A")
    assert (create["RequestType"], delete["RequestType"]) == ("Create", "Delete")
    if overtakes:
        assert time.monotonic() - begun < 1.5
        assert create["failure"] == "Resource creation cancelled"
        assert delete["PhysicalResourceId"].startswith(f"{stack.name}-A-")
    else:
        assert delete["PhysicalResourceId"] == "its-own"


def test_a_stack_that_rolls_back_can_be_deleted(slow: LocalAws, aws: LocalAws, stack: Operated) -> None:
    slow.set(stack_resource_takes_seconds=0.3)
    stack.begin({**a_repository(stack.name), **broken()})
    until(lambda: stack.status() == "ROLLBACK_IN_PROGRESS")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    assert [status for status, _ in stack.of_the_stack()] == [
        "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert aws.client("codecommit").batch_get_repositories(repositoryNames=[stack.name])["repositories"] == []


def test_review_in_progress_stack_blocks_name_and_can_be_deleted(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ChangeSetType)
    stack._id = stack.client.create_change_set(
        StackName=stack.name, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body(parameters("A")))["StackId"]
    assert stack.status() == "REVIEW_IN_PROGRESS"
    assert error_of(stack.client.create_stack, StackName=stack.name, TemplateBody=body(parameters("A")))[0] == (
        "AlreadyExistsException")
    assert error_of(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B")))[2] == (
        f"Stack:{stack._id} is in REVIEW_IN_PROGRESS state and can not be updated.")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"


def test_failed_create_deletes_or_keeps_resources_as_requested(stack: Operated, aws: LocalAws) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (OnFailure)
    stack.begin({**a_repository(stack.name), **broken()}, OnFailure="DELETE")
    assert until(lambda: stack.wait(stack._id) in ("DELETE_COMPLETE", "DELETE_FAILED"))
    assert stack.status() == "DELETE_COMPLETE"
    stack.begin({**a_repository(stack.name), **broken()}, OnFailure="DO_NOTHING")
    assert stack.wait() == "CREATE_FAILED"
    aws.client("codecommit").get_repository(repositoryName=stack.name)
    assert error_of(stack.begin, resources=parameters("A"))[0] == "AlreadyExistsException"


def test_a_second_deletion_changes_nothing(slow: LocalAws, stack: Operated) -> None:
    quick(slow)
    stack.begin(parameters("A"))
    stack.wait()
    slow.set(stack_resource_takes_seconds=0.5)
    for token in ("delete-1", "delete-2"):
        stack.client.delete_stack(StackName=stack.name, ClientRequestToken=token)
        assert stack.status() == "DELETE_IN_PROGRESS"
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    assert stack.tokens("DELETE_IN_PROGRESS") == {"delete-1"}


def test_stack_operation_takes_the_configured_time(slow: LocalAws, stack: Operated) -> None:
    slow.set(stack_resource_takes_seconds=0.4)
    begun = time.monotonic()
    stack.begin(parameters("A", "B"))
    assert stack.wait() == "CREATE_COMPLETE"
    assert time.monotonic() - begun > 0.8
    slow.set(stack_resource_takes_seconds=60, slow_stacks="others-")
    assert stack.update(parameters("A")) == "UPDATE_COMPLETE"


# Failed resources

def a_repository(name: str, *tags: str) -> dict[str, Any]:
    return {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {
        "RepositoryName": name, "Tags": [{"Key": tag, "Value": "x"} for tag in tags]}}}


def test_a_rollback_that_fails_is_continued(aws: LocalAws, stack: Operated, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
    role = a_role(aws, name, REPOSITORY - {"codecommit:UntagResource"} | {"ssm:*"})
    stack.begin(a_repository(name), RoleARN=role)
    assert stack.wait() == "CREATE_COMPLETE"
    assert error_of(stack.client.continue_update_rollback, StackName=name)[2] == (
        "ContinueUpdateRollback cannot be called from current stack status")
    # The role may set the tag and may not remove it.
    stack.client.update_stack(StackName=name, TemplateBody=body({**a_repository(name, "k"), **broken()}))
    assert stack.wait() == "UPDATE_ROLLBACK_FAILED"
    assert error_of(stack.client.update_stack, StackName=name, TemplateBody=body(parameters("B")))[2] == (
        f"Stack:{stack._id} is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    grant(aws, name, REPOSITORY | {"ssm:*"})
    stack.client.continue_update_rollback(StackName=name, ClientRequestToken="continue-1")
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_ROLLBACK_IN_PROGRESS") == {"continue-1"}
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{name}"
    assert "k" not in aws.client("codecommit").list_tags_for_resource(resourceArn=arn)["tags"]


def test_failed_creation_rollback_keeps_resources_for_deletion(aws: LocalAws, stack: Operated, name: str) -> None:
    role = a_role(aws, name, REPOSITORY - {"codecommit:DeleteRepository"})
    stack.begin({**a_repository(name), **broken()}, RoleARN=role)
    assert stack.wait() == "ROLLBACK_FAILED"
    grant(aws, name, REPOSITORY)
    assert stack.delete() == "DELETE_COMPLETE"
    assert aws.client("codecommit").batch_get_repositories(repositoryNames=[name])["repositories"] == []


def test_parallel_resource_is_cancelled_after_a_failure(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    dependent = parameters("Dependent")
    dependent["Dependent"]["DependsOn"] = "M"
    stack.begin({**parameters("A", "X"), **broken("M"), **dependent})
    assert stack.wait() == "ROLLBACK_COMPLETE"
    failed = [(event["LogicalResourceId"], event["ResourceStatusReason"]) for event in stack.events()
              if event["ResourceStatus"] == "CREATE_FAILED"]
    assert [logical_id for logical_id, _ in failed] == ["M", "X"]
    assert "extraneous key [Colour]" in failed[0][1]
    assert failed[1][1] == "Resource creation cancelled"


def test_a_protected_stack_is_not_deleted(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    stack.begin(parameters("A"), EnableTerminationProtection=True)
    stack.wait()
    code, status, message = error_of(stack.client.delete_stack, StackName=stack.name)
    assert (code, status) == ("ValidationError", 400)
    assert message.endswith("cannot be deleted while TerminationProtection is enabled")
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    assert stack.delete() == "DELETE_COMPLETE"


def test_deletion_policy_retains_created_resources_only(aws: LocalAws, stack: Operated, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    codecommit = aws.client("codecommit")
    for policy, left in (("RetainExceptOnCreate", []), ("Retain", [name])):
        resources = {**a_repository(name), **broken()}
        resources["Repository"]["DeletionPolicy"] = policy
        stack.begin(resources)
        assert stack.wait() == "ROLLBACK_COMPLETE"
        assert stack.delete() == "DELETE_COMPLETE"
        found = codecommit.batch_get_repositories(repositoryNames=[name])["repositories"]
        assert [repository["repositoryName"] for repository in found] == left


# Quotas

def test_calls_above_the_quota_are_throttled(aws: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
    aws.set(cloudformation_calls_per_second=0.001, cloudformation_burst=2)
    for _ in range(2):
        stack.client.list_stacks()
    assert error_of(stack.client.list_stacks) == ("Throttling", 400, "Rate exceeded")
    aws.set(cloudformation_calls_per_second=0)
    stack.client.list_stacks()
