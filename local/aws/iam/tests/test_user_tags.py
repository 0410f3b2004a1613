"""Updates of AWS::IAM::User and the tags that the template lacks."""

from __future__ import annotations

import json

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack


@pytest.mark.parametrize("removes", [0, 1])
def test_stack_tag_change_keeps_or_removes_other_tags(aws: LocalAws, stack: Stack, name: str, removes: int) -> None:
    aws.set(user_updates_remove_other_tags=removes)
    cloudformation, iam = aws.client("cloudformation"), aws.client("iam")
    body = json.dumps({"Resources": {"User": {"Type": "AWS::IAM::User", "Properties": {
        "UserName": name, "Tags": [{"Key": "own", "Value": "1"}]}}}})
    arguments = {"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    cloudformation.create_stack(**arguments)
    assert stack.wait() == "CREATE_COMPLETE"
    iam.tag_user(UserName=name, Tags=[{"Key": "others", "Value": "2"}])
    cloudformation.update_stack(**arguments, Tags=[{"Key": "team", "Value": "3"}])
    assert stack.wait() == "UPDATE_COMPLETE"
    tags = {tag["Key"] for tag in iam.list_user_tags(UserName=name)["Tags"]
            if not tag["Key"].startswith("aws:")}
    assert tags == ({"own", "team"} if removes else {"own", "team", "others"})
