"""Updates of stacks: rejections, events, tags and parameters."""

from __future__ import annotations

from local.aws import LocalAws
from local.aws.cloudformation.tests.operated_stack import Operated, body, broken, parameters, quick, slow, stack
from local.aws.testing import Stack, error_of


def test_update_is_rejected_during_another_operation(slow: LocalAws, stack: Operated) -> None:
    stack.begin(parameters("A"))
    for status in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        assert stack.status() == status
        assert error_of(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B"))) == (
            "ValidationError", 400, f"Stack:{stack._id} is in {status} state and can not be updated.")
        stack.client.delete_stack(StackName=stack.name)
    quick(slow)


def test_a_stack_that_rolled_back_cannot_be_updated(stack: Operated) -> None:
    stack.begin(broken())
    stack.wait()
    assert error_of(stack.client.update_stack, StackName=stack.name, TemplateBody=body(parameters("B")))[2] == (
        f"Stack:{stack._id} is in ROLLBACK_COMPLETE state and can not be updated.")
    events = stack.of_the_stack()
    assert ("ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to create: [Z]. Rollback requested by user.") in events


def test_a_stack_that_is_being_updated_is_not_deleted(slow: LocalAws, stack: Operated) -> None:
    quick(slow)
    stack.begin(parameters("A"))
    stack.wait()
    slow.set(stack_resource_takes_seconds=60)
    stack.client.update_stack(StackName=stack.name, TemplateBody=body(parameters("A", value="y")))
    assert error_of(stack.client.delete_stack, StackName=stack.name)[2] == (
        f"Stack [{stack._id}] cannot be deleted while in status UPDATE_IN_PROGRESS")
    quick(slow)
    stack.client.cancel_update_stack(StackName=stack.name)
    stack.wait()


def test_a_cancelled_update_rolls_back_with_the_cancels_token(slow: LocalAws, stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
    quick(slow)
    stack.begin(parameters("A", "B"))
    stack.wait()
    assert error_of(stack.client.cancel_update_stack, StackName=stack.name)[2] == (
        "CancelUpdateStack cannot be called from current stack status")
    slow.set(stack_resource_takes_seconds=60)
    stack.client.update_stack(StackName=stack.name, TemplateBody=body(parameters("A", "B", value="y")),
                              ClientRequestToken="update-1")
    stack.client.cancel_update_stack(StackName=stack.name, ClientRequestToken="cancel-1")
    quick(slow)
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.tokens("UPDATE_ROLLBACK_IN_PROGRESS") == {"cancel-1"}
    assert ("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated") in stack.of_the_stack()


def test_update_without_changes_is_rejected(stack: Operated) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    stack.begin(parameters("A"))
    stack.wait()
    kept = parameters("A")
    kept["A"]["DeletionPolicy"] = "Retain"
    for same in (parameters("A"), kept):
        assert error_of(stack.client.update_stack, StackName=stack.name, TemplateBody=body(same)) == (
            "ValidationError", 400, "No updates are to be performed.")
    kept["A"]["Metadata"] = {"Policy": "Retain"}
    assert stack.update(kept) == "UPDATE_COMPLETE"


def test_tags_change_only_if_given(aws: LocalAws, stack: Operated) -> None:
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


def test_update_deletes_removed_resources_in_its_cleanup(stack: Operated) -> None:
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
    reported = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]
            if event["LogicalResourceId"] != stack.name]
    assert reported == [("B", "UPDATE_IN_PROGRESS"), ("B", "UPDATE_COMPLETE"),
                    ("C", "CREATE_IN_PROGRESS"), ("C", "CREATE_COMPLETE")]
    before = len(stack.events())
    stack.update({**parameters("A", "B", "C"), **broken()})
    reported = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in stack.events()[before:]
            if event["LogicalResourceId"] == "Z"]
    assert reported == [("Z", "CREATE_IN_PROGRESS"), ("Z", "CREATE_FAILED")]


def test_unknown_or_missing_parameter_is_rejected_by_name(stack: Operated) -> None:
    template = body(parameters("A"), Parameters={"P": {"Type": "String"}})
    given = [{"ParameterKey": "Q", "ParameterValue": "1"}]
    assert error_of(stack.client.create_stack, StackName=stack.name, TemplateBody=template) == (
        "ValidationError", 400, "Parameters: [P] must have values")
    assert error_of(stack.client.create_stack, StackName=stack.name, TemplateBody=body(parameters("A")),
                   Parameters=given) == ("ValidationError", 400, "Parameters: [Q] do not exist in the template")
