"""What CloudFormation answers to an operation on a stack to which something else happens, or has happened."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.cloudformation.tests.test_child_stacks import REPOSITORY, a_role, grant
from local.aws.conftest import Stack, refusal


def parameters(*names: str, value: str = "x") -> dict[str, Any]:
    return {name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}} for name in names}


def body(resources: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Resources": resources, **more})


def broken(name: str = "Z") -> dict[str, Any]:
    return {name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Colour": "red"}}}


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


class Operated(Stack):
    def __init__(self, aws: LocalAws, name: str) -> None:
        super().__init__(aws, name)
        self.client = aws.client("cloudformation")

    def begin(self, resources: dict[str, Any], **more: Any) -> str:
        self._id = self.client.create_stack(StackName=self.name, TemplateBody=body(resources), **more)["StackId"]
        return self._id

    def status(self) -> str:
        status: str = self._describe(self._id)["StackStatus"]
        return status

    def of_the_stack(self) -> list[tuple[str, str]]:
        return [(event["ResourceStatus"], event.get("ResourceStatusReason", "")) for event in self.events()
                if event["PhysicalResourceId"] == event["StackId"]]

    def tokens(self, since: str) -> set[str | None]:
        """Those of the stack's last operation, which began with the status `since`."""
        events = self.events()
        begun = max(index for index, event in enumerate(events) if event["ResourceStatus"] == since
                    and event["PhysicalResourceId"] == event["StackId"])
        return {event.get("ClientRequestToken") for event in events[begun:]}


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Operated:
    return Operated(aws, name)


@pytest.fixture
def slow(aws: LocalAws) -> LocalAws:
    aws.set(stack_resource_takes_seconds=60)
    return aws


def quick(aws: LocalAws) -> None:
    aws.set(stack_resource_takes_seconds=0)


# Names

