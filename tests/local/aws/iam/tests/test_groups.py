"""AWS::IAM::Group, as far as tests/deployed_templates/test_people.py does not show it: updates and conflicts."""

from __future__ import annotations

from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, allow, error_of, policy

READ = {"Version": "2012-10-17", "Statement": [allow("codecommit:GetRepository", "*")]}


def group(name: str, **more: Any) -> dict[str, Any]:
    return {"Group": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": name, **more}}}


def test_group_changes_and_is_deleted_without_members(aws: LocalAws, stack: Stack, name: str) -> None:
    made = {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
        "ManagedPolicyName": name, "PolicyDocument": READ}}}
    iam = aws.client("iam")

    def policies() -> tuple[list[str], list[str]]:
        attached = iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]
        return [one["PolicyName"] for one in attached], iam.list_group_policies(GroupName=name)["PolicyNames"]

    stack.create({**made, **group(name, ManagedPolicyArns=[{"Ref": "Policy"}])})
    assert policies() == ([name], [])
    stack.update({**made, **group(name, Policies=[{"PolicyName": "own", "PolicyDocument": READ}])})
    assert policies() == ([], ["own"])
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert stack.delete() == "DELETE_FAILED"
    assert "must remove users from group first" in stack.attributes("Group")["ResourceStatusReason"]
    iam.remove_user_from_group(GroupName=name, UserName=name)
    assert stack.delete() == "DELETE_COMPLETE"


def test_existing_group_is_rejected_and_one_with_policies_is_kept(aws: LocalAws, stack: Stack, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
    iam = aws.client("iam")
    iam.create_group(GroupName=name)
    assert stack.create(group(name)) == "ROLLBACK_COMPLETE"
    iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=policy(READ["Statement"][0]))
    assert error_of(iam.delete_group, GroupName=name) == (
        "DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
