"""A change of IAM takes effect later than IAM and CloudFormation report it.

One test waits for 0.3 seconds. In the others no change is in effect with `LONG`, and every change is with 0.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, a_user_with, allow, policy, trust

LONG = 3600.0


def repositories(aws: LocalAws, key: dict[str, str]) -> bool:
    """Whether the caller may list them."""
    try:
        aws.client("codecommit", key).list_repositories()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_grant_takes_effect_after_the_time_of_the_setting(aws: LocalAws, name: str) -> None:
    aws.set(iam_policies_take_seconds=0.3)
    began = time.monotonic()
    key = a_user_with(aws, name, allow("codecommit:*", "*"))
    while not repositories(aws, key):
        assert time.monotonic() < began + 30
    assert time.monotonic() > began + 0.3


def test_former_policy_decides_while_the_change_is_late(aws: LocalAws, name: str) -> None:
    key = a_user_with(aws, name, allow("codecommit:*", "*"))
    aws.put_iam_into_effect()
    aws.set(iam_policies_take_seconds=LONG)
    aws.client("iam").put_user_policy(
        UserName=name, PolicyName="own", PolicyDocument=policy(allow("s3:*", "*"))
    )
    assert repositories(aws, key)
    aws.put_iam_into_effect()
    assert not repositories(aws, key)
    # The administrator of the account is never late.
    aws.client("codecommit").list_repositories()


@pytest.mark.parametrize("way", ["inline", "attached", "managed policy's new version", "group", "stack"])
def test_grant_by_each_way_is_late(aws: LocalAws, stack: Stack, name: str, way: str) -> None:
    iam, grant = aws.client("iam"), policy(allow("codecommit:*", "*"))
    key = a_user_with(aws, name)
    narrow = policy(allow("s3:*", "*"))
    arn = iam.create_policy(PolicyName=name, PolicyDocument=grant if way == "attached" else narrow)["Policy"][
        "Arn"
    ]
    aws.set(iam_policies_take_seconds=LONG)
    if way == "inline":
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=grant)
    elif way == "group":
        iam.create_group(GroupName=name)
        iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=grant)
        iam.add_user_to_group(GroupName=name, UserName=name)
    elif way == "stack":
        # Complete before the grant: IAM's API shows it, but does not evaluate it yet.
        own = {"Users": [name], "PolicyName": "own", "PolicyDocument": json.loads(grant)}
        assert stack.create({"Own": {"Type": "AWS::IAM::Policy", "Properties": own}}) == "CREATE_COMPLETE"
        assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["own"]
    else:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    if way.startswith("managed"):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=grant, SetAsDefault=True)
    assert not repositories(aws, key)
    assert aws.decisions(f":user/{name}")[-1]["late"]
    aws.set(iam_policies_take_seconds=0)
    assert repositories(aws, key)
    assert "late" not in aws.decisions(f":user/{name}")[-1]


def test_new_build_role_fails_the_stack_until_trusted(aws: LocalAws, stack: Stack, name: str) -> None:
    # CloudFormation reports the service's error: github.com/hashicorp/terraform-provider-aws issue 7646 has
    # its text.
    role = aws.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=trust("codebuild.amazonaws.com")
    )
    project = {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": name,
            "ServiceRole": role["Role"]["Arn"],
            "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
            "Environment": {
                "Type": "LINUX_CONTAINER",
                "ComputeType": "BUILD_GENERAL1_SMALL",
                "Image": "aws/codebuild/standard:8.0",
            },
        },
    }
    aws.set(iam_trusts_take_seconds=LONG)
    assert stack.create({"Project": project}) == "ROLLBACK_COMPLETE"
    failed = [event for event in stack.events() if event["ResourceStatus"] == "CREATE_FAILED"]
    assert "CodeBuild is not authorized to perform: sts:AssumeRole" in failed[0]["ResourceStatusReason"]
    aws.set(iam_trusts_take_seconds=0)
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.create({"Project": project}) == "CREATE_COMPLETE"


def test_recreated_role_has_no_former_grants(aws: LocalAws, name: str) -> None:
    iam = aws.client("iam")
    key = a_user_with(aws, name, allow("codecommit:*", "*"))
    aws.put_iam_into_effect()
    aws.set(iam_policies_take_seconds=LONG)
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    assert not repositories(aws, a_user_with(aws, name))