def test_a_name_is_taken_until_its_stack_is_deleted(stack: Operated) -> None:
    stack.begin(broken())
    assert stack.wait() == "ROLLBACK_COMPLETE"
    assert refusal(stack.begin, resources=parameters("A")) == (
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
    assert refusal(client.describe_stacks, StackName=name) == (
        "ValidationError", 400, f"Stack with id {name} does not exist")
    assert refusal(client.describe_stack_events, StackName=name)[2] == f"Stack [{name}] does not exist"
    assert refusal(client.list_stack_resources, StackName=name)[2] == f"Stack with id {name} does not exist"
    assert refusal(client.update_stack, StackName=name, UsePreviousTemplate=True)[2] == (
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


@pytest.mark.parametrize("refused", [0, 1])
def test_a_token_that_was_used_begins_nothing_again(aws: LocalAws, stack: Operated, refused: int) -> None:
    aws.set(used_tokens_are_refused=refused)
    first = stack.begin(parameters("A"), ClientRequestToken="create-1")
    stack.wait()
    update = {"StackName": stack.name, "TemplateBody": body(parameters("A", value="y")),
              "ClientRequestToken": "update-1"}
    stack.client.update_stack(**update)
    stack.wait()
    before = stack.events()
    for call, arguments in ((stack.begin, {"resources": parameters("A"), "ClientRequestToken": "create-1"}),
                            (stack.client.update_stack, update)):
        if refused:
            assert refusal(call, **arguments)[:2] == ("TokenAlreadyExistsException", 400)
        else:
            call(**arguments)
    assert (stack._id, stack.events()) == (first, before)
    # For something else it is refused in any case.
    assert refusal(stack.client.delete_stack, StackName=stack.name,
                   ClientRequestToken="update-1")[0] == "TokenAlreadyExistsException"


# While something else is under way

def test_an_update_is_refused_while_another_operation_runs(slow: LocalAws, stack: Operated) -> None:
    stack.begin(parameters("A"))
    for status in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        assert stack.status() == status
        assert refusal(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B"))) == (
            "ValidationError", 400, f"Stack:{stack._id} is in {status} state and can not be updated.")
        stack.client.delete_stack(StackName=stack.name)
    quick(slow)


def test_a_stack_that_rolled_back_cannot_be_updated(stack: Operated) -> None:
    stack.begin(broken())
    stack.wait()
    assert refusal(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B")))[2] == (
        f"Stack:{stack._id} is in ROLLBACK_COMPLETE state and can not be updated.")
    events = stack.of_the_stack()
    assert ("ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to create: [Z]. Rollback requested by user.") in events


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
    # What was in hand was made, and went with the rest; nothing more was begun.
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
    assert refusal(stack.client.create_stack, StackName=stack.name, TemplateBody=body(parameters("A")))[0] == (
        "AlreadyExistsException")
    assert refusal(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B")))[2] == (
        f"Stack:{stack._id} is in REVIEW_IN_PROGRESS state and can not be updated.")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.wait(stack._id) == "DELETE_COMPLETE"


def test_a_creation_can_be_told_to_delete_or_keep_what_failed(stack: Operated, aws: LocalAws) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (OnFailure)
    stack.begin({**a_repository(stack.name), **broken()}, OnFailure="DELETE")
    assert until(lambda: stack.wait(stack._id) in ("DELETE_COMPLETE", "DELETE_FAILED"))
    assert stack.status() == "DELETE_COMPLETE"
    stack.begin({**a_repository(stack.name), **broken()}, OnFailure="DO_NOTHING")
    assert stack.wait() == "CREATE_FAILED"
    aws.client("codecommit").get_repository(repositoryName=stack.name)
    assert refusal(stack.begin, resources=parameters("A"))[0] == "AlreadyExistsException"


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


def test_a_stack_that_is_being_updated_is_not_deleted(slow: LocalAws, stack: Operated) -> None:
    quick(slow)
    stack.begin(parameters("A"))
    stack.wait()
    slow.set(stack_resource_takes_seconds=60)
    stack.client.update_stack(StackName=stack.name, TemplateBody=body(parameters("A", value="y")))
    assert refusal(stack.client.delete_stack, StackName=stack.name)[2] == (
        f"Stack [{stack._id}] cannot be deleted while in status UPDATE_IN_PROGRESS")
    quick(slow)
    stack.client.cancel_update_stack(StackName=stack.name)
    stack.wait()


def test_a_cancelled_update_rolls_back_with_the_cancels_token(slow: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
    quick(slow)
    stack.begin(parameters("A", "B"))
    stack.wait()
    assert refusal(stack.client.cancel_update_stack, StackName=stack.name)[2] == (
        "CancelUpdateStack cannot be called from current stack status")
    slow.set(stack_resource_takes_seconds=60)
    stack.client.update_stack(StackName=stack.name, TemplateBody=body(parameters("A", "B", value="y")),
                              ClientRequestToken="update-1")
    stack.client.cancel_update_stack(StackName=stack.name, ClientRequestToken="cancel-1")
    quick(slow)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_ROLLBACK_IN_PROGRESS") == {"cancel-1"}
    assert ("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated") in stack.of_the_stack()


def test_a_stack_takes_the_time_that_it_is_told_to(slow: LocalAws, stack: Operated) -> None:
    slow.set(stack_resource_takes_seconds=0.4)
    begun = time.monotonic()
    stack.begin(parameters("A", "B"))
    assert stack.wait() == "CREATE_COMPLETE"
    assert time.monotonic() - begun > 0.8
    slow.set(stack_resource_takes_seconds=60, slow_stacks="others-")
    assert stack.update(parameters("A")) == "UPDATE_COMPLETE"


# Updates

def test_update_without_changes_is_rejected(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    stack.begin(parameters("A"))
    stack.wait()
    kept = parameters("A")
    kept["A"]["DeletionPolicy"] = "Retain"
    for same in (parameters("A"), kept):
        assert refusal(stack.client.update_stack, StackName=stack.name, TemplateBody=body(same)) == (
            "ValidationError", 400, "No updates are to be performed.")
    kept["A"]["Metadata"] = {"Policy": "Retain"}
    assert stack.update(kept) == "UPDATE_COMPLETE"


def test_tags_stay_when_none_are_given_and_change_when_they_are(aws: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html (Tags)
    log_group = {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {
        "LogGroupName": stack.name, "RetentionInDays": 1, "Tags": [{"Key": "own", "Value": "o"}]}}}
    rule = {"Rule": {"Type": "AWS::Events::Rule", "Properties": {
        "Name": stack.name, "State": "ENABLED", "EventPattern": {"source": ["a"]}}}}
    arn = f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{stack.name}"
    rule_arn = f"arn:aws:events:{aws.region}:{aws.account_id}:rule/{stack.name}"

    def tags() -> dict[str, str]:
        found: dict[str, str] = aws.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
        return {key: value for key, value in found.items() if not key.startswith("aws:")}

    def rule_tags() -> dict[str, str]:
        listed = aws.client("events").list_tags_for_resource(ResourceARN=rule_arn)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in listed if not tag["Key"].startswith("aws:")}

    stack.begin({**log_group, **rule}, Tags=[{"Key": "team", "Value": "a"}])
    stack.wait()
    assert (tags(), rule_tags()) == ({"own": "o", "team": "a"}, {"team": "a"})
    log_group["Group"]["Properties"]["RetentionInDays"] = 3
    assert stack.update({**log_group, **rule}) == "UPDATE_COMPLETE"
    assert [(tag["Key"], tag["Value"]) for tag in stack._describe()["Tags"]] == [("team", "a")]
    stack.client.update_stack(StackName=stack.name, UsePreviousTemplate=True, Tags=[{"Key": "cost", "Value": "1"}])
    assert stack.wait() == "UPDATE_COMPLETE"
    assert (tags(), rule_tags()) == ({"own": "o", "cost": "1"}, {"cost": "1"})


def test_an_update_deletes_what_it_removed_in_a_phase_of_its_own(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    stack.begin(parameters("A", "B"))
    stack.wait()
    assert stack.update(parameters("A")) == "UPDATE_COMPLETE"
    last = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()][-4:]
    assert last == [(stack.name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), ("B", "DELETE_IN_PROGRESS"),
                    ("B", "DELETE_COMPLETE"), (stack.name, "UPDATE_COMPLETE")]


def test_update_events_name_only_changed_and_added_resources(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    stack.begin(parameters("A", "B"))
    stack.wait()
    before = len(stack.events())
    assert stack.update({**parameters("A"), **parameters("B", value="y"), **parameters("C")}) == "UPDATE_COMPLETE"
    told = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]
            if event["LogicalResourceId"] != stack.name]
    assert told == [("B", "UPDATE_IN_PROGRESS"), ("B", "UPDATE_COMPLETE"),
                    ("C", "CREATE_IN_PROGRESS"), ("C", "CREATE_COMPLETE")]
    before = len(stack.events())
    stack.update({**parameters("A", "B", "C"), **broken()})
    told = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]
            if event["LogicalResourceId"] == "Z"]
    assert told == [("Z", "CREATE_IN_PROGRESS"), ("Z", "CREATE_FAILED")]


