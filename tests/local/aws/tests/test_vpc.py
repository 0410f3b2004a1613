"""A function that leaves a VPC with IPv6."""

import json

import pytest

from tests.templates.deployed import Deployed
from tests.templates.named import IN_A_VPC

BEFORE = Deployed(EnvID="dev", VpcIpv6="true", **IN_A_VPC).properties("Function")["VpcConfig"]
AFTER = Deployed(EnvID="dev").properties("Function")["VpcConfig"]


@pytest.mark.parametrize(
    ("after", "status"),
    [({"VpcConfig": AFTER}, "UPDATE_COMPLETE"), ({}, "UPDATE_ROLLBACK_COMPLETE")],
    ids=["the template's settings", "no settings"],
)
def test_function_is_detached_in_one_deployment(after, status, aws, stack, name):
    function = {
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Code": {"ZipFile": "exit"},
        "Role": f"arn:aws:iam::{aws.account_id}:role/{name}",
    }

    def resources(**more):
        return {"Function": {"Type": "AWS::Lambda::Function", "Properties": {**function, **more}}}

    assert stack.create(resources(VpcConfig=BEFORE)) == "CREATE_COMPLETE"
    aws.client("cloudformation").update_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources(**after)})
    )
    assert stack.wait() == status
    reasons = [event.get("ResourceStatusReason", "") for event in stack.events()]
    assert any("Ipv6AllowedForDualStack cannot be true" in each for each in reasons) == (not after)
