"""IAM's groups, created by CloudFormation, with users that are added outside of the stack."""

from __future__ import annotations

from typing import Any

from local.aws import LocalAws
from local.aws.testing import Stack, a_user_with, allow, policy, error_of

READ = {"Version": "2012-10-17", "Statement": [allow("codecommit:GetRepository", "*")]}


def group(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Group", "Properties": {"GroupName": name, **more}}


def test_a_member_has_the_groups_rights_until_it_leaves(aws: LocalAws, stack: Stack, name: str) -> None:
    resources = {
        "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": name, "PolicyDocument": READ, "Groups": [{"Ref": "ByPolicy"}]}},
        "ByPolicy": group(f"{name}-1"),
        "Inline": group(f"{name}-2", Policies=[{"PolicyName": "own", "PolicyDocument": READ}]),
    }
    assert stack.create(resources) == "CREATE_COMPLETE"
    aws.client("codecommit").create_repository(repositoryName=name)
    iam, mine = aws.client("iam"), aws.client("codecommit", a_user_with(aws, name))
    for each in (f"{name}-1", f"{name}-2"):
        assert error_of(mine.get_repository, repositoryName=name)[0] == "AccessDeniedException"
        iam.add_user_to_group(GroupName=each, UserName=name)
        mine.get_repository(repositoryName=name)
        iam.remove_user_from_group(GroupName=each, UserName=name)
    assert stack.delete() == "DELETE_COMPLETE"
    assert error_of(iam.get_group, GroupName=f"{name}-1")[0] == "NoSuchEntity"


def test_a_groups_policies_follow_the_template(aws: LocalAws, stack: Stack, name: str) -> None:
    made = {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": name, "PolicyDocument": READ}}}
    iam = aws.client("iam")

    def attached() -> list[str]:
        return [one["PolicyName"] for one in iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]]

    stack.create({**made, "Group": group(name, ManagedPolicyArns=[{"Ref": "Policy"}])})
    assert attached() == [name]
    stack.update({**made, "Group": group(name, Policies=[{"PolicyName": "own", "PolicyDocument": READ}])})
    assert (attached(), iam.list_group_policies(GroupName=name)["PolicyNames"]) == ([], ["own"])
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_group_with_members_is_not_deleted_with_its_stack(aws: LocalAws, stack: Stack, name: str) -> None:
    stack.create({"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": name, "PolicyDocument": READ}},
                  "Group": group(name, ManagedPolicyArns=[{"Ref": "Policy"}],
                                 Policies=[{"PolicyName": "own", "PolicyDocument": READ}])})
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert error_of(iam.delete_group, GroupName=name)[:2] == ("DeleteConflict", 409)
    assert stack.delete() == "DELETE_FAILED"
    assert "must remove users from group first" in stack.attributes("Group")["ResourceStatusReason"]
    iam.remove_user_from_group(GroupName=name, UserName=name)
    assert stack.delete() == "DELETE_COMPLETE"


def test_existing_group_is_rejected(aws: LocalAws, stack: Stack, name: str) -> None:
    aws.client("iam").create_group(GroupName=name)
    assert stack.create({"Group": group(name)}) == "ROLLBACK_COMPLETE"
    aws.client("iam").get_group(GroupName=name)


def test_a_group_with_policies_of_others_is_not_deleted(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
    iam = aws.client("iam")
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=policy(READ["Statement"][0]))
    assert error_of(iam.delete_group, GroupName=name) == (
        "DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
    iam.delete_group_policy(GroupName=name, PolicyName="own")
    iam.delete_group(GroupName=name)
