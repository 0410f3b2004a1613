"""Operations on a stack during and after other operations. tests/deployment/test_hostile_reviews.py has
throttled calls."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, quick, slow, stack, until
from tests.local.aws.cloudformation.tests.test_child_stacks import REPOSITORY
from tests.local.aws.testing import a_role, error_of, grant


def a_repository(name: str, **attributes: str) -> dict[str, Any]:
    return {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name}, **attributes}}


def repositories(aws: LocalAws, name: str) -> list[str]:
    found = aws.client("codecommit").batch_get_repositories(repositoryNames=[name])["repositories"]
    return [repository["repositoryName"] for repository in found]


# Names

def test_name_is_taken_until_deletion_then_found_by_id_only(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    first = stack.begin(broken())
    assert stack.wait() == "ROLLBACK_COMPLETE"
    client, name = stack.client, stack.name
    assert error_of(stack.begin, resources=parameters("A")) == (
        "AlreadyExistsException", 400, f"Stack [{name}] already exists")
    assert stack.delete() == "DELETE_COMPLETE"
    for call, more, message in (
            (client.describe_stacks, {}, f"Stack with id {name} does not exist"),
            (client.describe_stack_events, {}, f"Stack [{name}] does not exist"),
            (client.list_stack_resources, {}, f"Stack with id {name} does not exist"),
            (client.update_stack, {"UsePreviousTemplate": True}, f"Stack [{name}] does not exist")):
        assert error_of(call, StackName=name, **more) == ("ValidationError", 400, message)
    client.delete_stack(StackName=name)
    second = stack.begin(parameters("A"))
    assert stack.wait() == "CREATE_COMPLETE"
    assert client.describe_stacks(StackName=first)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert client.describe_stack_events(StackName=first)["StackEvents"][0]["StackId"] == first
    assert client.describe_stacks(StackName=name)["Stacks"][0]["StackId"] == second != first


# Tokens

def test_events_have_their_operations_token_which_starts_no_second_one(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (ClientRequestToken)
    first = stack.begin(parameters("A"), ClientRequestToken="create-1")
    stack.wait()
    assert stack.tokens("CREATE_IN_PROGRESS") == {"create-1"}
    update = {"StackName": stack.name, "TemplateBody": body({**parameters("A"), **broken()}),
              "ClientRequestToken": "update-1"}
    stack.client.update_stack(**update)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_IN_PROGRESS") == {"update-1"}
    before = stack.events()
    stack.client.update_stack(**update)
    assert (stack.begin(parameters("A"), ClientRequestToken="create-1"), stack.events()) == (first, before)
    # For another operation it is rejected.
    assert error_of(stack.client.delete_stack, StackName=stack.name, ClientRequestToken="update-1")[0] == (
        "TokenAlreadyExistsException")
    stack.client.delete_stack(StackName=stack.name, ClientRequestToken="delete-1")
    stack.wait(stack._id)
    assert stack.tokens("DELETE_IN_PROGRESS") == {"delete-1"}


# During another operation


def test_a_stack_that_is_being_created_can_be_deleted(slow: LocalAws, aws: LocalAws, stack: Operated) -> None:
    stack.begin({**a_repository(stack.name), **parameters("Z")})
    until(lambda: any(event["LogicalResourceId"] == "Repository" for event in stack.events()))
    slow.set(stack_resource_takes_seconds=0.3)
    for token in ("delete-1", "delete-2"):  # a second deletion changes nothing
        stack.client.delete_stack(StackName=stack.name, ClientRequestToken=token)
        assert stack.status() == "DELETE_IN_PROGRESS"
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    events = stack.of_the_stack()
    assert [status for status, _ in events] == ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert repositories(aws, stack.name) == []
    # The running resource was completed and deleted with the others. No other one was started.
    made = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()
            if event["PhysicalResourceId"] != stack._id]
    assert made == [("Repository", "CREATE_IN_PROGRESS"), ("Repository", "CREATE_COMPLETE"),
                    ("Z", "CREATE_IN_PROGRESS"), ("Z", "CREATE_FAILED"),
                    ("Repository", "DELETE_IN_PROGRESS"), ("Repository", "DELETE_COMPLETE")]
    assert stack.events()[-1]["ClientRequestToken"] == "delete-1"


def test_a_deletion_waits_for_a_custom_resource(aws: LocalAws, stack: Operated, provider: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
    stack.begin({"A": {"Type": "Custom::Obedient", "Properties": {
        "ServiceToken": provider, "Id": "its-own", "OnCreate": "succeed late"}}})
    until(lambda: aws.exchanges("A"))
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    create, delete = aws.exchanges("A")
    assert (create["RequestType"], delete["RequestType"], delete["PhysicalResourceId"]) == (
        "Create", "Delete", "its-own")


def test_a_stack_that_rolls_back_can_be_deleted(slow: LocalAws, aws: LocalAws, stack: Operated) -> None:
    slow.set(stack_resource_takes_seconds=0.3)
    stack.begin({**a_repository(stack.name), **broken()})
    until(lambda: stack.status() == "ROLLBACK_IN_PROGRESS")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"
    assert [status for status, _ in stack.of_the_stack()] == [
        "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert repositories(aws, stack.name) == []


def test_review_in_progress_stack_blocks_name_and_can_be_deleted(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ChangeSetType)
    stack._id = stack.client.create_change_set(
        StackName=stack.name, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body(parameters("A")))["StackId"]
    assert stack.status() == "REVIEW_IN_PROGRESS"
    given = {"StackName": stack.name, "TemplateBody": body(parameters("A"))}
    assert error_of(stack.client.create_stack, **given)[0] == "AlreadyExistsException"
    assert error_of(stack.client.update_stack, **given)[2] == (
        f"Stack:{stack._id} is in REVIEW_IN_PROGRESS state and can not be updated.")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"


def test_operations_that_the_status_does_not_allow_are_rejected(slow: LocalAws, stack: Operated) -> None:
    update = {"StackName": stack.name, "TemplateBody": body(parameters("A", value="y"))}
    calls = stack.client
    quick(slow)
    stack.begin(parameters("A"))
    stack.wait()
    assert error_of(calls.cancel_update_stack, StackName=stack.name)[2] == (
        "CancelUpdateStack cannot be called from current stack status")
    assert error_of(calls.continue_update_rollback, StackName=stack.name)[2] == (
        "ContinueUpdateRollback cannot be called from current stack status")
    slow.set(stack_resource_takes_seconds=60)
    calls.update_stack(**update)
    assert error_of(calls.delete_stack, StackName=stack.name)[2] == (
        f"Stack [{stack._id}] cannot be deleted while in status UPDATE_IN_PROGRESS")
    plan = {"StackName": stack.name, "ChangeSetName": "plan", "UsePreviousTemplate": True}
    for call, arguments in ((calls.update_stack, update), (calls.create_change_set, plan),
                            (calls.create_change_set, plan | {"DeploymentMode": "REVERT_DRIFT"})):
        assert error_of(call, **arguments) == (
            "ValidationError", 400, f"Stack:{stack._id} is in UPDATE_IN_PROGRESS state and can not be updated.")
    calls.cancel_update_stack(StackName=stack.name, ClientRequestToken="cancel-1")
    quick(slow)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_ROLLBACK_IN_PROGRESS") == {"cancel-1"}


def test_stack_operation_takes_the_configured_time(slow: LocalAws, stack: Operated) -> None:
    slow.set(stack_resource_takes_seconds=0.4)
    begun = time.monotonic()
    stack.begin(parameters("A", "B"))
    assert stack.wait() == "CREATE_COMPLETE"
    assert time.monotonic() - begun > 0.8
    slow.set(stack_resource_takes_seconds=60, slow_stacks="others-")
    assert stack.update(parameters("A")) == "UPDATE_COMPLETE"


# Failed resources

@pytest.mark.parametrize(("attributes", "more", "status", "left"), [
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    ({"DeletionPolicy": "RetainExceptOnCreate"}, {}, "ROLLBACK_COMPLETE", False),
    ({"DeletionPolicy": "Retain"}, {}, "ROLLBACK_COMPLETE", True),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (OnFailure)
    ({}, {"OnFailure": "DELETE"}, "DELETE_COMPLETE", False), ({}, {"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", True)])
def test_failed_creation_deletes_or_keeps_resources_as_requested(
        stack: Operated, aws: LocalAws, attributes: dict[str, str], more: dict[str, str], status: str,
        left: bool) -> None:
    stack.begin({**a_repository(stack.name, **attributes), **broken()}, **more)
    until(lambda: stack.wait(stack._id) == status)
    assert repositories(aws, stack.name) == ([stack.name] if left else [])


def test_failed_creation_rollback_keeps_resources_for_deletion(aws: LocalAws, stack: Operated, name: str) -> None:
    role = a_role(aws, name, REPOSITORY - {"codecommit:DeleteRepository"})
    stack.begin({**a_repository(name), **broken()}, RoleARN=role)
    assert stack.wait() == "ROLLBACK_FAILED"
    grant(aws, name, REPOSITORY)
    assert stack.delete() == "DELETE_COMPLETE"
    assert repositories(aws, name) == []


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
    assert ("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [M]. Rollback requested by user.") in (
        stack.of_the_stack())


def test_a_protected_stack_is_not_deleted(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    stack.begin(parameters("A"), EnableTerminationProtection=True)
    stack.wait()
    assert error_of(stack.client.delete_stack, StackName=stack.name)[2].endswith(
        "cannot be deleted while TerminationProtection is enabled")