def test_unknown_or_missing_parameter_is_rejected_by_name(stack: Operated) -> None:
    template = body(parameters("A"), Parameters={"P": {"Type": "String"}})
    given = [{"ParameterKey": "Q", "ParameterValue": "1"}]
    assert refusal(stack.client.create_stack, StackName=stack.name, TemplateBody=template) == (
        "ValidationError", 400, "Parameters: [P] must have values")
    assert refusal(stack.client.create_stack, StackName=stack.name, TemplateBody=body(parameters("A")),
                   Parameters=given) == ("ValidationError", 400, "Parameters: [Q] do not exist in the template")


# What failed

def a_repository(name: str, *tags: str) -> dict[str, Any]:
    return {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {
        "RepositoryName": name, "Tags": [{"Key": tag, "Value": "x"} for tag in tags]}}}


def test_a_rollback_that_fails_is_continued(aws: LocalAws, stack: Operated, name: str) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
    role = a_role(aws, name, REPOSITORY - {"codecommit:UntagResource"} | {"ssm:*"})
    stack.begin(a_repository(name), RoleARN=role)
    assert stack.wait() == "CREATE_COMPLETE"
    assert refusal(stack.client.continue_update_rollback, StackName=name)[2] == (
        "ContinueUpdateRollback cannot be called from current stack status")
    # The tag may be put there and not taken away again.
    stack.client.update_stack(StackName=name, TemplateBody=body({**a_repository(name, "k"), **broken()}))
    assert stack.wait() == "UPDATE_ROLLBACK_FAILED"
    assert refusal(stack.client.update_stack, StackName=name, TemplateBody=body(parameters("B")))[2] == (
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
    code, status, message = refusal(stack.client.delete_stack, StackName=stack.name)
    assert (code, status) == ("ValidationError", 400)
    assert message.endswith("cannot be deleted while TerminationProtection is enabled")
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_policy_retains_what_its_own_creation_did_not_fail(aws: LocalAws, stack: Operated, name: str) -> None:
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
    assert refusal(stack.client.list_stacks) == ("Throttling", 400, "Rate exceeded")
    aws.set(cloudformation_calls_per_second=0)
    stack.client.list_stacks()
